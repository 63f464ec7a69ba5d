"""IDX files, the format of MNIST and Fashion-MNIST.

Two zero bytes, a dtype code, the number of dimensions; each dimension as a big-endian uint32; then the
elements, big-endian, in C order. Source: "The IDX file format" at the end of http://yann.lecun.com/exdb/mnist/
"""

import math
import os
import struct
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from fastnet.data.compressed import MAX_EXPANSION, open_plain_or_gzip
from fastnet.data.dataset import Dataset
from fastnet.files import memory_told, named

DTYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
MAX_DIMENSIONS = 64  # NumPy's own limit
PIECE = 1 << 20  # bytes that are read at a time


def read_idx(path: str | os.PathLike[str]) -> NDArray[Any]:
    """Read one IDX file, plain or gzip (told by content, whatever the name).

    Parameters
    ----------
    path : of the file

    Returns
    -------
    ndarray of the shape and dtype that the file states, in the machine's byte order

    Raises
    ------
    ValueError
        If the file is no IDX file, is damaged, or holds fewer or more bytes than its header states.
    OSError
        If it is no regular file, cannot be read, or memory is too small for it.
    """
    path = named(path)
    with memory_told(path), open_plain_or_gzip(path) as stream:
        dtype, shape = _read_header(stream, path)
        expected = math.prod(shape) * dtype.itemsize
        found = bytearray()  # grows with what is there, whatever the header says
        if expected <= MAX_EXPANSION * path.stat().st_size:
            while data := stream.read(min(PIECE, expected - len(found))):
                found += data
        if len(found) < expected:
            raise ValueError(f"{path}: truncated: its header states {shape} {dtype.name}, {expected:,} bytes")
        if stream.read(1):
            raise ValueError(f"{path}: more bytes follow the {shape} {dtype.name} that its header states")
    array = np.frombuffer(found, dtype).reshape(shape)
    return array if dtype.isnative else array.byteswap(inplace=True).view(dtype.newbyteorder("="))


def _read_header(stream: BinaryIO, path: Path) -> tuple[np.dtype[Any], tuple[int, ...]]:
    magic = stream.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in DTYPES or not 0 < magic[3] <= MAX_DIMENSIONS:
        codes = ", ".join(f"{code:02x}" for code in DTYPES)
        raise ValueError(
            f"{path}: not an IDX file: it starts with the bytes {magic.hex(' ') or '(none)'}: "
            f"expected 00 00, a dtype code ({codes}) and the number of dimensions"
        )
    sizes = stream.read(4 * magic[3])
    if len(sizes) < 4 * magic[3]:
        raise ValueError(f"{path}: truncated: the header of its {magic[3]} dimensions is not complete")
    shape = struct.unpack(f">{magic[3]}I", sizes)
    if 0 in shape:
        raise ValueError(f"{path}: empty: its header states the shape {shape}")
    return np.dtype(DTYPES[magic[2]]), shape


def load_idx(folder: str | os.PathLike[str]) -> Dataset:
    """Load MNIST or any data set laid out like it.

    Parameters
    ----------
    folder : path
        Holds `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, `t10k-images-idx3-ubyte` and
        `t10k-labels-idx1-ubyte`, each plain or with `.gz`.

    Returns
    -------
    Dataset
        X are uint8 of shape (N, rows * columns), `image_shape` is (1, rows, columns).

    Raises
    ------
    ValueError
        If a file is damaged, is not uint8 in 3 (images) or 1 (labels) dimensions, or does not fit the others.
    OSError
        If a file is missing (FileNotFoundError) or cannot be read, or folder is a file (NotADirectoryError).
    """
    folder = named(folder)
    if folder.is_file():
        raise NotADirectoryError(f"{folder}: a file: expected the folder that holds it and the others of the data set")
    train_images, y_train = _load_part(folder, "train")
    test_images, y_test = _load_part(folder, "t10k")
    rows, columns = train_images.shape[1:]
    if test_images.shape[1:] != (rows, columns):
        raise ValueError(
            f"{folder}: the test images have shape {test_images.shape[1:]}: "
            f"expected {(rows, columns)}, that of the training images"
        )
    return Dataset(
        train_images.reshape(-1, rows * columns),
        y_train,
        test_images.reshape(-1, rows * columns),
        y_test,
        image_shape=(1, rows, columns),
    )


def _load_part(folder: Path, part: str) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    images_path = _find(folder, f"{part}-images-idx3-ubyte")
    labels_path = _find(folder, f"{part}-labels-idx1-ubyte")
    images = _read_uint8(images_path, dimensions=3)
    labels = _read_uint8(labels_path, dimensions=1)
    if len(images) != len(labels):
        raise ValueError(
            f"{labels_path}: {len(labels)} labels: expected {len(images)}, one for each image of {images_path}"
        )
    return images, labels.astype(np.int64)


def _find(folder: Path, name: str) -> Path:
    for path in (folder / name, folder / f"{name}.gz"):
        if path.is_file():
            return path
    raise FileNotFoundError(f"{folder}: neither {name} nor {name}.gz is there")


def _read_uint8(path: Path, dimensions: int) -> NDArray[np.uint8]:
    array = read_idx(path)
    if array.dtype != np.uint8 or array.ndim != dimensions:
        raise ValueError(
            f"{path}: {array.ndim} dimensions of {array.dtype}: expected {dimensions} of uint8; "
            "are the images and the labels mixed up?"
        )
    return array
