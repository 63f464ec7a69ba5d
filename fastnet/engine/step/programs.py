"""The compiled programs: what one worker does, step after step, between two returns to Python.

All workers of a run call the same program with their own number; they meet at three barriers a step:

    forward | middle | backward |

(in fixed point at a fourth, when d_hidden has been cut into digits, and at one more when scales have changed).

Between two barriers they take units of work, each its own share first: the same features in every step, on the
way forward and on the way back.  So what crosses from core to core is little more than hidden activations and
their gradient, and a worker's part of W1 stays in its own cache.
"""

from __future__ import annotations

from typing import NamedTuple

from fastnet.engine.compilation.kernel import kernel, program
from fastnet.engine.emitting.arrays import Matrix
from fastnet.engine.emitting.digit_tile import DigitTile
from fastnet.engine.emitting.digits import COLUMNS
from fastnet.engine.emitting.lines import lanes
from fastnet.engine.emitting.matrix import number
from fastnet.engine.emitting.tile import Tile, tile_lines, tile_mr
from fastnet.engine.step.first_layer import first_gradient, first_product
from fastnet.engine.step.fixed import (
    find_scales,
    forget_scales,
    pack_gradient,
    pack_stale,
)
from fastnet.engine.step.parts import Descent, Group, Part, Rows, Sums
from fastnet.engine.step.phases import (
    GROUP2,
    PANEL,
    add_slices,
    bias,
    mask,
    product,
    square_groups,
    sum_of_squares,
    transpose,
    weight_group,
)
from fastnet.engine.step.softmax import ask_labels, loss_and_hits, softmax_loss
from fastnet.engine.threads.barrier import to_stop, wait, wait_or_leave
from fastnet.engine.threads.units import groups, put_back, share, smaller, take

FORWARD, MIDDLE, BACKWARD1, BACKWARD2, START, WEIGHTS, GRADIENT, PHASES = 0, 1, 2, 3, 4, 5, 6, 7


AnyTile = Tile | DigitTile


class Tiles(NamedTuple):
    """Tile shapes: of the first layer's product, of d_hidden's, of the scores', of the two layers' weight gradients."""

    forward: AnyTile
    middle: Tile
    scores: Tile
    backward1: AnyTile
    backward2: Tile


class Plan(NamedTuple):
    """How a run is cut up: a function of the shapes alone, never of the number of workers."""

    rows: int  # in a batch
    blocks: int  # in which the rows are worked off
    block_rows: int  # in each block but perhaps the last
    slices: int  # of the features, each summed apart
    grain: int  # features that stay in one slice
    stride: int  # rows from one slice to the next in Activations.partial
    units: int  # in which the rows of a block are worked off, of each slice
    parts: int = 1  # of the columns of a group of the first layer's weights: no bit depends on it
    frozen: int = 0  # classes, from the first, whose scores are given: of a logistic output, the one that is 0


class Steps(NamedTuple):
    """The steps of one call: a row of coefficients of the update rule for each, and a row of their L2 strengths.

    history receives the loss of each finished step in its first row, its accuracy in its second.
    """

    coefficients: Matrix
    reg: Matrix
    history: Matrix


