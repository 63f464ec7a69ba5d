"""How many workers a training has, by the clock: on machines that are made up here, functions to seconds of a run."""

import numpy as np
import pytest

import fastnet
from fastnet.engine.compilation import cpu
from fastnet.engine.threads import crew
from fastnet.engine.threads.crew import Crew, crew_for

STEP = 1e-4  # seconds of a step on one worker
LONGEST = 0.1  # of a run, as training has it


def work(found, seconds, total):
    """Run steps for so many seconds in all: the seconds and the steps of each number of workers."""
    spent, steps = {}, {}
    while sum(spent.values()) < total:
        workers, count = found.workers, min(found.most_steps, int(LONGEST / STEP))
        taken = seconds(workers, count)
        found.observe(count, taken)
        spent[workers] = spent.get(workers, 0.0) + taken
        steps[workers] = steps.get(workers, 0) + count
    return spent, steps


def steady(factor):
    """A machine on which two workers take so many times as long as one, and waking one takes 50 us."""
    return lambda workers, steps: STEP * steps if workers == 1 else 5e-5 + factor * STEP * steps


def blocked(workers, steps):
    """One on which a second worker must wait for a core, in each step."""
    return STEP * steps if workers == 1 else 0.02 * steps


@pytest.mark.parametrize("first", [1, 2])
def test_the_quicker_number_does_nearly_all_steps(first):
    for factor, better in ((0.6, 2), (1.5, 1)):
        _, steps = work(Crew(first, 3 - first), steady(factor), 1.0)
        assert steps[better] > 0.95 * sum(steps.values())


def test_one_worker_does_what_two_hardly_gain():
    _, steps = work(Crew(1, 2), lambda workers, steps: STEP * steps * (1.0 if workers == 1 else 0.97), 1.0)
    assert steps[1] > 0.9 * sum(steps.values())


def test_the_first_run_after_a_change_tells_nothing():
    before = [1]

    def seconds(workers, steps):
        cold, before[0] = workers != before[0], workers
        return STEP * (steps * (1.0 if workers == 1 else 0.93) + (1.2 if cold else 0.0))

    _, steps = work(Crew(1, 2), seconds, 1.0)
    assert steps[2] > 0.9 * sum(steps.values())


def test_trials_that_are_blocked_are_short_and_rare():
    spent, steps = work(Crew(1, 2), blocked, 5.0)
    assert steps[2] * 0.02 == pytest.approx(spent[2])
    assert 0 < spent[2] < 5.0 / crew.PATIENCE + 0.02
    # Begun with two, the first runs tell; those are all there are but for the trials.
    spent, _ = work(Crew(2, 1), blocked, 5.0)
    assert spent[2] < 0.3


@pytest.mark.parametrize(("factor", "better"), [(0.6, 2), (1.5, 1)])
def test_what_was_found_is_believed_for_a_while(factor, better, monkeypatch):
    now, work_of = [100.0], 3 * crew.WORTH_IN_A_RUN
    monkeypatch.setattr(crew, "_found", {})
    monkeypatch.setattr(crew, "cores_for_one", lambda: 2)
    monkeypatch.setattr(crew, "perf_counter", lambda: now[0])

    def begun(multiply_adds=work_of):
        return crew_for(None, multiply_adds, crew.WORTH_IN_A_RUN, most=6)

    assert begun().workers == 2
    work(begun(), steady(factor), 1.0)
    spent, _ = work(begun(), steady(factor), 0.5 * crew.WAIT)
    assert spent.keys() == {better}  # no trial yet
    assert begun(2 * work_of).workers == 2  # another work
    now[0] += crew.SOON
    assert begun().workers == 2
    for n in range(3 * crew.MOST_REMEMBERED):
        work(begun(work_of + n), steady(factor), 2 * crew.TRIAL)
    assert 0 < len(crew._found) <= crew.MOST_REMEMBERED


def test_load_that_comes_and_goes():
    found = Crew(1, 2)
    work(found, steady(0.6), 1.0)
    assert found.workers == 2
    long = LONGEST / STEP * 0.02  # seconds of the run that load comes into
    spent, _ = work(found, blocked, long + 2.0)
    assert spent[2] < long + 0.1
    work(found, steady(0.6), 3.0)
    assert found.workers == 2


def test_a_number_that_is_given_stays(monkeypatch):
    monkeypatch.setattr(crew, "cores_for_one", lambda: 8)
    for threads, workers in ((1, 1), (3, 3), (9, 6)):
        found = crew_for(threads, 10**9, crew.WORTH_IN_A_RUN, most=6)
        assert found.workers == workers
        assert found.most_steps > 10**9
        assert set(work(found, steady(0.5 if threads == 1 else 2.0), 1.0)[0]) == {workers}


@pytest.mark.parametrize(
    ("multiply_adds", "worth", "numbers"),
    [
        (900_000, crew.WORTH_IN_A_RUN, {1}),
        (2_000_000, crew.WORTH_IN_A_RUN, {1, 4}),
        (2_000_000, crew.WORTH_IN_A_CALL, {1, 4}),
        (50_000_000, crew.WORTH_IN_A_CALL, {1, 6}),
    ],
)
def test_numbers_that_are_tried(monkeypatch, multiply_adds, worth, numbers):
    monkeypatch.setattr(crew, "cores_for_one", lambda: 8)
    found = crew_for(None, multiply_adds, worth, most=6)
    assert found.workers == (1 if worth == crew.WORTH_IN_A_CALL and multiply_adds < 10**7 else max(numbers))
    assert set(work(found, steady(0.6), 1.0)[0]) == numbers


@pytest.mark.parametrize(("text", "cores"), [("1", 1), ("2", 2), ("64", 8), ("2,4", 2), ("", 8), ("0", 8), ("two", 8)])
def test_openmps_variable_is_a_limit(monkeypatch, text, cores):
    monkeypatch.setattr(cpu, "usable_cores", lambda: 8)
    monkeypatch.setenv("OMP_NUM_THREADS", text)
    assert cpu.cores_for_one() == cores
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert cpu.cores_for_one() == 8


@pytest.mark.parametrize("precision", ["highest", "medium"])
def test_a_change_between_runs_changes_no_bit(monkeypatch, precision):
    rng = np.random.default_rng(0)
    X, y = rng.integers(0, 256, (500, 120), np.uint8), rng.integers(0, 10, 500)

    def trained(threads):
        net = fastnet.TwoLayerNet(120, 100, 10, std=0.1, seed=1)
        net.normalization, net.matmul_precision = fastnet.Normalization.fit(X, scale=True), precision
        losses = net.train(X, y, num_iters=60, threads=threads, optimizer=fastnet.Adam())["loss_history"]
        return losses, *(value.tobytes() for value in net.params.values())

    expected, numbers = trained(1), []

    def another(self, steps, seconds):
        numbers.append(self.workers)
        self.workers, self.most_steps = len(numbers) % 3 + 1, 7

    monkeypatch.setattr(Crew, "observe", another)
    monkeypatch.setattr(crew, "cores_for_one", lambda: 3)
    assert trained(None) == expected
    assert set(numbers) == {1, 2, 3}
