"""Integers that workers share: read, written and counted up so that each sees what the others wrote before."""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from fastnet.engine.emitting.arrays import Matrix
from fastnet.engine.emitting.lines import INDEX
from fastnet.engine.emitting.matrix import emit_address

SPACING = 8  # int64 from one shared integer to the next: a cache line each


def new(count: int) -> Matrix:
    """So many integers that workers share, all 0: numbers 0, SPACING, 2 * SPACING ..."""
    return Matrix(np.zeros((1, count * SPACING), np.int64))


def _emit_word(builder: ir.IRBuilder, matrix: ir.Value, index: ir.Value) -> ir.Value:
    return emit_address(builder, matrix, INDEX(0), index)


@intrinsic
def increment(typingctx, matrix, index):
    """matrix[0, index] += 1 atomically; the value before."""

    def codegen(context, builder, sig, args):
        return builder.atomic_rmw("add", _emit_word(builder, *args), INDEX(1), "acq_rel")

    return types.int64(matrix, types.intp), codegen


@intrinsic
def read(typingctx, matrix, index):
    """matrix[0, index], with all that was written before it was set."""

    def codegen(context, builder, sig, args):
        return builder.load_atomic(_emit_word(builder, *args), "acquire", 8)

    return types.int64(matrix, types.intp), codegen


@intrinsic
def write(typingctx, matrix, index, value):
    """matrix[0, index] = value, with all that was written before."""

    def codegen(context, builder, sig, args):
        builder.store_atomic(args[2], _emit_word(builder, *args[:2]), "release", 8)
        return context.get_dummy_value()

    return types.void(matrix, types.intp, types.int64), codegen
