"""Workers and their barrier: they meet, they leave when told to, and no failure leaves one waiting."""

import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from fastnet.engine.compilation import cpu, kernel
from fastnet.engine.emitting.arrays import Matrix
from fastnet.engine.session import Trainer
from fastnet.engine.step.memory import Layer, Source
from fastnet.engine.step.rules import Rule
from fastnet.engine.threads import barrier, workers
from fastnet.engine.threads.workers import run_on_workers, run_waiting


def zeros(rows, columns):
    return Matrix(np.zeros((rows, columns), np.int64))


@kernel.program
def rounds(meeting, workers, worker, count, seen, counts):
    """count rounds: each worker adds 1 to its own number, meets, and checks that all others did."""
    for k in range(count):
        counts[worker, 0] += 1
        if not barrier.wait(meeting, workers):
            return False
        for other in range(workers):
            if counts[other, 0] != k + 1:
                seen[0, worker] += 1
        if not barrier.wait(meeting, workers):
            return False
    return True


@kernel.program
def stopping(meeting, workers, worker, counts):
    """A round that is left where all are told to stop."""
    if not barrier.wait_or_leave(meeting, worker, workers):
        return False
    counts[worker, 0] += 1
    return barrier.wait(meeting, workers)


@pytest.mark.parametrize("workers", [1, 2, 3, 8])
def test_nobody_passes_before_all_have_come(workers):
    meeting, seen, counts = (
        barrier.new_barrier(),
        zeros(1, workers),
        zeros(workers, 8),
    )
    done = []
    run_on_workers(lambda w: done.append(rounds(meeting, workers, w, 300, seen, counts)), workers, lambda: None)
    assert done == [True] * workers
    assert not seen.array.any()


def test_an_abort_sends_the_waiting_away():
    meeting, seen, counts = (
        barrier.new_barrier(),
        zeros(1, 2),
        zeros(2, 8),
    )
    left = []
    thread = threading.Thread(target=lambda: left.append(rounds(meeting, 2, 0, 10, seen, counts)), daemon=True)
    thread.start()
    while meeting.array[0, barrier.ARRIVED] == 0:  # until it waits for a worker that never comes
        time.sleep(0.001)
    barrier.abort(meeting)
    thread.join(60)
    assert left == [False]
    assert rounds(meeting, 2, 1, 10, seen, counts) is False


@pytest.mark.parametrize("failing", [0, 1, 2])
def test_a_failing_worker_frees_the_others_and_its_error_is_raised(failing):
    meeting, seen, counts = (
        barrier.new_barrier(),
        zeros(1, 3),
        zeros(3, 8),
    )

    def task(worker):
        if worker == failing:
            raise LookupError(f"worker {worker}")
        rounds(meeting, 3, worker, 10, seen, counts)

    with pytest.raises(LookupError, match=f"worker {failing}"):
        run_on_workers(task, 3, lambda: barrier.abort(meeting))


def test_a_thread_that_cannot_start_frees_those_that_did(monkeypatch):
    from fastnet.engine.threads import workers as module

    meeting, seen, counts = (
        barrier.new_barrier(),
        zeros(1, 3),
        zeros(3, 8),
    )
    rounds(meeting, 1, 0, 1, seen, counts)  # compiled beforehand
    taken = []

    def take(original=module._take):
        if taken:
            raise RuntimeError("can't start new thread")
        taken.append(original())
        return taken[-1]

    monkeypatch.setattr(module, "_take", take)
    meeting = barrier.new_barrier()
    with pytest.raises(RuntimeError, match="start new thread"):
        run_on_workers(lambda w: rounds(meeting, 3, w, 10, seen, counts), 3, lambda: barrier.abort(meeting))


def test_ctrl_c_while_waiting_is_raised_when_all_are_done(monkeypatch):
    done, interrupts = [], [KeyboardInterrupt(), KeyboardInterrupt()]

    def join(worker, original=workers._Worker.join):
        if interrupts:
            raise interrupts.pop()
        original(worker)

    def task(worker):
        if worker:
            time.sleep(0.05)  # so that the interrupt finds it at work; if not, the test is only easier
        done.append(worker)

    monkeypatch.setattr(workers._Worker, "join", join)
    with pytest.raises(KeyboardInterrupt):
        run_on_workers(task, 3, lambda: None)
    assert sorted(done) == [0, 1, 2]


