"""Integers that workers share: read, written and counted up so that each sees what the others wrote before."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic
from numba.np.arrayobj import make_array

SPACING = 8  # int64 from one shared integer to the next: a cache line each


def _word(context: Any, builder: ir.IRBuilder, array_type: Any, array: ir.Value, index: ir.Value) -> ir.Value:
    return builder.gep(make_array(array_type)(context, builder, array).data, [index], inbounds=True)


@intrinsic
def increment(typingctx, array, index):
    """array[index] += 1 atomically; the value before."""

    def codegen(context, builder, sig, args):
        word = _word(context, builder, sig.args[0], *args)
        return builder.atomic_rmw("add", word, ir.Constant(ir.IntType(64), 1), "acq_rel")

    return types.int64(array, types.intp), codegen


@intrinsic
def read(typingctx, array, index):
    """array[index], with all that was written before it was set."""

    def codegen(context, builder, sig, args):
        return builder.load_atomic(_word(context, builder, sig.args[0], *args), "acquire", 8)

    return types.int64(array, types.intp), codegen


@intrinsic
def write(typingctx, array, index, value):
    """array[index] = value, with all that was written before."""

    def codegen(context, builder, sig, args):
        builder.store_atomic(args[2], _word(context, builder, sig.args[0], *args[:2]), "release", 8)
        return context.get_dummy_value()

    return types.void(array, types.intp, types.int64), codegen
