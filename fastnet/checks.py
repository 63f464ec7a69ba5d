"""Checks at the public edge.

Kernels index raw memory, so whatever reaches one has passed here: shapes, types, ranges, finite numbers.
Every error says what was found, what was expected, and where it is not obvious, the mend.
"""

from __future__ import annotations

import errno
import math
import mmap
import operator
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

Array = NDArray[Any]

THREADS_VARIABLE = "FASTNET_THREADS"
PRECISIONS = ("highest", "high", "medium")
MOST = np.iinfo(np.int64).max  # of sizes and counts
MOST_DEVIATION = 1e18  # of initial weights: their squares are floats
_BLOCK_BYTES = 1 << 24  # of data looked at together when it is searched for bad values
_MOST_DIMENSIONS = 64  # of NumPy's arrays
_VAGUE = (np.number, np.inexact, np.floating)  # as None is, float64 to some version of NumPy
_READ = (np.dtype(np.uint8), np.dtype(np.float32), np.dtype(np.float64))  # by kernels, without conversion


def float_dtype(dtype: DTypeLike) -> np.dtype[Any]:
    """float32 or float64."""
    return dtype_of(dtype, (np.float32, np.float64))


def dtype_of(dtype: DTypeLike, kinds: tuple[DTypeLike, ...]) -> np.dtype[Any]:
    """One of these."""
    known = [np.dtype(kind) for kind in kinds]
    expected = " or ".join(map(str, known))
    try:
        vague = dtype is None or (isinstance(dtype, type) and dtype in _VAGUE)
        found = np.dtype("" if vague else dtype)
    except Exception as error:  # whatever NumPy makes of what is none
        raise ValueError(f"dtype is {dtype!r}, expected {expected}") from error
    if found not in known:
        raise ValueError(f"dtype is {found}, expected {expected}")
    return found


def whole(name: str, value: Any, least: int) -> int:
    """An integer not below `least`."""
    try:
        number = operator.index(value)
    except Exception:  # of a stranger's type
        number = least - 1
    if isinstance(value, (bool, np.bool_)) or number < least:
        raise ValueError(f"{name} is {value!r}, expected an integer of at least {least}")
    return number


def count(name: str, value: Any, least: int) -> int:
    """An integer not below `least` of things that memory holds."""
    number = whole(name, value, least)
    if number > MOST:
        raise ValueError(f"{name} has {number.bit_length()} bits, expected an integer from {least} to {MOST}")
    return number


def flag(name: str, value: Any) -> bool:
    """True or False: of anything else Python knows a truth that its writer need not have meant."""
    if not isinstance(value, (bool, np.bool_)):
        raise ValueError(f"{name} is {value!r}, expected True or False")
    return bool(value)


def one_of(name: str, value: Any, known: tuple[str | None, ...], expected: str) -> Any:
    """One of some texts, or None where that is one of them; a stranger's type may not even be comparable."""
    if not (value is None or isinstance(value, str)) or value not in known:
        raise ValueError(f"{name} is {value!r}, expected {expected}")
    return value


def texts(name: str, values: Any) -> list[str]:
    """One text or more, in a list or anything like one."""
    try:
        found = [values] if isinstance(values, (str, bytes)) else list(values)
    except Exception:  # of a stranger's type
        found = [values]
    if isinstance(values, str) or not found or not all(isinstance(value, str) for value in found):
        raise ValueError(f"{name} is {values!r}, expected a list of texts")
    return [str(value) for value in found]  # NumPy's own strings are not written as text


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
    """A real number as a float; nan for anything else, also for what float() would read, or cut down to one."""
    if isinstance(value, (str, bytes, bytearray, memoryview)):
        return math.nan
    if isinstance(value, (np.generic, np.ndarray)) and (
        value.ndim or value.dtype.kind not in "buif" or np.ma.is_masked(value)
    ):
        return math.nan
    try:
        return float(value)
    except Exception:  # of a stranger's type
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


