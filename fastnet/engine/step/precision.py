"""matmul_precision: when the first layer's products are in fixed point, with how many bits, and their memory.

    "highest"    floats
    "high"       24 bits
    "medium"     16 bits

Rounding a column of V = scale * W to integers of b bits moves none of its numbers by more than 2**(1 - b) of the
largest, so a hidden unit's input, sum_p (x_p - mean_p) V_p, by no more than

    2**(1 - b) * max_p |V_p| * sum_p |x_p - mean_p|

(float32's own rounding comes on top).  Features of very different scale make that bound useless: their V_p differ as
much, and those that matter have few bits left.  So the bits grow with the spread of the scales (see bits_for).
"""

from __future__ import annotations

import math

import numpy as np

from fastnet.engine.compilation.cpu import LINE_BYTES, dot_unit
from fastnet.engine.emitting.arrays import Matrix, allocate, lines_of
from fastnet.engine.emitting.digit_tile import MEAN_BYTES, PIXELS_APART
from fastnet.engine.emitting.digits import COLUMNS, QUAD, Digits
from fastnet.engine.emitting.matrix_unit import TILE_ROWS
from fastnet.engine.emitting.tile import SPARE_ROWS
from fastnet.engine.step.fixed import Fixed, FixedScratch
from fastnet.engine.step.memory import Layer, Source
from fastnet.engine.step.phases import PANEL
from fastnet.engine.step.programs import Plan
from fastnet.engine.threads.units import groups

HIGHEST = "highest"
MOST_FEATURES = PIXELS_APART // PANEL * PANEL  # of a slice, whole groups
# Bits that must be left of a weight's when features differ in scale: as many as there are, but for three.
NEEDED = {"high": 21.0, "medium": 13.0}
# With fewer rows, to make digits of the weights costs more than their products save.
LEAST_ROWS = 32


def bits_for(precision: str, source: Source) -> int | None:
    """16 or 24 bits, None for floats.

    Scales whose largest is s times their harmonic mean take log2(s) bits from what a typical feature's weights have.
    """
    if precision == HIGHEST or source.X.dtype != np.uint8 or source.mean.dtype != np.float32:
        return None
    if not (source.mean.min() >= 0 and source.mean.max() < 256):
        return None  # no mean of pixels
    scale = np.abs(source.scale.astype(np.float64))
    if scale.min() == 0:
        return None
    needed = NEEDED[precision] + math.log2(scale.max() * (1 / scale).mean())
    return next((bits for bits in (16, 24) if needed <= bits), None)


def digits_for(precision: str, source: Source, layer: Layer, rows: int) -> Digits | None:
    """The digits of the first layer's weights for batches of so many rows, None for floats."""
    bits = bits_for(precision, source) if rows >= LEAST_ROWS else None
    return None if bits is None else Digits(bits, dot_unit())


def _columns(layer: Layer, dtype: type) -> Matrix:
    """A number for each of the layer's outputs."""
    return Matrix(allocate(1, int(layer.weight.shape[1]), np.dtype(dtype)))


def _digits(digits: Digits, layer: Layer, depth: int) -> Matrix:
    """The digits of so many rows of the layer's outputs."""
    lines = lines_of(layer.outputs, layer.weight.dtype)
    quads = -(-depth // QUAD) + digits.step - 1  # a step may begin with the last
    return Matrix(allocate(lines, quads * digits.lines * LINE_BYTES, np.dtype(np.uint8), odd=True))


def _by_feature(digits: Digits, plan: Plan, layer: Layer) -> Matrix:
    """The pixels of a block: for each step of its rows one for each feature of whole groups."""
    features, depth = groups.py_func(layer.inputs, PANEL) * PANEL, QUAD * digits.step
    return Matrix(allocate(-(-plan.block_rows // depth) * features, depth, np.dtype(np.uint8)))


def _pixels(digits: Digits) -> np.dtype:
    """The type of pixels in panels."""
    return np.dtype(f"u{digits.pixel_bytes}")


def fixed_for(digits: Digits, plan: Plan, source: Source, layer: Layer, training: bool = True) -> Fixed:
    """What the workers share."""
    count, width = groups.py_func(layer.inputs, PANEL), int(layer.weight.shape[1])
    padded = layer.inputs + SPARE_ROWS  # a tile may read so far
    fixed = Fixed(
        mean_bytes=Matrix(allocate(MEAN_BYTES, padded, _pixels(digits))),
        mean=Matrix(allocate(1, padded, np.dtype(np.float32))),
        scale=Matrix(allocate(1, padded, np.dtype(np.float32))),
        weights=_digits(digits, layer, layer.inputs),
        offsets=Matrix(allocate(count, width, np.dtype(np.float64))),
        peaks=Matrix(allocate(count, width, np.dtype(np.int32))),
        gradient=_digits(digits, layer, plan.block_rows) if training else None,
        factors=_columns(layer, np.float32) if training else None,
        units=_columns(layer, np.float64) if training else None,
        totals=_columns(layer, np.float64) if training else None,
        by_feature=_by_feature(digits, plan, layer) if training and digits.by_matrix else None,
    )
    set_normalization(fixed, source)
    return fixed


def set_normalization(fixed: Fixed, source: Source) -> None:
    """Make the normalisation that of this source: its mean as a fixed-point number of MEAN_BYTES bytes."""
    inputs = source.X.shape[1]
    places = 256 ** (MEAN_BYTES - 1)
    whole = np.minimum(np.rint(source.mean[0].astype(np.float64) * places), 256 * places - 1).astype(np.int64)
    for n in range(MEAN_BYTES):
        fixed.mean_bytes.array[n, :inputs] = whole >> (8 * (MEAN_BYTES - 1 - n)) & 255
    fixed.mean.array[0, :inputs] = whole / places
    fixed.scale.array[0, :inputs] = source.scale[0]


def fixed_scratch(digits: Digits, plan: Plan, layer: Layer, training: bool) -> FixedScratch:
    """What a worker has for itself."""
    quads, by_matrix = -(-plan.block_rows // QUAD), digits.by_matrix
    in_quads = training and not by_matrix
    return FixedScratch(
        factors=_columns(layer, np.float32),
        units=_columns(layer, np.float64),
        stale=Matrix(np.zeros((1, lines_of(layer.outputs, layer.weight.dtype)), np.int32)),
        offset=_columns(layer, np.float64),
        pixels=Matrix(allocate(plan.stride, PIXELS_APART, _pixels(digits))),
        quads=Matrix(allocate(quads, QUAD * PANEL, _pixels(digits), odd=True)) if in_quads else None,
        sums=Matrix(allocate(TILE_ROWS * digits.sums, COLUMNS, np.dtype(np.int32))) if by_matrix else None,
    )
