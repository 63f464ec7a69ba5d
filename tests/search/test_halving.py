"""Successive halving: who goes on, and that a net that does is the same as one that never stopped."""

import inspect
import threading
from itertools import count

import numpy as np
import pytest

import fastnet
from fastnet.searching import SearchError
from fastnet.searching.grid import check_grid, make_points
from fastnet.searching.halving import Rungs

GRID = {"learning_rate": [0.001, 0.01, 0.1, 0.3], "reg": [0.0, 0.1]}
SETTINGS = {"num_iters": 80, "batch_size": 20}


def alone(point, clouds, num_iters, **settings):
    net = fastnet.TwoLayerNet(2, 8, 3, std=0.1, seed=point.seed)
    net.train(*clouds, **point.values, num_iters=num_iters, batch_size=20, **settings)
    return net


def accuracy(net, X, y):
    return np.mean(net.predict(X) == y)


@pytest.mark.parametrize(
    ("points", "factor", "num_iters", "iterations", "survivors"),
    [
        (8, 2, 80, (10, 20, 40, 80), (4, 2, 1)),
        (9, 3, 4000, (444, 1333, 4000), (3, 1)),
        (7, 2, 100, (25, 50, 100), (3, 1)),
        (1, 2, 100, (100,), ()),
        (2, 3, 100, (100,), ()),
        (64, 4, 5, (1, 5), (16,)),
        (8, 2, 1, (1,), ()),
    ],
)
def test_rungs(points, factor, num_iters, iterations, survivors):
    assert Rungs.of(points, factor, num_iters) == Rungs(iterations, survivors)


@pytest.mark.parametrize(
    "settings",
    [{}, {"optimizer": fastnet.Adam()}, {"sampling": "shuffle"}, {"optimizer": fastnet.Momentum(), "batch_size": 7}],
    ids=["sgd", "adam", "shuffle", "momentum"],
)
def test_every_net_is_that_of_an_unbroken_run_of_its_length(search, clouds, settings):
    found = search(GRID, halving=2, **{**SETTINGS, **settings})
    lengths = sorted(line["iterations"] for line in found.table)
    assert lengths == [10] * 4 + [20] * 2 + [40, 80]
    X, y, X_val, y_val = clouds
    for point, row in found.finished:
        net = fastnet.TwoLayerNet(2, 8, 3, std=0.1, seed=point.seed)
        net.train(*clouds, **point.values, **{**SETTINGS, **settings, "num_iters": row.iterations})
        assert found.results[point.key] == (accuracy(net, X, y), accuracy(net, X_val, y_val))
        if row.status == "done":
            for name, value in net.params.items():
                np.testing.assert_array_equal(found.best_net.params[name], value)
            assert len(found.best_stats["loss_history"]) == 80


def test_the_better_ones_go_on(search, clouds):
    found = search(GRID, halving=2, **SETTINGS)
    racing = make_points(check_grid(GRID, ()), None, 0)
    for rung, survivors in ((10, 4), (20, 2), (40, 1)):
        scores = {p.number: accuracy(alone(p, clouds, rung), *clouds[2:]) for p in racing}
        racing = sorted(racing, key=lambda p: (-scores[p.number], p.number))
        for dropped in racing[survivors:]:
            line = next(line for line in found.table if (line["learning_rate"], line["reg"]) == dropped.key)
            assert (line["status"], line["iterations"]) == ("stopped", rung)
        racing = racing[:survivors]
    assert tuple(found.best_point.values()) == racing[0].key
    assert [line["iterations"] for line in found.table] == [80, 40, 20, 20, 10, 10, 10, 10]


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_any_number_of_workers_gives_the_same_bits(search, facts, workers):
    assert facts(search(GRID, halving=2, workers=workers, **SETTINGS)) == facts(search(GRID, halving=2, **SETTINGS))


def test_no_more_nets_train_at_once_than_there_are_workers(search, monkeypatch):
    running, most = set(), []
    calls, meeting = count(), threading.Barrier(2, timeout=60)
    gradient = fastnet.engine.session.Trainer.run

    def run(self, *arguments):
        running.add(threading.get_ident())
        most.append(len(running))
        if next(calls) < 2:  # or a net would be through before the next one is awake
            meeting.wait()
        try:
            return gradient(self, *arguments)
        finally:
            running.discard(threading.get_ident())

    monkeypatch.setattr(fastnet.engine.session.Trainer, "run", run)
    search(GRID, halving=2, workers=2, **SETTINGS)
    assert max(most) == 2


def test_failed_and_diverged_nets_leave_their_places_to_others(search):
    grid = {"learning_rate": [0.1, 1e38, -1.0, 0.2]}
    found = search(grid, halving=2, reg=0.1, **SETTINGS)
    status = {line["learning_rate"]: line["status"] for line in found.table}
    assert status[1e38] == "diverged"
    assert status[-1.0] == "failed"
    assert sorted([status[0.1], status[0.2]]) == ["done", "stopped"]


