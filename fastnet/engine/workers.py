"""Threads that run compiled programs side by side.

They are the process's own, kept idle between runs.  A run takes as many as it needs and gives them back, so
models trained at once from several threads never wait for each other's workers (which, waiting at a barrier
themselves, might never be free).
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from queue import SimpleQueue

Task = Callable[[int], object]


class _Worker:
    """A thread that does one task after another."""

    def __init__(self) -> None:
        self._tasks: SimpleQueue[tuple[Task, int]] = SimpleQueue()
        self._done: SimpleQueue[BaseException | None] = SimpleQueue()
        threading.Thread(target=self._loop, name="fastnet worker", daemon=True).start()

    def _loop(self) -> None:
        while True:
            task, number = self._tasks.get()
            error = None
            try:
                task(number)
            except BaseException as caught:
                error = caught
            # Idle, the thread must not keep the arrays of its last task alive.
            del task
            self._done.put(error)
            del error

    def start(self, task: Task, number: int) -> None:
        self._tasks.put((task, number))

    def join(self) -> BaseException | None:
        return self._done.get()


_idle: list[_Worker] = []


def _forget() -> None:
    """A forked child has the list, but not the threads."""
    _idle.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def run_on_workers(task: Task, workers: int, abort: Callable[[], object]) -> None:
    """Call task(0) .. task(workers - 1) at once, the first on this thread, and return when all are done.

    Raises what a task raised.  As soon as one fails, abort() is called, which must make the others return.
    """
    if workers == 1:
        task(0)
        return
    started: list[_Worker] = []
    errors: list[BaseException] = []

    def guarded(number: int) -> None:
        try:
            task(number)
        except BaseException:
            abort()
            raise

    try:
        for number in range(1, workers):
            worker = _take()
            worker.start(guarded, number)
            started.append(worker)
        guarded(0)
    except BaseException as error:
        abort()
        errors.append(error)
    for worker in started:
        failure = _join(worker, abort, errors)
        if failure is not None:
            errors.append(failure)
        _idle.append(worker)
    if errors:
        raise errors[0]


def _take() -> _Worker:
    try:
        return _idle.pop()
    except IndexError:
        return _Worker()


def _join(worker: _Worker, abort: Callable[[], object], errors: list[BaseException]) -> BaseException | None:
    """The worker's error, if any.  An interrupt while waiting is kept for later: the run must end first."""
    while True:
        try:
            return worker.join()
        except KeyboardInterrupt as interrupt:
            abort()
            errors.append(interrupt)
