"""The first layer's two products, in floats or in fixed point: what programs.py calls, by the kind of the tile."""

from __future__ import annotations

from typing import Any, NamedTuple

from numba.extending import overload

from fastnet.engine.fixed import forward_fixed, weight_group_fixed
from fastnet.engine.kernel import KERNEL_OPTIONS
from fastnet.engine.phases import forward, gather, weight_group


class Part(NamedTuple):
    """Some rows of a block and some features: those from r0 and p0 on, before r1 and p1."""

    r0: Any
    r1: Any
    p0: Any
    p1: Any


def first_product(tile, batch, k, first, part, ahead, layer, fixed, scratch, out, out_row):
    """out[out_row + r] = X[row r, p0:p1] @ W1[p0:p1] for the rows r0 <= r < r1 of the block at `first`.

    The part ahead is the one whose pixels are likely to be asked for next.
    """
    raise NotImplementedError("compiled code only")


def first_gradient(
    tile, rule, batch, k, first, rows, g, row, width, layer, fixed, d_first, scratch,
    sums, sums_row, resume, last, c, reg,
):  # fmt: skip
    """The gradient of group g of W1, `width` rows from `row` on; with last, their update."""
    raise NotImplementedError("compiled code only")


@overload(first_product, jit_options=KERNEL_OPTIONS)
def _first_product(tile, batch, k, first, part, ahead, layer, fixed, scratch, out, out_row):
    def of_floats(tile, batch, k, first, part, ahead, layer, fixed, scratch, out, out_row):
        forward(
            tile, batch, k, first, part.r0, part.r1, part.p0, part.p1, layer.weight.value, layer.outputs,
            scratch.panel, out, out_row,
        )  # fmt: skip

    def of_digits(tile, batch, k, first, part, ahead, layer, fixed, scratch, out, out_row):
        forward_fixed(tile, batch, k, first, part, ahead, fixed, scratch.fixed, layer.outputs, out, out_row)

    return of_floats if tile.digits is None else of_digits


@overload(first_gradient, jit_options=KERNEL_OPTIONS)
def _first_gradient(
    tile, rule, batch, k, first, rows, g, row, width, layer, fixed, d_first, scratch,
    sums, sums_row, resume, last, c, reg,
):  # fmt: skip
    def of_floats(
        tile, rule, batch, k, first, rows, g, row, width, layer, fixed, d_first, scratch,
        sums, sums_row, resume, last, c, reg,
    ):  # fmt: skip
        gather(scratch.panel, batch, k, first, rows, row, width)
        weight_group(
            tile, rule, scratch.panel, 0, d_first, rows, layer.weight, g, row, width, layer.outputs,
            scratch.sums, sums, sums_row, resume, last, c, k, reg,
        )  # fmt: skip

    def of_digits(
        tile, rule, batch, k, first, rows, g, row, width, layer, fixed, d_first, scratch,
        sums, sums_row, resume, last, c, reg,
    ):  # fmt: skip
        weight_group_fixed(
            tile, rule, batch, k, first, rows, layer.weight, g, row, width, layer.outputs,
            scratch.sums, sums, sums_row, resume, last, fixed, scratch.fixed, c, reg,
        )  # fmt: skip

    return of_floats if tile.digits is None else of_digits
