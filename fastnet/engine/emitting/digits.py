"""Weights as digits: fixed-point numbers cut up for a CPU's dot products of bytes, which are exact.

A line of columns at four neighbouring places of the depth, a *quad*, is a few cache lines of digits.  A dot
instruction multiplies each of 16 columns' four digits by the four pixels of a row and adds up, in 32 bits:

    bytes    signed 8-bit digits by unsigned pixels, four at a time (x86 with VNNI, ARM with i8mm); with AMX, the same
             lines of digits are parts of a matrix (matrix_unit.py)
    pairs    signed 16-bit digits by pixels widened to as many, two at a time (AVX2's vpmaddwd, or plain vectors);
             24 bits take a second digit

Digits are balanced, each from -128 to 127 (-32768 to 32767): v = d2 * 65536 + d1 * 256 + d0.  Whatever the digits,
the sum of the products is the same integer, so all units agree to the last bit.  (The scheme of Ootomo, Ozaki and
Yokota, "DGEMM on integer matrix multiplication unit", 2023, with one side that needs no cutting.)
"""

from __future__ import annotations

from typing import NamedTuple

import llvmlite.binding as llvm
from llvmlite import ir

from fastnet.engine.compilation.cpu import LINE_BYTES, Dot
from fastnet.engine.emitting.lines import emit_load, emit_splat

QUAD = 4  # places of the depth that stand together
COLUMNS = 16  # of a line
INT32 = ir.IntType(32)
INT_BYTES = 4
BYTE = ir.IntType(8)
INTS = ir.VectorType(INT32, COLUMNS)
BYTES = ir.VectorType(BYTE, LINE_BYTES)
SHORTS = ir.VectorType(ir.IntType(16), 2 * COLUMNS)
DOUBLES = ir.VectorType(ir.DoubleType(), COLUMNS)


class Digits(NamedTuple):
    """How numbers of so many bits, 16 or 24, are cut up for a kind of dot product."""

    bits: int
    dot: Dot

    @property
    def bytewise(self) -> bool:
        """Whether the digits are bytes, not 16-bit numbers."""
        return self.dot.instruction in ("vnni", "usdot", "amx")

    @property
    def by_matrix(self) -> bool:
        """Whether the CPU's matrix unit multiplies them."""
        return self.dot.instruction == "amx"

    @property
    def of_vectors(self) -> Digits:
        """The same for what is no matrix: digits have the same places."""
        return self._replace(dot=self.dot._replace(instruction="vnni")) if self.by_matrix else self

    @property
    def step(self) -> int:
        """Quads that are multiplied at once: as many as the depth is padded to."""
        return LINE_BYTES // QUAD if self.by_matrix else 1

    @property
    def pixel_bytes(self) -> int:
        """Bytes of a pixel in a panel: it is widened once there, not in every tile."""
        return 1 if self.bytewise else 2

    @property
    def sums(self) -> int:
        """Digits of a number, and so sums of a result."""
        return self.bits // 8 if self.bytewise else -(-self.bits // 16)

    @property
    def columns(self) -> int:
        """Columns that a tile multiplies at a time.

        Half a line where there are 16 registers: these take all sums of three rows and more, of whole lines those of
        one or two (high on Zen 4: 31 % less time by AVX VNNI, 17 % by AVX2).
        """
        return COLUMNS // 2 if self.dot.width == LINE_BYTES // 2 and self.sums > 1 else COLUMNS

    @property
    def words(self) -> int:
        """Instructions by which a quad is multiplied, for each sum: of four places at once, or two and two."""
        return 1 if self.bytewise else 2

    @property
    def lines(self) -> int:
        """Cache lines of a quad: words side by side, sum by sum."""
        return self.sums * self.words

    @property
    def base(self) -> int:
        return 1 << (8 if self.bytewise else 16)

    @property
    def chunk(self) -> int:
        """Quads whose products, 255 times the largest digit each, 32 bits can hold."""
        return (2**31 - 1) // (255 * self.base // 2) // QUAD // 64 * 64


