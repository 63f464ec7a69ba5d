"""Points side by side on a crew: outcomes as they come, whatever becomes of those who train."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import BrokenExecutor, Future
from queue import SimpleQueue
from typing import Any

from fastnet.interrupts import next_of
from fastnet.searching.crews import Crew
from fastnet.searching.grid import Point
from fastnet.searching.results import Clock, SearchError
from fastnet.searching.trial import FAILED, Outcome, Row

MOST_LOSSES = 3  # of a point's task, together with the data or the process that it was on


def side_by_side(crew: Crew, points: Sequence[Point], clock: Clock) -> Generator[tuple[Point, Outcome]]:
    """The outcome of each point, in the order in which they finish.

    A point whose task was lost is submitted anew, with the data.  Raises SearchError where the executor is shut
    down or broken, ValueError where it cannot send what a task needs.
    """
    pending: dict[Future[Outcome], tuple[Point, Any]] = {}
    # Not `concurrent.futures.wait`, which never returns for futures that the shutdown of an executor has cancelled.
    finished: SimpleQueue[Future[Outcome]] = SimpleQueue()
    losses: Counter[int] = Counter()
    clock.total += sum(map(crew.plan.iterations, points))

    def submit(point: Point, shared: Any) -> None:
        future = _running(crew.submit, point, shared)
        pending[future] = point, shared
        future.add_done_callback(finished.put)

    try:
        current = _running(crew.share)
        for point in points:
            submit(point, current)
        while pending:
            future = next_of(finished)
            point, shared = pending.pop(future)
            if not future.cancelled():
                clock.done += crew.plan.iterations(point)
                yield point, _outcome(future)
                continue
            losses[point.number] += 1
            if losses[point.number] == MOST_LOSSES:
                yield point, Outcome(Row(FAILED, reason=f"lost by the executor {MOST_LOSSES} times"))
                continue
            if shared is current:  # else its loss has been mended with that of another point
                current = _running(crew.share)
            submit(point, current)
    finally:
        for future in pending:
            future.cancel()


def _running(ask: Callable[..., Any], *arguments: Any) -> Any:
    """What an executor that is running answers."""
    try:
        return ask(*arguments)
    except SearchError:
        raise
    except RuntimeError as error:
        raise SearchError(
            f"the executor takes no work ({error}), expected one that is running: make a new one"
        ) from error


def _outcome(future: Future[Outcome]) -> Any:
    try:
        return future.result()
    except BrokenExecutor as error:
        raise SearchError(
            f"the executor is broken, one of its processes has died ({error}): make a new one and search again"
        ) from error
    except Exception as error:  # of the executor's own making: a trial's are in its outcome
        if "pickle" in str(error).lower() or "serializ" in str(error).lower():
            raise ValueError(
                f"the executor cannot send a task to its processes ({error}): build it with functools.partial, or "
                "with a function of a module that can be imported there"
            ) from error
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
        return Outcome(Row(FAILED, reason=reason))
