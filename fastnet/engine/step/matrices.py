"""The products of fixed.py by a matrix unit: tiles of 32 rows by a line of columns, finished four rows at a time.

On the way forward the rows are stored; on the way back the weights are updated and become digits again at once.  (To
finish a tile while the unit multiplies the next one or two gains nothing on Granite Rapids: on real pixels either slows
the other down.)
"""

from __future__ import annotations

from typing import Any, NamedTuple

from numba.extending import overload

from fastnet.engine.compilation.kernel import INLINED_OPTIONS, inlined, kernel
from fastnet.engine.emitting.arrays import Matrix
from fastnet.engine.emitting.digit_tile import Terms, quads_of_step
from fastnet.engine.emitting.digits import COLUMNS, QUAD
from fastnet.engine.emitting.integers import load_ints, store_ints, zeros
from fastnet.engine.emitting.lines import fma, load, prefetch, splat, store
from fastnet.engine.emitting.matrix import number
from fastnet.engine.emitting.matrix_unit import (
    TILE_ROWS,
    add_products,
    clear_sums,
    keep_sums,
    long_quad,
    matrix_unit_off,
    matrix_unit_on,
    short_quad,
)
from fastnet.engine.emitting.pixels import transpose_half_line, transpose_line
from fastnet.engine.step.fixed import LINE, gather_pixels, pack_quad, sum_group, sum_offsets
from fastnet.engine.step.parts import Rows
from fastnet.engine.step.phases import PANEL, update_row
from fastnet.engine.threads.units import groups


class Pixels(NamedTuple):
    """The left factor: a matrix from a row on.  A step of the depth is so many of its rows and columns further."""

    matrix: Matrix
    row: Any
    rows_a_step: Any
    columns_a_step: Any


class Numbers(NamedTuple):
    """The right factor: digits from a line of columns and a quad on."""

    digits: Matrix
    line: Any
    quad: Any


class Extent(NamedTuple):
    """How much there is to multiply: tiles of the product's rows, lines of its columns, quads of the depth."""

    tiles: Any
    lines: Any
    quads: Any


class Forward(NamedTuple):
    """What becomes of a product: it is stored, from a row of `out` on."""

    terms: Terms
    out: Matrix
    row: Any


class Backward(NamedTuple):
    """What becomes of a product that is the gradient of a group of weights."""

    terms: Terms
    weight: Any
    group: Any
    sums: Any
    descent: Any
    fixed: Any
    own: Any


