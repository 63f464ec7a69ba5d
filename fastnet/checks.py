"""Checks at the public edge.

Kernels index raw memory, so whatever reaches one has passed here: shapes, types, ranges, finite numbers.
Every error says what was found, what was expected, and where it is not obvious, the mend.
"""

from __future__ import annotations

import math
import operator
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

Array = NDArray[Any]

THREADS_VARIABLE = "FASTNET_THREADS"
PRECISIONS = ("highest", "high", "medium")
_BLOCK_BYTES = 1 << 24  # of data looked at together when it is searched for bad values
_READ = (np.dtype(np.uint8), np.dtype(np.float32), np.dtype(np.float64))  # by kernels, without conversion


def float_dtype(dtype: DTypeLike) -> np.dtype[Any]:
    """float32 or float64."""
    try:
        found = np.dtype(dtype)
    except TypeError as error:
        raise ValueError(f"dtype is {dtype!r}, expected float32 or float64") from error
    if found not in (np.dtype(np.float32), np.dtype(np.float64)):
        raise ValueError(f"dtype is {found}, expected float32 or float64")
    return found


def whole(name: str, value: Any, least: int) -> int:
    """An integer not below `least`."""
    try:
        number = operator.index(value)
    except TypeError:
        number = least - 1
    if isinstance(value, (bool, np.bool_)) or number < least:
        raise ValueError(f"{name} is {value!r}, expected an integer of at least {least}")
    return number


def non_negative(name: str, value: Any, dtype: DTypeLike = np.float64) -> float:
    """A finite real number not below zero, finite in dtype as well."""
    number = _real(value)
    if not 0 <= number <= float(np.finfo(dtype).max):
        raise ValueError(f"{name} is {value!r}, expected a finite number of at least 0 in {np.dtype(dtype)}")
    return number


def positive(name: str, value: Any) -> float:
    """A finite real number above zero."""
    number = _real(value)
    if not (math.isfinite(number) and number > 0):
        raise ValueError(f"{name} is {value!r}, expected a finite number above 0")
    return number


def open_unit(name: str, value: Any) -> float:
    """A real number in [0, 1)."""
    number = _real(value)
    if not 0 <= number < 1:
        raise ValueError(f"{name} is {value!r}, expected a number in [0, 1)")
    return number


def _real(value: Any) -> float:
    if isinstance(value, (str, bytes)):  # float() would read them
        return math.nan
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan


def threads(value: Any) -> int | None:
    """A number of workers; None leaves it to FASTNET_THREADS, and without that to the engine."""
    if value is None:
        text = os.environ.get(THREADS_VARIABLE)
        if not text:
            return None
        if not text.strip().isdecimal() or int(text) < 1:
            raise ValueError(f"{THREADS_VARIABLE} is {text!r}, expected an integer of at least 1")
        return int(text)
    return whole("threads", value, 1)


def matmul_precision(value: Any, dtype: np.dtype[Any]) -> str:
    """ "highest", "high" or "medium"; in float64 "highest"."""
    if not isinstance(value, str) or value not in PRECISIONS:
        raise ValueError(f"matmul_precision is {value!r}, expected one of {', '.join(map(repr, PRECISIONS))}")
    if value != PRECISIONS[0] and dtype != np.float32:
        raise ValueError(f"matmul_precision is {value!r}, expected {PRECISIONS[0]!r}: a {dtype} model has no other")
    return value


