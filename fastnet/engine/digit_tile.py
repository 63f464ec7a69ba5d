"""The register tile of pixels by digits: tile.py's scheme, with dot products of four places of the depth at once.

    C[MR, NR] (+)= ((A[MR, depth] @ B[depth, NR]) - left[MR, 1] * total[1, NR]) * unit[1, NR] * right[MR, 1]

A is unsigned bytes, B digits (digits.py), and their product an exact integer.  What is subtracted takes the mean
out of A (`left` and `total` are it and the sums of B, or the other way round), in double precision, before anything
is rounded: so the result does not depend on the unit, the tile's shape or the order of the sum.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic, register_model, unbox

from fastnet.engine.cpu import LINE_BYTES, VectorUnit
from fastnet.engine.digits import (
    COLUMNS,
    DOUBLES,
    INTS,
    QUAD,
    Digits,
    emit_dot,
    emit_line,
    emit_pixels,
    emit_value,
)
from fastnet.engine.lines import INDEX, emit_load, emit_splat, emit_store
from fastnet.engine.matrix import emit_address, emit_columns
from fastnet.engine.memory import Matrix
from fastnet.engine.tile import SPARE_ROWS, UNROLL, TileType, _TileModel, _unbox_tile, emit_loop

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

    left (1, rows), total, unit (1, columns) float64, right (1, rows) float32.
    """

    left: Matrix
    right: Matrix
    total: Matrix
    unit: Matrix


