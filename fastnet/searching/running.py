"""Points side by side on a crew: outcomes as they come, whatever becomes of those who train."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, wait
from typing import Any

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
    pending: dict[Future[Outcome], Point] = {}
    losses: Counter[int] = Counter()
    waiting = list(points)
    clock.total += sum(map(crew.plan.iterations, points))
    try:
        while waiting or pending:
            if waiting:
                pending |= _submit(crew, waiting)
            finished, _ = wait(pending, return_when=FIRST_COMPLETED)
            waiting = []
            for future in finished:
                point = pending.pop(future)
                if not future.cancelled():
                    clock.done += crew.plan.iterations(point)
                    yield point, _outcome(future)
                    continue
                losses[point.number] += 1
                if losses[point.number] < MOST_LOSSES:
                    waiting.append(point)
                else:
                    yield point, Outcome(Row(FAILED, reason=f"lost by the executor {MOST_LOSSES} times"))
    finally:
        for future in pending:
            future.cancel()


def _submit(crew: Crew, points: Sequence[Point]) -> dict[Future[Outcome], Point]:
    try:
        shared = crew.share()
        return {crew.submit(point, shared): point for point in points}
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