def features(name: str, X: Any, inputs: int, dtype: np.dtype[Any]) -> Array:
    """X of shape (rows, inputs) as the kernels read it: C-contiguous uint8, float32 or float64, finite in dtype.

    No copy is made of such an array, read-only or not.  One with other strides is copied as it is; integers,
    booleans and float16 become dtype.
    """
    if isinstance(X, np.ma.MaskedArray) and np.ma.is_masked(X):
        raise ValueError(f"{name} is a masked array with masked elements, expected numbers: fill or drop them")
    array = np.asarray(X)
    if array.ndim != 2:
        raise ValueError(
            f"{name} has shape {array.shape}, expected 2 dimensions (rows, {inputs}); one image is X.reshape(1, -1)"
        )
    if len(array) == 0:
        raise ValueError(f"{name} has no rows, expected at least one")
    if array.shape[1] != inputs:
        raise ValueError(f"{name} has {array.shape[1]} columns, expected the model's {inputs} inputs")
    if array.dtype.kind not in "buif":
        raise ValueError(f"{name} has dtype {array.dtype}, expected uint8, float32 or float64")
    if array.dtype not in _READ:
        # Wide integers as float64: in float32 time stamps and large ids would lose their digits before the mean is
        # subtracted.
        wide = array.dtype.itemsize > 8 or (array.dtype.kind in "ui" and array.dtype.itemsize >= 4)
        array = array.astype(np.float64 if wide else dtype)
    if array.dtype.kind == "f":
        _require_finite(name, array, dtype)
    array = np.ascontiguousarray(array)
    # A header of our own: the caller's may get another shape meanwhile (a callback is enough).
    return array.view() if array.flags.aligned else array.copy()


def finite_params(params: Mapping[str, Array]) -> None:
    """Raise ValueError where a parameter is not finite."""
    for name, value in params.items():
        # One pass without a copy; a sum that is finite has no other terms.  Of large numbers it may not be.
        with np.errstate(all="ignore"):
            sound = math.isfinite(value.sum()) or bool(np.isfinite(value).all())
        if not sound:
            raise ValueError(
                f"{name} holds nan or infinity, expected finite parameters: set good ones, or make the model anew"
            )


def _require_finite(name: str, array: Array, dtype: np.dtype[Any]) -> None:
    limit = np.finfo(dtype).max
    rows = max(1, _BLOCK_BYTES // max(1, array.shape[1] * array.itemsize))
    for first in range(0, len(array), rows):
        block = array[first : first + rows]
        if not (block.min() >= -limit and block.max() <= limit):  # false for nan as well
            bad = np.argwhere(~(np.abs(block) <= limit))[0]
            raise ValueError(
                f"{name}[{first + bad[0]}, {bad[1]}] is {block[tuple(bad)]}, expected finite numbers that fit {dtype}"
            )


def labels(name: str, y: Any, rows: int, classes: int) -> NDArray[np.int64]:
    """y of shape (rows,) as int64 in [0, classes)."""
    array = np.asarray(y)
    if array.ndim != 1:
        raise ValueError(f"{name} has shape {array.shape}, expected 1 dimension of {rows} labels")
    if len(array) != rows:
        raise ValueError(f"{name} has {len(array)} labels for {rows} rows, expected one for each")
    return integers(name, array, classes, "labels")


def integers(name: str, array: Array, below: int, what: str) -> NDArray[np.int64]:
    """An array of integers in [0, below) as a C-contiguous int64 copy.

    A copy in any case: kernels index memory by these numbers, and the caller's own may change meanwhile (a
    callback is enough).
    """
    if array.dtype.kind not in "ui":
        raise ValueError(f"{name} has dtype {array.dtype}, expected integer {what}")
    if array.size and (array.min() < 0 or array.max() >= below):
        wrong = int(array.min()) if array.min() < 0 else int(array.max())
        raise ValueError(f"{name} holds {wrong}, expected {what} from 0 to {below - 1}")
    return np.array(array, dtype=np.int64, order="C")


def weights(name: str, values: Any, rows: int) -> NDArray[np.float64] | None:
    """Weights of shape (rows,) as a float64 copy: finite, none negative, not all 0.  None stays None."""
    if values is None:
        return None
    array = np.asarray(values)
    if array.shape != (rows,):
        raise ValueError(f"{name} has shape {array.shape}, expected ({rows},): a weight for each row")
    if array.dtype.kind not in "buif":
        raise ValueError(f"{name} has dtype {array.dtype}, expected numbers")
    array = array.astype(np.float64)
    wrong = np.flatnonzero(~((array >= 0) & (array <= float(np.finfo(np.float32).max))))
    if len(wrong):
        raise ValueError(
            f"{name}[{wrong[0]}] is {array[wrong[0]]}, expected finite numbers of at least 0 that fit float32"
        )
    if not array.any():
        raise ValueError(f"{name} holds zeros alone, expected a weight above 0 for at least one row")
    return array