def test_workers_are_used_again(monkeypatch):
    others = workers._idle
    monkeypatch.setattr(workers, "_idle", [])
    monkeypatch.setattr(workers, "IDLE_SECONDS", 600)  # however slow this machine is, they stay
    run_on_workers(lambda w: None, 3, lambda: None)
    before = set(workers._idle)
    assert len(before) == 2
    for _ in range(20):
        run_on_workers(lambda w: None, 3, lambda: None)
    assert set(workers._idle) == before
    others += workers._idle


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform has no fork")
def test_a_forked_child_makes_workers_of_its_own():
    code = """
import os, sys, warnings
warnings.simplefilter("ignore")  # Python 3.12 warns of forking a process with threads: that is the case here
from fastnet.engine.threads.workers import run_on_workers, run_waiting
run_on_workers(lambda w: None, 3, lambda: None)
child = os.fork()
if child == 0:
    done = []
    run_on_workers(done.append, 3, lambda: None)
    os._exit(0 if sorted(done) == [0, 1, 2] else 1)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    assert subprocess.run([sys.executable, "-c", code], timeout=120).returncode == 0


def test_the_control_group_limits_the_cores(tmp_path):
    assert cpu._cgroup_quota(str(tmp_path)) is None
    (tmp_path / "cpu.max").write_text("max 100000\n")
    assert cpu._cgroup_quota(str(tmp_path)) is None
    (tmp_path / "cpu.max").write_text("150000 100000\n")
    assert cpu._cgroup_quota(str(tmp_path)) == 1.5
    (tmp_path / "cpu.max").unlink()
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text("-1\n")
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000\n")
    assert cpu._cgroup_quota(str(tmp_path)) is None
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text("300000\n")
    assert cpu._cgroup_quota(str(tmp_path)) == 3


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this platform has no affinity")
def test_affinity_limits_the_cores():
    one = min(os.sched_getaffinity(0))
    code = (
        f"import os; os.sched_setaffinity(0, {{{one}}})\n"
        "from fastnet.engine.compilation import cpu; print(cpu.usable_cores())"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert out.stdout.strip() == "1"


def test_a_worker_begins_with_the_cores_that_it_was_kept_off_for_a_moment(monkeypatch):
    calls = []
    monkeypatch.setattr(cpu, "wake_elsewhere", lambda thread: calls.append(thread) or {5, thread})
    monkeypatch.setattr(cpu, "may_use", lambda cores: calls.append((threading.get_native_id(), cores)))
    run_on_workers(lambda worker: calls.append("task") if worker else None, 2, lambda: None)
    thread = calls[0]
    assert thread not in (threading.get_native_id(), 0)  # 0 would be the caller
    assert calls == [thread, (thread, {5, thread}), "task"]


@pytest.mark.parametrize(
    ("core", "cores", "kept", "masks"),
    [(2, {0, 2, 5}, {0, 2, 5}, [(123, {0, 5})]), (2, {2}, {2}, [(123, {2})]), (-1, {0, 2}, None, [])],
)
def test_a_sleeping_thread_is_kept_off_the_caller_s_core(monkeypatch, core, cores, kept, masks):
    seen = []
    monkeypatch.setattr(cpu, "current_core", lambda: core)
    monkeypatch.setattr(cpu.os, "sched_getaffinity", lambda pid: cores, raising=False)
    monkeypatch.setattr(cpu.os, "sched_setaffinity", lambda pid, mask: seen.append((pid, mask)), raising=False)
    assert cpu.wake_elsewhere(123) == kept
    assert seen == masks


def test_where_cores_cannot_be_chosen_they_are_not(monkeypatch):
    def refuse(pid, mask):
        raise PermissionError

    monkeypatch.setattr(cpu, "current_core", lambda: 0)
    monkeypatch.setattr(cpu.os, "sched_getaffinity", lambda pid: {0, 1}, raising=False)
    monkeypatch.setattr(cpu.os, "sched_setaffinity", refuse, raising=False)
    assert cpu.wake_elsewhere(123) is None
    cpu.may_use({0, 1})


def test_where_the_system_does_not_tell_its_cores_nobody_is_kept_off(monkeypatch):
    monkeypatch.setattr(cpu.sys, "platform", "darwin")
    for name in ("sched_getaffinity", "sched_setaffinity"):
        monkeypatch.delattr(cpu.os, name, raising=False)
    cpu._getcpu.cache_clear()
    try:
        assert cpu.current_core() == -1
        assert cpu.wake_elsewhere(123) is None
    finally:
        cpu._getcpu.cache_clear()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a thread's core")
def test_workers_may_use_the_cores_of_their_caller():
    allowed = os.sched_getaffinity(0)
    assert cpu.current_core() in allowed
    found = []
    try:
        for cores in ({min(allowed)}, allowed):
            os.sched_setaffinity(0, cores)
            run_on_workers(lambda worker: found.append(os.sched_getaffinity(0)), 4, lambda: None)
            assert found == [cores] * 4
            found.clear()
    finally:
        os.sched_setaffinity(0, allowed)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this platform has no timers that send signals")
def test_a_join_can_be_interrupted_and_called_again():
    worker = workers._Worker()
    go = threading.Event()
    worker.start(go.wait)
    old = signal.signal(signal.SIGALRM, lambda number, frame: signal.default_int_handler(number, frame))

    def interrupted():
        signal.setitimer(signal.ITIMER_REAL, 0.002)
        worker.join()

    try:
        for _ in range(20):
            with pytest.raises(KeyboardInterrupt):  # which may come at any point
                interrupted()
    finally:
        signal.signal(signal.SIGALRM, old)
    go.set()
    worker.join()


def test_more_workers_than_units_of_work_are_not_started():
    layers = (Layer.zeros(300, 5, np.dtype(np.float32)),)
    source = Source(*(np.zeros(shape, dtype) for shape, dtype in (((9, 300), "u1"), (9, "i8"), ((1, 300), "f4"))), None)
    for rows in (1, 9, 500):
        trainer = Trainer(layers, source, rows, Rule("sgd"), threads=1000)
        assert 1 < trainer.workers < 100
        assert Trainer(layers, source, rows, Rule("sgd"), threads=2).workers == 2


def test_further_interrupts_leave_no_worker_waiting():
    meeting, seen, counts = barrier.new_barrier(), zeros(1, 2), zeros(2, 8)
    aborts = []

    def abort():
        aborts.append(None)
        if len(aborts) < 3:  # interrupted while it aborts, and again while it does so anew
            raise KeyboardInterrupt
        barrier.abort(meeting)

    def task(worker):
        if worker == 0:
            raise KeyboardInterrupt
        rounds(meeting, 2, worker, 10, seen, counts)

    with pytest.raises(KeyboardInterrupt):
        run_on_workers(task, 2, abort)
    assert len(aborts) == 3


def test_idle_threads_go_and_others_come(monkeypatch):
    monkeypatch.setattr(workers, "_idle", [])
    monkeypatch.setattr(workers, "IDLE_SECONDS", 0.05)
    before, seen = set(threading.enumerate()), []
    for _ in range(2):
        workers.run_on_workers(seen.append, 6, lambda: None)
        mine = set(threading.enumerate()) - before
        assert len(mine) <= 5
        for thread in mine:
            thread.join(60)  # only so that one that stays fails
            assert not thread.is_alive()
        assert workers._idle == []
    assert sorted(seen) == sorted([*range(6)] * 2)


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="this platform has no signals to threads")
def test_ctrl_c_stops_work_that_is_waited_for_and_is_raised_after_it(monkeypatch):
    stopped, done = threading.Event(), []
    old = signal.signal(signal.SIGINT, signal.default_int_handler)

    def work():
        # To this thread: like one to the waiting thread that comes just before its wait begins, it does not end that.
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)
        done.append(stopped.wait(60))  # only so that one that is not stopped fails

    try:
        with pytest.raises(KeyboardInterrupt):
            run_waiting(work, stopped.set)
    finally:
        signal.signal(signal.SIGINT, old)
    assert done == [True]


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_workers_that_are_stopped_leave_together(workers):
    meeting, rounds_done = barrier.new_barrier(), zeros(workers, 8)
    barrier.stop(meeting)
    done = []
    run_on_workers(lambda w: done.append(stopping(meeting, workers, w, rounds_done)), workers, lambda: None)
    assert done == [False] * workers
    assert rounds_done.array[:, 0].tolist() == [0] * workers
