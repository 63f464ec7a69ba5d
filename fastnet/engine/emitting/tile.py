"""The register tile: the innermost product, emitted as LLVM IR.

    C[MR, NR] (+)= A[MR, depth] @ B[depth, NR]          NR = `lines` cache lines

All MR x lines accumulators stay in registers while the depth runs; each step loads `lines` lines of B and
broadcasts MR elements of A.  Every element of C is one chain of multiply-adds in the order of the depth,
whatever the tile's shape: a shape decides about speed and never about a bit of the result.  (The scheme of
Goto and van de Geijn, "Anatomy of high-performance matrix multiplication", 2008; the names are BLIS's.)

A shape is a Numba *type*, so a kernel is compiled for the shapes it is called with, and cached by them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, NamedTuple

from llvmlite import ir
from numba.core import types
from numba.extending import NativeValue, intrinsic, models, register_model, unbox

from fastnet.engine.compilation.cpu import VectorUnit
from fastnet.engine.emitting.lines import INDEX, emit_fma, emit_load, emit_splat, emit_store, line_ir
from fastnet.engine.emitting.matrix import MatrixType, emit_address, emit_columns

UNROLL = 4  # steps of the depth between two jumps: 1 costs 4 % of a training step, 8 gains nothing more
# Rows of a tile of floats.  8 rows of one to three lines fit the registers of AVX-512, but took more than twice as long
# as 7 on Cascade Lake (which one jump for every step of the depth mends, to the harm of all the others), and no less
# on Zen 4.
TALLEST = 7
SPARE_ROWS = 32  # rows of the tallest tile of any kind: a product may compute so many beyond the last


class TileType(types.Type):
    """The type of a tile shape; digits say how it multiplies, None for floats."""

    digits: Any = None

    def __init__(self, mr: int, lines: int, rest: int = 1, plain: bool = False) -> None:
        self.mr, self.lines, self.rest, self.plain = mr, lines, rest, plain
        super().__init__(name=f"{'Plain' if plain else ''}Tile({mr}x{lines}, {rest})")

    def narrowed(self) -> TileType:
        """Of as many rows and the lines that whole tiles leave."""
        return TileType(self.mr, self.rest, 1, self.plain)


@register_model(TileType)
class _TileModel(models.OpaqueModel):
    pass


@unbox(TileType)
def _unbox_tile(typ: TileType, obj: Any, c: Any) -> NativeValue:
    return NativeValue(c.context.get_dummy_value())


@dataclass(frozen=True)
class Tile:
    """A tile of mr rows by `lines` cache lines; a plain one takes a number at a time (see proof.py).

    Where whole tiles leave some of a matrix's lines, those go through tiles of `rest` lines.
    """

    mr: int
    lines: int
    rest: int = 1
    plain: bool = False

    @property
    def _numba_type_(self) -> TileType:
        return TileType(self.mr, self.lines, self.rest, self.plain)

    def across(self, lines: int) -> Tile:
        """The tile for a matrix of so many lines: no wider, and one other takes all that are left."""
        most = min(self.lines, lines)
        return replace(self, lines=most, rest=lines % most or 1)


def shapes(unit: VectorUnit) -> list[Tile]:
    """The shapes worth compiling: as many accumulators as there are registers for, one row fewer, one row.

    Beside the accumulators a step holds its lines of B and one broadcast; a single row uses each line once,
    so that it may come from memory.  Where a line takes more than one register, one line is wide enough for
    all but the single row.
    """
    found = []
    for lines in range(1, 6):
        vectors = lines * unit.per_line
        most = min((unit.registers - vectors - 1) // vectors, TALLEST)
        rows = {most, most - 1} if lines == 1 or unit.per_line == 1 else set()
        if most >= 1 or (unit.from_memory and vectors < unit.registers):
            rows.add(1)
        found += [Tile(mr, lines) for mr in sorted(rows, reverse=True) if mr >= 1]
    return found


@cache
def choose_tile(unit: VectorUnit, rows: int, lines: int, divides: int | None = None, widest: int | None = None) -> Tile:
    """The shape whose tiles cover rows x lines in the least time; of equal ones the one that reads A least often.

    A step of the depth costs the largest of: its multiply-adds (two a cycle), the latency of one (four
    cycles: fewer than eight accumulators leave the units idle), its loads (two a cycle), and a cycle a row
    (measured on Cascade Lake, where tiles of one line run at half of the peak, of two at 85 %, of more at 91 %).
    Rows beyond the last are computed and thrown away.  divides, where given, is a number that mr must divide;
    widest, how many lines a tile may have.
    """

    def cycles(mr: int, n: int) -> float:
        vectors = n * unit.per_line
        return max(mr * vectors / 2, 4.0, (mr + vectors) / 2, mr) if n else 0.0

    def cost(tile: Tile) -> tuple[float, int]:
        across = lines // tile.lines * cycles(tile.mr, tile.lines) + cycles(tile.mr, lines % tile.lines)
        return -(-rows // tile.mr) * across, -tile.lines

    most = min(lines, widest or lines)
    fitting = [tile for tile in shapes(unit) if tile.lines <= most and (divides is None or divides % tile.mr == 0)]
    return min(fitting, key=cost).across(lines)


@intrinsic
def tile_rows(typingctx, tile, a, ai, ak, b, bk, bj, depth, c, ci, cj, resume):
    """C[ci:, cj:] = A[ai:, ak:] @ B[bk:, bj:] over one tile; with resume, += ."""
    return _tile_intrinsic(tile, a, b, c, transposed=False)


@intrinsic
def tile_columns(typingctx, tile, a, ak, ai, b, bk, bj, depth, c, ci, cj, resume):
    """C[ci:, cj:] = A[ak:, ai:].T @ B[bk:, bj:] over one tile; with resume, += ."""
    return _tile_intrinsic(tile, a, b, c, transposed=True)


def _tile_intrinsic(
    tile: TileType, a_type: MatrixType, b_type: MatrixType, c_type: MatrixType, transposed: bool
) -> Any:
    index = types.intp
    sig = types.void(tile, a_type, index, index, b_type, index, index, index, c_type, index, index, types.boolean)

    def codegen(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        _, a_matrix, a_row, a_column, b_matrix, b_row, b_column, depth, c_matrix, c_row, c_column, resume = args
        a = operand(builder, a_matrix, a_row, a_column)
        b, c = operand(builder, b_matrix, b_row, b_column), operand(builder, c_matrix, c_row, c_column)
        emitter(tile)(builder, tile, line_ir(c_type.dtype), depth, resume, a.transposed() if transposed else a, b, c)
        return context.get_dummy_value()

    return sig, codegen


class Operand(NamedTuple):
    """A matrix from one of its elements on: that one's address, and how far its rows and its columns are apart."""

    address: ir.Value
    across: ir.Value
    along: ir.Value

    def transposed(self) -> Operand:
        return Operand(self.address, self.along, self.across)


