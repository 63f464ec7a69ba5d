"""The multiply-add peak: what a step is measured against.

Nothing but multiply-adds, in as many independent chains as the registers hold, so that neither memory nor the
latency of one holds up the next.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from fastnet.engine.compilation.cpu import vector_unit
from fastnet.engine.compilation.kernel import compiled_for, program
from fastnet.engine.emitting.arrays import Matrix, allocate
from fastnet.engine.emitting.lines import INDEX, LineType, emit_fma, emit_load, emit_store, line_ir
from fastnet.engine.emitting.matrix import emit_address
from fastnet.engine.threads.workers import run_on_workers

SECONDS = 0.15  # of one measurement: long against the start of the workers


def chains() -> int:
    """How many run side by side: a line each, in all the registers but those of the two operands."""
    unit = vector_unit()
    return unit.registers // unit.per_line - 2


@intrinsic
def _run_chains(typingctx: Any, lines: Any, rounds: Any) -> Any:
    """Each line from the third on = itself * the first + the second, so many times."""
    kind = LineType(lines.dtype)

    def codegen(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        addresses = [emit_address(builder, args[0], INDEX(row), INDEX(0)) for row in range(2 + chains())]
        factor, term, *starts = (emit_load(builder, address, line_ir(kind.scalar)) for address in addresses)
        before = builder.block
        loop, done = (builder.append_basic_block(f"chains.{name}") for name in ("loop", "done"))
        builder.branch(loop)

        builder.position_at_end(loop)
        k = builder.phi(INDEX)
        accumulators = [builder.phi(start.type) for start in starts]
        totals = [emit_fma(builder, accumulator, factor, term) for accumulator in accumulators]
        k_next = builder.add(k, INDEX(1))
        builder.cbranch(builder.icmp_signed("<", k_next, args[1]), loop, done)
        k.add_incoming(INDEX(0), before)
        k.add_incoming(k_next, loop)
        for accumulator, start, total in zip(accumulators, starts, totals, strict=True):
            accumulator.add_incoming(start, before)
            accumulator.add_incoming(total, loop)

        builder.position_at_end(done)
        for total, address in zip(totals, addresses[2:], strict=True):
            emit_store(builder, total, address)
        return context.get_dummy_value()

    return types.void(lines, types.intp), codegen


@program
def run_chains(lines, rounds):
    """All chains, so many multiply-adds long."""
    _run_chains(lines, rounds)


class Peak:
    """Calling it does `flops` floating-point operations on so many workers at once.

    The number is chosen so that it takes about SECONDS on this machine.
    """

    def __init__(self, dtype: Any, workers: int) -> None:
        self._workers, self._rounds = workers, 1
        self._dtype = dtype = np.dtype(dtype)
        lanes = LineType(types.float64 if dtype.itemsize == 8 else types.float32).lanes
        self._lines = []
        for _ in range(workers):
            lines = allocate(2 + chains(), lanes, dtype)
            # x = x / 2 + 1 tends to 2, from another start in each chain: equal ones could be merged.
            lines[...] = np.arange(lines.size).reshape(lines.shape)
            lines[0], lines[1] = 0.5, 1.0
            self._lines.append(Matrix(lines))
        self._per_round = 2.0 * lanes * chains() * workers
        self()  # compiles
        self._rounds = 1 << 20
        start = time.perf_counter()
        self()
        self._rounds = int(self._rounds * SECONDS / (time.perf_counter() - start))

    @property
    def flops(self) -> float:
        """Floating-point operations of one call, a multiply-add counting two."""
        return self._per_round * self._rounds

    def __call__(self) -> None:
        program = compiled_for(run_chains, self._dtype, lambda: (self._lines[0], self._rounds))
        run_on_workers(lambda worker: program(self._lines[worker], self._rounds), self._workers, abort=lambda: None)
