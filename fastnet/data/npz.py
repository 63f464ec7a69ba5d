"""Data sets in NumPy's own archive format (`numpy.savez`)."""

import os
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastnet import archive, checks
from fastnet.data import npy
from fastnet.data.compressed import MAX_EXPANSION
from fastnet.data.dataset import Dataset
from fastnet.files import damage_told, named

# What the rows and the labels are called, small or capital letters alike: by Keras, MedMNIST and others.
TRAINING = (("X_train", "y_train"), ("train_images", "train_labels"), ("X", "y"), ("data", "target"))
TEST = (("X_test", "y_test"), ("test_images", "test_labels"))
Pair = tuple[str, str]

READABLE = "a readable npz archive"


def load_npz(file: str | os.PathLike[str]) -> Dataset:
    """Load a data set written by `numpy.savez(file, X_train=..., y_train=..., X_test=..., y_test=...)`.

    The test pair may be missing; the training pair may be named `X` and `y`, either pair as in `TRAINING` and `TEST`.
    Other keys are not read, and pickled objects are refused; shapes and dtypes are looked at before anything is read.

    Parameters
    ----------
    file : of the archive

    Returns
    -------
    Dataset
        X of shape (N, D), of any integers, booleans or floats; grey images (N, rows, columns) become rows, and
        `image_shape` (1, rows, columns).  y of shape (N,), or (N, 1) as Keras and MedMNIST have it, converted to int64.

    Raises
    ------
    ValueError
        If the file is no readable npz archive, or a key is missing, or a shape, dtype or label is wrong, or a number
        is not finite.
    OSError
        If it is no regular file, cannot be read, or memory is too small for it.
    """
    path = named(file)
    with archive.unzipped(path, READABLE) as members:
        pairs = _pairs(path, members)
        for pair in pairs:
            _check(path, pair)
        train, *test = pairs
        for pair in test:
            if pair.X.shape[1:] != train.X.shape[1:]:
                found, expected = (", ".join(map(str, X.shape[1:])) for X in (pair.X, train.X))
                raise ValueError(
                    f"{path}: {pair.X_name} has {found} columns: expected {expected}, as in {train.X_name}"
                )
        (X, y), *tests = (_read(path, pair) for pair in pairs)
    X_test, y_test = tests[0] if tests else (None, None)
    shape = train.X.shape
    return Dataset(X, y, X_test, y_test, image_shape=(1, shape[1], shape[2]) if len(shape) == 3 else None)


def spelt(names: tuple[str, ...], present: list[str]) -> dict[str, str]:
    """Those of the names that are present, and how they are written there."""
    written = {name.lower(): name for name in reversed(present)}
    return {name: written[name.lower()] for name in names if name.lower() in written}


def members_of(archive: zipfile.ZipFile) -> dict[str, str]:
    """The members of an archive by the names of their arrays."""
    return {name.removesuffix(".npy"): name for name in archive.namelist()}


class _Pair(NamedTuple):
    """Rows and labels that have not been read yet, by the names that they should have."""

    X_name: str
    X: npy.Stored
    y_name: str
    y: npy.Stored


def _pairs(path: Path, members: zipfile.ZipFile) -> list[_Pair]:
    """The training pair, and the test pair if there is one."""
    written = members_of(members)
    names = list(written)
    train = next((pair for pair in TRAINING if spelt(pair, names)), None)
    test = next((pair for pair in TEST if spelt(pair, names)), None)
    pairs = [pair for pair in (train or TRAINING[0], test) if pair is not None]
    missing = [name for pair in pairs for name in pair if name not in spelt(pair, names)]
    if missing:
        raise ValueError(
            f"{path}: no array {missing[0]} (it holds {', '.join(map(repr, names)) or 'nothing'}): "
            "expected X_train and y_train, with or without X_test and y_test, or X and y"
        )
    most = MAX_EXPANSION * path.stat().st_size
    with damage_told(path, READABLE):
        return [
            _Pair(X, npy.member(members, own[X], most), y, npy.member(members, own[y], most))
            for X, y in pairs
            for own in [{name: written[own] for name, own in spelt((X, y), names).items()}]
        ]


def _check(path: Path, pair: _Pair) -> None:
    """Raise ValueError for what no data set is made of."""
    X_name, X, y_name, y = pair
    if X.ndim not in (2, 3) or 0 in X.shape or X.dtype.kind not in "buif":
        raise ValueError(
            f"{path}: {X_name} is {X.dtype} of shape {X.shape}: "
            "expected numbers of shape (N, D), or (N, rows, columns) of grey images, not empty; "
            "flatten others with X.reshape(len(X), -1)"
        )
    one_each = y.shape in (X.shape[:1], (*X.shape[:1], 1))
    if not one_each or y.dtype.kind not in "iu":
        mend = ""
        if one_each:
            mend = "; numpy.unique(y, return_inverse=True)[1] makes them of other labels"
        elif y.ndim == 2 and y.shape[0] == X.shape[0]:
            mend = "; y.argmax(axis=1) makes them of one-hot rows"
        raise ValueError(
            f"{path}: {y_name} is {y.dtype} of shape {y.shape}: "
            f"expected {X.shape[:1]}, one whole number for each row of {X_name}{mend}"
        )


def _read(path: Path, pair: _Pair) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """The rows (N, D) and the labels (N,) of a pair."""
    with damage_told(path, READABLE):
        X, y = pair.X.read(), pair.y.read().reshape(-1)
    X = X.reshape(len(X), -1)
    try:
        checks.require_finite(pair.X_name, X, np.dtype(np.float64))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    labels = y.astype(np.int64)
    if labels.min() < 0:
        raise ValueError(f"{path}: label {labels.min()} in {pair.y_name}: expected labels from 0 up")
    return X, labels
