"""The first layer's two products, in floats or in fixed point, of these by vectors or by a matrix unit: what
programs.py calls, by the kind of the tile.
"""

from __future__ import annotations

from numba.extending import overload

from fastnet.engine.compilation.kernel import KERNEL_OPTIONS
from fastnet.engine.step.fixed import forward_fixed, gather_quads, weight_group_fixed
from fastnet.engine.step.matrices import forward_matrices, weight_group_matrices
from fastnet.engine.step.phases import forward, gather_group, weight_group


def first_product(tile, block, part, ahead, layer, fixed, scratch, out, out_row):
    """out[out_row + r] = X[row r of the block, p0:p1] @ W1[p0:p1] for the rows r0 <= r < r1.

    The part ahead is the one whose pixels are likely to be asked for next.
    """
    raise NotImplementedError("compiled code only")


def first_gradient(tile, block, d_first, layer, fixed, scratch, group, held, sums, descent):
    """The gradient of a group of W1 from a block of rows; with the last block, their update.

    held says that this worker has gathered the group's features already.
    """
    raise NotImplementedError("compiled code only")


@overload(first_product, jit_options=KERNEL_OPTIONS)
def _first_product(tile, block, part, ahead, layer, fixed, scratch, out, out_row):
    def of_floats(tile, block, part, ahead, layer, fixed, scratch, out, out_row):
        forward(tile, block, part, ahead, layer.weight.value, layer.outputs, scratch.panel, out, out_row + part.r0)

    def of_digits(tile, block, part, ahead, layer, fixed, scratch, out, out_row):
        forward_fixed(tile, block, part, ahead, fixed, scratch.fixed, layer.outputs, out, out_row)

    def of_matrices(tile, block, part, ahead, layer, fixed, scratch, out, out_row):
        forward_matrices(tile, block, part, layer, fixed, scratch.fixed, out, out_row)

    return _by_kind(tile, of_floats, of_digits, of_matrices)


@overload(first_gradient, jit_options=KERNEL_OPTIONS)
def _first_gradient(tile, block, d_first, layer, fixed, scratch, group, held, sums, descent):
    def of_floats(tile, block, d_first, layer, fixed, scratch, group, held, sums, descent):
        if not held:
            gather_group(scratch.panel, block, group, layer.inputs)
        weight_group(tile, scratch.panel, 0, d_first, block.count, layer.weight, group, scratch.sums, sums, descent)

    def of_digits(tile, block, d_first, layer, fixed, scratch, group, held, sums, descent):
        if not held:
            gather_quads(scratch.fixed.quads, block, group.row, group.width)
        weight_group_fixed(tile, block, layer.weight, group, scratch.sums, sums, fixed, scratch.fixed, descent)

    def of_matrices(tile, block, d_first, layer, fixed, scratch, group, held, sums, descent):
        weight_group_matrices(tile, block, layer, group, sums, fixed, scratch.fixed, descent)

    return _by_kind(tile, of_floats, of_digits, of_matrices)


def _by_kind(tile, of_floats, of_digits, of_matrices):
    if tile.digits is None:
        return of_floats
    return of_matrices if tile.digits.by_matrix else of_digits
