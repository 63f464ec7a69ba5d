"""A barrier for workers inside compiled code: they spin, then give way, and can be told to leave.

Its state is the number of arrivals, the generation and three flags.  It is the sense-reversing kind of
Mellor-Crummey and Scott (1991) with a counting generation.

They leave in two ways.  abort is for a worker that will never come: whoever waits for it leaves at once, each for
itself.  stop is for workers that are all there: they leave together, where no work is half done.
"""

from __future__ import annotations

import sys

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from fastnet.engine.compilation.cpu import target
from fastnet.engine.compilation.kernel import kernel
from fastnet.engine.emitting import atomics
from fastnet.engine.emitting.arrays import Matrix
from fastnet.engine.emitting.atomics import SPACING, increment, read, write

ARRIVED, GENERATION, ABORT, STOP, LEAVING = (n * SPACING for n in range(5))

# A worker that is only late arrives within this many pauses (about 50 us); after that it has probably lost
# its core to another process, or shares it with the one that waits, and waiting must free the core.
PATIENCE = 2000


def new_barrier() -> Matrix:
    """The state of a barrier at which nobody waits."""
    return atomics.new(5)


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
    generation = read(barrier, GENERATION)
    if increment(barrier, ARRIVED) == workers - 1:
        write(barrier, ARRIVED, 0)
        write(barrier, GENERATION, generation + 1)
        return read(barrier, ABORT) == 0
    spins = 0
    while read(barrier, GENERATION) == generation:
        if read(barrier, ABORT) != 0:
            return False
        if spins < PATIENCE:
            spins += 1
            _pause()
        else:
            _yield()
    return read(barrier, ABORT) == 0


@kernel
def wait_or_leave(barrier, worker, workers):
    """The same; False for all of them alike where they are to stop.

    The first worker's word counts.  It has no other before they all have met again: this must not be the only barrier.
    """
    if worker == 0:
        write(barrier, LEAVING, read(barrier, STOP))
    return wait(barrier, workers) and read(barrier, LEAVING) == 0


@kernel
def to_stop(barrier):
    """Whether stop has been called: of workers that do not meet."""
    return read(barrier, STOP) != 0


def stop(barrier: Matrix) -> None:
    """Have all workers leave together, when they meet at wait_or_leave."""
    barrier.array[0, STOP] = 1


def abort(barrier: Matrix) -> None:
    """Send every worker that waits, or comes later, away from the barrier."""
    barrier.array[0, ABORT] = 1