def _repeat(number: int, kind: ir.VectorType = INTS) -> ir.Constant:
    return ir.Constant(kind, [number] * kind.count)


def emit_shuffle(builder: ir.IRBuilder, a: ir.Value, b: ir.Value, places: list[int]) -> ir.Value:
    return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(INT32, len(places)), places))


def emit_digits(builder: ir.IRBuilder, digits: Digits, numbers: list[ir.Value]) -> list[ir.Value]:
    """The lines of a quad from its four lines of 32-bit integers."""
    if not digits.bytewise:
        lines = _emit_pairs(builder, numbers)
        if digits.sums == 2:
            # What the low digit, read as a signed number, leaves.
            rest = [builder.ashr(builder.add(v, _repeat(1 << 15)), _repeat(16)) for v in numbers]
            lines += _emit_pairs(builder, rest)
        return lines
    # Adding 128 at each place makes every digit unsigned, so that none borrows; flipping its top bit takes 128 away.
    bias = 0x8080 if digits.bits == 16 else 0x808080
    numbers = [builder.add(v, _repeat(bias)) for v in numbers]
    # Bytes 0 0 1 1 of two numbers each, then 0 0 0 0 and 1 1 1 1 of all four.
    order = [4 * n + byte for n in range(COLUMNS) for byte in (0, 2, 1, 3)]
    halves = []
    for pair in _emit_pairs(builder, numbers):
        in_bytes = builder.bitcast(pair, BYTES)
        halves.append(builder.bitcast(emit_shuffle(builder, in_bytes, in_bytes, order), INTS))
    low, high = _repeat(0xFFFF), _repeat(0xFFFF0000)
    lines = [
        builder.or_(builder.and_(halves[0], low), builder.shl(halves[1], _repeat(16))),
        builder.or_(builder.lshr(halves[0], _repeat(16)), builder.and_(halves[1], high)),
    ]
    if digits.sums == 3:
        line = builder.and_(builder.lshr(numbers[0], _repeat(16)), _repeat(0xFF))
        for n, move in ((1, -8), (2, 0), (3, 8)):
            v = numbers[n]
            v = builder.lshr(v, _repeat(-move)) if move < 0 else builder.shl(v, _repeat(move))
            line = builder.or_(line, builder.and_(v, _repeat(0xFF << (8 * n))))
        lines.append(line)
    return [builder.xor(line, _repeat(0x80808080)) for line in lines]


def _emit_pairs(builder: ir.IRBuilder, numbers: list[ir.Value]) -> list[ir.Value]:
    """The low 16 bits of the first two numbers side by side, and of the last two."""
    low = [builder.and_(numbers[n], _repeat(0xFFFF)) for n in (0, 2)]
    return [builder.or_(a, builder.shl(numbers[n], _repeat(16))) for a, n in zip(low, (1, 3), strict=True)]


def emit_pixels(builder: ir.IRBuilder, digits: Digits, address: ir.Value, word: int) -> ir.Value:
    """Of the four pixels at address those of a word, for all columns of a tile."""
    place = builder.gep(builder.bitcast(address, INT32.as_pointer()), [INT32(word)], inbounds=True)
    return emit_splat(builder, builder.load(place, align=digits.pixel_bytes), ir.VectorType(INT32, digits.columns))


def emit_dot(
    builder: ir.IRBuilder, digits: Digits, sums: list[ir.Value], pixels: ir.Value, lines: list[ir.Value]
) -> list[ir.Value]:
    """sums + pixels * digits of a word, column by column and digit by digit."""
    if digits.bytewise:
        return [_emit_by_register(builder, digits.dot, [s, pixels, b]) for s, b in zip(sums, lines, strict=True)]
    products = [_emit_by_register(builder, digits.dot, [pixels, b]) for b in lines]
    return [builder.add(s, product) for s, product in zip(sums, products, strict=True)]


