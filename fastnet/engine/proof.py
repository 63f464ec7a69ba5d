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
from llvmlite import ir
from numba.core import types

from fastnet.engine.compilation.cpu import LINE_BYTES, target
from fastnet.engine.compilation.kernel import once_on_this_machine
from fastnet.engine.compilation.native import run_once
from fastnet.engine.emitting.arrays import allocate
from fastnet.engine.emitting.digit_tile import MEAN_BYTES, PIXELS_APART, Correction, DigitTile, emit_digit_tile
from fastnet.engine.emitting.digits import COLUMNS, INTS, QUAD
from fastnet.engine.emitting.integers import emit_quad
from fastnet.engine.emitting.lines import INDEX, emit_load, emit_store, line_ir
from fastnet.engine.emitting.matrix import emit_address, emit_columns
from fastnet.engine.emitting.matrix_unit import emit_clear, emit_keep, emit_kept, emit_off, emit_on, emit_step
from fastnet.engine.emitting.pixels import emit_transposed
from fastnet.engine.emitting.tile import Tile, emit_loop, emitter, operand
from fastnet.engine.step.programs import AnyTile, Tiles

DEPTH = 11  # of the sample for floats: unrolled steps, and a rest
QUADS = 69  # of that for digits: more than one chunk of 16-bit pairs, and a rest


def hold(tiles: Tiles, dtype: np.dtype) -> bool:
    """Whether these tiles multiply rightly on this machine; where one does not, a warning says so, once."""
    by_rows = [tiles.forward, tiles.middle, tiles.scores]
    if isinstance(tiles.forward, DigitTile):
        by_rows.append(DigitTile(MEAN_BYTES, 1, tiles.forward.digits.of_vectors))  # multiplies the mean
    by_columns = tiles.backward1, tiles.backward2
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


def _padded(values: np.ndarray, dtype: Any) -> np.ndarray:
    array = allocate(values.shape[0], values.shape[1], np.dtype(dtype))
    array[:, : values.shape[1]] = values
    return array


def _floats_multiply(tile: Tile, dtype: np.dtype, transposed: bool) -> bool:
    lanes = LINE_BYTES // dtype.itemsize
    a, b = _sample(tile.mr, DEPTH, -9, 9), _sample(DEPTH, tile.lines * lanes, -9, 9)
    out, narrow_out = allocate(tile.mr, b.shape[1], dtype), allocate(tile.mr, tile.rest * lanes, dtype)
    wide, line = tile._numba_type_, line_ir(types.float64 if dtype.itemsize == 8 else types.float32)
    zero, false = INDEX(0), ir.IntType(1)(0)

    def emit(builder: ir.IRBuilder, depth: ir.Value, *matrices: ir.Value) -> None:
        left, right, whole, narrow = (operand(builder, matrix, zero, zero) for matrix in matrices)
        left = left.transposed() if transposed else left

        def twice(time: ir.Value, none: dict[Any, ir.Value]) -> dict[Any, ir.Value]:
            resume = builder.icmp_signed(">", time, zero)
            emitter(wide)(builder, wide, line, depth, resume, left, right, whole)
            return none

        emit_loop(builder, zero, INDEX(2), 1, {}, twice)
        if tile.lines > 1:
            emitter(wide)(builder, wide.narrowed(), line, depth, false, left, right, narrow)

    run_once(emit, DEPTH, _padded(a.T if transposed else a, dtype), _padded(b, dtype), out, narrow_out)
    return _are(out, 2 * a @ b) and (tile.lines == 1 or _are(narrow_out, a @ b[:, : tile.rest * lanes]))