@kernel
def slice_bound(s, plan, inputs):
    """Where slice s of the features begins."""
    return smaller(groups(inputs, plan.grain) * s // plan.slices * plan.grain, inputs)


@kernel
def row_units(plan, mr, rows):
    """Into how many units so many rows of a block are cut: of whole tiles of mr rows."""
    return smaller(plan.units, groups(rows, mr))


def most_units(plan: Plan, mr: int, inputs: int) -> int:
    """The most units that a phase has, mr being the rows of its tiles: more workers would have nothing to do."""
    count = groups.py_func
    return int(max(plan.slices * min(plan.units, count(plan.block_rows, mr)), count(inputs, PANEL) * plan.parts + 1))


@kernel
def rows_of(unit, plan, mr, rows):
    """The bounds of a unit's rows: whole tiles."""
    begin, end = share(groups(rows, mr), unit, row_units(plan, mr, rows))
    return begin * mr, smaller(end * mr, rows)


@kernel
def forward_part(unit, tile, plan, rows, inputs):
    """The part of the block and the slice that a unit of the forward product works on; slice by slice."""
    units = row_units(plan, tile_mr(tile), rows)
    s = unit // units
    r0, r1 = rows_of(unit % units, plan, tile_mr(tile), rows)
    return Part(r0, r1, slice_bound(s, plan, inputs), slice_bound(s + 1, plan, inputs)), s


@kernel
def forward_unit(unit, tile, plan, block, layer, fixed, scratch, partial):
    """A slice of the features, some of the rows.

    (To ask for the first unit's rows of the next step at the end of this one gains nothing on Zen 5.)
    """
    part, s = forward_part(unit, tile, plan, block.count, layer.inputs)
    last = plan.slices * row_units(plan, tile_mr(tile), block.count) - 1
    ahead, _ = forward_part(smaller(unit + 1, last), tile, plan, block.count, layer.inputs)
    first_product(tile, block, part, ahead, layer, fixed, scratch, partial, s * plan.stride)


@kernel
def scores_of_rows(tiles, plan, layer1, layer2, a, r0, r1):
    """The scores of the rows r0 <= r < r1 of a block, from the slices of the forward product."""
    if layer2 is None:
        add_slices(a.partial, plan.slices, plan.stride, layer1.bias.value, r0, r1, layer1.outputs, False, a.scores)
    else:
        add_slices(a.partial, plan.slices, plan.stride, layer1.bias.value, r0, r1, layer1.outputs, True, a.hidden)
        product(
            tiles.scores, a.hidden, r0, r1 - r0, layer2.weight.value, 0, 0, layer1.outputs,
            a.scores, r0, layer2.outputs, False,
        )  # fmt: skip
        add_slices(a.scores, 1, 0, layer2.bias.value, r0, r1, layer2.outputs, False, a.scores)


@kernel
def middle_unit(unit, tiles, plan, block, layer1, layer2, a, scratch):
    """Some of the rows, from the slices to d_scores and d_hidden."""
    r0, r1 = rows_of(unit, plan, tile_mr(tiles.middle), block.count)
    ask_labels(block, r0, r1)
    scores_of_rows(tiles, plan, layer1, layer2, a, r0, r1)
    classes = layer1.outputs if layer2 is None else layer2.outputs
    inverse_rows = number(a.scores, 1.0 / plan.rows)
    softmax_loss(
        a.scores, scratch.turned, a.per_row, block, block.batch.shares, r0, r1, classes, inverse_rows, plan.frozen
    )
    if layer2 is not None:
        product(
            tiles.middle, a.scores, r0, r1 - r0, a.transposed, 0, 0, classes,
            a.d_hidden, r0, layer1.outputs, False,
        )  # fmt: skip
        mask(a.d_hidden, a.hidden, r0, r1, layer1.outputs)


@kernel
def backward1_unit(unit, tile, plan, block, resume, last, layer, fixed, d_first, a, scratch, held, descent):
    """The gradient and the update of some columns of a group of rows of the first layer's weights; in floats, beyond
    the last group, of its bias.

    With several blocks the sums of all groups are kept, else only those of this one.  held is the number of the group
    whose features this worker has gathered last, of this block; that is what is returned.
    """
    g = unit // plan.parts
    row = g * PANEL
    if fixed is None and row >= layer.inputs:
        bias(d_first, block.count, layer.bias, 0, layer.outputs, Sums(a.gradients[1], 0, resume, last), descent)
        return held
    wide = tile_lines(tile) * lanes(layer.weight.value)
    begin, end = share(groups(layer.outputs, wide), unit % plan.parts, plan.parts)
    width = smaller(PANEL, layer.inputs - row)
    group = Group(g, row, width, begin * wide, smaller(end * wide, layer.outputs))
    kept = plan.blocks > 1
    sums = Sums(a.gradients[0] if kept else scratch.sums, row if kept else 0, resume, last)
    first_gradient(tile, block, d_first, layer, fixed, scratch, group, g == held, sums, descent)
    return g


@kernel
def backward2_unit(unit, tile, rows, resume, last, layer, a, scratch, descent):
    """The same for the second layer."""
    row = unit * GROUP2
    if row < layer.inputs:
        group = Group(unit, row, smaller(GROUP2, layer.inputs - row), 0, layer.outputs)
        sums = Sums(a.gradients[2], row, resume, last)
        weight_group(tile, a.hidden, row, a.scores, rows, layer.weight, group, scratch.sums, sums, descent)
        if last:
            transpose(layer.weight.value, row, row + group.width, layer.outputs, a.transposed)
    else:
        bias(a.scores, rows, layer.bias, 0, layer.outputs, Sums(a.gradients[3], 0, resume, last), descent)


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


@kernel
def pack_units(phase, tile, layer, fixed, own, tickets, worker, workers):
    """The digits of all weights that are stale."""
    while True:
        unit = take(tickets, phase, groups(layer.inputs, PANEL), worker, workers)
        if unit < 0:
            break
        pack_stale(tile, unit, layer, fixed, own)


@kernel
def mean_of(total, shares, rows):
    """What a sum over rows is in the mean over so many; shares have divided it already."""
    return total / rows if shares is None else total


@program
def train(tiles, rule, plan, batch, steps, layer1, layer2, fixed, a, scratch, barrier, tickets, worker, workers):
    """A step of gradient descent for each row of coefficients; False when the run was aborted, or stopped.

    scratch is this worker's own.  A step that has begun its update ends it; of one that has not, nothing is left.
    """
    mr = tile_mr(tiles.forward)
    d_first = a.scores if layer2 is None else a.d_hidden
    if worker == 0:
        prepare(layer1, layer2, a)  # read after the first barrier
    # The largest weights, by which to scale them; the digits are of no use yet.  The tile tells how they are cut up: of
    # the backward one, as in updates, so that this is compiled once.
    if fixed is not None:
        forget_scales(scratch.fixed)
        pack_units(START, tiles.backward1, layer1, fixed, scratch.fixed, tickets, worker, workers)
        if not wait(barrier, workers):
            return False
    for k in range(steps.coefficients.rows):
        loss = 0.0
        hits = 0.0
        descent = Descent(rule, steps.coefficients, k, steps.reg[0, k])
        if fixed is not None and find_scales(tiles.backward1, fixed, scratch.fixed, layer1.outputs):
            pack_units(WEIGHTS, tiles.backward1, layer1, fixed, scratch.fixed, tickets, worker, workers)
            if not wait(barrier, workers):
                return False
        for n in range(plan.blocks):
            first = n * plan.block_rows
            rows = smaller(plan.block_rows, plan.rows - first)
            block = Rows(batch, k % batch.rows.rows, first, rows)
            resume, last = n > 0, n == plan.blocks - 1

            put_back(tickets, BACKWARD1, worker, workers)
            put_back(tickets, BACKWARD2, worker, workers)
            put_back(tickets, GRADIENT, worker, workers)
            units = plan.slices * row_units(plan, mr, rows)
            while True:  # not `while (unit := take(...))`: Numba cannot type it
                unit = take(tickets, FORWARD, units, worker, workers)
                if unit < 0:
                    break
                forward_unit(unit, tiles.forward, plan, block, layer1, fixed, scratch, a.partial)
            if not wait_or_leave(barrier, worker, workers):  # of the last block, too, nothing is updated yet
                return False

            put_back(tickets, FORWARD, worker, workers)
            put_back(tickets, WEIGHTS, worker, workers)
            if worker == 0 and n == 0 and descent.reg > 0:  # 0 times the square of a weight of 1e20 would be nan
                loss = 0.5 * float(descent.reg) * l2_norm(layer1, layer2)
            units = row_units(plan, tile_mr(tiles.middle), rows)
            while True:
                unit = take(tickets, MIDDLE, units, worker, workers)
                if unit < 0:
                    break
                middle_unit(unit, tiles, plan, block, layer1, layer2, a, scratch)
            if not wait(barrier, workers):
                return False

            put_back(tickets, MIDDLE, worker, workers)
            if worker == 0:
                block_loss, block_hits = loss_and_hits(a.per_row, batch.shares, rows)
                loss += mean_of(block_loss, batch.shares, plan.rows)
                hits += block_hits
            if fixed is not None:
                while True:
                    unit = take(tickets, GRADIENT, groups(layer1.outputs, COLUMNS), worker, workers)
                    if unit < 0:
                        break
                    begin, end = unit * COLUMNS, smaller((unit + 1) * COLUMNS, layer1.outputs)
                    pack_gradient(tiles.backward1, d_first, rows, begin, fixed)
                    # While the columns are in the cache: on the way back 2,048 of them took 0.4 of 14 ms.
                    bias(d_first, rows, layer1.bias, begin, end, Sums(a.gradients[1], 0, resume, last), descent)
            if layer2 is not None:
                while True:
                    unit = take(tickets, BACKWARD2, groups(layer2.inputs, GROUP2) + 1, worker, workers)
                    if unit < 0:
                        break
                    backward2_unit(unit, tiles.backward2, rows, resume, last, layer2, a, scratch, descent)
            if fixed is not None and not wait(barrier, workers):
                return False
            held = -1
            units = groups(layer1.inputs, PANEL) * plan.parts + (1 if fixed is None else 0)
            while True:
                unit = take(tickets, BACKWARD1, units, worker, workers)
                if unit < 0:
                    break
                held = backward1_unit(
                    unit, tiles.backward1, plan, block, resume, last, layer1, fixed, d_first, a, scratch, held, descent
                )  # fmt: skip
            if last and worker == 0:
                steps.history[0, k] = loss
                steps.history[1, k] = mean_of(hits, batch.shares, plan.rows)
            # What a worker reads next may be what another has just updated, or has yet to read.
            if not wait(barrier, workers):
                return False
    return True


@program
def score(tiles, plan, batch, layer1, layer2, fixed, a, scratch, out, barrier, tickets, worker, workers):
    """The scores of all blocks, unless the run is stopped; a and scratch are this worker's own."""
    if fixed is not None:
        forget_scales(scratch.fixed)
        pack_units(START, tiles.forward, layer1, fixed, scratch.fixed, tickets, worker, workers)
        if not wait(barrier, workers):
            return False
        if find_scales(tiles.forward, fixed, scratch.fixed, layer1.outputs):
            pack_units(WEIGHTS, tiles.forward, layer1, fixed, scratch.fixed, tickets, worker, workers)
            if not wait(barrier, workers):
                return False
    while True:
        block = take(tickets, FORWARD, plan.blocks, worker, workers)
        if block < 0 or to_stop(barrier):
            break
        first = block * plan.block_rows
        rows = smaller(plan.block_rows, plan.rows - first)
        for unit in range(plan.slices * row_units(plan, tile_mr(tiles.forward), rows)):
            forward_unit(unit, tiles.forward, plan, Rows(batch, 0, first, rows), layer1, fixed, scratch, a.partial)
        scores_of_rows(tiles, plan, layer1, layer2, a, 0, rows)
        for r in range(rows):
            for j in range(out.columns):
                out[first + r, j] = a.scores[r, j]
    return True
