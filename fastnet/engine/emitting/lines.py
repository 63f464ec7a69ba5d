"""Cache lines as values: the vector type of the kernels, emitted as LLVM IR.

A line is the 16 float32 or 8 float64 of one cache line.  LLVM splits it over the registers of the CPU
at hand (1 of AVX-512, 2 of AVX2, 4 of NEON or SSE), lane by lane, so a kernel written in lines gives the
same bits on all of them.  In compiled functions a line supports + - * /, and the functions below.

Sums over the lanes fold halves (8, 4, 2, 1), the one order that every vector width shares.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import types
from numba.core.typing.templates import ConcreteTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, models, register_model

from fastnet.engine.compilation.cpu import LINE_BYTES, vector_unit
from fastnet.engine.emitting.matrix import emit_address

INDEX = ir.IntType(64)


class LineType(types.Type):
    """The Numba type of a line of float32 or float64; or of more float64, as many as a line of float32 holds."""

    def __init__(self, scalar: types.Float, lanes: int | None = None) -> None:
        self.scalar = scalar
        self.lanes = lanes or LINE_BYTES * 8 // int(scalar.bitwidth)
        super().__init__(name=f"Line({scalar} x {self.lanes})")


def scalar_ir(scalar: types.Float) -> ir.Type:
    return ir.DoubleType() if scalar.bitwidth == 64 else ir.FloatType()


def line_ir(scalar: types.Float) -> ir.VectorType:
    return ir.VectorType(scalar_ir(scalar), LineType(scalar).lanes)


@register_model(LineType)
class _LineModel(models.PrimitiveModel):
    def __init__(self, manager: Any, line: LineType) -> None:
        super().__init__(manager, line, ir.VectorType(scalar_ir(line.scalar), line.lanes))


_LINES = (LineType(types.float32), LineType(types.float64), LineType(types.float64, LineType(types.float32).lanes))


def _register_arithmetic(symbol: Callable[..., Any], instruction: str) -> None:
    @infer_global(symbol)
    class _Arithmetic(ConcreteTemplate):
        cases = tuple(signature(line, line, line) for line in _LINES)

    @lower_builtin(symbol, LineType, LineType)
    def _lower(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        return getattr(builder, instruction)(*args)


_register_arithmetic(operator.add, "fadd")
_register_arithmetic(operator.sub, "fsub")
_register_arithmetic(operator.mul, "fmul")
_register_arithmetic(operator.truediv, "fdiv")


# --- emitters: shared by the intrinsics below, by the elementary functions and by the tile ---------------


def call(builder: ir.IRBuilder, name: str, *args: ir.Value) -> ir.Value:
    """Call the LLVM intrinsic `llvm.<name>` overloaded on the type of the arguments."""
    kind = args[0].type
    if isinstance(kind, ir.VectorType):
        suffix = f"v{kind.count}{'f64' if kind.element == ir.DoubleType() else 'f32'}"
    else:
        suffix = "f64" if kind == ir.DoubleType() else "f32"
    full = f"llvm.{name}.{suffix}"
    function = builder.module.globals.get(full)
    if function is None:
        function = ir.Function(builder.module, ir.FunctionType(kind, [kind] * len(args)), full)
    return builder.call(function, args)


def emit_fma(builder: ir.IRBuilder, a: ir.Value, b: ir.Value, c: ir.Value) -> ir.Value:
    """a * b + c, rounded once where the CPU can.

    Without the instruction LLVM would call libm for every lane; there the product is rounded too.
    """
    if vector_unit().fma:
        return call(builder, "fma", a, b, c)
    return builder.fadd(builder.fmul(a, b), c)


def emit_splat(builder: ir.IRBuilder, scalar: ir.Value, kind: ir.VectorType) -> ir.Value:
    """A vector with scalar in every lane."""
    lane0 = builder.insert_element(ir.Constant(kind, ir.Undefined), scalar, ir.IntType(32)(0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), kind.count), [0] * kind.count)
    return builder.shuffle_vector(lane0, ir.Constant(kind, ir.Undefined), zeros)


def emit_load(builder: ir.IRBuilder, address: ir.Value, kind: ir.VectorType) -> ir.Value:
    """A vector from an address aligned as its elements are (rows of a caller's array may be no better)."""
    return builder.load(builder.bitcast(address, kind.as_pointer()), align=_element_bytes(kind))


def emit_store(builder: ir.IRBuilder, value: ir.Value, address: ir.Value) -> None:
    pointer = builder.bitcast(address, value.type.as_pointer())
    builder.store(value, pointer, align=_element_bytes(value.type))


def emit_below(builder: ir.IRBuilder, limit: ir.Value, lanes: int) -> ir.Value:
    """For each of so many lanes whether its number is below the limit."""
    numbers = ir.VectorType(ir.IntType(32), lanes)
    limits = emit_splat(builder, builder.trunc(limit, ir.IntType(32)), numbers)
    return builder.icmp_signed("<", ir.Constant(numbers, list(range(lanes))), limits)


def emit_load_first(builder: ir.IRBuilder, address: ir.Value, kind: ir.VectorType, count: ir.Value) -> ir.Value:
    """A vector of such a kind from memory: so many numbers, zeros beyond, where nothing is read."""
    mask = emit_below(builder, count, kind.count)
    element = kind.element
    suffix = f"i{element.width}" if isinstance(element, ir.IntType) else {"float": "f32", "double": "f64"}[str(element)]
    name = f"llvm.masked.load.v{kind.count}{suffix}.p0"
    function = builder.module.globals.get(name)
    if function is None:
        arguments = [address.type, ir.IntType(32), mask.type, kind]
        function = ir.Function(builder.module, ir.FunctionType(kind, arguments), name)
    return builder.call(function, [address, ir.IntType(32)(_element_bytes(kind)), mask, ir.Constant(kind, None)])


def emit_prefetch(builder: ir.IRBuilder, address: ir.Value) -> None:
    """Ask for the cache line of an address: nothing is read."""
    pointer = builder.bitcast(address, ir.IntType(8).as_pointer())
    read, near, data = (ir.IntType(32)(n) for n in (0, 3, 1))
    name = "llvm.prefetch.p0"
    function = builder.module.globals.get(name)
    if function is None:
        kinds = [pointer.type, ir.IntType(32), ir.IntType(32), ir.IntType(32)]
        function = ir.Function(builder.module, ir.FunctionType(ir.VoidType(), kinds), name)
    builder.call(function, [pointer, read, near, data])


def _element_bytes(kind: ir.VectorType) -> int:
    return {ir.DoubleType(): 8, ir.IntType(8): 1}.get(kind.element, 4)


def _fold(builder: ir.IRBuilder, line: ir.Value, combine: Callable[[ir.Value, ir.Value], ir.Value]) -> ir.Value:
    lanes = line.type.count
    while lanes > 1:
        lanes //= 2
        halves = [ir.Constant(ir.VectorType(ir.IntType(32), lanes), [h + i for i in range(lanes)]) for h in (0, lanes)]
        low, high = (builder.shuffle_vector(line, ir.Constant(line.type, ir.Undefined), half) for half in halves)
        line = combine(low, high)
    return builder.extract_element(line, ir.IntType(32)(0))


def _emit_turned(builder: ir.IRBuilder, lines: list[ir.Value]) -> list[ir.Value]:
    """As many lines as each has lanes, turned over: squares of 1, 2, 4 .. numbers change places across the diagonal."""
    count, half = len(lines), 1
    while half < count:
        second = [bool(lane & half) for lane in range(count)]
        upper = [count + lane - half if second[lane] else lane for lane in range(count)]
        lower = [count + lane if second[lane] else lane + half for lane in range(count)]
        for n in range(count):
            if not second[n]:
                pair = lines[n], lines[n + half]
                lines[n], lines[n + half] = _emit_mixed(builder, *pair, upper), _emit_mixed(builder, *pair, lower)
        half *= 2
    return lines


def _emit_mixed(builder: ir.IRBuilder, a: ir.Value, b: ir.Value, order: list[int]) -> ir.Value:
    """The lanes of a and, counted on, of b in this order."""
    return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(ir.IntType(32), len(order)), order))


