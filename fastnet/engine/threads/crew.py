"""How many workers run the steps of a training: as many as the work is worth, or another number, by the clock.

Results have the same bits with any number, so it may change from one run to the next.  What it should be no rule can
tell: two workers halve the time of a step where each has a core, and take many times as long beside a search with
n_jobs, as who waits at a barrier then waits for the other to be scheduled, several times a step.  So the other number
is tried now and then, in runs that begin with a single step and end as soon as they are clearly slower.

A training of the same work that comes soon after begins with what the last one found: of 50 steps of the lab's net a
first trial takes a quarter of the time.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

from fastnet.engine.compilation.cpu import cores_for_one

# Multiply-adds that are worth another worker: in a step of a long run, where workers only meet at barriers (three or
# four a step, under a microsecond), and in a single call, where a thread must be woken first (some 50 us).  Between the
# two a run may begin with either, and the clock says with which it goes on.
WORTH_IN_A_RUN = 500_000
WORTH_IN_A_CALL = 5_000_000
TRIAL = 2e-3  # seconds of steps by which two numbers are compared
FIRST_WAIT = 4e-3  # seconds before the first trial: of 1 ms a machine that is just waking up decided
WAIT, MOST_WAIT = 0.03, 1.0  # before the next one, twice as many after each that has changed nothing, at most so many
PATIENCE = 40  # trials after the first take one part in so many of the time, however slow they are
GROWTH = 4  # of a run over the one before, with a number of workers that is new
GAIN = 0.95  # of the time of one worker, at most: with less to gain the other cores are left to others
SLOWER, WAKING = 2.0, 2e-4  # times as slow, and as many seconds beside, end a trial
MEMORY = 0.02  # seconds of steps that count: the machine may be another one soon
ANY = 1 << 62
SOON = 10.0  # seconds for which a later training believes what was found
MOST_REMEMBERED = 100  # works

_found: dict[tuple[int, int, int], tuple[int, float]] = {}  # the number, and when


class _Pace:
    """Seconds that a step takes of late."""

    def __init__(self) -> None:
        self.seconds, self.steps = 0.0, 0.0

    def note(self, seconds: float, steps: int) -> None:
        keep = min(1.0, MEMORY / max(self.seconds, MEMORY))
        self.seconds, self.steps = keep * self.seconds + seconds, keep * self.steps + steps

    @property
    def known(self) -> bool:
        return self.steps > 0

    @property
    def of_a_step(self) -> float:
        return self.seconds / self.steps


class Crew:
    """So many workers, or, where the clock says so, another number; the two may be equal.

    most_steps bounds the next run, of which observe must be told.  known says that the other number has been tried of
    late; tell is told which is the better one after each trial.
    """

    def __init__(
        self, workers: int, other: int, known: bool = False, tell: Callable[[int], object] = lambda number: None
    ) -> None:
        self.workers, self._other = workers, other
        self.most_steps = 1 if workers != other else ANY
        self._paces = {workers: _Pace(), other: _Pace()}
        self._cold, self._trying = True, False
        self._left, self._wait = WAIT if known else FIRST_WAIT, WAIT
        self._tell = tell
        self._spent = 0.0  # in the trial

    def observe(self, steps: int, seconds: float) -> None:
        """The last run was of so many steps, and took so long."""
        if self.workers == self._other:
            return
        self.most_steps = min(ANY, max(self.most_steps, GROWTH * steps))
        cold, self._cold = self._cold, False
        if not cold:  # else the weights were in another core's cache
            self._paces[self.workers].note(seconds, steps)
        if self._trying:
            self._spent += seconds
            self._judge(steps, seconds)
            return
        self._left -= seconds
        if self._is_quicker(self._other):
            self._give_up(0.0)
        elif self._left <= 0 and self._paces[self.workers].known:
            self._paces[self._other], self._spent = _Pace(), 0.0
            self._change(trying=True)

    def _judge(self, steps: int, seconds: float) -> None:
        """End the trial where the last run was clearly slower, or where it tells enough."""
        now, before = self._paces[self.workers], self._paces[self._other]
        if seconds > SLOWER * before.of_a_step * steps + WAKING:
            self._give_up(self._spent)
        elif now.seconds >= TRIAL:
            if self._is_quicker(self._other):
                self._give_up(self._spent)
            else:
                self._trying, self._left = False, self._wait
                self._tell(self.workers)

    def _give_up(self, spent: float) -> None:
        """Go back to the other number, for a while: the longer, the more seconds have been spent on this one."""
        self._left, self._wait = max(self._wait, PATIENCE * spent), min(2 * self._wait, MOST_WAIT)
        self._change(trying=False)
        self._tell(self.workers)

    def _is_quicker(self, workers: int) -> bool:
        """Whether so many are to be preferred to the present ones."""
        theirs, ours = self._paces[workers], self._paces[self.workers]
        if not (theirs.known and ours.known):
            return False
        margin = GAIN if workers > self.workers else 1 / GAIN
        return theirs.of_a_step < margin * ours.of_a_step

    def _change(self, trying: bool) -> None:
        self.workers, self._other = self._other, self.workers
        self.most_steps, self._cold, self._trying = 1, True, trying


def workers_for(threads: int | None, multiply_adds: int, worth: int) -> int:
    """Workers for so many multiply-adds: `threads` where given, else as many cores as are worth it."""
    if threads is not None:
        return threads
    most = multiply_adds // worth
    return min(cores_for_one(), most) if most > 1 else 1


def crew_for(threads: int | None, multiply_adds: int, worth: int, most: int) -> Crew:
    """Of so many workers at most, for steps of so many multiply-adds, `worth` of which each is to begin with."""
    workers = min(most, workers_for(threads, multiply_adds, worth))
    if threads is not None:
        return Crew(workers, workers)
    other = 1 if workers > 1 else min(most, workers_for(None, multiply_adds, WORTH_IN_A_RUN))
    work = multiply_adds, workers, other
    number, when = _found.get(work, (workers, -SOON))
    known = perf_counter() - when < SOON
    number = number if known else workers

    def tell(number: int) -> None:
        if len(_found) >= MOST_REMEMBERED:
            _found.clear()
        _found[work] = number, perf_counter()

    return Crew(number, workers + other - number, known, tell)
