"""Units of work, taken one by one by whichever worker is free.

A phase of a step is cut into units by the shapes alone, so who works on which changes no bit of the result.
Each worker has a contiguous share, the same in every step, whose data stay in its cache; when it is through, it
goes on with what is left of the others'.  So workers of unequal speed (a core shared with another process, or
one of the slower cores of a CPU that has two kinds) arrive at the barrier together.
"""

from __future__ import annotations

from fastnet.engine.compilation.kernel import kernel
from fastnet.engine.emitting import atomics
from fastnet.engine.emitting.arrays import Matrix
from fastnet.engine.emitting.atomics import SPACING, increment, write


def new_tickets(phases: int, workers: int) -> Matrix:
    """For each phase and worker, how many units of the worker's share have been taken."""
    return atomics.new(phases * workers)


@kernel
def smaller(a, b):
    """min of two integers: Python's own is a function that Numba compiles alone, and once for each pair of types."""
    return a if a < b else b


@kernel
def groups(things, group):
    """How many groups so many things make: rows in tiles, columns in lines, features in groups of weights."""
    return (things + group - 1) // group


@kernel
def share(count, worker, workers):
    """The bounds of worker's contiguous part of count things."""
    return count * worker // workers, count * (worker + 1) // workers


@kernel
def take(tickets, phase, count, worker, workers):
    """The number of a unit that nobody has taken, -1 when none of the phase's count is left."""
    for n in range(workers):
        owner = (worker + n) % workers
        begin, end = share(count, owner, workers)
        unit = begin + increment(tickets, (phase * workers + owner) * SPACING)
        if unit < end:
            return unit
    return -1


@kernel
def put_back(tickets, phase, worker, workers):
    """Make the units of a worker's share available anew; to be called while nobody takes any of this phase."""
    write(tickets, (phase * workers + worker) * SPACING, 0)
