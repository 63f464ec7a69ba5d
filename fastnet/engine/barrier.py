"""A barrier for workers inside compiled code: they spin, then give way, and can be told to leave.

An int64 array holds the arrivals, the generation and the abort flag, each on a cache line of its own.  The
barrier is the sense-reversing kind of Mellor-Crummey and Scott (1991) with a counting generation.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic
from numba.np.arrayobj import make_array

from fastnet.engine.cpu import target
from fastnet.engine.kernel import kernel

ARRIVED, GENERATION, ABORT, WORDS = 0, 8, 16, 24

# A worker that is only late arrives within this many pauses (about 50 us); after that it has probably lost
# its core to another process, or shares it with the one that waits, and waiting must free the core.
PATIENCE = 2000


def new_barrier() -> np.ndarray:
    """The state of a barrier at which nobody waits."""
    return np.zeros(WORDS, np.int64)


def _word(context: Any, builder: ir.IRBuilder, array_type: Any, array: ir.Value, index: ir.Value) -> ir.Value:
    return builder.gep(make_array(array_type)(context, builder, array).data, [index], inbounds=True)


@intrinsic
def _increment(typingctx, array, index):
    """array[index] += 1 atomically; the value before."""

    def codegen(context, builder, sig, args):
        word = _word(context, builder, sig.args[0], *args)
        return builder.atomic_rmw("add", word, ir.Constant(ir.IntType(64), 1), "acq_rel")

    return types.int64(array, types.intp), codegen


@intrinsic
def _read(typingctx, array, index):
    """array[index], with all that was written before it was set."""

    def codegen(context, builder, sig, args):
        return builder.load_atomic(_word(context, builder, sig.args[0], *args), "acquire", 8)

    return types.int64(array, types.intp), codegen


@intrinsic
def _write(typingctx, array, index, value):
    """array[index] = value, with all that was written before."""

    def codegen(context, builder, sig, args):
        builder.store_atomic(args[2], _word(context, builder, sig.args[0], *args[:2]), "release", 8)
        return context.get_dummy_value()

    return types.void(array, types.intp, types.int64), codegen


@intrinsic
def _pause(typingctx):
    """Tell the core that this is a spin loop."""

    def codegen(context, builder, sig, args):
        triple = target()[0]
        if triple.startswith("x86_64"):
            name, kinds, values = "llvm.x86.sse2.pause", [], []
        elif triple.startswith(("aarch64", "arm64")):
            name, kinds, values = "llvm.aarch64.hint", [ir.IntType(32)], [ir.IntType(32)(1)]
        else:
            return context.get_dummy_value()
        function = builder.module.globals.get(name)
        if function is None:
            function = ir.Function(builder.module, ir.FunctionType(ir.VoidType(), kinds), name)
        builder.call(function, values)
        return context.get_dummy_value()

    return types.void(), codegen


# The system's call that lets another thread run, found among the symbols of the process.
_yield = types.ExternalFunction("SwitchToThread" if sys.platform == "win32" else "sched_yield", types.int32())


@kernel
def wait(barrier, workers):
    """Wait until all workers have come; False when the barrier was aborted.

    What any worker wrote before it came, all see after.
    """
    generation = _read(barrier, GENERATION)
    if _increment(barrier, ARRIVED) == workers - 1:
        _write(barrier, ARRIVED, 0)
        _write(barrier, GENERATION, generation + 1)
        return _read(barrier, ABORT) == 0
    spins = 0
    while _read(barrier, GENERATION) == generation:
        if _read(barrier, ABORT) != 0:
            return False
        if spins < PATIENCE:
            spins += 1
            _pause()
        else:
            _yield()
    return _read(barrier, ABORT) == 0


def abort(barrier: np.ndarray) -> None:
    """Send every worker that waits, or comes later, away from the barrier."""
    barrier[ABORT] = 1