def _emit_larger(builder: ir.IRBuilder, a: ir.Value, b: ir.Value) -> ir.Value:
    return builder.select(builder.fcmp_ordered(">", a, b), a, b)


# --- functions on lines, for compiled code ---------------------------------------------------------------


@intrinsic
def lanes(typingctx, matrix):
    """The numbers of the matrix that a line holds: a constant."""

    def codegen(context, builder, sig, args):
        return INDEX(LineType(matrix.dtype).lanes)

    return types.intp(matrix), codegen


@intrinsic
def load(typingctx, matrix, row, column):
    """The line of matrix that starts at [row, column]."""
    line = LineType(matrix.dtype)

    def codegen(context, builder, sig, args):
        return emit_load(builder, emit_address(builder, *args), line_ir(line.scalar))

    return line(matrix, types.intp, types.intp), codegen


@intrinsic
def store(typingctx, matrix, row, column, line):
    """Write a line to matrix from [row, column] on."""

    def codegen(context, builder, sig, args):
        emit_store(builder, args[3], emit_address(builder, *args[:3]))
        return context.get_dummy_value()

    return types.void(matrix, types.intp, types.intp, line), codegen


@intrinsic
def prefetch(typingctx, matrix, row, column):
    """Ask for the cache line of matrix[row, column], which may lie beyond the matrix: nothing is read."""

    def codegen(context, builder, sig, args):
        emit_prefetch(builder, emit_address(builder, *args, inside=False))
        return context.get_dummy_value()

    return types.void(matrix, types.intp, types.intp), codegen


