"""Threads that run compiled programs side by side.

They are the process's own, kept idle between runs for a while.  A run takes as many as it needs and gives them back, so
models trained at once from several threads never wait for each other's workers (which, waiting at a barrier
themselves, might never be free).
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from functools import partial
from queue import Empty, SimpleQueue

from fastnet.engine.compilation import cpu
from fastnet.interrupts import NOTICE_SECONDS

Task = Callable[[int], object]

IDLE_SECONDS = 10.0  # after which a thread goes: of thirty trainings at once all would stay for good


class _Worker:
    """A thread that does one job after another."""

    def __init__(self) -> None:
        self._jobs: SimpleQueue[tuple[set[int] | None, Callable[[], object]]] = SimpleQueue()
        self._thread = threading.Thread(target=self._loop, name="fastnet worker", daemon=True)
        self._thread.start()

    def _loop(self) -> None:
        while True:
            try:
                cores, job = self._jobs.get(timeout=IDLE_SECONDS)
            except Empty:
                if self._leave_idle():
                    return
                continue
            if cores is not None:
                cpu.may_use(cores)
            job()
            del job  # idle, the thread must not keep the arrays of its last job alive

    def start(self, job: Callable[[], object]) -> None:
        """Have a job done that raises nothing: begun on a core other than the caller's, where there is one."""
        thread = self._thread.native_id
        self._jobs.put((None if thread is None else cpu.wake_elsewhere(thread), job))

    def _leave_idle(self) -> bool:
        """Be had no more.  False where somebody has just taken it, and a job will come."""
        try:
            _idle.remove(self)
        except ValueError:
            return False
        return True

    def join(self) -> None:
        """Wait until all jobs are done.  Interrupted, it may be called again.

        A bare lock: waiting for an Event is Python code, which an interrupt can leave half done.
        """
        done = threading.Lock()
        done.acquire()
        self._jobs.put((None, done.release))
        while not done.acquire(timeout=NOTICE_SECONDS):
            pass


_idle: list[_Worker] = []


def _forget() -> None:
    """A forked child has the list, but not the threads."""
    _idle.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def run_on_workers(task: Task, workers: int, abort: Callable[[], object]) -> None:
    """Call task(0) .. task(workers - 1) at once, the first on this thread, and return when all are done.

    Raises what a task raised.  As soon as one fails, abort() is called, which must make the others return.
    Ctrl-C may come at any point: it, too, is raised only when no task runs any more.
    """
    if workers == 1:
        task(0)
        return
    started: list[_Worker] = []
    errors: list[BaseException] = []

    def guarded(number: int) -> None:
        try:
            task(number)
        except BaseException as error:
            errors.append(error)
            abort()

    try:
        for number in range(1, workers):
            started.append(_take())
            started[-1].start(partial(guarded, number))
        guarded(0)
    except BaseException as error:
        errors.append(error)
    aborted = False
    while started:
        try:
            if errors and not aborted:
                abort()
                aborted = True
            started[-1].join()
            _idle.append(started.pop())
        except BaseException as error:
            errors.append(error)
    if errors:
        raise errors[0]


def run_waiting(work: Callable[[], object], stop: Callable[[], object]) -> None:
    """Call work() on another thread and wait for it: Ctrl-C reaches a thread that waits, none in compiled code.

    It has stop() called, which must make work() return, and is raised then.
    """
    run_on_workers(lambda number: work() if number else None, 2, stop)


def _take() -> _Worker:
    try:
        return _idle.pop()
    except IndexError:
        return _Worker()