def _digits_multiply(tile: DigitTile, dtype: np.dtype, transposed: bool) -> bool:
    digits, depth, columns = tile.digits, QUADS * QUAD, tile.lines * COLUMNS
    most = (1 << (digits.bits - 1)) - (1 << (digits.bits - 8))
    a, b = _sample(tile.mr, depth, 0, 255), _sample(depth, columns, -most, most)
    if transposed and not digits.by_matrix:  # quads of neighbouring places, the rows side by side
        pixels = a.reshape(tile.mr, QUADS, QUAD).transpose(1, 0, 2).reshape(QUADS, -1)
    else:
        pixels = np.zeros((tile.mr, PIXELS_APART), np.int64)
        pixels[:, :depth] = a
    room = allocate(tile.lines, (QUADS + digits.step) * digits.lines * LINE_BYTES, np.dtype(np.uint8), odd=True)
    sums = allocate(tile.mr * digits.sums, COLUMNS, np.dtype(np.int32))
    zeros, ones = np.zeros((1, max(tile.mr, columns))), np.ones((1, max(tile.mr, columns)))
    terms = [_padded(zeros, "f4"), _padded(ones, "f4"), _padded(zeros, "f8"), _padded(ones, "f8")]
    out, narrow_out = allocate(tile.mr, columns, dtype), allocate(tile.mr, COLUMNS, dtype)
    wide, zero = tile._numba_type_, INDEX(0)

    def emit(builder: ir.IRBuilder, quads: ir.Value, *matrices: ir.Value) -> None:
        panel, numbers, packed, kept, whole, narrow, *terms = matrices

        def pack(quad: ir.Value, none: dict[Any, ir.Value]) -> dict[Any, ir.Value]:
            first = builder.mul(quad, INDEX(QUAD))
            for line in range(tile.lines):
                rows = [builder.add(first, INDEX(n)) for n in range(QUAD)]
                places = [emit_address(builder, numbers, row, INDEX(line * COLUMNS)) for row in rows]
                four = [emit_load(builder, place, INTS) for place in places]
                emit_quad(builder, digits, packed, INDEX(line), quad, four)
            return none

        emit_loop(builder, zero, quads, 1, {}, pack)
        if digits.by_matrix:
            _emit_by_matrix(builder, tile, panel, packed, quads, kept, terms, transposed, whole)
            return
        along = emit_columns(builder, panel) if transposed else INDEX(QUAD)
        left = emit_address(builder, panel, zero, zero), INDEX(QUAD if transposed else PIXELS_APART), along
        for shape, result in ((wide, whole), (wide.narrowed(), narrow))[: tile.lines]:
            emit_digit_tile(
                builder, shape, left, (packed, zero, zero), quads, (terms, zero), (result, zero, zero), transposed
            )

    panel, numbers = _padded(pixels, f"u{digits.pixel_bytes}"), _padded(b, np.int32)
    run_once(emit, QUADS, panel, numbers, room, sums, out, narrow_out, *terms)
    if digits.by_matrix and transposed and not all(_transpose(width) for width in (LINE_BYTES, LINE_BYTES // 2)):
        return False
    return _are(out, a @ b) and (tile.lines == 1 or _are(narrow_out, a @ b[:, :COLUMNS]))


def _emit_by_matrix(
    builder: ir.IRBuilder,
    tile: DigitTile,
    panel: ir.Value,
    packed: ir.Value,
    quads: ir.Value,
    kept: ir.Value,
    terms: list[ir.Value],
    short: bool,
    out: ir.Value,
) -> None:
    """The product by a matrix unit, as matrices.py makes it; kept has room for the digits' sums."""
    digits, zero = tile.digits, INDEX(0)

    def step(k: ir.Value, none: dict[Any, ir.Value]) -> dict[Any, ir.Value]:
        quad = builder.mul(k, INDEX(digits.step))
        place = emit_address(builder, panel, zero, builder.mul(quad, INDEX(QUAD)))
        line = emit_address(builder, packed, zero, builder.mul(quad, INDEX(digits.lines * LINE_BYTES)))
        emit_step(builder, digits, place, emit_columns(builder, panel), line)
        return none

    emit_on(builder)
    emit_clear(builder, digits)
    steps = builder.sdiv(builder.add(quads, INDEX(digits.step - 1)), INDEX(digits.step))
    emit_loop(builder, zero, steps, 1, {}, step)
    emit_keep(builder, digits, kept)
    emit_off(builder)
    correction = Correction(builder, digits, short, terms, zero)
    for row in range(tile.mr):
        result = correction.emit(emit_kept(builder, digits, kept, INDEX(row), short), INDEX(row))
        emit_store(builder, result, emit_address(builder, out, INDEX(row), zero))


def _transpose(width: int) -> bool:
    """Whether so many features of sixteen rows of pixels are, for the way back."""
    pixels, out, zero = _sample(COLUMNS, width, 0, 255), allocate(width, COLUMNS, np.dtype(np.uint8)), INDEX(0)

    def emit(builder: ir.IRBuilder, count: ir.Value, matrix: ir.Value, transposed: ir.Value) -> None:
        emit_transposed(builder, width, transposed, zero, zero, matrix, zero, zero)

    run_once(emit, 0, _padded(pixels, np.uint8), out)
    return _are(out, pixels.T)


def _are(out: np.ndarray, expected: np.ndarray) -> bool:
    return np.array_equal(out[:, : expected.shape[1]], expected.astype(out.dtype))
