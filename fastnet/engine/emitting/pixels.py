"""Pixels on their way into panels: copied as they are, by fours of rows, or transposed."""

from __future__ import annotations

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from fastnet.engine.compilation.cpu import LINE_BYTES
from fastnet.engine.emitting.digits import BYTE, BYTES, COLUMNS, INTS, emit_shuffle
from fastnet.engine.emitting.lines import INDEX, emit_load, emit_store
from fastnet.engine.emitting.matrix import emit_address


def _as_numbers(builder, line, matrix):
    """A line of bytes as numbers of the matrix, bytes or wider."""
    kind = ir.VectorType(ir.IntType(matrix.dtype.bitwidth), LINE_BYTES)
    return line if kind == BYTES else builder.zext(line, kind)


@intrinsic
def copy_line(typingctx, out, row, column, matrix, from_row, from_column):
    """64 bytes of one matrix to another, as its numbers."""

    def codegen(context, builder, sig, args):
        value = emit_load(builder, emit_address(builder, *args[3:]), BYTES)
        emit_store(builder, _as_numbers(builder, value, out), emit_address(builder, *args[:3]))
        return context.get_dummy_value()

    index = types.intp
    return types.void(out, index, index, matrix, index, index), codegen


@intrinsic
def clear_line(typingctx, out, row, column):
    """64 zeros."""

    def codegen(context, builder, sig, args):
        zeros = ir.Constant(ir.VectorType(ir.IntType(out.dtype.bitwidth), LINE_BYTES), None)
        emit_store(builder, zeros, emit_address(builder, *args))
        return context.get_dummy_value()

    return types.void(out, types.intp, types.intp), codegen


@intrinsic
def interleave(typingctx, out, row, column, matrix, r0, r1, r2, r3, from_column):
    """16 bytes of each of four rows, from from_column on, to out[row, column:]: the four first, the four second ..."""
    index = types.intp
    part = ir.VectorType(BYTE, COLUMNS)

    def codegen(context, builder, sig, args):
        out_, row, column, matrix_, *rows, from_column = args
        parts = [emit_load(builder, emit_address(builder, matrix_, r, from_column), part) for r in rows]
        low, high = (emit_shuffle(builder, a, b, list(range(2 * COLUMNS))) for a, b in (parts[:2], parts[2:]))
        ints = builder.bitcast(emit_shuffle(builder, low, high, list(range(4 * COLUMNS))), INTS)
        # Four bytes of each row side by side, then byte by byte: two instructions on a CPU with wide registers.
        ints = emit_shuffle(builder, ints, ints, [4 * r + n for n in range(4) for r in range(4)])
        in_bytes = builder.bitcast(ints, BYTES)
        order = [16 * n + 4 * r + b for n in range(4) for b in range(4) for r in range(4)]
        value = _as_numbers(builder, emit_shuffle(builder, in_bytes, in_bytes, order), out)
        emit_store(builder, value, emit_address(builder, out_, row, column))
        return context.get_dummy_value()

    return types.void(out, index, index, matrix, index, index, index, index, index), codegen


@intrinsic
def transpose_line(typingctx, out, row, column, matrix, from_row, from_column):
    """out[row + f, column + i] = matrix[from_row + i, from_column + f] for 16 rows i and 64 features f, of bytes."""
    return _transposing(out, matrix, LINE_BYTES)


@intrinsic
def transpose_half_line(typingctx, out, row, column, matrix, from_row, from_column):
    """The same for 32 features."""
    return _transposing(out, matrix, LINE_BYTES // 2)


def _transposing(out, matrix, width):
    def codegen(context, builder, sig, args):
        emit_transposed(builder, width, *args)
        return context.get_dummy_value()

    index = types.intp
    return types.void(out, index, index, matrix, index, index), codegen


def emit_transposed(builder, width, out, row, column, matrix, from_row, from_column):
    """The same for so many features."""
    half, part = COLUMNS // 2, ir.VectorType(BYTE, width)
    # The first eight bytes of two rows by turns, then the last ones; in each 16 bytes of the registers apart.
    halves = [
        [lane + side * half + n + width * source for lane in range(0, width, COLUMNS) for n in range(half)
         for source in (0, 1)]
        for side in (0, 1)
    ]  # fmt: skip
    places = [emit_address(builder, matrix, builder.add(from_row, INDEX(i)), from_column) for i in range(COLUMNS)]
    v = [emit_load(builder, place, part) for place in places]
    # Each time the topmost bit of a byte's row becomes the last of its column: four times, and all have changed.
    for _ in range(4):
        v = [emit_shuffle(builder, v[i], v[i + half], order) for i in range(half) for order in halves]
    for lane in range(0, width, COLUMNS):
        for f, value in enumerate(v):
            sixteen = emit_shuffle(builder, value, value, list(range(lane, lane + COLUMNS)))
            place = emit_address(builder, out, builder.add(row, INDEX(lane + f)), column)
            builder.store(sixteen, builder.bitcast(place, sixteen.type.as_pointer()), align=COLUMNS)