def operand(builder: ir.IRBuilder, matrix: ir.Value, row: ir.Value, column: ir.Value) -> Operand:
    """The matrix from [row, column] on."""
    return Operand(emit_address(builder, matrix, row, column), emit_columns(builder, matrix), INDEX(1))


def emitter(tile: TileType) -> Callable[..., None]:
    """What emits the product over one tile."""
    return emit_plain_tile if tile.plain else emit_tile


def emit_tile(
    builder: ir.IRBuilder,
    tile: TileType,
    line: ir.VectorType,
    depth: ir.Value,
    resume: ir.Value,
    a: Operand,
    b: Operand,
    c: Operand,
) -> None:
    """The loop over the depth, between taking zeros or C and storing C."""
    mr, lines = tile.mr, tile.lines
    cells = [(i, j) for i in range(mr) for j in range(lines)]
    a_rows = [builder.gep(a.address, [builder.mul(INDEX(i), a.across)], inbounds=True) for i in range(mr)]
    c_cells = [
        builder.gep(c.address, [builder.add(builder.mul(INDEX(i), c.across), INDEX(j * line.count))], inbounds=True)
        for i, j in cells
    ]
    start, resumed, ready = (builder.append_basic_block(f"tile.{n}") for n in ("start", "resumed", "ready"))
    builder.cbranch(resume, resumed, start)
    builder.position_at_end(start)
    builder.branch(ready)
    builder.position_at_end(resumed)
    carried = [emit_load(builder, address, line) for address in c_cells]
    builder.branch(ready)
    builder.position_at_end(ready)
    total = {}
    for cell, value in zip(cells, carried, strict=True):
        total[cell] = builder.phi(line)
        total[cell].add_incoming(ir.Constant(line, None), start)
        total[cell].add_incoming(value, resumed)

    def step(k: ir.Value, acc: dict[tuple[int, int], ir.Value]) -> dict[tuple[int, int], ir.Value]:
        b_row = builder.gep(b.address, [builder.mul(k, b.across)], inbounds=True)
        b_lines = [
            emit_load(builder, builder.gep(b_row, [INDEX(j * line.count)], inbounds=True), line) for j in range(lines)
        ]
        new = {}
        for i in range(mr):
            element = builder.load(builder.gep(a_rows[i], [builder.mul(k, a.along)], inbounds=True))
            broadcast = emit_splat(builder, element, line)
            for j in range(lines):
                new[i, j] = emit_fma(builder, broadcast, b_lines[j], acc[i, j])
        return new

    whole = builder.sub(depth, builder.srem(depth, INDEX(UNROLL)))
    k, total = emit_loop(builder, INDEX(0), whole, UNROLL, total, step)
    _, total = emit_loop(builder, k, depth, 1, total, step)
    for cell, address in zip(cells, c_cells, strict=True):
        emit_store(builder, total[cell], address)