@kernel
def forward_matrices(tile, block, part, layer, fixed, own, out, out_row):
    """out[out_row + r] = (X[row r, p0:p1] - mean) @ (scale * W)[p0:p1] for the rows r0 <= r < r1 of the block."""
    rows, depth = Rows(block.batch, block.k, block.first + part.r0, part.r1 - part.r0), part.p1 - part.p0
    gather_pixels(own.pixels, rows, part.p0, depth)
    store_by_feature(own.pixels, fixed.by_feature, whole_groups(layer.inputs), rows.count, part.r0, part.p0, depth)
    sum_offsets(fixed.offsets, part.p0 // PANEL, groups(part.p1, PANEL), layer.outputs, own.offset)
    pixels, numbers = Pixels(own.pixels, 0, 0, LINE), Numbers(fixed.weights, 0, part.p0 // QUAD)
    extent = extent_of(rows.count, layer.outputs, depth)
    product = Forward(Terms(None, None, own.offset, own.units), out, out_row + part.r0)
    multiply(tile, pixels, numbers, extent, product, own.sums)


@kernel
def weight_group_matrices(tile, block, layer, group, sums, fixed, own, descent):
    """The gradient of a group of the weights; with the last block, their update and new digits."""
    pixels = Pixels(fixed.by_feature, group.row, whole_groups(layer.inputs), 0)
    numbers = Numbers(fixed.gradient, group.begin // COLUMNS, 0)
    extent = extent_of(group.width, group.end - group.begin, block.count)
    terms = Terms(fixed.mean, fixed.scale, fixed.totals, fixed.units)
    product = Backward(terms, layer.weight, group, sums, descent, fixed, own)
    multiply(tile, pixels, numbers, extent, product, own.sums)


@kernel
def extent_of(rows, columns, depth):
    """The extent of a product of so many rows and columns, over so many places of the depth."""
    return Extent(groups(rows, TILE_ROWS), groups(columns, COLUMNS), groups(depth, QUAD))


@kernel
def whole_groups(inputs):
    """The features of whole groups."""
    return groups(inputs, PANEL) * PANEL


@kernel
def store_by_feature(panel, by_feature, features, rows, r0, p, depth):
    """The panel's pixels transposed for the way back, where rows are the depth; nothing where there is no way back.

    A step of the depth is LINE rows of the block: by_feature has a row for each feature of the first step, so many,
    then of the next one.  The panel's first row and feature are the block's r0th and pth.  Rows are stored up to
    sixteen: the digits that those beyond the last will meet are zeros.
    """
    if by_feature is not None:
        q = 0
        while q < depth:  # down the rows first: whole lines are written, of a few features
            for r in range(0, rows, COLUMNS):
                row = (r0 + r) // LINE * features + p + q
                if q + LINE <= depth:
                    transpose_line(by_feature, row, (r0 + r) % LINE, panel, r, q)
                else:  # groups, and so what other workers store, are no whole lines
                    transpose_half_line(by_feature, row, (r0 + r) % LINE, panel, r, q)
            q += LINE if q + LINE <= depth else LINE // 2


@kernel
def multiply(tile, pixels, numbers, extent, product, sums):
    """All tiles of a product, down the rows, line by line."""
    quads = quads_of_step(tile)
    steps = groups(extent.quads, quads)
    matrix_unit_on()
    for line in range(extent.lines):
        for row in range(0, extent.tiles * TILE_ROWS, TILE_ROWS):
            clear_sums(tile)
            for k in range(steps):
                add_products(
                    tile, pixels.matrix, pixels.row + row + k * pixels.rows_a_step, k * pixels.columns_a_step,
                    numbers.digits, numbers.line + line, numbers.quad + k * quads,
                )  # fmt: skip
            keep_sums(tile, sums)
            for r in range(0, TILE_ROWS, QUAD):
                finish(tile, product, sums, r, row + r, (numbers.line + line) * COLUMNS)
    matrix_unit_off()


def finish(tile, product, sums, r, row, j):
    """Four rows of a line of columns of the product, from `row` and j on: those of the tile's sums from r on."""
    raise NotImplementedError("compiled code only")


@overload(finish, jit_options=INLINED_OPTIONS)
def _finish(tile, product, sums, r, row, j):
    return {Forward: _store_rows, Backward: _descend}[product.instance_class]


def _store_rows(tile, product, sums, r, row, j):
    v0, v1, v2, v3 = long_quad(tile, sums, r, product.terms, 0, j)
    out, first = product.out, product.row + row
    store(out, first, j, v0)
    store(out, first + 1, j, v1)
    store(out, first + 2, j, v2)
    store(out, first + 3, j, v3)


def _descend(tile, product, sums, r, row, j):
    group, fixed = product.group, product.fixed
    if row < group.width:
        p = group.row + row
        g0, g1, g2, g3 = short_quad(tile, sums, r, product.terms, p, j)
        w0, w1 = updated(product, row, j, g0), updated(product, row + 1, j, g1)
        w2, w3 = updated(product, row + 2, j, g2), updated(product, row + 3, j, g3)
        if product.sums.last:
            # While these are made digits, the weights of the next line come, at the end those of the next group.
            ahead_row, ahead_j = (p, j + COLUMNS) if j + COLUMNS < group.end else (p + PANEL, group.begin)
            prefetch(product.weight.value, ahead_row, ahead_j)
            prefetch(product.weight.value, ahead_row + 1, ahead_j)
            prefetch(product.weight.value, ahead_row + 2, ahead_j)
            prefetch(product.weight.value, ahead_row + 3, ahead_j)
            squares, top = splat(number(product.sums.matrix, 0)), zeros()
            if row > 0:
                squares = load(product.weight.squares, group.number, j)
                top = load_ints(fixed.peaks, group.number, j)
            squares = fma(w3, w3, fma(w2, w2, fma(w1, w1, fma(w0, w0, squares))))
            store(product.weight.squares, group.number, j, squares)
            factor = load(product.own.factors, 0, j)
            v0, v1 = w0 * splat(fixed.scale[0, p]), w1 * splat(fixed.scale[0, p + 1])
            v2, v3 = w2 * splat(fixed.scale[0, p + 2]), w3 * splat(fixed.scale[0, p + 3])
            top = pack_quad(tile, fixed.weights, j // COLUMNS, p // QUAD, factor, v0, v1, v2, v3, top)
            store_ints(fixed.peaks, group.number, j, top)
            if row + QUAD >= group.width:
                sum_group(tile, group, j, fixed)


@inlined
def updated(product, row, j, gradient):
    """A line of a row of the group after its update, zeros beyond the last row; with blocks to come, no update yet."""
    group, sums = product.group, product.sums
    if row >= group.width:
        return splat(number(sums.matrix, 0))
    if sums.resume:
        gradient = load(sums.matrix, sums.row + row, j) + gradient
    if sums.last:
        return update_row(product.weight, group.row + row, j, gradient, product.descent)
    store(sums.matrix, sums.row + row, j, gradient)
    return gradient
