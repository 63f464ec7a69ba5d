"""Successive halving: all nets train a little, the better ones go on from where they stopped.

With a factor f, n nets train for num_iters / f**k iterations, the best n // f of them go on to f times as many, and
so on up to num_iters.  (Jamieson and Talwalkar, "Non-stochastic best arm identification and hyperparameter
optimization", 2016; the budgets are those of a bracket of Hyperband, Li et al., 2018.)

A net's training is one call of train, in a thread of its own, that waits inside its callback at each rung: what
goes on is the very same run, the optimiser's state and the drawing of batches included, and its bits are those of
a run that never stopped.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from queue import SimpleQueue
from typing import TYPE_CHECKING

from fastnet.interrupts import next_of
from fastnet.searching.grid import Point
from fastnet.searching.results import Clock, SearchError
from fastnet.searching.trial import Dropped, Outcome, Plan, Row, Rows, Stopped, Watch, attempt, validate

if TYPE_CHECKING:
    from fastnet.training import Progress


@dataclass(frozen=True)
class Rungs:
    """How many iterations a net has had at each rung, and how many nets go on from it (all but the last)."""

    iterations: tuple[int, ...]
    survivors: tuple[int, ...]

    @classmethod
    def of(cls, points: int, factor: int, num_iters: int) -> Rungs:
        """As many rungs as there are nets for, the first after one iteration at least."""
        last = 0
        while factor ** (last + 1) <= min(points, num_iters):
            last += 1
        iterations = tuple(num_iters // factor ** (last - rung) for rung in range(last + 1))
        return cls(iterations, tuple(points // factor ** (rung + 1) for rung in range(last)))

    def steps_to(self, rung: int) -> int:
        """Iterations from the rung before."""
        return self.iterations[rung] - (self.iterations[rung - 1] if rung else 0)


@dataclass(eq=False)
class _Race:
    """What the nets share: places to train at, the events that they tell, and whether it is over."""

    plan: Plan
    rows: Rows
    rungs: Rungs
    places: threading.Semaphore
    events: SimpleQueue[tuple[_Runner, Outcome | BaseException | None]] = field(default_factory=SimpleQueue)
    over: threading.Event = field(default_factory=threading.Event)

    def next(self) -> tuple[_Runner, Outcome | None]:
        """The next net that is at a rung, or at its end with an outcome; raises what ended its thread instead."""
        runner, event = next_of(self.events)
        if isinstance(event, BaseException):
            raise event
        return runner, event


class _Runner:
    """A net in the race: scores, one for each rung passed, and the thread that its training is in."""

    def __init__(self, race: _Race, point: Point) -> None:
        self.point = point
        self.scores: list[float] = []
        self._race = race
        self._words: SimpleQueue[bool] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="fastnet search", daemon=True)

    def start(self) -> None:
        """Begin, as soon as there is a place.  Raises SearchError where the system has no thread for it."""
        try:
            self._thread.start()
        except RuntimeError as error:
            raise SearchError(
                f"halving takes a thread for each net, and the system gives no more ({error}): search fewer nets"
            ) from error

    def go_on(self, wanted: bool) -> None:
        """Train to the next rung, or stop and be measured."""
        self._words.put(wanted)

    def join(self) -> None:
        """Wait until the thread has ended: in a race that is over, when its training next returns to Python."""
        if self._thread.ident is not None:  # it was started
            self._thread.join()

    def at_rung(self, watch: Watch) -> None:
        """Tell the score, leave the place to another, and wait for the word."""
        race = self._race
        self.scores.append(race.plan.score(*validate(watch.net, race.rows)))
        began = time.perf_counter()
        race.places.release()
        race.events.put((self, None))
        wanted = self._words.get()
        race.places.acquire()
        watch.waited += time.perf_counter() - began
        if race.over.is_set():
            raise Stopped
        if not wanted:
            raise Dropped

    def _run(self) -> None:
        race = self._race
        with race.places:
            if race.over.is_set():
                return
            try:
                outcome = attempt(race.plan, self.point, race.rows, lambda net: _AtRungs(net, self._wanted, self))
            except Stopped:
                return
            except BaseException as error:  # SystemExit of a user's build: who waits for this net must hear of it
                race.events.put((self, error))
                return
        race.events.put((self, replace(outcome, row=replace(outcome.row, scores=tuple(self.scores)))))

    def _wanted(self) -> bool:
        return not self._race.over.is_set()

    @property
    def rungs(self) -> Rungs:
        """Of the race."""
        return self._race.rungs


@dataclass(eq=False)
class _AtRungs(Watch):
    """The callback of a net in the race: called exactly at each rung."""

    runner: _Runner

    def steps_to_call(self, done: int) -> int:
        """As training.Punctual says."""
        return next((rung - done for rung in self.runner.rungs.iterations if rung > done), 1)

    def __call__(self, progress: Progress) -> None:
        """As every callback."""
        super().__call__(progress)
        if progress.iteration in self.runner.rungs.iterations[:-1]:
            self.runner.at_rung(self)


def halved(
    plan: Plan, rows: Rows, points: Sequence[Point], rungs: Rungs, workers: int, known: Mapping[int, Row], clock: Clock
) -> Generator[tuple[Point, Outcome]]:
    """The outcome of each point that is not known by its number, those dropped first coming first.

    Known rows, of an earlier run, take part in the race with the scores that they had.
    """
    race = _Race(plan, rows, rungs, threading.Semaphore(workers))
    runners: list[_Runner] = []
    ended: set[_Runner] = set()
    scores = {point.number: list(known[point.number].scores) for point in points if point.number in known}
    final = {number: plan.score(row.val_accuracy, row.val_loss) for number, row in known.items()}
    racing = [point.number for point in points]
    clock.total += sum(
        (len(points) if rung == 0 else rungs.survivors[rung - 1]) * rungs.steps_to(rung)
        for rung in range(len(rungs.iterations))
    ) - sum(row.iterations for row in known.values())
    try:
        for rung in range(len(rungs.iterations)):
            for point in points if rung == 0 else []:
                if point.number not in known:
                    runners.append(_Runner(race, point))  # before it starts: what ends this loop ends it, too
                    runners[-1].start()
            running = [runner for runner in runners if runner not in ended]
            for runner in running if rung else []:
                runner.go_on(True)
            for _ in running:
                runner, outcome = race.next()
                clock.done += rungs.steps_to(rung)
                scores[runner.point.number] = runner.scores
                if outcome is not None:
                    ended.add(runner)
                    final[runner.point.number] = plan.score(outcome.row.val_accuracy, outcome.row.val_loss)
                    yield runner.point, outcome
            if rung == len(rungs.survivors):
                return
            standing = {n: scores[n][rung] if rung < len(scores[n]) else final[n] for n in racing}
            best_first = sorted(racing, key=lambda n: (-standing[n] if math.isfinite(standing[n]) else math.inf, n))
            racing = best_first[: rungs.survivors[rung]]
            dropped = [r for r in runners if r not in ended and r.point.number not in racing]
            for runner in dropped:
                runner.go_on(False)
            for _ in dropped:
                runner, outcome = race.next()
                ended.add(runner)
                if outcome is not None:
                    yield runner.point, outcome
    finally:
        race.over.set()
        for runner in runners:  # all of them before any is waited for: another Ctrl-C ends that
            runner.go_on(False)
        for runner in runners:
            runner.join()
