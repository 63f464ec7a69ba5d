"""The compiled programs: what one worker does, step after step, between two returns to Python.

All workers of a run call the same program with their own number; they meet at three barriers a step:

    forward | middle | backward |

What crosses from core to core is little more than hidden activations and their gradient: a worker takes the
same features in every step, on the way forward and (where the shares agree) on the way back, so its part of
W1 stays in its own cache.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from fastnet.engine.barrier import wait
from fastnet.engine.kernel import kernel, program
from fastnet.engine.phases import (
    GROUP2,
    PANEL,
    add_slices,
    bias_line,
    forward,
    gather,
    lanes,
    loss_and_hits,
    mask,
    product,
    softmax_loss,
    square_groups,
    sum_of_squares,
    transpose,
    weight_group,
)
from fastnet.engine.tile import Tile, tile_mr


class Tiles(NamedTuple):
    """Tile shapes: of the products with as many columns as the first layer has outputs, of the scores', and
    of the weight gradients of the two layers."""

    forward: Tile
    scores: Tile
    backward1: Tile
    backward2: Tile


class Plan(NamedTuple):
    """How a run is cut up: a function of the shapes alone, never of the number of workers."""

    rows: int  # in a batch
    blocks: int  # in which the rows are worked off
    block_rows: int  # in each block but perhaps the last
    slices: int  # of the features, each summed apart
    stride: int  # rows from one slice to the next in Activations.partial


class Steps(NamedTuple):
    """The steps of one call: coefficients of the update rule and L2 strength, losses and hits out."""

    coefficients: np.ndarray
    reg: Any
    losses: np.ndarray
    hits: np.ndarray


@kernel
def share(count, worker, workers):
    """The bounds of worker's contiguous part of count things."""
    return count * worker // workers, count * (worker + 1) // workers


@kernel
def slice_bound(s, slices, inputs):
    """Where slice s of the features begins."""
    return inputs * s // slices


@kernel
def forward_share(tile, plan, batch, k, first, rows, layer, panel, partial, worker, workers):
    """A worker's part of all (slice, tile of rows) pairs, slice by slice."""
    mr = tile_mr(tile)
    tiles = (rows + mr - 1) // mr
    begin, end = share(plan.slices * tiles, worker, workers)
    for s in range(plan.slices):
        r0 = min(max(begin - s * tiles, 0), tiles) * mr
        r1 = min(min(max(end - s * tiles, 0), tiles) * mr, rows)
        if r0 < r1:
            p0 = slice_bound(s, plan.slices, layer.inputs)
            p1 = slice_bound(s + 1, plan.slices, layer.inputs)
            forward(
                tile,
                batch,
                k,
                first,
                r0,
                r1,
                p0,
                p1,
                layer.weight.value,
                layer.outputs,
                panel,
                partial,
                s * plan.stride,
            )


@kernel
def scores_of_rows(tiles, plan, layer1, layer2, a, r0, r1):
    """The scores of the rows r0 <= r < r1 of a block, from the slices of the forward product."""
    if layer2 is None:
        add_slices(a.partial, plan.slices, plan.stride, layer1.bias.value, r0, r1, layer1.outputs, False, a.scores)
    else:
        add_slices(a.partial, plan.slices, plan.stride, layer1.bias.value, r0, r1, layer1.outputs, True, a.hidden)
        product(
            tiles.scores, a.hidden, r0, r1 - r0, layer2.weight.value, 0, layer1.outputs,
            a.scores, r0, layer2.outputs, False,
        )  # fmt: skip
        add_slices(a.scores, 1, 0, layer2.bias.value, r0, r1, layer2.outputs, False, a.scores)


