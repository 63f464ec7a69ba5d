"""Files of named arrays and a header: .npz archives, nothing in them pickled or compressed.

The header is JSON, in the member of that name; it says of each array what it is, and has its check sum.  A file that
is read is taken for a stranger's: only members that are expected are read, after their size has been compared with
that of what is expected, and to their end, where the archive's own check sum is.

The sum is CRC-32, which no single flipped bit passes, as the archive's is, over other bytes.  A digest (BLAKE2b,
format 2) took four times as long, 45 ms of 30 MB, and told no more: who means harm computes that, too.
"""

from __future__ import annotations

import io
import json
import math
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from fastnet import files
from fastnet.checks import Array
from fastnet.digests import digest
from fastnet.files import Name

FORMAT = 3  # 2: with digests for check sums; 1: without either
MOST_READ = 1 << 20  # bytes at a time, whatever a file says
MOST_HEADER = 1 << 22  # bytes, four a letter: names of some ten thousand columns
MOST_MEMBERS = 64
_HEADER = "header"
# As NumPy writes it (numpy.lib.format); its own reader would evaluate it as Python.
_PREAMBLE = re.compile(rb"\{'descr': '([^']{1,16})', 'fortran_order': False, 'shape': \(([0-9, ]{0,80})\), \} *\n")


class Layout(NamedTuple):
    """What an array is expected to be."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]


def write(path: Name, header: Mapping[str, Any], arrays: Mapping[str, Array]) -> None:
    """Write an archive to path, under exactly that name.  An existing file is replaced only by a finished one.

    Raises ValueError, before anything is written, where JSON cannot hold the header; OSError as files.replacing.
    """
    stored = {name: _stored(value) for name, value in arrays.items()}
    facts = {name: [value.dtype.str, list(value.shape), _sum(value)] for name, value in stored.items()}
    try:
        text = json.dumps({"format": FORMAT, **header, "arrays": facts}, allow_nan=False)
    except TypeError as error:
        raise ValueError(f"the header holds what no file can ({error})") from error
    if 4 * len(text) > MOST_HEADER:
        raise ValueError(f"the header has {len(text)} letters, expected {MOST_HEADER // 4} at most: shorten the names")
    members: dict[str, Any] = {_HEADER: np.array(text), **stored}
    with files.replacing(path) as file:
        np.savez(file, **members)


def _stored(value: Array) -> Array:
    """An array as it stands in a file: in C order, its lowest byte first."""
    return np.ascontiguousarray(value, value.dtype.newbyteorder("<")).reshape(value.shape)


def _sum(stored: Array) -> int:
    return zlib.crc32(stored.reshape(-1).view(np.uint8).data)


def format_of(header: Mapping[str, Any]) -> int:
    """The number of a header's format.  Raises ValueError where this version does not know it."""
    number = header.get("format")
    if not isinstance(number, int) or number not in range(1, FORMAT + 1):
        raise ValueError(f"its format is {number}, this version reads 1 to {FORMAT}")
    return number


