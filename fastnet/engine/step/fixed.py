"""The first layer's products in fixed point: what phases.py does with floats, on pixels as they are.

    weights    digits of scale * W1, a scale a column; the update leaves them, group by group
    forward    partial[s] = (X[rows, slice s] - mean) @ (scale * W1)[slice s]
    backward   scale * ((X - mean).T @ d_hidden)                  d_hidden in digits, too

Both products are of integers, exact, and rounded once to float32.  The mean is taken from a product instead of from
the pixels: (X - mean) @ V = X @ V - mean @ V, with V as it is rounded, so that only the difference of a pixel from its
mean multiplies a rounding error.
"""

from __future__ import annotations

from typing import NamedTuple

from fastnet.engine.compilation.kernel import kernel
from fastnet.engine.emitting.arrays import Matrix
from fastnet.engine.emitting.digit_tile import Terms, digit_columns, digit_rows, mean_of_digits, quads_of_step
from fastnet.engine.emitting.digits import COLUMNS, QUAD
from fastnet.engine.emitting.integers import (
    add,
    larger_ints,
    load_ints,
    magnitude,
    rounded,
    set_scale,
    store_ints,
    store_quad,
    zeros,
)
from fastnet.engine.emitting.lines import load, prefetch, splat, store
from fastnet.engine.emitting.matrix import number
from fastnet.engine.emitting.pixels import clear_line, copy_line, interleave
from fastnet.engine.emitting.tile import narrow, tile_lines, tile_mr
from fastnet.engine.step.parts import Group, Rows
from fastnet.engine.step.phases import PANEL, ask_weights, update_lines
from fastnet.engine.threads.units import smaller

LINE = 64  # pixels
AHEAD = 4  # rows


class Fixed(NamedTuple):
    """What the workers share of the first layer in fixed point: columns are its outputs, groups PANEL of its inputs.

    mean_bytes holds the bytes of the mean, a row for each; mean and scale are those of the normalisation.
    """

    mean_bytes: Matrix  # pixels (MEAN_BYTES, inputs)
    mean: Matrix  # float32 (1, inputs)
    scale: Matrix  # float32 (1, inputs)
    weights: Matrix  # uint8 (lines, quads of digits)
    offsets: Matrix  # float64 (groups, columns): mean @ digits of a group
    peaks: Matrix  # int32 (groups, columns): the bits of the largest weight of a group
    gradient: Matrix | None  # uint8 (lines, quads of digits): d_hidden
    factors: Matrix | None  # float32 (1, columns): gradients to integers
    units: Matrix | None  # float64 (1, columns): and back
    totals: Matrix | None  # float64 (1, columns): the sums of the gradient's integers
    by_feature: Matrix | None  # uint8 (steps of rows * inputs of whole groups, LINE): pixels, for a matrix unit


class FixedScratch(NamedTuple):
    """What a worker has for itself."""

    factors: Matrix  # float32 (1, columns): weights to integers; every worker finds the same
    units: Matrix  # float64 (1, columns): and back
    stale: Matrix  # int32 (1, lines): 1 where digits have another scale than factors
    offset: Matrix  # float64 (1, columns): mean @ digits of a slice
    pixels: Matrix  # (rows, features of a slice), uint8 or uint16 as the digits take them
    quads: Matrix | None  # the same (quads of rows, 4 * PANEL)
    sums: Matrix | None  # int32 (lines of a tile, 16), where a matrix unit leaves them


# --- weights and gradients become digits -----------------------------------------------------------------


@kernel
def scaled(value, scale, row, limit, j):
    """A line of scale * weights; zeros from row `limit` on."""
    if row < limit:
        return load(value, row, j) * splat(scale[0, row])
    return splat(number(value, 0))


