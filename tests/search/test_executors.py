"""Executors: threads, processes, any other; shut down, broken, and tasks that they lose."""

import os
import signal
import sys
import threading
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from itertools import count
from multiprocessing import get_context

import numpy as np
import pytest

import fastnet
from fastnet.searching import SearchError


class Inline(Executor):
    """An executor of a kind of its own, that does a task when it is submitted."""

    def __init__(self, losses=0):
        self.losses = losses
        self.tasks = 0

    def submit(self, fn, /, *args, **kwargs):
        self.tasks += 1
        future = Future()
        if self.losses:
            self.losses -= 1
            future.cancel()
            future.set_running_or_notify_cancel()
        else:
            future.set_result(fn(*args, **kwargs))
        return future


def processes(number=2):
    return ProcessPoolExecutor(number, mp_context=get_context("spawn"))


@pytest.mark.parametrize("kind", ["threads", "processes", "another"])
def test_every_executor_gives_the_same_bits_and_stays_open(search, facts, kind):
    expected = facts(search())
    with {"threads": partial(ThreadPoolExecutor, 3), "processes": processes, "another": Inline}[kind]() as executor:
        assert facts(search(executor=executor)) == expected
        assert executor.submit(abs, -1).result() == 1


def test_processes_map_one_copy_of_the_data(search, clouds, monkeypatch):
    """What is sent with a task is small, however large the data."""
    sizes = []
    submit = ProcessPoolExecutor.submit

    def measuring(self, fn, /, *args):
        import pickle

        sizes.append(len(pickle.dumps((fn, args))))
        return submit(self, fn, *args)

    monkeypatch.setattr(ProcessPoolExecutor, "submit", measuring)
    X, y, X_val, y_val = clouds
    large = [np.repeat(X, 500, axis=0), np.repeat(y, 500), X_val, y_val]
    with processes() as executor:
        found = search(executor=executor, data=large)
    assert max(sizes) < 3000
    assert found.results == search(data=large).results


@pytest.mark.parametrize("kind", [partial(ThreadPoolExecutor, 1), processes])
def test_an_executor_that_is_shut_down_is_told(search, kind):
    executor = kind()
    executor.shutdown()
    with pytest.raises(SearchError, match=r"the executor takes no work .*expected one that is running: make a new one"):
        search(executor=executor)


def test_an_executor_that_is_shut_down_meanwhile_loses_nothing(search, facts, tmp_path):
    file = tmp_path / "search.jsonl"
    closed = threading.Event()

    class Held(ThreadPoolExecutor):
        """An executor whose third task waits until it has been shut down, however late that is."""

        def submit(self, fn, /, *args):
            held = closed.wait if next(numbers) == 2 else bool
            return super().submit(lambda: (held(), fn(*args))[1])

    numbers = count()
    with Held(1) as executor:

        def shut(progress):
            if progress.done == 2:
                executor.shutdown(wait=False, cancel_futures=True)
                closed.set()

        with pytest.raises(SearchError, match="the executor takes no work") as caught:
            search(executor=executor, journal=file, callback=shut)
    assert 2 <= len(caught.value.search.results) < 6
    assert facts(search(journal=file)) == facts(search())


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_a_process_that_dies_breaks_its_executor_and_what_had_finished_is_kept(search, facts, tmp_path):
    file = tmp_path / "search.jsonl"

    class Held(ProcessPoolExecutor):
        """An executor whose second task waits for ever."""

        def submit(self, fn, /, *args):
            return super().submit(signal.pause) if next(numbers) == 1 else super().submit(fn, *args)

    numbers = count(-1)
    with Held(1, mp_context=get_context("spawn")) as executor:
        pid = executor.submit(os.getpid).result()
        with pytest.raises(SearchError, match="the executor is broken, one of its processes has died") as caught:
            search(executor=executor, journal=file, callback=lambda progress: os.kill(pid, signal.SIGKILL))
    assert len(caught.value.search.results) == 1
    assert file.read_bytes().count(b"\n") == 2
    assert facts(search(journal=file)) == facts(search())


def test_a_task_that_is_lost_is_submitted_anew(search, facts):
    executor = Inline(losses=4)
    assert facts(search(executor=executor)) == facts(search())
    assert executor.tasks == 10


def test_a_point_that_is_lost_time_after_time_is_a_row(search):
    class Unlucky(Inline):
        def submit(self, fn, /, *args):
            self.losses = args[1].key == (0.1, 0.1)
            return super().submit(fn, *args)

    found = search(executor=Unlucky())
    assert {line["status"] for line in found.table[:-1]} == {"done"}
    assert found.table[-1]["reason"] == "lost by the executor 3 times"
    assert np.isnan(found.results[0.1, 0.1]).all()


def test_an_error_of_the_executors_own_is_a_row(search):
    class Failing(Inline):
        def submit(self, fn, /, *args):
            if args[1].key != (0.1, 0.1):
                return super().submit(fn, *args)
            future = Future()
            future.set_exception(MemoryError("no worker has so much"))
            return future

    assert search(executor=Failing()).table[-1]["reason"] == "MemoryError: no worker has so much"


def test_a_build_that_cannot_be_sent_is_told_with_the_mend(search):
    with processes(1) as executor, pytest.raises(ValueError, match=r"cannot send a task .*build it with functools"):
        search(executor=executor, build=lambda seed: fastnet.TwoLayerNet(2, 8, 3, seed=seed))


def test_an_interrupt_takes_back_what_waits_in_anothers_executor(search):
    def stop(progress):
        raise KeyboardInterrupt

    with ThreadPoolExecutor(1) as executor:
        with pytest.raises(KeyboardInterrupt):
            search({"num_iters": [10, 10**7, 10**7 + 1]}, executor=executor, callback=stop)
        assert executor.submit(abs, -1).result(timeout=60) == 1
