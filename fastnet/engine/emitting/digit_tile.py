"""The register tile of pixels by digits: tile.py's scheme, with dot products of four places of the depth at once.

    C[MR, NR] = ((A[MR, depth] @ B[depth, NR]) - left[MR, 1] * total[1, NR]) * unit[1, NR] * right[MR, 1]

A is unsigned bytes, B digits (digits.py), and their product an exact integer.  What is subtracted takes the mean
out of A (`left` and `total` are it and the sums of B, or the other way round).  That is done in double precision, but
for short products with 16 bits: their integers are rounded to float32 first, which is no coarser than their digits.
Either way the same integers are rounded at the same places: the result does not depend on the unit, the tile's shape
or the order of the sum.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic, register_model, unbox

from fastnet.engine.compilation.cpu import LINE_BYTES, VectorUnit
from fastnet.engine.emitting.arrays import Matrix
from fastnet.engine.emitting.digits import (
    COLUMNS,
    INT32,
    INT_BYTES,
    QUAD,
    Digits,
    emit_dot,
    emit_line,
    emit_pixels,
    emit_value,
)
from fastnet.engine.emitting.lines import INDEX, emit_load, emit_prefetch, emit_splat, emit_store
from fastnet.engine.emitting.matrix import emit_address, emit_columns
from fastnet.engine.emitting.tile import UNROLL, TileType, _TileModel, _unbox_tile, emit_loop

# Pixels from one row of a panel to the next: of whole cache lines, their number no multiple of four.  A constant, so
# that a tile finds all its rows by one register: with an address for each LLVM ran out of them, and spilled vectors.
PIXELS_APART = 1088
TALLEST = 12  # rows of a tile of vectors
# Of a feature's mean as a fixed-point number: 8 bits before the point, 24 after it.  With 16 after it the mean's own
# rounding was 12 times the bound of precision.py on pixels of 0 and 1.
MEAN_BYTES = 4


class DigitTileType(TileType):
    """The type of a tile shape for such digits."""

    def __init__(self, mr: int, lines: int, digits: Digits) -> None:
        super().__init__(mr, lines)
        self.digits = digits
        dot = digits.dot
        self.name = f"Tile({mr}x{lines}, {digits.bits} bits, {dot.instruction} {dot.width})"

    def narrowed(self) -> DigitTileType:
        return DigitTileType(self.mr, 1, self.digits)


register_model(DigitTileType)(_TileModel)
unbox(DigitTileType)(_unbox_tile)


@dataclass(frozen=True)
class DigitTile:
    """A tile of mr rows by `lines` lines of 16 columns each."""

    mr: int
    lines: int
    digits: Digits

    @property
    def _numba_type_(self) -> DigitTileType:
        return DigitTileType(self.mr, self.lines, self.digits)


class Terms(NamedTuple):
    """What a product is corrected and scaled by: left, right a number for each row, total, unit one for each column.

    left and right (1, rows) are float32, total and unit (1, columns) float64.
    """

    left: Matrix | None  # None: 1
    right: Matrix | None  # None: 1
    total: Matrix
    unit: Matrix


@cache
def choose_digit_tile(unit: VectorUnit, digits: Digits, rows: int, lines: int, divides: int | None = None) -> DigitTile:
    """The shape whose tiles cover rows x lines in the least time (see tile.choose_tile)."""
    registers = unit.registers if digits.dot.width == unit.width else 16
    per_line = digits.columns * INT_BYTES // digits.dot.width

    def fits(mr: int, n: int) -> bool:
        """Whether LLVM keeps all of a step in registers; what it needs beside the operands was read from its code."""
        lines = n * digits.sums * per_line
        if digits.bytewise:
            return (mr + 1) * lines < registers
        # Each product waits beside the sum that it is added to.
        return (2 * mr + 1) * lines < (registers if registers == 16 else registers - 3)

    def cycles(mr: int, n: int) -> float:
        lines = n * digits.lines * per_line
        return max(mr * lines / 2, 5.0, (mr * digits.words + lines) / 2)

    def total(tile: DigitTile) -> float:
        across = lines // tile.lines * cycles(tile.mr, tile.lines) + lines % tile.lines * cycles(tile.mr, 1)
        return -(-rows // tile.mr) * across

    shapes = [DigitTile(mr, n, digits) for n in (1, 2, 3) if n <= lines for mr in range(TALLEST, 0, -1)]
    fitting = [t for t in shapes if (fits(t.mr, t.lines) or t.mr == t.lines == 1) and not (divides or 0) % t.mr]
    return min(fitting, key=total)


@intrinsic
def digit_rows(typingctx, tile, a, ai, b, bj, bk, quads, terms, c, ci, cj, x, x0, x1, xp):
    """The tile of C at [ci, cj], A's rows (PIXELS_APART) from ai on, B's lines from bj and quads from bk on.

    Meanwhile the pixels of two rows, from x[x0, xp] and x[x1, xp] on, are brought into the cache.  A core waits for a
    dozen cache lines at a time: asked for one by one they arrive unnoticed, at once they hold up everything else.
    """
    index, void = types.intp, types.void
    sig = void(tile, a, index, b, index, index, index, terms, c, index, index, x, index, index, index)

    def codegen(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        _, a_, ai, b_, bj, bk, quads, terms_, c_, ci, cj, x_, x0, x1, xp = args
        ahead = [emit_address(builder, x_, row, xp, inside=False) for row in (x0, x1)]

        def ask(k: ir.Value) -> None:
            for address in ahead:
                emit_prefetch(builder, builder.gep(address, [builder.mul(k, INDEX(QUAD))]))

        first = emit_address(builder, a_, ai, INDEX(0))
        emit_digit_tile(
            builder, tile, (first, INDEX(PIXELS_APART), INDEX(QUAD)), (b_, bj, bk), quads,
            (emit_terms(builder, terms_, terms), INDEX(0)), (c_, ci, cj), False, ask,
        )  # fmt: skip
        return context.get_dummy_value()

    return sig, codegen


@intrinsic
def digit_columns(typingctx, tile, a, ai, b, bj, quads, terms, ti, c, ci, cj):
    """The tile of C at [ci, cj] with A a panel of quads, [quad, 4 * feature], from feature ai on.

    ti is the first feature's place in terms.left and right.
    """
    index = types.intp
    sig = types.void(tile, a, index, b, index, index, terms, index, c, index, index)

    def codegen(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        _, a_, ai, b_, bj, quads, terms_, ti, c_, ci, cj = args
        first = emit_address(builder, a_, INDEX(0), builder.mul(ai, INDEX(QUAD)))
        emit_digit_tile(
            builder, tile, (first, INDEX(QUAD), emit_columns(builder, a_)), (b_, bj, INDEX(0)), quads,
            (emit_terms(builder, terms_, terms), ti), (c_, ci, cj), True,
        )  # fmt: skip
        return context.get_dummy_value()

    return sig, codegen


@intrinsic
def quads_of_step(typingctx, tile):
    """How many quads a tile multiplies at once: a constant."""
    return types.intp(tile), lambda context, builder, sig, args: INDEX(tile.digits.step)


def emit_terms(builder: ir.IRBuilder, terms: ir.Value, kinds: Any) -> list[ir.Value | None]:
    """The terms, None where there is none."""
    parts = enumerate(kinds)
    return [None if kind == types.none else builder.extract_value(terms, n) for n, kind in parts]


class Correction:
    """How the integers of a product become its numbers: the terms of a line of columns, of a row after the other."""

    def __init__(
        self, builder: ir.IRBuilder, digits: Digits, short: bool, terms: list[ir.Value | None], column: ir.Value
    ) -> None:
        """The terms are left, right, total and unit; the columns those that a tile multiplies at a time."""
        self._left, self._right, total, unit = terms
        self._builder = builder
        self._floats = ir.VectorType(ir.FloatType(), digits.columns)
        doubles = ir.VectorType(ir.DoubleType(), digits.columns)
        self._kind = self._floats if short and digits.bits == 16 else doubles  # as emit_value has it
        places = [emit_address(builder, matrix, INDEX(0), column) for matrix in (total, unit)]
        self._total, self._unit = (emit_load(builder, place, doubles) for place in places)
        if self._kind == self._floats:
            self._total = builder.fptrunc(self._total, self._floats)
        self._unit = builder.fptrunc(self._unit, self._floats)

    def _of_row(self, matrix: ir.Value, row: ir.Value, kind: ir.VectorType) -> ir.Value:
        number = self._builder.load(emit_address(self._builder, matrix, INDEX(0), row))
        number = self._builder.fpext(number, kind.element) if kind != self._floats else number
        return emit_splat(self._builder, number, kind)

    def emit(self, value: ir.Value, row: ir.Value) -> ir.Value:
        """A line of results from its integers; `row` is its place in left and right."""
        builder, total = self._builder, self._total
        if self._left is not None:
            total = builder.fmul(self._of_row(self._left, row, self._kind), total)
        result = builder.fsub(value, total)
        if self._kind != self._floats:
            result = builder.fptrunc(result, self._floats)
        result = builder.fmul(result, self._unit)
        return result if self._right is None else builder.fmul(result, self._of_row(self._right, row, self._floats))


def emit_digit_tile(
    builder: ir.IRBuilder,
    tile: DigitTileType,
    a: tuple[ir.Value, ir.Value, ir.Value],
    b: tuple[ir.Value, ir.Value, ir.Value],
    quads: ir.Value,
    terms: tuple[list[ir.Value | None], ir.Value],
    c: tuple[ir.Value, ir.Value, ir.Value],
    short: bool,
    before_steps: Callable[[ir.Value], object] | None = None,
) -> None:
    """The tile: A by address and distances of rows and of quads, B by line and quad, the terms from a row on."""
    a_address, across, along = a
    b_, bj, bk = b
    c_, ci, cj = c
    b_column = builder.mul(bk, INDEX(tile.digits.lines * LINE_BYTES))
    b_addresses = [emit_address(builder, b_, builder.add(bj, INDEX(j)), b_column) for j in range(tile.lines)]
    rows = [builder.gep(a_address, [builder.mul(INDEX(i), across)], inbounds=True) for i in range(tile.mr)]
    matrices, ti = terms
    for first in range(0, COLUMNS, tile.digits.columns):
        parts = [builder.gep(address, [INDEX(first * INT_BYTES)], inbounds=True) for address in b_addresses]
        asking = before_steps if first == 0 else None
        values = _emit_product(builder, tile.digits, rows, along, parts, quads, short, asking)
        for j in range(tile.lines):
            column = builder.add(cj, INDEX(j * COLUMNS + first))
            correction = Correction(builder, tile.digits, short, matrices, column)
            for i in range(tile.mr):
                result = correction.emit(values[i, j], builder.add(ti, INDEX(i)))
                emit_store(builder, result, emit_address(builder, c_, builder.add(ci, INDEX(i)), column))


def _emit_product(
    builder: ir.IRBuilder,
    digits: Digits,
    rows: list[ir.Value],
    along: ir.Value,
    b: list[ir.Value],
    quads: ir.Value,
    short: bool,
    before_steps: Callable[[ir.Value], object] | None = None,
) -> dict[tuple[int, int], ir.Value]:
    """The product's integers by row and line: A's rows at `rows`, a step of the depth `along` further.

    They are exact doubles.  Those of a short product, of at most a chunk's quads, fit 32 bits where they have 16, and
    are float32: that spares the way back a twentieth of its time.
    """
    cells = [(i, j) for i in range(len(rows)) for j in range(len(b))]
    integers, doubles = (ir.VectorType(kind, digits.columns) for kind in (INT32, ir.DoubleType()))

    def step(k: ir.Value, acc: dict[Any, ir.Value]) -> dict[Any, ir.Value]:
        place = builder.mul(k, INDEX(digits.lines * LINE_BYTES))
        at_k = [builder.gep(line, [place], inbounds=True) for line in b]
        new = dict(acc)
        for word in range(digits.words):
            lines = [[emit_line(builder, digits, quad, word, n) for n in range(digits.sums)] for quad in at_k]
            for i, row in enumerate(rows):
                address = builder.gep(row, [builder.mul(k, along)], inbounds=True)
                pixels = emit_pixels(builder, digits, address, word)
                for j in range(len(b)):
                    sums = emit_dot(builder, digits, [new[i, j, n] for n in range(digits.sums)], pixels, lines[j])
                    new |= {(i, j, n): value for n, value in enumerate(sums)}
        return new

    def sums_of(first: ir.Value, limit: ir.Value) -> dict[tuple[int, int], ir.Value]:
        acc: dict[Any, ir.Value] = {
            (*cell, n): ir.Constant(integers, None) for cell in cells for n in range(digits.sums)
        }
        count = builder.sub(limit, first)
        whole = builder.sub(limit, builder.srem(count, INDEX(UNROLL)))
        k, acc = emit_loop(builder, first, whole, UNROLL, acc, step, before_steps)
        _, acc = emit_loop(builder, k, limit, 1, acc, step)
        return {cell: emit_value(builder, digits, [acc[*cell, n] for n in range(digits.sums)], short) for cell in cells}

    if digits.bytewise or short:
        return sums_of(INDEX(0), quads)

    def chunk(k: ir.Value, acc: dict[Any, ir.Value]) -> dict[Any, ir.Value]:
        first = builder.mul(k, INDEX(digits.chunk))
        end = builder.add(first, INDEX(digits.chunk))
        limit = builder.select(builder.icmp_signed("<", end, quads), end, quads)
        return {cell: builder.fadd(acc[cell], value) for cell, value in sums_of(first, limit).items()}

    zeros = {cell: ir.Constant(doubles, None) for cell in cells}
    chunks = builder.sdiv(builder.add(quads, INDEX(digits.chunk - 1)), INDEX(digits.chunk))
    _, total = emit_loop(builder, INDEX(0), chunks, 1, zeros, chunk)
    return total


@intrinsic
def mean_of_digits(typingctx, tile, mean, column, b, line, quad, quads, out, row, j):
    """out[row, j:] = sum over so many quads of mean * digits, from [column] of mean and [line, quad] of b on.

    The mean is a row of pixels like any other, but for its MEAN_BYTES bytes a feature, a row for each.
    """
    index, digits = types.intp, tile.digits
    sig = types.void(tile, mean, index, b, index, index, index, out, index, index)

    def codegen(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        _, mean_, column, b_, line, quad, quads, out_, row, j = args
        rows = [emit_address(builder, mean_, INDEX(n), column) for n in range(MEAN_BYTES)]
        b_address = emit_address(builder, b_, line, builder.mul(quad, INDEX(digits.lines * LINE_BYTES)))
        for first in range(0, COLUMNS, digits.columns):
            part = builder.gep(b_address, [INDEX(first * INT_BYTES)], inbounds=True)
            values = _emit_product(builder, digits, rows, INDEX(QUAD), [part], quads, short=False)
            total = values[0, 0]
            for n in range(1, MEAN_BYTES):
                total = builder.fadd(
                    builder.fmul(total, ir.Constant(total.type, [256.0] * digits.columns)), values[n, 0]
                )
            total = builder.fmul(total, ir.Constant(total.type, [256.0 ** (1 - MEAN_BYTES)] * digits.columns))
            emit_store(builder, total, emit_address(builder, out_, row, builder.add(j, INDEX(first))))
        return context.get_dummy_value()

    return sig, codegen