@kernel
def middle_share(tiles, plan, batch, k, first, rows, layer1, layer2, a, worker, workers):
    """A worker's rows from the slices to d_scores and d_hidden."""
    mr = tile_mr(tiles.forward)
    begin, end = share((rows + mr - 1) // mr, worker, workers)
    r0, r1 = begin * mr, min(end * mr, rows)
    scores_of_rows(tiles, plan, layer1, layer2, a, r0, r1)
    classes = layer1.outputs if layer2 is None else layer2.outputs
    inverse_rows = a.scores.dtype.type(1.0 / plan.rows)
    softmax_loss(a.scores, a.per_row, batch, k, first, r0, r1, classes, inverse_rows)
    if layer2 is not None:
        product(
            tiles.forward, a.scores, r0, r1 - r0, a.transposed, 0, classes,
            a.d_hidden, r0, layer1.outputs, False,
        )  # fmt: skip
        mask(a.d_hidden, a.hidden, r0, r1, layer1.outputs)


@kernel
def backward_share(
    tiles, rule, plan, batch, k, block, first, rows, layer1, layer2, a, scratch, c, reg, worker, workers
):
    """A worker's groups of rows of every weight matrix and lines of every bias."""
    line = lanes(a.scores)
    resume, last = block > 0, block == plan.blocks - 1
    whole_batch = plan.blocks > 1  # then the sums of all blocks are kept, else only those of this group
    d_first = a.scores if layer2 is None else a.d_hidden
    begin, end = share((layer1.inputs + PANEL - 1) // PANEL, worker, workers)
    for g in range(begin, end):
        width = min(PANEL, layer1.inputs - g * PANEL)
        gather(scratch.panel, batch, k, first, rows, g * PANEL, width)
        weight_group(
            tiles.backward1, rule, scratch.panel, 0, d_first, rows, layer1.weight, g, g * PANEL, width,
            layer1.outputs, a.gradients[0] if whole_batch else scratch.sums, g * PANEL if whole_batch else 0,
            resume, last, c, k, reg,
        )  # fmt: skip
    for j in range(0, layer1.outputs, line):
        if j // line % workers == worker:
            bias_line(rule, d_first, rows, layer1.bias, j, a.gradients[1], resume, last, c, k)
    if layer2 is not None:
        begin, end = share((layer2.inputs + GROUP2 - 1) // GROUP2, worker, workers)
        for g in range(begin, end):
            row = g * GROUP2
            width = min(GROUP2, layer2.inputs - row)
            weight_group(
                tiles.backward2, rule, a.hidden, row, a.scores, rows, layer2.weight, g, row, width,
                layer2.outputs, a.gradients[2], row, resume, last, c, k, reg,
            )  # fmt: skip
            if last:
                transpose(layer2.weight.value, row, row + width, layer2.outputs, a.transposed)
        for j in range(0, layer2.outputs, line):
            if j // line % workers == workers - 1 - worker:
                bias_line(rule, a.scores, rows, layer2.bias, j, a.gradients[3], resume, last, c, k)


@kernel
def l2_norm(layer1, layer2):
    """The sum of the squared weights of all layers."""
    total = sum_of_squares(layer1.weight.squares)
    if layer2 is not None:
        total += sum_of_squares(layer2.weight.squares)
    return total


@kernel
def prepare(layer1, layer2, a):
    """What training keeps beside the weights: their squares, and the transpose of W2."""
    square_groups(layer1.weight, layer1.inputs, layer1.outputs, PANEL)
    if layer2 is not None:
        square_groups(layer2.weight, layer2.inputs, layer2.outputs, GROUP2)
        transpose(layer2.weight.value, 0, layer2.inputs, layer2.outputs, a.transposed)


@program
def train(tiles, rule, plan, batch, steps, layer1, layer2, a, scratch, barrier, worker, workers):
    """A step of gradient descent for each row of coefficients; False when the run was aborted.

    scratch is this worker's own.
    """
    if worker == 0:
        prepare(layer1, layer2, a)  # read after the first barrier
    for k in range(len(steps.coefficients)):
        loss = 0.0
        hits = 0.0
        for block in range(plan.blocks):
            first = block * plan.block_rows
            rows = min(plan.block_rows, plan.rows - first)
            forward_share(tiles.forward, plan, batch, k, first, rows, layer1, scratch.panel, a.partial, worker, workers)
            if not wait(barrier, workers):
                return False
            if worker == 0 and block == 0:
                loss = 0.5 * float(steps.reg) * l2_norm(layer1, layer2)
            middle_share(tiles, plan, batch, k, first, rows, layer1, layer2, a, worker, workers)
            if not wait(barrier, workers):
                return False
            if worker == 0:
                block_loss, block_hits = loss_and_hits(a.per_row, rows)
                loss += block_loss / plan.rows
                hits += block_hits
            backward_share(
                tiles, rule, plan, batch, k, block, first, rows, layer1, layer2, a, scratch,
                steps.coefficients, steps.reg, worker, workers,
            )  # fmt: skip
        if worker == 0:
            steps.losses[k] = loss
            steps.hits[k] = hits
        # The rows of W1 that a worker reads next may be those that another has just updated.
        if not wait(barrier, workers):
            return False
    return True


@program
def score(tiles, plan, batch, layer1, layer2, a, panel, out, worker, workers):
    """The scores of a worker's share of the blocks; a and panel are this worker's own."""
    begin, end = share(plan.blocks, worker, workers)
    for block in range(begin, end):
        first = block * plan.block_rows
        rows = min(plan.block_rows, plan.rows - first)
        forward_share(tiles.forward, plan, batch, 0, first, rows, layer1, panel, a.partial, 0, 1)
        scores_of_rows(tiles, plan, layer1, layer2, a, 0, rows)
        for r in range(rows):
            for j in range(out.shape[1]):
                out[first + r, j] = a.scores[r, j]