def _emit_by_register(builder: ir.IRBuilder, dot: Dot, operands: list[ir.Value]) -> ir.Value:
    """The instruction on vectors of integers: on each register's part of them."""
    width = dot.width // INT_BYTES
    count = operands[0].type.count // width
    if count == 1 or dot.instruction == "plain":
        return _emit_instruction(builder, dot, operands)
    parts = []
    for part in range(count):
        places = list(range(part * width, (part + 1) * width))
        cut = [emit_shuffle(builder, operand, operand, places) for operand in operands]
        parts.append(_emit_instruction(builder, dot, cut))
    while len(parts) > 1:
        both = 2 * parts[0].type.count
        parts = [emit_shuffle(builder, a, b, list(range(both))) for a, b in zip(parts[::2], parts[1::2], strict=True)]
    return parts[0]


def _emit_instruction(builder: ir.IRBuilder, dot: Dot, operands: list[ir.Value]) -> ir.Value:
    ints = operands[0].type
    in_bytes, in_shorts = ir.VectorType(BYTE, 4 * ints.count), ir.VectorType(ir.IntType(16), 2 * ints.count)
    if dot.instruction == "plain":
        # Even and odd numbers apart, widened.
        products = []
        a, b = (builder.bitcast(operand, ints) for operand in operands)
        for parity in (0, 1):
            factors = []
            for value in (a, b):
                value = value if parity else builder.shl(value, _repeat(16, ints))
                factors.append(builder.ashr(value, _repeat(16, ints)))
            products.append(builder.mul(*factors))
        return builder.add(*products)
    if dot.instruction == "madd":
        name = "llvm.x86.avx512.pmaddw.d.512" if dot.width == LINE_BYTES else "llvm.x86.avx2.pmadd.wd"
        kinds = [in_shorts, in_shorts]
    elif dot.instruction == "usdot":
        name, kinds = "llvm.aarch64.neon.usdot.v4i32.v16i8", [ints, in_bytes, in_bytes]
    else:
        name = f"llvm.x86.avx512.vpdpbusd.{8 * dot.width}"
        # LLVM 22 gave the factors their own type.
        kinds = [ints, *[in_bytes if llvm.llvm_version_info[0] >= 22 else ints] * 2]
    function = builder.module.globals.get(name)
    if function is None:
        function = ir.Function(builder.module, ir.FunctionType(ints, kinds), name)
    return builder.call(function, [builder.bitcast(o, kind) for o, kind in zip(operands, kinds, strict=True)])


def emit_line(builder: ir.IRBuilder, digits: Digits, quad: ir.Value, word: int, n: int) -> ir.Value:
    """The digits of sum n of a word, for the columns of a tile from those at the quad's address on."""
    place = builder.gep(quad, [ir.IntType(64)((n * digits.words + word) * LINE_BYTES)], inbounds=True)
    return emit_load(builder, place, ir.VectorType(INT32, digits.columns))


def emit_value(builder: ir.IRBuilder, digits: Digits, sums: list[ir.Value], short: bool) -> ir.Value:
    """The integers that the digits' sums make, exact as doubles.

    Those of a short product, of at most 64 quads, fit 32 bits where they have 16: as float32, rounded once.
    """
    ints = sums[0].type
    floats, doubles = (ir.VectorType(real, ints.count) for real in (ir.FloatType(), ir.DoubleType()))
    if short and digits.bytewise:  # the two low digits make one of 16 bits
        low = builder.add(builder.shl(sums[1], _repeat(8, ints)), sums[0])
        if digits.bits == 16:
            return builder.sitofp(low, floats)
        sums, base = [low, sums[2]], 1 << 16
    elif short and digits.bits == 16:
        return builder.sitofp(sums[0], floats)
    else:
        base = digits.base
    value = builder.sitofp(sums[-1], doubles)
    for total in reversed(sums[:-1]):
        value = builder.fmul(value, _repeat(float(base), doubles))
        value = builder.fadd(value, builder.sitofp(total, doubles))
    return value
