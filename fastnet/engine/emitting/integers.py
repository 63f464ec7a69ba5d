"""Lines of integers: how weights and gradients become fixed-point numbers, for compiled code.

A number is an integer of 16 or 24 bits times a power of two that its column shares: the smallest with which the
column's largest number fits.  It follows from that number alone, so digits are a function of what they stand for.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic, models, register_model

from fastnet.engine.compilation.cpu import LINE_BYTES
from fastnet.engine.emitting.digits import COLUMNS, DOUBLES, INTS, Digits, emit_digits
from fastnet.engine.emitting.lines import INDEX, LineType, emit_load, emit_store
from fastnet.engine.emitting.matrix import emit_address

# Added to a number's bits before its exponent is read: of the largest that fit a scale, those within 1/128 of the
# next one take that, since balanced digits end a little below a power of two (32639 for 16 bits).
HEADROOM = 1 << 17
LEAST_EXPONENT = 30  # biased; columns whose largest number is below 2**-97 are rounded to multiples of 2**-119 or so
NOT_FINITE = 0xFF << 23
EXPONENT_BIAS, FRACTION_BITS = 127, 23


class IntLineType(types.Type):
    """The Numba type of a line of 16 int32."""

    def __init__(self) -> None:
        super().__init__(name="IntLine")


@register_model(IntLineType)
class _IntLineModel(models.PrimitiveModel):
    def __init__(self, manager: Any, line: IntLineType) -> None:
        super().__init__(manager, line, INTS)


INT_LINE = IntLineType()


def _repeat(number: int) -> ir.Constant:
    return ir.Constant(INTS, [number] * COLUMNS)


@intrinsic
def zeros(typingctx):
    """A line of 0."""
    return INT_LINE(), lambda context, builder, sig, args: ir.Constant(INTS, None)


@intrinsic
def add(typingctx, a, b):
    """a + b."""
    return INT_LINE(a, b), lambda context, builder, sig, args: builder.add(*args)


@intrinsic
def larger_ints(typingctx, a, b):
    """The larger of two lines, lane by lane."""

    def codegen(context, builder, sig, args):
        return builder.select(builder.icmp_signed(">", *args), *args)

    return INT_LINE(a, b), codegen


@intrinsic
def magnitude(typingctx, line):
    """The bits of the absolute values of float32: as integers in the same order, nan and infinity the largest."""

    def codegen(context, builder, sig, args):
        return builder.and_(builder.bitcast(args[0], INTS), _repeat(0x7FFFFFFF))

    return INT_LINE(line), codegen


@intrinsic
def rounded(typingctx, line):
    """The nearest integers, halves to even; anything where a number is beyond 32 bits."""

    def codegen(context, builder, sig, args):
        name = f"llvm.lrint.v{COLUMNS}i32.v{COLUMNS}f32"
        function = builder.module.globals.get(name)
        if function is None:
            function = ir.Function(builder.module, ir.FunctionType(INTS, [args[0].type]), name)
        return builder.call(function, args)

    return INT_LINE(line), codegen


@intrinsic
def load_ints(typingctx, matrix, row, column):
    """The line of an int32 matrix that starts at [row, column]."""

    def codegen(context, builder, sig, args):
        return emit_load(builder, emit_address(builder, *args), INTS)

    return INT_LINE(matrix, types.intp, types.intp), codegen


@intrinsic
def store_ints(typingctx, matrix, row, column, line):
    """Write a line to an int32 matrix, or as doubles to a float64 one."""

    def codegen(context, builder, sig, args):
        value = builder.sitofp(args[3], DOUBLES) if sig.args[0].dtype == types.float64 else args[3]
        emit_store(builder, value, emit_address(builder, *args[:3]))
        return context.get_dummy_value()

    return types.void(matrix, types.intp, types.intp, line), codegen


@intrinsic
def set_scale(typingctx, tile, top, factor, unit, column):
    """The scale of a line of columns whose largest numbers have the bits `top`; whether any is another than before.

    factor (1, columns) float32 makes integers of numbers, unit (1, columns) float64 numbers of integers: nan
    where a number is not finite.
    """
    line = LineType(types.float32)
    bits = tile.digits.bits

    def codegen(context, builder, sig, args):
        _, top, factor, unit, column = args
        exponent = builder.lshr(builder.add(top, _repeat(HEADROOM)), _repeat(FRACTION_BITS))
        low = builder.icmp_signed("<", exponent, _repeat(LEAST_EXPONENT))
        exponent = builder.select(low, _repeat(LEAST_EXPONENT), exponent)
        # 2 ** (bits - 2) at most for the power of two below the largest number.
        biased = builder.sub(_repeat(2 * EXPONENT_BIAS + bits - 2), exponent)
        new = builder.shl(biased, _repeat(FRACTION_BITS))
        address = emit_address(builder, factor, INDEX(0), column)
        changed = builder.icmp_signed("!=", new, emit_load(builder, address, INTS))
        emit_store(builder, new, address)
        wide = builder.fpext(builder.bitcast(new, ir.VectorType(ir.FloatType(), COLUMNS)), DOUBLES)
        inverse = builder.fdiv(ir.Constant(DOUBLES, [1.0] * COLUMNS), wide)
        finite = builder.icmp_signed("<", top, _repeat(NOT_FINITE))
        nan = ir.Constant(DOUBLES, [float("nan")] * COLUMNS)
        emit_store(builder, builder.select(finite, inverse, nan), emit_address(builder, unit, INDEX(0), column))
        some = builder.bitcast(changed, ir.IntType(COLUMNS))
        return builder.icmp_unsigned("!=", some, ir.IntType(COLUMNS)(0))

    assert line.lanes == COLUMNS
    return types.boolean(tile, top, factor, unit, types.intp), codegen


def emit_quad(
    builder: ir.IRBuilder, digits: Digits, b: ir.Value, line: ir.Value, quad: ir.Value, numbers: list[ir.Value]
) -> None:
    """Write four lines of integers as the digits at [line, quad] of b."""
    start = builder.mul(quad, INDEX(digits.lines * LINE_BYTES))
    for n, value in enumerate(emit_digits(builder, digits, numbers)):
        place = builder.add(start, INDEX(n * LINE_BYTES))
        emit_store(builder, value, emit_address(builder, b, line, place))


@intrinsic
def store_quad(typingctx, tile, b, line, quad, v0, v1, v2, v3):
    """Write four lines of integers as the digits at [line, quad] of b."""

    def codegen(context, builder, sig, args):
        _, b_, line, quad, *numbers = args
        emit_quad(builder, tile.digits, b_, line, quad, numbers)
        return context.get_dummy_value()

    return types.void(tile, b, types.intp, types.intp, v0, v1, v2, v3), codegen
