"""AMX, a CPU's matrix unit: dot products of 16 rows by 16 columns by 64 places of the depth in one instruction.

It has eight registers of 16 rows by 64 bytes, for a part of A, of B, or of a digit's sums.  A's rows may be any
distance apart; B's are the lines of quads that digits.py makes for dot products of vectors, as they are.  Sums leave by
way of memory.  A thread says how large its registers are before it uses them, and gives them up afterwards: they would
else be part of what the system keeps of it whenever another thread runs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from fastnet.engine.compilation.cpu import LINE_BYTES
from fastnet.engine.emitting.digit_tile import Correction, DigitTile, DigitTileType, emit_terms
from fastnet.engine.emitting.digits import BYTE, INTS, QUAD, Digits, emit_value
from fastnet.engine.emitting.lines import INDEX, LineType, emit_load
from fastnet.engine.emitting.matrix import emit_address, emit_columns
from fastnet.engine.emitting.tile import SPARE_ROWS

REGISTERS = 8
ROWS = 16  # of a register
# Of a tile, side by side: with 16 bits two of A, one of B and four of sums are all but one of the registers, and a step
# loads as many as it multiplies.  With 24 bits six of sums, one of A and one of B take no longer for each product.
BLOCKS = 2
TILE_ROWS = BLOCKS * ROWS
assert TILE_ROWS <= SPARE_ROWS
POINTER = BYTE.as_pointer()


def matrix_tile(digits: Digits) -> DigitTile:
    """The one shape that there is."""
    return DigitTile(TILE_ROWS, 1, digits)


def _call(builder: ir.IRBuilder, name: str, *arguments: ir.Value) -> None:
    name = f"llvm.x86.{name}"
    function = builder.module.globals.get(name)
    if function is None:
        kind = ir.FunctionType(ir.VoidType(), [a.type for a in arguments])
        function = ir.Function(builder.module, kind, name)
    builder.call(function, arguments)


def _of_sums(digits: Digits) -> dict[tuple[int, int], ir.Constant]:
    """The registers of sums, by block of rows and digit."""
    return {(block, n): BYTE(block * digits.sums + n) for block in range(BLOCKS) for n in range(digits.sums)}


def emit_on(builder: ir.IRBuilder) -> None:
    """All registers whole; their contents are 0."""
    name = "fastnet.matrix_unit"
    layout = builder.module.globals.get(name)
    if layout is None:
        # Intel's manual, "Intel AMX instruction set": the palette, then the bytes of a row (16 bits) and the rows of
        # each register, from byte 16 and 48 on.
        row_bytes = [n for _ in range(REGISTERS) for n in (LINE_BYTES, 0)]
        layout_bytes = [1, *[0] * 15, *row_bytes, *[0] * 16, *[ROWS] * REGISTERS, *[0] * 8]
        kind = ir.ArrayType(BYTE, len(layout_bytes))
        layout = ir.GlobalVariable(builder.module, kind, name)
        layout.linkage, layout.global_constant, layout.align = "internal", True, LINE_BYTES
        layout.initializer = ir.Constant(kind, layout_bytes)
    _call(builder, "ldtilecfg", builder.bitcast(layout, POINTER))


def emit_off(builder: ir.IRBuilder) -> None:
    """Registers are given up."""
    _call(builder, "tilerelease")


def emit_clear(builder: ir.IRBuilder, digits: Digits) -> None:
    """All sums 0."""
    for register in _of_sums(digits).values():
        _call(builder, "tilezero", register)


def emit_step(builder: ir.IRBuilder, digits: Digits, a: ir.Value, across: ir.Value, b: ir.Value) -> None:
    """Add the products of a step of the depth: A's rows from an address on, `across` bytes apart, by B's quads."""
    sums = _of_sums(digits)
    for_b, for_a = REGISTERS - 1, range(len(sums), REGISTERS - 1)
    quad_bytes = INDEX(digits.lines * LINE_BYTES)
    places = [builder.gep(a, [builder.mul(INDEX(block * ROWS), across)]) for block in range(BLOCKS)]
    holds: dict[int, int] = {}
    for n in range(digits.sums):
        _call(builder, "tileloadd64", BYTE(for_b), builder.gep(b, [INDEX(n * LINE_BYTES)]), quad_bytes)
        # Back and forth, so that a register of A serves two digits even where it is the only one.
        for block in range(BLOCKS) if n % 2 == 0 else reversed(range(BLOCKS)):
            register = for_a[block % len(for_a)]
            if holds.get(register) != block:
                _call(builder, "tileloadd64", BYTE(register), places[block], across)
                holds[register] = block
            _call(builder, "tdpbusd", sums[block, n], BYTE(register), BYTE(for_b))


def emit_keep(builder: ir.IRBuilder, digits: Digits, sums: ir.Value) -> None:
    """The registers' sums to a matrix of lines: the digits' of a row of the tile one after the other."""
    apart = INDEX(digits.sums * LINE_BYTES)
    for (block, n), register in _of_sums(digits).items():
        place = emit_address(builder, sums, INDEX(block * ROWS * digits.sums + n), INDEX(0))
        _call(builder, "tilestored64", register, builder.bitcast(place, POINTER), apart)


def emit_kept(builder: ir.IRBuilder, digits: Digits, sums: ir.Value, row: ir.Value, short: bool) -> ir.Value:
    """The integers of a row of the tile."""
    first = builder.mul(row, INDEX(digits.sums))
    places = [emit_address(builder, sums, builder.add(first, INDEX(n)), INDEX(0)) for n in range(digits.sums)]
    return emit_value(builder, digits, [emit_load(builder, place, INTS) for place in places], short)


def _emitting(signature: Any, emit: Callable[..., None]) -> Any:
    """An intrinsic that gives nothing back: emit(builder, *arguments)."""

    def codegen(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        emit(builder, *args)
        return context.get_dummy_value()

    return signature, codegen


@intrinsic
def matrix_unit_on(typingctx):
    """Make the matrix unit ready."""
    return _emitting(types.void(), emit_on)


@intrinsic
def matrix_unit_off(typingctx):
    """Give it up."""
    return _emitting(types.void(), emit_off)


@intrinsic
def clear_sums(typingctx, tile):
    """Begin a tile."""
    return _emitting(types.void(tile), lambda builder, _: emit_clear(builder, tile.digits))


@intrinsic
def add_products(typingctx, tile, a, row, place, b, line, quad):
    """A step of the depth: A's rows from [row, place] on by the quads of B from [line, quad] on.

    Where the depth ends before the step, one of the two has zeros: A's pixels on the way forward, B's on the way back.
    """
    digits, index = tile.digits, types.intp

    def emit(builder: ir.IRBuilder, _: Any, a: Any, row: Any, place: Any, b: Any, line: Any, quad: Any) -> None:
        column = builder.mul(quad, INDEX(digits.lines * LINE_BYTES))
        left, right = emit_address(builder, a, row, place), emit_address(builder, b, line, column)
        emit_step(builder, digits, left, emit_columns(builder, a), right)

    return _emitting(types.void(tile, a, index, index, b, index, index), emit)


@intrinsic
def keep_sums(typingctx, tile, sums):
    """Store the tile's sums."""
    return _emitting(types.void(tile, sums), lambda builder, _, sums: emit_keep(builder, tile.digits, sums))


@intrinsic
def long_quad(typingctx, tile, sums, row, terms, term, column):
    """Four rows of a tile from its sums, from `row` on, of a product that may be long.

    `term` is the first row's place in the terms of rows, column the line's in those of columns.
    """
    return _quad(tile, sums, terms, short=False)


@intrinsic
def short_quad(typingctx, tile, sums, row, terms, term, column):
    """The same of a product of at most a chunk's quads (digits.py)."""
    return _quad(tile, sums, terms, short=True)


def _quad(tile: DigitTileType, sums: Any, terms: Any, short: bool) -> Any:
    digits, index = tile.digits, types.intp
    lines = types.UniTuple(LineType(types.float32), QUAD)

    def codegen(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        _, sums_, row, terms_, term, column = args
        correction = Correction(builder, digits, short, emit_terms(builder, terms_, terms), column)
        results = []
        for n in range(QUAD):
            value = emit_kept(builder, digits, sums_, builder.add(row, INDEX(n)), short)
            results.append(correction.emit(value, builder.add(term, INDEX(n))))
        return context.make_tuple(builder, sig.return_type, results)

    return lines(tile, sums, index, terms, index, index), codegen
