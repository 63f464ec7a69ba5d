"""Register tiles prove themselves before they are trusted.

What LLVM makes of a vector unit on which nobody has run the engine yet may be wrong.  So a tile that is compiled on a
machine for the first time multiplies a sample of integers, small enough for every order of every sum to be exact, and
its product is compared with NumPy's.  That it held is kept beside the compiled programs: no later process looks again.
"""

from __future__ import annotations

import warnings
from functools import cache
from typing import Any

import numpy as np

from fastnet.engine.compilation.cpu import LINE_BYTES, target
from fastnet.engine.compilation.kernel import compiled_for, kernel, once_on_this_machine, program
from fastnet.engine.emitting.arrays import Matrix, allocate
from fastnet.engine.emitting.digit_tile import PIXELS_APART, DigitTile, Terms, digit_columns, digit_rows
from fastnet.engine.emitting.digits import COLUMNS, QUAD
from fastnet.engine.emitting.integers import load_ints, store_quad
from fastnet.engine.emitting.tile import Tile, narrow, tile_columns, tile_lines, tile_rows
from fastnet.engine.step.programs import AnyTile, Tiles

DEPTH = 11  # of the sample for floats: unrolled steps, and a rest
QUADS = 69  # of that for digits: more than one chunk of 16-bit pairs, and a rest


@program
def rows_of_floats(tile, a, b, out, narrow_out):
    for time in range(2):
        tile_rows(tile, a, 0, 0, b, 0, 0, DEPTH, out, 0, 0, time > 0)
    tile_rows(narrow(tile), a, 0, 0, b, 0, 0, DEPTH, narrow_out, 0, 0, False)


@program
def columns_of_floats(tile, a, b, out, narrow_out):
    for time in range(2):
        tile_columns(tile, a, 0, 0, b, 0, 0, DEPTH, out, 0, 0, time > 0)
    tile_columns(narrow(tile), a, 0, 0, b, 0, 0, DEPTH, narrow_out, 0, 0, False)


@program
def rows_of_digits(tile, pixels, numbers, digits, terms, out, narrow_out):
    pack(tile, numbers, digits)
    digit_rows(tile, pixels, 0, digits, 0, 0, QUADS, terms, out, 0, 0, pixels, 0, 0, 0)
    digit_rows(narrow(tile), pixels, 0, digits, 0, 0, QUADS, terms, narrow_out, 0, 0, pixels, 0, 0, 0)


@program
def columns_of_digits(tile, pixels, numbers, digits, terms, out, narrow_out):
    pack(tile, numbers, digits)
    digit_columns(tile, pixels, 0, digits, 0, QUADS, terms, 0, out, 0, 0)
    digit_columns(narrow(tile), pixels, 0, digits, 0, QUADS, terms, 0, narrow_out, 0, 0)


@kernel
def pack(tile, numbers, digits):
    """The digits of all numbers."""
    for line in range(tile_lines(tile)):
        j = line * COLUMNS
        for quad in range(QUADS):
            i = QUAD * quad
            store_quad(
                tile, digits, line, quad, load_ints(numbers, i, j), load_ints(numbers, i + 1, j),
                load_ints(numbers, i + 2, j), load_ints(numbers, i + 3, j),
            )  # fmt: skip


def hold(tiles: Tiles, dtype: np.dtype) -> bool:
    """Whether these tiles multiply rightly on this machine; where one does not, a warning says so, once."""
    by_rows, by_columns = (tiles.forward, tiles.middle), (tiles.backward1, tiles.backward2)
    return all(_holds(tile, dtype, False) for tile in by_rows) and all(_holds(tile, dtype, True) for tile in by_columns)


@cache
def _holds(tile: AnyTile, dtype: np.dtype, transposed: bool) -> bool:
    """Whether a tile does, the left matrix read by rows, or transposed by columns."""
    multiply = _digits_multiply if isinstance(tile, DigitTile) else _floats_multiply
    name = f"{tile._numba_type_.name} {dtype} {transposed}"
    if once_on_this_machine(name, lambda: multiply(tile, dtype, transposed)):
        return True
    warnings.warn(
        f"the register tile {name} computes wrong products on {' '.join(target()[:2])}: slower ones take its place; "
        "please report this with the output of `fastnet info`",
        RuntimeWarning,
        stacklevel=2,
    )
    return False


def _sample(rows: int, columns: int, low: int, high: int) -> np.ndarray:
    return np.random.default_rng(rows * columns).integers(low, high + 1, (rows, columns))


def _as_matrix(values: np.ndarray, dtype: Any) -> Matrix:
    array = allocate(values.shape[0], values.shape[1], np.dtype(dtype))
    array[:, : values.shape[1]] = values
    return Matrix(array)


def _floats_multiply(tile: Tile, dtype: np.dtype, transposed: bool) -> bool:
    lanes = LINE_BYTES // dtype.itemsize
    a, b = _sample(tile.mr, DEPTH, -9, 9), _sample(DEPTH, tile.lines * lanes, -9, 9)
    out, narrow_out = allocate(tile.mr, b.shape[1], dtype), allocate(tile.mr, tile.rest * lanes, dtype)
    program = columns_of_floats if transposed else rows_of_floats
    left, right = _as_matrix(a.T if transposed else a, dtype), _as_matrix(b, dtype)
    _run(program, tile, left, right, Matrix(out), Matrix(narrow_out))
    return _are(out, 2 * a @ b) and _are(narrow_out, a @ b[:, : tile.rest * lanes])


def _digits_multiply(tile: DigitTile, dtype: np.dtype, transposed: bool) -> bool:
    digits, depth, columns = tile.digits, QUADS * QUAD, tile.lines * COLUMNS
    most = (1 << (digits.bits - 1)) - (1 << (digits.bits - 8))
    a, b = _sample(tile.mr, depth, 0, 255), _sample(depth, columns, -most, most)
    if transposed:  # quads of neighbouring places, the rows side by side
        pixels = a.reshape(tile.mr, QUADS, QUAD).transpose(1, 0, 2).reshape(QUADS, -1)
    else:
        pixels = np.zeros((tile.mr, PIXELS_APART), np.int64)
        pixels[:, :depth] = a
    room = allocate(tile.lines, QUADS * digits.lines * LINE_BYTES, np.dtype(np.uint8), odd=True)
    zeros, ones = np.zeros((1, max(tile.mr, columns))), np.ones((1, max(tile.mr, columns)))
    terms = Terms(
        _as_matrix(zeros, np.float32), _as_matrix(ones, np.float32), _as_matrix(zeros, float), _as_matrix(ones, float)
    )
    out, narrow_out = allocate(tile.mr, columns, dtype), allocate(tile.mr, COLUMNS, dtype)
    program = columns_of_digits if transposed else rows_of_digits
    panel, numbers = _as_matrix(pixels, f"u{digits.pixel_bytes}"), _as_matrix(b, np.int32)
    _run(program, tile, panel, numbers, Matrix(room), terms, Matrix(out), Matrix(narrow_out))
    return _are(out, a @ b) and _are(narrow_out, a @ b[:, :COLUMNS])


def _run(program: Any, tile: AnyTile, *matrices: Any) -> None:
    key = tile, matrices[-1].array.dtype
    compiled_for(program, key, lambda: (tile, *matrices))(tile, *matrices)


def _are(out: np.ndarray, expected: np.ndarray) -> bool:
    return np.array_equal(out[:, : expected.shape[1]], expected.astype(out.dtype))