@kernel
def pack_weights(tile, weight, group, j, fixed, own):
    """The digits of a line of columns of a group of the weights."""
    factor = load(own.factors, 0, j)
    top = zeros()
    line, row, limit = j // COLUMNS, group.row, group.row + group.width
    for p in range(row, limit, QUAD):
        v0 = scaled(weight, fixed.scale, p, limit, j)
        v1 = scaled(weight, fixed.scale, p + 1, limit, j)
        v2 = scaled(weight, fixed.scale, p + 2, limit, j)
        v3 = scaled(weight, fixed.scale, p + 3, limit, j)
        top = pack_quad(tile, fixed.weights, line, p // QUAD, factor, v0, v1, v2, v3, top)
    store_ints(fixed.peaks, group.number, j, top)
    sum_group(tile, group, j, fixed)


@kernel
def pack_quad(tile, digits, line, quad, factor, v0, v1, v2, v3, top):
    """The digits of four lines of numbers; the larger of `top` and theirs."""
    store_quad(
        tile, digits, line, quad,
        rounded(v0 * factor), rounded(v1 * factor), rounded(v2 * factor), rounded(v3 * factor),
    )  # fmt: skip
    top = larger_ints(top, larger_ints(magnitude(v0), magnitude(v1)))
    return larger_ints(top, larger_ints(magnitude(v2), magnitude(v3)))


@kernel
def sum_group(tile, group, j, fixed):
    """mean @ digits of a line of columns of a group of the weights."""
    line, row, quads = j // COLUMNS, group.row, (group.width + QUAD - 1) // QUAD
    mean_of_digits(
        tile, fixed.mean_bytes, row, fixed.weights, line, row // QUAD, quads, fixed.offsets, group.number, j
    )  # fmt: skip


@kernel
def forget_scales(own):
    """As if all digits were stale: they have never been written."""
    for j in range(own.stale.columns):
        own.stale[0, j] = 1


@kernel
def find_scales(tile, fixed, own, columns):
    """Every column's scale as its weights are now; whether some digits are stale."""
    stale = False
    for j in range(0, columns, COLUMNS):
        top = zeros()
        for g in range(fixed.peaks.rows):
            top = larger_ints(top, load_ints(fixed.peaks, g, j))
        changed = set_scale(tile, top, own.factors, own.units, j)
        own.stale[0, j // COLUMNS] = 1 if changed else 0
        stale = stale or changed
    return stale


@kernel
def pack_stale(tile, g, layer, fixed, own):
    """The digits of group g of the weights anew, where they are stale."""
    group = Group(g, g * PANEL, smaller(PANEL, layer.inputs - g * PANEL), 0, layer.outputs)
    for j in range(0, layer.outputs, COLUMNS):
        if own.stale[0, j // COLUMNS] != 0:
            pack_weights(tile, layer.weight.value, group, j, fixed, own)


@kernel
def pack_gradient(tile, d, rows, j, fixed):
    """The scales and the digits of a line of columns of a gradient."""
    for r in range(rows, (rows + QUAD - 1) // QUAD * QUAD):
        store(d, r, j, splat(number(d, 0)))
    top = zeros()
    for r in range(rows):
        top = larger_ints(top, magnitude(load(d, r, j)))
    set_scale(tile, top, fixed.factors, fixed.units, j)
    factor = load(fixed.factors, 0, j)
    total = zeros()
    for r in range(0, rows, QUAD):
        q0 = rounded(load(d, r, j) * factor)
        q1 = rounded(load(d, r + 1, j) * factor)
        q2 = rounded(load(d, r + 2, j) * factor)
        q3 = rounded(load(d, r + 3, j) * factor)
        store_quad(tile, fixed.gradient, j // COLUMNS, r // QUAD, q0, q1, q2, q3)
        total = add(total, add(add(q0, q1), add(q2, q3)))
    quads, step = (rows + QUAD - 1) // QUAD, quads_of_step(tile)
    for q in range(quads, (quads + step - 1) // step * step):
        store_quad(tile, fixed.gradient, j // COLUMNS, q, zeros(), zeros(), zeros(), zeros())
    store_ints(fixed.totals, 0, j, total)


# --- rows of the data set become panels of pixels --------------------------------------------------------


@kernel
def gather_pixels(panel, rows, p, depth):
    """panel[r, :depth] = X[row r, p : p + depth], zeros up to the line's end.

    Rows begin anywhere in the data set: while one is copied, a later one is asked for.
    """
    batch, first = rows.batch, rows.first
    for r in range(rows.count):
        x = batch.rows[rows.k, first + r]
        ahead = batch.rows[rows.k, first + smaller(r + AHEAD, rows.count - 1)]
        q = 0
        while q + LINE <= depth:
            prefetch(batch.X, ahead, p + q)
            copy_line(panel, r, q, batch.X, x, p + q)
            q += LINE
        if q < depth:
            # The data set ends with its last row: nothing beyond may be read, not even to be thrown away.
            clear_line(panel, r, q)
            for i in range(q, depth):
                panel[r, i] = batch.X[x, p + i]


@kernel
def gather_quads(panel, rows, p, width):
    """panel[n] = X[rows 4 n .. 4 n + 3, p : p + width], the four rows' pixels of a feature side by side.

    Beyond the last row it is repeated: its digits are zeros.
    """
    batch = rows.batch
    last = rows.first + rows.count - 1
    for n in range((rows.count + QUAD - 1) // QUAD):
        r = rows.first + QUAD * n
        x0 = batch.rows[rows.k, r]
        x1 = batch.rows[rows.k, smaller(r + 1, last)]
        x2 = batch.rows[rows.k, smaller(r + 2, last)]
        x3 = batch.rows[rows.k, smaller(r + 3, last)]
        q = 0
        while q + COLUMNS <= width:
            interleave(panel, n, QUAD * q, batch.X, x0, x1, x2, x3, p + q)
            q += COLUMNS
        for column in range(PANEL, 2 * PANEL, LINE):  # the next group's
            prefetch(batch.X, x0, p + column)
            prefetch(batch.X, x1, p + column)
            prefetch(batch.X, x2, p + column)
            prefetch(batch.X, x3, p + column)
        while q < width:
            panel[n, QUAD * q] = batch.X[x0, p + q]
            panel[n, QUAD * q + 1] = batch.X[x1, p + q]
            panel[n, QUAD * q + 2] = batch.X[x2, p + q]
            panel[n, QUAD * q + 3] = batch.X[x3, p + q]
            q += 1


# --- the two products ------------------------------------------------------------------------------------


@kernel
def forward_fixed(tile, block, part, ahead, fixed, own, columns, out, out_row):
    """out[out_row + r] = (X[row r, p0:p1] - mean) @ (scale * W)[p0:p1] for the rows r0 <= r < r1 of the block.

    Meanwhile pixels of the part ahead are asked for.
    """
    depth = part.p1 - part.p0
    gather_pixels(own.pixels, Rows(block.batch, block.k, block.first + part.r0, part.r1 - part.r0), part.p0, depth)
    sum_offsets(fixed.offsets, part.p0 // PANEL, (part.p1 + PANEL - 1) // PANEL, columns, own.offset)
    wide = tile_lines(tile) * COLUMNS
    j, later = 0, block.first + ahead.r0
    while j < columns:
        if j + wide < columns + COLUMNS:  # the rows are padded to whole lines
            later = forward_columns(tile, block, part, ahead, later, fixed, own, out, out_row, j)
            j += wide
        else:
            later = forward_columns(narrow(tile), block, part, ahead, later, fixed, own, out, out_row, j)
            j += COLUMNS


@kernel
def forward_columns(tile, block, part, ahead, later, fixed, own, out, out_row, j):
    """The same for one tile's columns, from j on; the row of the part ahead to be asked for next, `later` at first."""
    batch, latest = block.batch, block.first + ahead.r1 - 1
    terms = Terms(None, None, own.offset, own.units)
    quads = (part.p1 - part.p0 + QUAD - 1) // QUAD
    for i in range(0, part.r1 - part.r0, tile_mr(tile)):
        x0 = batch.rows[block.k, smaller(later, latest)]
        x1 = batch.rows[block.k, smaller(later + 1, latest)]
        later += 2
        digit_rows(
            tile, own.pixels, i, fixed.weights, j // COLUMNS, part.p0 // QUAD, quads,
            terms, out, out_row + part.r0 + i, j, batch.X, x0, x1, ahead.p0,
        )  # fmt: skip
    return later


@kernel
def sum_offsets(offsets, g0, g1, columns, out):
    """out = the sum of the groups g0 <= g < g1."""
    for j in range(0, columns, COLUMNS // 2):  # a line of doubles
        total = load(offsets, g0, j)
        for g in range(g0 + 1, g1):
            total = total + load(offsets, g, j)
        store(out, 0, j, total)


@kernel
def weight_group_fixed(tile, block, weight, group, new, sums, fixed, own, descent):
    """The gradient of a group of the weights from its quads; with the last block, their update and new digits.

    new receives the gradient of this block's rows; with several blocks, all blocks' is in sums.
    """
    quads = (block.count + QUAD - 1) // QUAD
    wide = tile_lines(tile) * COLUMNS
    j = group.begin
    while j < group.end:
        ask_weights(weight, group, j, sums)
        if j + wide < group.end + COLUMNS:  # the rows are padded to whole lines
            gradient_columns(tile, quads, group, fixed, own, new, j)
            end = j + wide
        else:
            gradient_columns(narrow(tile), quads, group, fixed, own, new, j)
            end = j + COLUMNS
        for line in range(j, end, COLUMNS):
            if sums.resume or not sums.last:
                for i in range(group.width):
                    gradient, r = load(new, i, line), sums.row + i
                    store(sums.matrix, r, line, load(sums.matrix, r, line) + gradient if sums.resume else gradient)
            if sums.last:
                update_lines(weight, group, line, sums, descent)
                pack_weights(tile, weight.value, group, line, fixed, own)
        j = end


@kernel
def gradient_columns(tile, quads, group, fixed, own, new, j):
    """A group's gradient for one tile's columns, from j on."""
    terms = Terms(fixed.mean, fixed.scale, fixed.totals, fixed.units)
    for i in range(0, group.width, tile_mr(tile)):
        digit_columns(
            tile, own.quads, i, fixed.gradient, j // COLUMNS, quads,
            terms, group.row + i, new, i, j,
        )  # fmt: skip