class Archive:
    """An archive whose header has been read."""

    def __init__(self, file: zipfile.ZipFile) -> None:
        self._file = file
        members = file.infolist()
        self._members = {member.filename.removesuffix(".npy"): member for member in members}
        names = ", ".join(list(self._members)[:MOST_MEMBERS])
        if not len(self._members) == len(members) <= MOST_MEMBERS:
            raise ValueError(f"it has {len(members)} members, expected at most {MOST_MEMBERS}, each once: {names}")
        for member in members:
            if member.compress_type != zipfile.ZIP_STORED or member.file_size != member.compress_size:
                raise ValueError(f"{member.filename} is compressed, expected it as it is")
        if _HEADER not in self._members:
            raise ValueError(f"it holds {names or 'nothing'}, expected a header and parameters")
        self.header = self._read_header()
        self._format = format_of(self.header)
        self._facts: Any = self.header.get("arrays")
        if not isinstance(self._facts, list if self._format == 1 else dict):
            raise ValueError("its header does not say what arrays it holds")

    def read(self, expected: Mapping[str, Layout]) -> dict[str, Array]:
        """All its arrays, which must be those expected.  Raises ValueError, before it reads any, where they are not."""
        names = list(self._members.keys() - {_HEADER})
        if not set(names) == set(self._facts) == set(expected):
            raise ValueError(f"it holds {', '.join(sorted(names))}, expected {', '.join(expected)}")
        for name, layout in expected.items():
            with self._file.open(self._members[name]) as member:
                self._require(name, layout, *_preamble(member))
        return {name: self._read(name, layout) for name, layout in expected.items()}

    def _read_header(self) -> dict[str, Any]:
        with self._file.open(self._members[_HEADER]) as member:
            descr, shape, length = _preamble(member)
            size = self._members[_HEADER].file_size - length
            if not descr.startswith("<U") or shape != () or size > MOST_HEADER:
                raise ValueError(f"its header is {descr} of shape {shape} and {size} bytes, expected a short text")
            header = json.loads(_to_end(member, bytearray(size)).decode("utf-32-le").rstrip("\0"))
        if not isinstance(header, dict):
            raise ValueError("its header is no JSON object")
        return header

    def _require(self, name: str, layout: Layout, descr: str, shape: tuple[int, ...], length: int) -> None:
        dtype = layout.dtype.newbyteorder("<").str
        if (descr, shape) != (dtype, layout.shape):
            raise ValueError(f"{name} is {descr} of shape {shape}, expected {dtype} of shape {layout.shape}")
        size = self._members[name].file_size - length
        if size != math.prod(shape) * layout.dtype.itemsize:
            raise ValueError(f"{name} has {size} bytes, expected those of shape {shape}")

    def _read(self, name: str, layout: Layout) -> Array:
        array = np.empty(layout.shape, layout.dtype.newbyteorder("<"))
        with self._file.open(self._members[name]) as member:
            _preamble(member)
            _to_end(member, array.reshape(-1).view(np.uint8).data)
        if self._format > 1:
            found = [array.dtype.str, list(array.shape), digest(array) if self._format == 2 else _sum(array)]
            if self._facts[name] != found:
                raise ValueError(f"{name} is not what the header says, by its check sum")
        return array.astype(layout.dtype, copy=False)


@contextmanager
def reading(path: Name, what: str) -> Iterator[Archive]:
    """The archive at path, while the block lasts.

    Raises OSError where there is no regular file that can be read, ValueError, which says that it is not `what` was
    expected, where it is no archive, and for whatever is raised in the block.
    """
    with unzipped(path, what) as file, files.damage_told(path, what):
        yield Archive(file)


@contextmanager
def unzipped(path: Name, what: str) -> Iterator[zipfile.ZipFile]:
    """The .zip archive at path; raises as `reading` does, but lets pass what is raised in the block."""
    with _Sips(files.open_regular(path).detach()) as raw:
        try:
            with files.damage_told(path, what):
                start = raw.read(16)
                if start.startswith(b"\x93NUMPY"):
                    raise ValueError("a single array, expected an archive, as numpy.savez writes it")
                if not zipfile.is_zipfile(raw):
                    mend = "; it begins as one, and has no end: copy or download it again"
                    raise ValueError(
                        f"it is no .npz archive: it starts with {start!r}{mend if start.startswith(b'PK') else ''}"
                    )
                file = zipfile.ZipFile(raw)
            with file:
                yield file
        except ValueError:
            if raw.failure is not None:  # of the disk: zipfile takes it for damage
                raise raw.failure from None
            raise


class _Sips(io.BufferedReader):
    """A file that is read a little at a time: an archive may say that its directory is as long as it likes.

    failure : what a read raised last
    """

    failure: OSError | None = None

    def read(self, size: int | None = -1) -> bytes:
        if size is None or not 0 <= size <= MOST_READ:
            size = MOST_READ
        try:
            return super().read(size)
        except OSError as error:
            self.failure = error
            raise


def _preamble(member: Any) -> tuple[str, tuple[int, ...], int]:
    """The dtype and the shape of the array in a member, and the bytes in front of it."""
    magic = member.read(10)
    text = member.read(int.from_bytes(magic[8:10], "little"))
    found = _PREAMBLE.fullmatch(text)
    if magic[:8] != b"\x93NUMPY\x01\x00" or found is None:
        raise ValueError(f"{member.name} is no array that NumPy wrote in C order")
    shape = tuple(int(size) for size in found[2].replace(b" ", b"").split(b",") if size)
    return found[1].decode("ascii"), shape, len(magic) + len(text)


def _to_end(member: Any, target: bytearray | memoryview) -> Any:
    """Fill the target with what is left of a member, which must fit.  At its end its check sum is compared."""
    view = memoryview(target)
    done = 0
    while data := member.read(MOST_READ):
        view[done : done + len(data)] = data  # raises where there is more
        done += len(data)
    if done != len(view):
        raise ValueError(f"{member.name} ends after {done} bytes, expected {len(view)}")
    return target