def deviation(value: Any) -> float | str:
    """Of initial weights: a number of at least 0, or "he"."""
    if not isinstance(value, str):
        number = non_negative("std", value)
        if number > MOST_DEVIATION:
            raise ValueError(f"std is {value!r}, expected at most {MOST_DEVIATION}")
        return number
    if value != "he":
        raise ValueError(f"std is {value!r}, expected a finite number of at least 0, or 'he'")
    return value


def checkpoint_every(seconds: Any, path: Any, resume: Any) -> float:
    """Seconds between two checkpoints, at least 0; to resume there must be a path."""
    if flag("resume", resume) and path is None:
        raise ValueError(f"resume is {resume!r} without a file to go on from, expected checkpoint=path")
    return non_negative("checkpoint_every", seconds)


def matmul_precision(value: Any, dtype: np.dtype[Any]) -> str:
    """ "highest", "high" or "medium"; in float64 "highest"."""
    if not isinstance(value, str) or value not in PRECISIONS:
        raise ValueError(f"matmul_precision is {value!r}, expected one of {', '.join(map(repr, PRECISIONS))}")
    if value != PRECISIONS[0] and dtype != np.float32:
        raise ValueError(f"matmul_precision is {value!r}, expected {PRECISIONS[0]!r}: a {dtype} model has no other")
    return value


def unmasked(name: str, values: Any) -> Any:
    """The values, unless some are masked: NumPy would hand on what lies behind the mask, or nan."""
    if _masked(values, _MOST_DIMENSIONS):
        raise ValueError(f"{name} is a masked array with masked elements, expected numbers: fill or drop them")
    return values


def _masked(values: Any, depth: int) -> bool:
    """Whether something is masked in an array, or in lists of so many dimensions at most."""
    if isinstance(values, np.ma.MaskedArray):
        return bool(np.ma.is_masked(values))
    if isinstance(values, np.ndarray) and values.dtype == object:
        values = values.ravel().tolist()
    if not (depth and isinstance(values, (list, tuple))):
        return False
    # By the few types of many elements: to look at each number takes longer than to convert it.
    inner = any(issubclass(kind, (np.ndarray, list, tuple)) for kind in set(map(type, values)))
    return inner and any(_masked(value, depth - 1) for value in values)


def array(name: str, values: Any) -> Array:
    """The values as an array: no copy of one.  Raises ValueError for what has no array, or would lose its mask."""
    if values is None:
        raise ValueError(f"{name} is None, expected an array")
    if hasattr(values, "toarray"):
        raise ValueError(f"{name} is sparse ({type(values).__name__}), expected a dense array, as {name}.toarray()")
    if isinstance(unmasked(name, values), np.ndarray):
        return np.asarray(values)
    try:
        return np.asarray(values)
    except Exception as error:  # of a stranger's type
        raise ValueError(f"{name} is no array ({error}), expected one") from error


def numbers(name: str, values: Any) -> NDArray[np.float64]:
    """The values as float64: no copy where they are.  Raises ValueError for text, objects, complex numbers."""
    found = array(name, values)
    if found.dtype.kind not in "buif":
        raise ValueError(f"{name} has dtype {found.dtype}, expected numbers")
    with np.errstate(all="ignore"):  # what a wider float holds becomes infinite, which the caller looks at
        return found.astype(np.float64, copy=False)