def emit_plain_tile(
    builder: ir.IRBuilder,
    tile: TileType,
    line: ir.VectorType,
    depth: ir.Value,
    resume: ir.Value,
    a: Operand,
    b: Operand,
    c: Operand,
) -> None:
    """The same, to the same bits, one number after the other: for where the tile cannot be trusted."""

    def place(matrix: Operand, i: ir.Value, j: ir.Value) -> ir.Value:
        offset = builder.add(builder.mul(i, matrix.across), builder.mul(j, matrix.along))
        return builder.gep(matrix.address, [offset])

    def row(i: ir.Value, none: dict[Any, ir.Value]) -> dict[Any, ir.Value]:
        def cell(j: ir.Value, none: dict[Any, ir.Value]) -> dict[Any, ir.Value]:
            def step(k: ir.Value, acc: dict[Any, ir.Value]) -> dict[Any, ir.Value]:
                x = builder.load(place(a, i, k))
                w = builder.load(place(b, k, j))
                return {0: emit_fma(builder, x, w, acc[0])}

            address = place(c, i, j)
            begin = builder.select(resume, builder.load(address), ir.Constant(line.element, 0))
            _, total = emit_loop(builder, INDEX(0), depth, 1, {0: begin}, step)
            builder.store(total[0], address)
            return none

        emit_loop(builder, INDEX(0), INDEX(tile.lines * line.count), 1, {}, cell)
        return none

    emit_loop(builder, INDEX(0), INDEX(tile.mr), 1, {}, row)


def emit_loop(
    builder: ir.IRBuilder,
    first: ir.Value,
    limit: ir.Value,
    steps: int,
    acc: dict[Any, ir.Value],
    step: Callable[[ir.Value, dict[Any, ir.Value]], dict[Any, ir.Value]],
    before_steps: Callable[[ir.Value], object] | None = None,
) -> tuple[ir.Value, dict[Any, ir.Value]]:
    """k = first; while k < limit: so many steps.  The k and the accumulators at its end."""
    before = builder.block
    head, body, done = (builder.append_basic_block(f"tile.{n}") for n in ("head", "body", "done"))
    builder.branch(head)
    builder.position_at_end(head)
    k = builder.phi(INDEX)
    k.add_incoming(first, before)
    held = {}
    for cell, value in acc.items():
        held[cell] = builder.phi(value.type)
        held[cell].add_incoming(value, before)
    builder.cbranch(builder.icmp_signed("<", k, limit), body, done)
    builder.position_at_end(body)
    if before_steps is not None:
        before_steps(k)
    new = held
    for n in range(steps):
        new = step(builder.add(k, INDEX(n)), new)
    for cell, value in new.items():
        held[cell].add_incoming(value, builder.block)
    k.add_incoming(builder.add(k, INDEX(steps)), builder.block)
    builder.branch(head)
    builder.position_at_end(done)
    return k, held


@intrinsic
def tile_mr(typingctx, tile):
    """The rows of a tile: a constant."""
    return types.intp(tile), lambda context, builder, sig, args: INDEX(tile.mr)


@intrinsic
def tile_lines(typingctx, tile):
    """The lines of a tile: a constant."""
    return types.intp(tile), lambda context, builder, sig, args: INDEX(tile.lines)


@intrinsic
def narrow(typingctx, tile):
    """The tile of as many rows and the lines that whole tiles leave."""
    return tile.narrowed()(tile), lambda context, builder, sig, args: context.get_dummy_value()
