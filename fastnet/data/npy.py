"""Arrays in NumPy's file format, alone or in a .npz archive: looked at first, then read as far as they should go.

Format: numpy.lib.format.  Its reader would take the memory for an array before it has seen one.
"""

from __future__ import annotations

import io
import math
import os
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from fastnet.files import open_regular

MOST_HEADER = 10_000  # bytes of NumPy's own choice
PIECE = 1 << 20  # bytes that are read at a time
_KINDS = "biufcUS"


@dataclass(frozen=True)
class Stored:
    """An array that has not been read yet.

    dtype, shape : as its header says, which fits its size
    """

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    _fortran: bool
    _offset: int
    _open: Callable[[], IO[bytes]]

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return len(self.shape)

    def read(self) -> NDArray[Any]:
        """The array.  A member of an archive is read to its end, where its check sum is."""
        array = np.empty(self.shape, self.dtype, "F" if self._fortran else "C")
        left = array.reshape(-1, order="A").view(np.uint8).data
        with self._open() as file:
            file.read(self._offset)
            while data := file.read(PIECE):
                left[: len(data)] = data  # raises where there is more
                left = left[len(data) :]
        if len(left):
            raise ValueError(f"{len(left):,} bytes of an array are missing")
        return array


def _stored(open_: Callable[[], IO[bytes]], size: int, name: str) -> Stored:
    """What an array in a file of so many bytes says that it is.  Raises ValueError where it is none, or of objects."""
    with open_() as file:
        header = io.BytesIO(file.read(MOST_HEADER))
    try:
        version = np.lib.format.read_magic(header)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = read(header, max_header_size=MOST_HEADER)
    except MemoryError as error:  # of Python's parser
        raise ValueError(f"{name}: its header is damaged") from error
    if dtype.kind not in _KINDS:
        raise ValueError(f"{name} holds {'Python objects' if dtype.hasobject else dtype}, expected numbers")
    if math.prod(shape) * dtype.itemsize != size - header.tell():
        raise ValueError(f"{name} has {size - header.tell():,} bytes, expected those of shape {shape} of {dtype}")
    return Stored(dtype, shape, fortran, header.tell(), open_)


def member(archive: zipfile.ZipFile, name: str, most: int) -> Stored:
    """An array of an archive of so many bytes at most.

    Raises ValueError where it is none, has another size, or is compressed in a way that NumPy does not know.
    """
    info = archive.getinfo(name)
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(f"{name} is compressed in a way that NumPy does not know")
    if info.file_size > most:
        raise ValueError(f"{name} has {info.file_size:,} bytes, more than the file may hold")
    return _stored(lambda: archive.open(info), info.file_size, name)


def alone(path: Path) -> Stored:
    """The array in a .npy file."""
    return _stored(lambda: open_regular(path), os.stat(path).st_size, path.name)
