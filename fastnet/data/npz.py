"""Data sets in NumPy's own archive format (`numpy.savez`)."""

import os
import zipfile
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from fastnet import checks
from fastnet.data.dataset import Dataset

# What the rows and the labels are called, small or capital letters alike: by Keras, MedMNIST and others.
TRAINING = (("X_train", "y_train"), ("train_images", "train_labels"), ("X", "y"), ("data", "target"))
TEST = (("X_test", "y_test"), ("test_images", "test_labels"))
Pair = tuple[str, str]


def load_npz(file: str | os.PathLike[str]) -> Dataset:
    """Load a data set written by `numpy.savez(file, X_train=..., y_train=..., X_test=..., y_test=...)`.

    The test pair may be missing; the training pair may be named `X` and `y`, either pair as in `TRAINING` and `TEST`.
    Other keys are not read, and pickled objects are refused.

    Returns
    -------
    Dataset
        X of shape (N, D), of any integers, booleans or floats; grey images (N, rows, columns) become rows, and
        `image_shape` (1, rows, columns).  y of shape (N,), converted to int64.

    Raises
    ------
    ValueError
        If the file is no readable npz archive, or a key is missing, or a shape, dtype or label is wrong, or a number
        is not finite.
    OSError
        If the file cannot be opened.
    """
    path = Path(file)
    arrays, train, test = _read_arrays(path)
    X_train, y_train = _checked_pair(path, arrays, train)
    if test is None:
        return Dataset(_flat(X_train), y_train, image_shape=_image_shape(X_train))
    X_test, y_test = _checked_pair(path, arrays, test)
    if X_test.shape[1:] != X_train.shape[1:]:
        found, expected = (", ".join(map(str, X.shape[1:])) for X in (X_test, X_train))
        raise ValueError(f"{path}: {test[0]} has {found} columns: expected {expected}, as in {train[0]}")
    return Dataset(_flat(X_train), y_train, _flat(X_test), y_test, image_shape=_image_shape(X_train))


def require_numpy_file(stream: BinaryIO, kinds: tuple[str, ...]) -> None:
    """Raise ValueError unless the stream holds an "array" or an "archive", as kinds ask for; go back to its start.

    NumPy takes anything else for a pickle, and says how to load it unsafely.
    """
    start = stream.read(16)
    kind = "array" if start.startswith(b"\x93NUMPY") else "archive" if zipfile.is_zipfile(stream) else None
    stream.seek(0)
    if kind is None:
        raise ValueError(f"it starts with {start!r}")
    if kind not in kinds:
        raise ValueError(f"a single {kind}")


def spelt(names: tuple[str, ...], present: list[str]) -> dict[str, str]:
    """Those of the names that are present, and how they are written there."""
    written = {name.lower(): name for name in reversed(present)}
    return {name: written[name.lower()] for name in names if name.lower() in written}


def members_of(archive: zipfile.ZipFile) -> dict[str, str]:
    """The members of an archive by the names of their arrays."""
    return {name.removesuffix(".npy"): name for name in archive.namelist()}


def _read_arrays(path: Path) -> tuple[dict[str, Any], Pair, Pair | None]:
    """The arrays by the names that they should have, and the names of the two pairs."""
    with open(path, "rb") as stream:
        try:
            require_numpy_file(stream, ("archive",))
            with zipfile.ZipFile(stream) as archive:
                members = members_of(archive)
                names = list(members)
                train = next((pair for pair in TRAINING if spelt(pair, names)), None)
                test = next((pair for pair in TEST if spelt(pair, names)), None)
                pairs = [pair for pair in (train, test) if pair is not None]
                arrays = {
                    name: read_member(archive, members[written])
                    for pair in pairs
                    for name, written in spelt(pair, names).items()
                }
        # On damaged input NumPy, zipfile and the decompressors raise a dozen types, OSError among them.
        except Exception as error:
            raise ValueError(f"{path}: not a readable npz archive ({error}): write it with numpy.savez") from error
    missing = [name for pair in (train or TRAINING[0], test or ()) for name in pair if name not in arrays]
    if train is None or missing:
        raise ValueError(
            f"{path}: no array {missing[0]} (it holds {', '.join(map(repr, names)) or 'nothing'}): "
            "expected X_train and y_train, with or without X_test and y_test, or X and y"
        )
    return arrays, train, test


def read_member(archive: zipfile.ZipFile, member: str) -> Any:
    """The array of a member, which is read to its end, where its check sum is: numpy.load stops before."""
    with archive.open(member) as file:
        array = np.lib.format.read_array(file, allow_pickle=False)
        if file.read(1):
            raise ValueError(f"{member} goes on behind its array")
    return array


def _checked_pair(path: Path, arrays: dict[str, Any], pair: Pair) -> tuple[NDArray[Any], NDArray[np.int64]]:
    X_name, y_name = pair
    X, y = np.asarray(arrays[X_name]), np.asarray(arrays[y_name])
    if X.ndim not in (2, 3) or 0 in X.shape or X.dtype.kind not in "buif":
        raise ValueError(
            f"{path}: {X_name} is {X.dtype} of shape {X.shape}: "
            "expected numbers of shape (N, D), or (N, rows, columns) of grey images, not empty; "
            "flatten others with X.reshape(len(X), -1)"
        )
    if y.shape != (len(X),) or y.dtype.kind not in "iu":
        raise ValueError(
            f"{path}: {y_name} is {y.dtype} of shape {y.shape}: "
            f"expected ({len(X)},), one whole number for each row of {X_name}; "
            "numpy.unique(y, return_inverse=True)[1] makes them of other labels"
        )
    try:
        checks.require_finite(X_name, _flat(X), np.dtype(np.float64))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    labels = y.astype(np.int64)
    if labels.min() < 0:
        raise ValueError(f"{path}: label {labels.min()} in {y_name}: expected labels from 0 up")
    return X, labels


def _flat(X: NDArray[Any]) -> NDArray[Any]:
    return X.reshape(len(X), -1)


def _image_shape(X: NDArray[Any]) -> tuple[int, int, int] | None:
    return (1, *X.shape[1:]) if X.ndim == 3 else None
