"""Arrays for compiled programs: aligned, padded, allocated once; Matrix is how a program is handed one.

Every row starts on a cache line and is padded with zeros to whole lines, so that no kernel has a remainder
of columns to treat.  (matrix.py is the side of compiled code.)
"""

from __future__ import annotations

import numpy as np

from fastnet.engine.compilation.cpu import LINE_BYTES


def lines_of(columns: int, dtype: np.dtype) -> int:
    """Cache lines that hold so many numbers."""
    return -(-columns * dtype.itemsize // LINE_BYTES)


def allocate(rows: int, columns: int, dtype: np.dtype, odd: bool = False) -> np.ndarray:
    """Zeros of shape (rows, columns padded), C-contiguous, each row on a cache line.

    A multiple of four lines is padded by one more, with odd any even number is: rows a power of two apart fall
    on the same few sets of the caches.  Odd is for what is read down a column of hundreds of rows (panels 6
    lines wide instead of 7 filled the first-level cache a quarter more often on the way back).
    """
    lines = max(lines_of(columns, dtype), 1)
    if lines % (2 if odd else 4) == 0:
        lines += 1
    count = lines * (LINE_BYTES // dtype.itemsize)
    memory = np.zeros(rows * count * dtype.itemsize + LINE_BYTES, np.uint8)
    start = -memory.__array_interface__["data"][0] % LINE_BYTES  # .ctypes.data takes longer than all the rest
    return memory[start : start + rows * count * dtype.itemsize].view(dtype).reshape(rows, count)


class Matrix(list[np.ndarray]):
    """A two-dimensional, C-contiguous array to be passed to a compiled program, which must not outlive it.

    A list of one, as programs get at an item of a list several times faster than at an attribute.  Between two
    calls another such array of the same dtype may be put in its place.

    Numba's own look at the types of a call takes it for a list of arrays, and then takes longer over either: programs
    that are handed one are called by kernel.compiled_for.
    """

    __slots__ = ()

    def __init__(self, array: np.ndarray) -> None:
        if array.ndim != 2 or not array.flags.c_contiguous:
            raise ValueError(f"no Matrix of an array of shape {array.shape} and strides {array.strides}")
        super().__init__((array,))

    @property
    def array(self) -> np.ndarray:
        return self[0]