@intrinsic
def splat(typingctx, scalar):
    """A line with scalar in every lane."""
    line = LineType(scalar)

    def codegen(context, builder, sig, args):
        return emit_splat(builder, args[0], line_ir(scalar))

    return line(scalar), codegen


@intrinsic
def fma(typingctx, a, b, c):
    """a * b + c of lines, rounded once."""

    def codegen(context, builder, sig, args):
        return emit_fma(builder, *args)

    return a(a, b, c), codegen


@intrinsic
def sqrt(typingctx, a):
    """The correctly rounded square root of each lane."""

    def codegen(context, builder, sig, args):
        return call(builder, "sqrt", args[0])

    return a(a), codegen


@intrinsic
def larger(typingctx, a, b):
    """The larger of two lines, lane by lane; b where either is not a number."""

    def codegen(context, builder, sig, args):
        return _emit_larger(builder, *args)

    return a(a, b), codegen


def _where(comparison: str) -> Any:
    """An intrinsic that takes x in the lanes where a and b compare so, y in the others (where one is nan included)."""

    @intrinsic
    def where(typingctx, a, b, x, y):
        def codegen(context, builder, sig, args):
            return builder.select(builder.fcmp_ordered(comparison, *args[:2]), *args[2:])

        return x(a, b, x, y), codegen

    return where


where_equal, where_larger = _where("=="), _where(">")


@intrinsic
def turn_over(typingctx, matrix, row):
    """The square of a line's numbers each way that starts at [row, 0], its rows becoming columns, in place."""
    line = LineType(matrix.dtype)

    def codegen(context, builder, sig, args):
        kind = line_ir(line.scalar)
        places = [emit_address(builder, args[0], builder.add(args[1], INDEX(n)), INDEX(0)) for n in range(kind.count)]
        lines = _emit_turned(builder, [emit_load(builder, place, kind) for place in places])
        for place, turned in zip(places, lines, strict=True):
            emit_store(builder, turned, place)
        return context.get_dummy_value()

    return types.void(matrix, types.intp), codegen


@intrinsic
def step(typingctx, a):
    """1 in the lanes where a > 0, 0 in the others: the derivative of max(a, 0)."""

    def codegen(context, builder, sig, args):
        zero = ir.Constant(args[0].type, None)
        one = ir.Constant(args[0].type, [1.0] * args[0].type.count)
        return builder.select(builder.fcmp_ordered(">", args[0], zero), one, zero)

    return a(a), codegen


def _flush(exponent_bits: dict[int, int]) -> Any:
    """An intrinsic that puts 0 into the lanes where none of these bits is set, by the lanes' width."""

    @intrinsic
    def flush(typingctx, a):
        def codegen(context, builder, sig, args):
            integers = ir.VectorType(ir.IntType(a.scalar.bitwidth), a.lanes)
            mask = ir.Constant(integers, [exponent_bits[a.scalar.bitwidth]] * a.lanes)
            found = builder.and_(builder.bitcast(args[0], integers), mask)
            tiny = builder.icmp_unsigned("==", found, ir.Constant(integers, None))
            return builder.select(tiny, ir.Constant(args[0].type, None), args[0])

        return a(a), codegen

    return flush


# Subnormal numbers take Intel's CPUs a hundred times as long.  `flush` makes 0 of numbers whose squares would be
# subnormal, below 2**-63 in float32 and 2**-511 in float64: neither of the exponent's two highest bits is set.
# `flush_square` makes 0 of those that are subnormal themselves: no bit of the exponent is set.
flush = _flush({32: 0x60000000, 64: 0x6000000000000000})
flush_square = _flush({32: 0x7F800000, 64: 0x7FF0000000000000})


@intrinsic
def first_lanes(typingctx, count, a, b):
    """a in the lanes below count, b in the others."""

    def codegen(context, builder, sig, args):
        count, a, b = args
        return builder.select(emit_below(builder, count, a.type.count), a, b)

    return a(types.intp, a, b), codegen


@intrinsic
def lane_sum(typingctx, a):
    """The sum of a line's lanes."""

    def codegen(context, builder, sig, args):
        return _fold(builder, args[0], builder.fadd)

    return a.scalar(a), codegen
