"""exp and log of a line, the same bits on every CPU with fused multiply-add.

Both reduce the argument with the two-part constant of Cody and Waite ("Software Manual for the Elementary
Functions", 1980) and end in a Taylor series, long enough that its remainder is far below half a unit in
the last place (ulp).  Errors measured over the whole range, against higher precision: below 1 ulp for both
functions and both types, subnormal results included (tests/engine/test_elementary.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import factorial
from typing import Any

from llvmlite import ir
from numba.extending import intrinsic

from fastnet.engine.emitting.lines import emit_fma


@dataclass(frozen=True)
class _Format:
    """What the functions must know of an IEEE 754 format."""

    fraction_bits: int
    bias: int
    ln2_high: float  # ln 2 to few enough bits that an exponent times it is exact
    ln2_low: float
    lowest: float  # exp underflows to 0 below, and overflows to infinity above
    highest: float
    exp_terms: int
    log_terms: int


_hex = float.fromhex
_FORMATS = {
    32: _Format(23, 127, _hex("0x1.62e4p-1"), _hex("0x1.7f7d1cf79abcap-20"), -150.0, 130.0, 8, 5),
    64: _Format(52, 1023, _hex("0x1.62e42feep-1"), _hex("0x1.a39ef35793c76p-33"), -800.0, 800.0, 14, 11),
}
LOG2_E = 1.4426950408889634


class _Line:
    """An IR value with the operators of arithmetic, so that a formula reads as one."""

    def __init__(self, builder: ir.IRBuilder, value: ir.Value) -> None:
        self.builder, self.value = builder, value

    def constant(self, number: float) -> _Line:
        return _Line(self.builder, ir.Constant(self.value.type, [number] * self.value.type.count))

    def _with(self, instruction: str, other: _Line | float) -> _Line:
        other = other if isinstance(other, _Line) else self.constant(other)
        return _Line(self.builder, getattr(self.builder, instruction)(self.value, other.value))

    def __add__(self, other: _Line | float) -> _Line:
        return self._with("fadd", other)

    def __sub__(self, other: _Line | float) -> _Line:
        return self._with("fsub", other)

    def __mul__(self, other: _Line | float) -> _Line:
        return self._with("fmul", other)

    def __truediv__(self, other: _Line | float) -> _Line:
        return self._with("fdiv", other)

    def fma(self, factor: _Line | float, term: _Line | float) -> _Line:
        """self * factor + term."""
        factor, term = (v if isinstance(v, _Line) else self.constant(v) for v in (factor, term))
        return _Line(self.builder, emit_fma(self.builder, self.value, factor.value, term.value))

    def where(self, comparison: str, bound: float, then: _Line | float, otherwise: _Line) -> _Line:
        """`then` in the lanes where self compares so with bound; otherwise (nan included) the other."""
        then = then if isinstance(then, _Line) else self.constant(then)
        test = self.builder.fcmp_ordered(comparison, self.value, self.constant(bound).value)
        return _Line(self.builder, self.builder.select(test, then.value, otherwise.value))


def _integers(kind: ir.VectorType, bits: int) -> ir.VectorType:
    return ir.VectorType(ir.IntType(bits), kind.count)


def _repeat(kind: ir.VectorType, number: int) -> ir.Constant:
    return ir.Constant(kind, [number] * kind.count)


def _polynomial(x: _Line, coefficients: list[float]) -> _Line:
    """Horner's rule, the highest power first."""
    value = x.constant(coefficients[0])
    for coefficient in coefficients[1:]:
        value = value.fma(x, coefficient)
    return value


def _emit_exp(builder: ir.IRBuilder, argument: ir.Value, bits: int) -> ir.Value:
    """exp(x) = 2**n * exp(r), with n the integer nearest to x / ln 2 and |r| <= ln(2) / 2."""
    f = _FORMATS[bits]
    integers = _integers(argument.type, bits)
    x = _Line(builder, argument)
    x = x.where("<", f.lowest, f.lowest, x)
    x = x.where(">", f.highest, f.highest, x)
    # Adding 1.5 * 2**fraction_bits rounds to an integer and leaves it in the low bits of the sum.
    shifter = 1.5 * 2.0**f.fraction_bits
    shifted = x.fma(LOG2_E, shifter)
    n = shifted - shifter
    r = n.fma(-f.ln2_low, n.fma(-f.ln2_high, x))
    series = _polynomial(r, [1 / factorial(k) for k in range(f.exp_terms, -1, -1)])
    # 2**n in two factors: the first is never out of range, the second rounds a subnormal result once.
    whole = builder.sub(builder.bitcast(shifted.value, integers), builder.bitcast(x.constant(shifter).value, integers))
    half = builder.ashr(whole, _repeat(integers, 1))
    for part in (half, builder.sub(whole, half)):
        biased = builder.shl(builder.add(part, _repeat(integers, f.bias)), _repeat(integers, f.fraction_bits))
        series = series * _Line(builder, builder.bitcast(biased, argument.type))
    return series.value


def _emit_log(builder: ir.IRBuilder, argument: ir.Value, bits: int) -> ir.Value:
    """log(x) = n ln 2 + log(1 + g), x = 2**n (1 + g), 1 + g between sqrt(1/2) and sqrt(2).

    log(1 + g) = 2 artanh(s), s = g / (2 + g), in the arrangement of FreeBSD's msun (e_log.c) that keeps
    g, which is exact, as the leading term:  g - (g**2/2 - s (g**2/2 + tail(s**2))).
    """
    f = _FORMATS[bits]
    integers = _integers(argument.type, bits)
    x = _Line(builder, argument)
    tiny = 2.0 ** (2 - f.bias)
    scale = 2.0 ** (f.fraction_bits + 1)  # brings subnormal numbers among the normal ones
    scaled = x.where("<", tiny, x * scale, x)
    pattern = builder.bitcast(scaled.value, integers)
    # Subtracting the pattern of sqrt(1/2) makes the exponent field count from there.
    root_half = builder.bitcast(x.constant(0.7071067811865476).value, integers)
    offset = builder.sub(pattern, root_half)
    n_bits = builder.ashr(offset, _repeat(integers, f.fraction_bits))
    mantissa = builder.sub(pattern, builder.shl(n_bits, _repeat(integers, f.fraction_bits)))
    n = _Line(builder, builder.sitofp(n_bits, argument.type))
    n = x.where("<", tiny, n - float(f.fraction_bits + 1), n)
    g = _Line(builder, builder.bitcast(mantissa, argument.type)) - 1.0
    s = g / (g + 2.0)
    s2 = s * s
    tail = s2 * _polynomial(s2, [2 / (2 * k + 1) for k in range(f.log_terms, 0, -1)])
    half_square = g * g * 0.5
    small = half_square - s.fma(half_square + tail, n * f.ln2_low)
    result = n * f.ln2_high - (small - g)
    infinity = float("inf")
    result = x.where("==", infinity, infinity, result)
    result = x.where("==", 0.0, -infinity, result)
    result = x.where("<", 0.0, float("nan"), result)
    return _Line(
        builder, builder.select(builder.fcmp_unordered("uno", argument, argument), argument, result.value)
    ).value


@intrinsic
def exp(typingctx: Any, line: Any) -> Any:
    """e to the power of each lane."""

    def codegen(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        return _emit_exp(builder, args[0], line.scalar.bitwidth)

    return line(line), codegen


@intrinsic
def log(typingctx: Any, line: Any) -> Any:
    """The natural logarithm of each lane."""

    def codegen(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        return _emit_log(builder, args[0], line.scalar.bitwidth)

    return line(line), codegen
