"""Units of work: each is taken once, a worker's own first, and one worker does all that the others leave."""

import numpy as np
import pytest

from fastnet.engine.compilation import kernel
from fastnet.engine.emitting.arrays import Matrix
from fastnet.engine.threads import barrier, units
from fastnet.engine.threads.workers import run_on_workers


@kernel.program
def work(tickets, phase, count, worker, workers, meeting, rounds, taken):
    """Take units until none is left, and count each; so many times."""
    for _ in range(rounds):
        while True:
            unit = units.take(tickets, phase, count, worker, workers)
            if unit < 0:
                break
            taken[worker, unit] += 1
        barrier.wait(meeting, workers)
        units.put_back(tickets, phase, worker, workers)
        barrier.wait(meeting, workers)


@kernel.program
def take(tickets, phase, count, worker, workers):
    return units.take(tickets, phase, count, worker, workers)


@pytest.mark.parametrize("workers", [1, 2, 3, 8])
@pytest.mark.parametrize("count", [0, 1, 2, 7, 33])
def test_every_unit_is_taken_once_by_one_worker(workers, count):
    rounds = 100
    tickets, meeting = units.new_tickets(2, workers), barrier.new_barrier()
    taken = Matrix(np.zeros((workers, count), np.int64))
    run_on_workers(
        lambda worker: work(tickets, 1, count, worker, workers, meeting, rounds, taken),
        workers,
        lambda: barrier.abort(meeting),
    )
    np.testing.assert_array_equal(taken.array.sum(axis=0), rounds)


def test_a_worker_begins_with_its_own_share_and_goes_on_with_the_others():
    tickets = units.new_tickets(1, 3)
    order = [take(tickets, 0, 8, 1, 3) for _ in range(8)]
    assert order == [2, 3, 4, 5, 6, 7, 0, 1]
    assert [take(tickets, 0, 8, worker, 3) for worker in (0, 1, 2)] == [-1, -1, -1]


def test_phases_do_not_touch_each_other():
    tickets = units.new_tickets(2, 2)
    assert take(tickets, 0, 4, 0, 2) == take(tickets, 1, 4, 0, 2) == 0
