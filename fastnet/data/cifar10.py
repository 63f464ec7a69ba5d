"""CIFAR-10 in its two official forms, from a folder or straight from the official archive.

Both hold six batches of 32x32 images, each 3072 bytes: the red plane, the green, the blue, row by row.
A batch of the binary form is records of a label byte and those 3072; a batch of the Python form is a pickled
dict of `data`, uint8 of shape (N, 3072), and `labels`, a list of N numbers.
Source: https://www.cs.toronto.edu/~kriz/cifar.html
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnet.data.compressed import open_plain_or_gzip
from fastnet.data.dataset import Dataset
from fastnet.data.tar import files_in
from fastnet.data.unpickling import unpickle_dict
from fastnet.files import damage_told, memory_told, named, open_regular

IMAGE_SHAPE = (3, 32, 32)
PIXELS = 3072
RECORD = 1 + PIXELS
LABEL_NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
TRAIN_BATCHES = ("data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5")
TEST_BATCH = "test_batch"
# Bytes.  In the archives, which may be compressed, batches may have as many records as the official ones: Python 3
# writes up to two bytes for a pixel.
MOST_IN_A_BATCH = 2 * 10_000 * RECORD
MOST_IN_AN_ARCHIVE = 8 * MOST_IN_A_BATCH

Batch = tuple[NDArray[np.uint8], NDArray[np.int64]]  # pixels (N, 3072), labels (N,)


@dataclass(frozen=True)
class Distribution:
    """One official archive: its name, its MD5 and the folder that it unpacks to."""

    archive: str
    md5: str
    folder: str


DISTRIBUTIONS = {
    "binary": Distribution("cifar-10-binary.tar.gz", "c32a1d4ab5d03f1284b67883e8d87530", "cifar-10-batches-bin"),
    "python": Distribution("cifar-10-python.tar.gz", "c58f30108f718f92721af3b95e74349a", "cifar-10-batches-py"),
}


def load_cifar10(path: str | os.PathLike[str]) -> Dataset:
    """Load CIFAR-10.

    Parameters
    ----------
    path : path
        The folder of the batches (`data_batch_1.bin` ... `test_batch.bin`, or the same without `.bin` in the
        Python form), or the folder that holds `cifar-10-batches-bin`, `cifar-10-batches-py` or an official
        archive, or the archive itself, which is read without unpacking it. Where both forms are there, the
        binary one is read. A batch may have any number of records; in an archive no more than the official ones,
        10,000.

    Returns
    -------
    Dataset
        X are uint8 of shape (N, 3072), channel first; `image_shape` is (3, 32, 32).

    Raises
    ------
    ValueError
        If a file is damaged, or is no CIFAR-10 batch, or has a label over 9.
    OSError
        If a batch is missing (FileNotFoundError, which names it), a file is no regular one or cannot be read, or
        memory is too small for them.
    """
    location = _locate(named(path))
    batches: dict[str, Batch] = {}
    suffix = ""
    files = _files_in_folder if location.is_dir() else _files_in_archive
    with memory_told(location):
        for name, source, data in files(location):
            stem, suffix = os.path.splitext(name)
            batches[stem] = PARSERS[suffix](data, source)
        missing = [stem + suffix for stem in (*TRAIN_BATCHES, TEST_BATCH) if stem not in batches]
        if missing:
            expected = "expected five training batches and a test batch"
            raise FileNotFoundError(f"{location}: no {', '.join(missing)}: {expected}")
        X_train, y_train = _joined([batches[stem] for stem in TRAIN_BATCHES])
        X_test, y_test = _joined([batches[TEST_BATCH]])
    return Dataset(X_train, y_train, X_test, y_test, LABEL_NAMES, IMAGE_SHAPE)


def _joined(batches: list[Batch]) -> Batch:
    pixels, labels = zip(*batches, strict=True)
    return np.concatenate(pixels), np.concatenate(labels)


def _locate(path: Path) -> Path:
    """The folder or archive to read, starting from what the user named."""
    if path.exists() and not path.is_dir():
        return path
    for folder in (path, *(path / distribution.folder for distribution in DISTRIBUTIONS.values())):
        if _batch_names_in(folder):
            return folder
    for distribution in DISTRIBUTIONS.values():
        if (path / distribution.archive).is_file():
            return path / distribution.archive
    raise FileNotFoundError(
        f"{path}: no CIFAR-10 here: expected data_batch_1.bin (or data_batch_1) and the other batches, "
        "cifar-10-batches-bin or cifar-10-batches-py, or an official archive; "
        "fastnet.data.download_cifar10 fetches it"
    )


def _batch_names_in(folder: Path) -> list[str]:
    """The names of the batches there, all of one form: the binary one if there is any of it."""
    for suffix in PARSERS:
        names = [stem + suffix for stem in (*TRAIN_BATCHES, TEST_BATCH)]
        if present := [name for name in names if (folder / name).is_file()]:
            return present
    return []


def _files_in_folder(folder: Path) -> Iterator[tuple[str, str, bytes]]:
    """(name, what errors call it, content) of each batch."""
    for name in _batch_names_in(folder):
        yield name, str(folder / name), read_batch(folder / name)


def read_batch(path: Path) -> bytes:
    """The content of a batch's file."""
    with memory_told(path), open_regular(path) as file:
        return file.read()