def features(name: str, X: Any, inputs: int, dtype: np.dtype[Any]) -> Array:
    """X of shape (rows, inputs) as the kernels read it: C-contiguous uint8, float32 or float64, finite in dtype.

    No copy is made of such an array, read-only or not.  One with other strides is copied as it is; integers,
    booleans and float16 become dtype.
    """
    rows = array(name, X)
    require_file(name, rows)
    if rows.ndim != 2:
        raise ValueError(
            f"{name} has shape {rows.shape}, expected 2 dimensions (rows, {inputs}){_reshaped(name, rows, inputs)}"
        )
    if len(rows) == 0:
        raise ValueError(f"{name} has no rows, expected at least one")
    if rows.shape[1] != inputs:
        raise ValueError(f"{name} has {rows.shape[1]} columns, expected the model's {inputs} inputs")
    if rows.dtype.kind not in "buif":
        raise ValueError(f"{name} has dtype {rows.dtype}, expected uint8, float32 or float64")
    if rows.dtype not in _READ:
        # Wide integers as float64: in float32 time stamps and large ids would lose their digits before the mean is
        # subtracted.
        native = rows.dtype.newbyteorder("=")
        wide = native.itemsize > 8 or (native.kind in "ui" and native.itemsize >= 4)
        with np.errstate(all="ignore"):  # of what is too large for float64
            rows = rows.astype(native if native in _READ else np.float64 if wide else dtype)
    require_finite(name, rows, dtype)
    rows = np.ascontiguousarray(rows)
    # A header of our own: the caller's may get another shape meanwhile (a callback is enough).
    return rows.view() if rows.flags.aligned else rows.copy()


def require_file(name: str, array: Array) -> None:
    """Raise OSError where an array is a memmap whose file has become shorter: to read it would end the process.

    That is told where Python is asked: a file that shrinks while a compiled program reads it ends the process still.
    """
    found: Any = array
    start = 0
    while isinstance(found, (np.ndarray, memoryview)):
        if isinstance(found, np.memmap) and found.offset is not None:  # None: of what was computed from one
            start = found.offset - found.offset % mmap.ALLOCATIONGRANULARITY
        found = found.base if isinstance(found, np.ndarray) else found.obj
    if isinstance(found, mmap.mmap):
        mapped = start + len(found)
        try:
            size = found.size()
        except OSError:  # memory without a file
            return
        if size < mapped:
            raise OSError(errno.EIO, f"the file of {name} has {size} bytes now, {mapped} when it was mapped")


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


def finite_scores(scores: Array, params: Mapping[str, Array]) -> Array:
    """The scores (rows, classes) that parameters gave; ValueError where one is not finite, saying why."""
    if not np.isfinite(scores).all():
        finite_params(params)
        row = int(np.argmin(np.isfinite(scores).all(axis=1)))
        raise ValueError(f"the scores of row {row} are not finite: parameters or features are too large")
    return scores


def _reshaped(name: str, found: Array, inputs: int) -> str:
    """The mend, where there is one: of a list as well as of an array."""
    if found.size == inputs:
        return f"; one row is np.reshape({name}, (1, -1))"
    if found.ndim > 2 and found.size == len(found) * inputs:
        return f"; rows are np.reshape({name}, (len({name}), -1))"
    return ""


def require_finite(name: str, array: Array, dtype: np.dtype[Any]) -> None:
    """Raise ValueError, with its place, for a number of a float array (rows, columns) that is not finite in dtype."""
    if array.dtype.kind != "f":
        return
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
    found = array(name, y)
    if found.ndim != 1:
        raise ValueError(f"{name} has shape {found.shape}, expected 1 dimension of {rows} labels")
    if len(found) != rows:
        raise ValueError(f"{name} has {len(found)} labels for {rows} rows, expected one for each")
    return integers(name, found, classes, "labels")


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
    found = np.array(numbers(name, values))
    if found.shape != (rows,):
        raise ValueError(f"{name} has shape {found.shape}, expected ({rows},): a weight for each row")
    wrong = np.flatnonzero(~((found >= 0) & (found <= float(np.finfo(np.float32).max))))
    if len(wrong):
        raise ValueError(
            f"{name}[{wrong[0]}] is {found[wrong[0]]}, expected finite numbers of at least 0 that fit float32"
        )
    if not found.any():
        raise ValueError(f"{name} holds zeros alone, expected a weight above 0 for at least one row")
    return found
