"""What a search has found so far: the rows, the best net, and their keeping."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

import fastnet
from fastnet.searching.grid import Point
from fastnet.searching.journal import Journal
from fastnet.searching.results import Clock, Search, SearchError, SearchProgress, line, rank
from fastnet.searching.trial import DIVERGED, DONE, FAILED, STOPPED, Outcome, Plan, Row, Rows, net_digest

Callback = Callable[[SearchProgress], object]


class Finding:
    """Rows by the number of their point, those of a journal to begin with; the first of the best by rank.

    Raises ValueError where the journal's nets are not those that build makes.
    """

    def __init__(self, plan: Plan, points: Sequence[Point], journal: Journal | None, callback: Callback | None) -> None:
        self.clock = Clock()
        self.rows: dict[int, Row] = {}
        self._plan, self._points, self._journal, self._callback = plan, points, journal, callback
        self._best: int | None = None
        self._net: Any = None
        self._stats: dict[str, Any] | None = None
        if journal is not None:
            for point in points:
                self._remember(point, journal)

    def _remember(self, point: Point, journal: Journal) -> None:
        row, stats = journal.row(point) or (None, None)
        if row is None or row.status == FAILED:  # who knows why: another machine, or more memory, may do
            return
        if net_digest(self._plan.make(point)) != row.made:
            raise ValueError(
                f"{journal.path}: the journal of another search, build made another net for {point.values} "
                "there; name another file, or have build make the same net each time"
            )
        self.rows[point.number] = row
        if self._is_best(point, row):
            self._best, self._stats = point.number, stats

    def add(self, point: Point, outcome: Outcome) -> None:
        """Keep what became of a point, on disk first, and tell the callback."""
        row, best = outcome.row, self._is_best(point, outcome.row)
        if self._journal is not None:
            self._journal.append(point, row, *((outcome.net, outcome.stats) if best else (None, None)))
        self.rows[point.number] = row
        if best:
            self._best, self._net, self._stats = point.number, outcome.net, outcome.stats
        if self._callback is not None:
            seconds, seconds_left = self.clock.read()
            self._callback(
                SearchProgress(
                    done=len(self.rows),
                    total=len(self._points),
                    point=point.values,
                    row=line(point, row),
                    best_val=self._best_val,
                    seconds=seconds,
                    seconds_left=seconds_left,
                )
            )

    def find_net(self, rows: Rows) -> None:
        """Have the best net in memory, if an earlier run trained it: from its file, else by training it again.

        Raises SearchError where there is none.
        """
        if self._best is None:
            in_order = [row for _, row in self.search().finished]
            ends = [row.status for row in in_order]
            reasons = [row.reason for row in in_order if row.status == FAILED]
            first = f", the first with {reasons[0]}" if reasons else "; try smaller learning rates"
            stopped = f", {ends.count(STOPPED)} were stopped on the way" if STOPPED in ends else ""
            raise SearchError(
                f"no combination was trained to its end: {ends.count(DIVERGED)} diverged, {len(reasons)} failed"
                f"{stopped}{first}"
            )
        if self._net is None and self._journal is not None:
            self._net = self._saved(self._journal, self.rows[self._best])
        if self._net is None:
            self._train(rows.X, rows.y, rows.X_val, rows.y_val)

    def _saved(self, journal: Journal, best: Row) -> Any:
        """The net beside the journal, if it is the best one: a run may have been killed between the two files."""
        try:
            net = fastnet.load(journal.best_path)
        except (OSError, ValueError):
            return None
        return net if net_digest(net) == best.trained and self._stats is not None else None

    def refit(self, rows: Rows) -> None:
        """Train the best point anew on all rows, with all threads."""
        self._train(np.concatenate([rows.X, rows.X_val]), np.concatenate([rows.y, rows.y_val]))

    def _train(self, *rows: Any) -> None:
        """Train the best point's net, with all threads."""
        point = next(point for point in self._points if point.number == self._best)
        net = self._plan.make(point)
        self._stats = net.train(*rows, **self._plan.training(point))
        self._net = net

    def search(self) -> Search:
        """All of it, in the grid's order."""
        return Search(
            finished=tuple((point, self.rows[point.number]) for point in self._points if point.number in self.rows),
            metric=self._plan.metric,
            best_net=self._net,
            best_stats=self._stats,
            best_val=self._best_val,
            best_point=None if self._best is None else dict(self._points[self._best].values),
        )

    @contextmanager
    def carried_by_exceptions(self) -> Iterator[None]:
        """What ends a search early carries what there is, as its attribute `search`."""
        try:
            yield
        except BaseException as error:
            error.search = self.search()  # type: ignore[attr-defined]  # no exception declares it
            raise

    @property
    def _best_val(self) -> float:
        return np.nan if self._best is None else self.rows[self._best].val_accuracy

    def _is_best(self, point: Point, row: Row) -> bool:
        if row.status != DONE:
            return False
        metric = self._plan.metric
        return self._best is None or rank(point, row, metric) > rank(
            self._points[self._best], self.rows[self._best], metric
        )