@cache
def choose_digit_tile(unit: VectorUnit, digits: Digits, rows: int, lines: int, divides: int | None = None) -> DigitTile:
    """The shape whose tiles cover rows x lines in the least time (see tile.choose_tile)."""
    registers = unit.registers if digits.dot.width == unit.width else 16
    per_line = LINE_BYTES // digits.dot.width
    steps = digits.lines // digits.sums  # dot products of a quad for each sum

    def fits(mr: int, n: int) -> bool:
        sums = mr * n * digits.sums * per_line
        operands = 1 + (n * digits.lines * per_line if registers > 16 else steps * per_line)
        return sums + operands <= registers

    def cycles(mr: int, n: int) -> float:
        loads = n * digits.lines * per_line
        products = mr * n * digits.lines * per_line
        return max(products / 2, 5.0, (mr * per_line / per_line + loads) / 2)

    def total(tile: DigitTile) -> float:
        across = lines // tile.lines * cycles(tile.mr, tile.lines) + lines % tile.lines * cycles(tile.mr, 1)
        return -(-rows // tile.mr) * across

    shapes = [DigitTile(mr, n, digits) for n in (1, 2, 3) if n <= lines for mr in range(SPARE_ROWS, 0, -1)]
    fitting = [t for t in shapes if (fits(t.mr, t.lines) or t.mr == t.lines == 1) and not (divides or 0) % t.mr]
    return min(fitting, key=total)


@intrinsic
def digit_rows(typingctx, tile, a, ai, ak, b, bj, bk, quads, terms, ti, c, ci, cj, resume):
    """The tile of C at [ci, cj], A's rows from [ai, ak] on, B's lines from bj and quads from bk on.

    ti is the first row's place in terms.left and right.
    """
    return _tile_intrinsic(tile, a, b, terms, c, transposed=False)


@intrinsic
def digit_columns(typingctx, tile, a, ak, ai, b, bj, bk, quads, terms, ti, c, ci, cj, resume):
    """The same with A a panel of quads, [quad, 4 * feature]: feature ai / 4 is the first row's."""
    return _tile_intrinsic(tile, a, b, terms, c, transposed=True)


def _tile_intrinsic(tile: DigitTileType, a: Any, b: Any, terms: Any, c: Any, transposed: bool) -> Any:
    index, digits = types.intp, tile.digits
    sig = types.void(
        tile, a, index, index, b, index, index, index, terms, index, c, index, index, types.boolean
    )  # fmt: skip

    def codegen(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        _, a_, ai, ak, b_, bj, bk, quads, terms_, ti, c_, ci, cj, resume = args
        a_address = emit_address(builder, a_, ai, ak)
        across, along = (
            (INDEX(QUAD), emit_columns(builder, a_)) if transposed else (emit_columns(builder, a_), INDEX(QUAD))
        )
        b_column = builder.mul(bk, INDEX(digits.lines * LINE_BYTES))
        b_addresses = [emit_address(builder, b_, builder.add(bj, INDEX(j)), b_column) for j in range(tile.lines)]
        rows = [builder.gep(a_address, [builder.mul(INDEX(i), across)], inbounds=True) for i in range(tile.mr)]
        values = _emit_product(builder, digits, rows, along, b_addresses, quads)
        left, right, total, unit = (builder.extract_value(terms_, n) for n in range(4))
        for j in range(tile.lines):
            column = builder.add(cj, INDEX(j * COLUMNS))
            total_line, unit_line = (
                emit_load(builder, emit_address(builder, m, INDEX(0), column), DOUBLES) for m in (total, unit)
            )
            for i in range(tile.mr):
                place = builder.add(ti, INDEX(i))
                factor, scale = (builder.load(emit_address(builder, m, INDEX(0), place)) for m in (left, right))
                mean = builder.fmul(emit_splat(builder, factor, DOUBLES), total_line)
                value = builder.fmul(builder.fsub(values[i, j], mean), unit_line)
                line = ir.VectorType(ir.FloatType(), COLUMNS)
                result = builder.fmul(builder.fptrunc(value, line), emit_splat(builder, scale, line))
                address = emit_address(builder, c_, builder.add(ci, INDEX(i)), column)
                before = builder.select(resume, emit_load(builder, address, line), ir.Constant(line, None))
                emit_store(builder, builder.fadd(before, result), address)
        return context.get_dummy_value()

    return sig, codegen


def _emit_product(
    builder: ir.IRBuilder,
    digits: Digits,
    rows: list[ir.Value],
    along: ir.Value,
    b: list[ir.Value],
    quads: ir.Value,
) -> dict[tuple[int, int], ir.Value]:
    """The product's integers as doubles, by row and line: A's rows at `rows`, a step of the depth `along` further."""
    cells = [(i, j) for i in range(len(rows)) for j in range(len(b))]

    def step(k: ir.Value, acc: dict[Any, ir.Value]) -> dict[Any, ir.Value]:
        place = builder.mul(k, INDEX(digits.lines * LINE_BYTES))
        at_k = [builder.gep(line, [place], inbounds=True) for line in b]
        lines = [[emit_line(builder, address, n) for n in range(digits.lines)] for address in at_k]
        new = {}
        for i, row in enumerate(rows):
            pixels = emit_pixels(builder, digits, builder.gep(row, [builder.mul(k, along)], inbounds=True))
            for j in range(len(b)):
                sums = emit_dot(builder, digits, [acc[i, j, n] for n in range(digits.sums)], pixels, lines[j])
                new |= {(i, j, n): value for n, value in enumerate(sums)}
        return new

    def sums_of(first: ir.Value, limit: ir.Value) -> dict[tuple[int, int], ir.Value]:
        acc = {(*cell, n): ir.Constant(INTS, None) for cell in cells for n in range(digits.sums)}
        count = builder.sub(limit, first)
        whole = builder.sub(limit, builder.srem(count, INDEX(UNROLL)))
        k, acc = emit_loop(builder, first, whole, UNROLL, acc, step)
        _, acc = emit_loop(builder, k, limit, 1, acc, step)
        return {cell: emit_value(builder, digits, [acc[*cell, n] for n in range(digits.sums)]) for cell in cells}

    if digits.bytewise:
        return sums_of(INDEX(0), quads)

    def chunk(k: ir.Value, acc: dict[Any, ir.Value]) -> dict[Any, ir.Value]:
        end = builder.add(k, INDEX(digits.chunk))
        limit = builder.select(builder.icmp_signed("<", end, quads), end, quads)
        return {cell: builder.fadd(acc[cell], value) for cell, value in sums_of(k, limit).items()}

    zeros = {cell: ir.Constant(DOUBLES, None) for cell in cells}
    _, total = emit_loop(builder, INDEX(0), quads, digits.chunk, zeros, chunk)
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
        values = _emit_product(builder, digits, rows, INDEX(QUAD), [b_address], quads)
        total = values[0, 0]
        for n in range(1, MEAN_BYTES):
            total = builder.fadd(builder.fmul(total, ir.Constant(DOUBLES, [256.0] * COLUMNS)), values[n, 0])
        total = builder.fmul(total, ir.Constant(DOUBLES, [256.0 ** (1 - MEAN_BYTES)] * COLUMNS))
        emit_store(builder, total, emit_address(builder, out_, row, j))
        return context.get_dummy_value()

    return sig, codegen
