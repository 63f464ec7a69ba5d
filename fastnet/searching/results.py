"""What a search returns, and what it tells on the way."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fastnet.searching.grid import Point
from fastnet.searching.trial import DONE, METRICS, STOPPED, Row

# The columns of the table that are not names of the grid.
COLUMNS = (
    "status",
    "train_accuracy",
    "val_accuracy",
    "loss",
    "val_loss",
    "iterations",
    "seconds",
    "reason",
)


class SearchError(RuntimeError):
    """A search cannot go on, or found nothing; the message says why, and the mend."""


class Clock:
    """How long a search has run and will run: total and done count iterations, of all nets together."""

    def __init__(self) -> None:
        self.total = self.done = 0
        self._start = time.perf_counter()

    def read(self) -> tuple[float, float]:
        """Seconds since the search began, and those that the rest takes at the pace so far."""
        seconds = time.perf_counter() - self._start
        return seconds, seconds * max(self.total - self.done, 0) / max(self.done, 1)


@dataclass(frozen=True)
class SearchProgress:
    """Where a search stands, for its callback: called whenever a point has finished.

    Attributes
    ----------
    done, total : int
        Points.
    point, row : dict
        The values of the one that has just finished, by name, and its line of the table.
    best_val : float
        The best validation accuracy so far, nan before there is one.
    seconds, seconds_left : float
        Since the search began, and what the rest will take at the pace so far.
    """

    done: int
    total: int
    point: Mapping[str, Any]
    row: Mapping[str, Any]
    best_val: float
    seconds: float
    seconds_left: float


@dataclass(frozen=True, eq=False)
class Search:
    """The outcome of a search.

    Attributes
    ----------
    results : {values of a point: (train_accuracy, val_accuracy)}, in the grid's order; nan where there is no net
    table : a dictionary for each point, the best first and failures last; `pandas.DataFrame(search.table)` takes it
        Its `reason` says why a point failed, where it diverged, or what `train` would have warned of.
    best_net : the net of the best point
        It is first by `metric`, of equals the first in the grid's order.  None if no point was trained to its end.
    best_stats : what its train returned, or None
    best_val : its validation accuracy, or nan
    best_point : its values by name, or None
    """

    finished: tuple[tuple[Point, Row], ...]  # in the grid's order
    metric: str
    best_net: Any
    best_stats: dict[str, Any] | None
    best_val: float
    best_point: dict[str, Any] | None

    @property
    def results(self) -> dict[tuple[Any, ...], tuple[float, float]]:
        """The two accuracies of each point, by its values in the grid's order, as in CS231n's assignment."""
        return {point.key: (row.train_accuracy, row.val_accuracy) for point, row in self.finished}

    @property
    def table(self) -> list[dict[str, Any]]:
        """A dictionary for each point, sorted."""
        order = sorted(self.finished, key=lambda found: rank(found[0], found[1], self.metric), reverse=True)
        return [line(point, row) for point, row in order]

    def __repr__(self) -> str:
        return f"Search({len(self.finished)} points, best_val={self.best_val:.4f} at {self.best_point})"


def line(point: Point, row: Row) -> dict[str, Any]:
    """A line of the table."""
    return point.values | {name: getattr(row, name) for name in COLUMNS}


def rank(point: Point, row: Row, metric: str) -> tuple[int, int, float, int]:
    """The greater, the better: trained to the end, then longest in the race, then the metric, then the grid's order."""
    value = METRICS[metric] * getattr(row, metric)
    ended = {DONE: 2, STOPPED: 1}.get(row.status, 0)
    return (
        ended,
        len(row.scores) if row.status == STOPPED else 0,
        value if math.isfinite(value) else -math.inf,
        -point.number,
    )
