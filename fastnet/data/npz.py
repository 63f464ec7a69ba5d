"""Data sets in NumPy's own archive format (`numpy.savez`)."""

import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnet.data.dataset import Dataset

X_DTYPES = (np.dtype(np.uint8), np.dtype(np.float32), np.dtype(np.float64))


def load_npz(file: str | os.PathLike[str]) -> Dataset:
    """Load a data set written by `numpy.savez(file, X_train=..., y_train=..., X_test=..., y_test=...)`.

    The test pair may be missing; the training pair may be named `X` and `y`. Other keys are not read, and
    pickled objects are refused.

    Returns
    -------
    Dataset
        X of shape (N, D), uint8, float32 or float64; y of shape (N,), converted to int64.

    Raises
    ------
    ValueError
        If the file is no readable npz archive, or a key is missing, or a shape, dtype or label is wrong.
    OSError
        If the file cannot be opened.
    """
    path = Path(file)
    arrays = _read_arrays(path)
    names = ("X", "y") if "X" in arrays else ("X_train", "y_train")
    X_train, y_train = _checked_pair(path, arrays, *names)
    if not {"X_test", "y_test"} & arrays.keys():
        return Dataset(X_train, y_train)
    X_test, y_test = _checked_pair(path, arrays, "X_test", "y_test")
    if X_test.shape[1] != X_train.shape[1]:
        raise ValueError(f"{path}: X_test has {X_test.shape[1]} columns: expected {X_train.shape[1]}, as in {names[0]}")
    return Dataset(X_train, y_train, X_test, y_test)


def _read_arrays(path: Path) -> dict[str, Any]:
    with open(path, "rb") as stream:
        try:
            with zipfile.ZipFile(stream) as archive:
                members = {name.removesuffix(".npy"): name for name in archive.namelist()}
                train = ("X_train", "y_train") if "X_train" in members else ("X", "y")
                names = [name for name in (*train, "X_test", "y_test") if name in members]
                return {name: _read_array(archive, members[name]) for name in names}
        # On damaged input NumPy, zipfile and the decompressors raise a dozen types, OSError among them.
        except Exception as error:
            raise ValueError(f"{path}: not a readable npz archive ({error}): write it with numpy.savez") from error


def _read_array(archive: zipfile.ZipFile, member: str) -> Any:
    """The array of a member, which is read to its end, where its check sum is: numpy.load stops before."""
    with archive.open(member) as file:
        array = np.lib.format.read_array(file, allow_pickle=False)
        if file.read(1):
            raise ValueError(f"{member} goes on behind its array")
    return array


def _checked_pair(
    path: Path, arrays: dict[str, Any], X_name: str, y_name: str
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    for name in (X_name, y_name):
        if name not in arrays:
            found = ", ".join(arrays) or "none of the expected arrays"
            raise ValueError(
                f"{path}: no array {name} (found: {found}): "
                "expected X_train and y_train, with or without X_test and y_test, or X and y"
            )
    X, y = np.asarray(arrays[X_name]), np.asarray(arrays[y_name])
    if X.ndim != 2 or 0 in X.shape or X.dtype not in X_DTYPES:
        raise ValueError(
            f"{path}: {X_name} is {X.dtype} of shape {X.shape}: "
            "expected (N, D), not empty, of uint8, float32 or float64; "
            "flatten images with X.reshape(len(X), -1)"
        )
    if y.shape != (len(X),) or y.dtype.kind not in "iu":
        raise ValueError(
            f"{path}: {y_name} is {y.dtype} of shape {y.shape}: "
            f"expected ({len(X)},), one whole number for each row of {X_name}"
        )
    labels = y.astype(np.int64)
    if labels.min() < 0:
        raise ValueError(f"{path}: label {labels.min()} in {y_name}: expected labels from 0 up")
    return X, labels