def test_a_net_that_diverges_after_a_rung_is_a_row(search, monkeypatch):
    """With the best one gone the other one, dropped before, is not called back: the best is none."""
    train = fastnet.TwoLayerNet.train

    def spoiling(self, *data, callback, **settings):
        def spoil(progress):
            callback(progress)
            if progress.iteration >= 40:
                self.params["b2"][:] = np.nan

        spoil.steps_to_call = callback.steps_to_call
        return train(self, *data, callback=spoil, **settings)

    spoiling.__signature__ = inspect.signature(train)
    monkeypatch.setattr(fastnet.TwoLayerNet, "train", spoiling)
    with pytest.raises(fastnet.searching.SearchError, match="1 diverged, 0 failed") as caught:
        search({"reg": [0.0, 0.1]}, halving=2, learning_rate=0.1, **SETTINGS)
    assert sorted(line["status"] for line in caught.value.search.table) == ["diverged", "stopped"]


def test_what_ends_a_thread_ends_the_search(search):
    def build(std, seed):
        if std == 0.2:
            raise SystemExit(3)
        return fastnet.TwoLayerNet(2, 8, 3, std=std, seed=seed)

    with pytest.raises(SystemExit):
        search({"std": [0.1, 0.2], "reg": [0.0, 0.1]}, build=build, halving=2, learning_rate=0.1, **SETTINGS)


def test_the_time_left_shrinks_to_nothing(search):
    heard = []
    search(GRID, halving=2, callback=heard.append, **SETTINGS)
    assert [progress.done for progress in heard] == list(range(1, 9))
    assert heard[-1].seconds_left == 0.0
    assert all(progress.seconds_left > 0 for progress in heard[:-1])


@pytest.mark.parametrize("after", [1, 3, 5, 7])
def test_an_interrupted_search_resumes_to_the_same_end(search, facts, trained, tmp_path, after):
    whole = facts(search(GRID, halving=2, **SETTINGS))

    def stop(progress):
        if progress.done == after:
            raise KeyboardInterrupt

    file = tmp_path / "search.jsonl"
    with pytest.raises(KeyboardInterrupt):
        search(GRID, halving=2, journal=file, callback=stop, **SETTINGS)
    assert not [thread for thread in threading.enumerate() if thread.name == "fastnet search"]
    trained.clear()
    assert facts(search(GRID, halving=2, journal=file, **SETTINGS)) == whole
    assert len(trained) == 8 - after


def test_an_interrupt_ends_nets_that_would_train_for_ever(search):
    def stop(progress):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        search(
            {"learning_rate": [0.1, 1e38]},
            halving=2,
            reg=0.1,
            num_iters=10**7,
            learning_rate_decay=1.0,
            workers=2,  # on one core, too, where the second net would else wait for the first
            callback=stop,
        )
    assert not [thread for thread in threading.enumerate() if thread.name == "fastnet search"]


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"halving": 1}, "halving is 1, expected an integer of at least 2"),
        ({"halving": 2.5}, "halving is 2.5, expected an integer"),
        ({"halving": 2, "num_iters": 0}, "num_iters is 0, expected an integer of at least 1"),
        ({"halving": 2, "indices": np.zeros((5, 2), int)}, "halving shares out num_iters, the same for all nets"),
        ({"halving": 2, "grid": {"num_iters": [5, 10]}}, "halving shares out num_iters, the same for all nets"),
    ],
)
def test_what_halving_cannot_do_is_refused(search, trained, options, complaint):
    with pytest.raises(ValueError, match=complaint):
        search(**options)
    assert trained == []


@pytest.mark.parametrize(
    ("failure", "told", "match"),
    [(RuntimeError("can't start new thread"), SearchError, "takes a thread for each net.*search fewer nets"),
     (KeyboardInterrupt(), KeyboardInterrupt, None)],
)  # fmt: skip
def test_what_ends_the_starting_of_nets_ends_those_that_run(search, monkeypatch, failure, told, match):
    """They would wait at their first rung for good."""
    start, started = threading.Thread.start, []

    def sometimes(thread):
        if thread.name == "fastnet search":
            if len(started) == 3:
                raise failure
            started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", sometimes)
    with pytest.raises(told, match=match):
        search(GRID, halving=2, **SETTINGS)
    assert len(started) == 3
    assert not any(thread.is_alive() for thread in started)


def test_a_halving_whose_last_net_diverges_says_how_many_were_stopped(search):
    def schedule(iterations):
        return np.where(iterations < 45, 1e-3, 1e30)

    with pytest.raises(SearchError, match="to its end: 1 diverged, 0 failed, 7 were stopped on the way; try") as caught:
        search({"reg": np.linspace(0, 0.1, 8).tolist()}, halving=2, schedule=schedule, **SETTINGS)
    assert len(caught.value.search.results) == 8