def _files_in_archive(path: Path) -> Iterator[tuple[str, str, bytes]]:
    """The same from a tar archive, in one pass front to back: going back would decompress it again."""
    wanted = {stem + suffix for stem in (*TRAIN_BATCHES, TEST_BATCH) for suffix in PARSERS}
    what = "a readable tar archive, as the official ones of CIFAR-10"
    with open_plain_or_gzip(path) as stream, damage_told(path, what):
        for name, data in files_in(stream, wanted, MOST_IN_A_BATCH, MOST_IN_AN_ARCHIVE):
            yield os.path.basename(name), f"{path}: {name}", data


def _parse_binary(data: bytes, source: str) -> Batch:
    if not data or len(data) % RECORD:
        raise ValueError(
            f"{source}: {len(data):,} bytes: expected records of {RECORD} bytes, a label and {PIXELS} pixels "
            "each; get a new copy of the file"
        )
    records = np.frombuffer(data, np.uint8).reshape(-1, RECORD)
    return records[:, 1:], _checked_labels(records[:, 0].tolist(), source)


def _parse_python(data: bytes, source: str) -> Batch:
    batch = unpickle_dict(data, source)
    for key in ("data", "labels"):
        if key not in batch:
            found = ", ".join(map(repr, batch)) or "nothing"
            raise ValueError(f"{source}: no {key!r}: expected a CIFAR-10 batch, found a dict of {found}")
    pixels, labels = batch["data"], batch["labels"]
    if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8 or pixels.shape[1:] != (PIXELS,):
        raise ValueError(f"{source}: 'data' is {_described(pixels)}: expected uint8 of shape (N, {PIXELS})")
    if isinstance(labels, np.ndarray) and labels.shape == pixels.shape[:1]:  # a list takes many times its bytes
        labels = labels.tolist()
    if not isinstance(labels, list) or not len(labels) == len(pixels) > 0:
        raise ValueError(
            f"{source}: 'labels' is {_described(labels)}, 'data' {_described(pixels)}: "
            "expected one label for each row, and at least one"
        )
    return pixels, _checked_labels(labels, source)


def _described(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"{value.dtype} of shape {value.shape}"
    return f"a list of {len(value)}" if isinstance(value, list) else f"a {type(value).__name__}"


def _checked_labels(labels: list[Any], source: str) -> NDArray[np.int64]:
    for record, label in enumerate(labels):
        if type(label) is not int or not 0 <= label <= 9:
            found = label if type(label) is int else _described(label)
            raise ValueError(f"{source}: label {found} in record {record}: expected a number from 0 to 9")
    return np.array(labels, dtype=np.int64)


# By the suffix of a batch's name. Where both forms are there the first is read: it takes a tenth of the time.
PARSERS = {".bin": _parse_binary, "": _parse_python}
