"""Where nets are trained, and how the data gets there: once, whatever the executor.

none given, or threads      this process's own arrays, one copy for all
processes of this machine   files that each process maps into memory
Dask                        scattered to every worker
any other executor          sent with each task, which is all that is known of it
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fastnet.searching.grid import Point
from fastnet.searching.trial import Outcome, Plan, Rows, always, try_point


@dataclass(frozen=True)
class Crew:
    """Those who train: submit a point, get a future of its outcome.

    executor : who runs the tasks;  share : makes what a task finds the data by
    stop : tells tasks of this process that they are no longer wanted
    """

    executor: Executor
    plan: Plan
    share: Callable[[], Any]
    stop: threading.Event | None = None

    def submit(self, point: Point, shared: Any) -> Future[Outcome]:
        """Have a point trained, on data that share made."""
        if self.stop is None:
            return self.executor.submit(try_point, self.plan, point, shared, always)
        stop = self.stop
        return self.executor.submit(try_point, self.plan, point, shared, lambda: not stop.is_set())


@contextmanager
def crew_of(executor: Executor | None, workers: int, plan: Plan, rows: Rows) -> Iterator[Crew]:
    """The crew of an executor, or of so many threads of its own."""
    if executor is None:
        with ThreadPoolExecutor(workers, "fastnet search") as own, _stopping() as stop:
            yield Crew(own, plan, lambda: rows, stop)
    elif isinstance(executor, ThreadPoolExecutor):
        with _stopping() as stop:
            yield Crew(executor, plan, lambda: rows, stop)
    elif isinstance(executor, ProcessPoolExecutor):
        with tempfile.TemporaryDirectory(prefix="fastnet-search-") as folder:
            files = Files.write(Path(folder), rows)
            yield Crew(executor, plan, lambda: files)
    elif _is_dask(executor):
        from fastnet.searching import dask  # and with it distributed, an extra

        yield Crew(executor, plan, dask.scattering(executor, rows))
    else:
        yield Crew(executor, plan, lambda: rows)


@contextmanager
def _stopping() -> Iterator[threading.Event]:
    """An event that is set when the block ends: a task still running then ends at its next callback."""
    stop = threading.Event()
    try:
        yield stop
    finally:
        stop.set()


def _is_dask(executor: Executor) -> bool:
    return type(executor).__module__.partition(".")[0] == "distributed"


@dataclass(frozen=True)
class Files:
    """The data in a folder, mapped into memory by whoever wants it: one copy for all processes of a machine."""

    folder: Path

    @classmethod
    def write(cls, folder: Path, rows: Rows) -> Files:
        """Files with the arrays of rows."""
        for name, array in vars(rows).items():
            np.save(folder / f"{name}.npy", array)
        return cls(folder)

    def rows(self) -> Rows:
        """The data, read-only."""
        return Rows(*(np.load(self.folder / f"{name}.npy", mmap_mode="r") for name in ("X", "y", "X_val", "y_val")))
