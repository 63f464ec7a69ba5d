"""`fastnet.search`: what it returns, and that how it was run changes no bit of it."""

import math
import signal
import subprocess
import sys
import threading
import time
from functools import partial, wraps

import numpy as np
import pandas
import pytest

import fastnet
from fastnet.searching import SearchError
from fastnet.searching.grid import check_grid, make_points
from fastnet.searching.trial import Plan, Rows, Watch, always, attempt
from fastnet.sklearn import TwoLayerClassifier


def trained_alone(point, seed, clouds, **settings):
    net = fastnet.TwoLayerNet(2, 8, 3, std=0.1, seed=seed)
    stats = net.train(*clouds, **point, num_iters=60, batch_size=20, **settings)
    return net, stats


def test_each_result_is_that_of_the_net_trained_alone(search, clouds):
    found = search()
    points = make_points(check_grid({"learning_rate": [0.01, 0.1, 0.5], "reg": [0.0, 0.1]}, ()), None, 0)
    X, y, X_val, y_val = clouds
    expected = {}
    for point in points:
        net, _ = trained_alone(point.values, point.seed, clouds)
        expected[point.key] = (np.mean(net.predict(X) == y), np.mean(net.predict(X_val) == y_val))
    assert found.results == expected
    assert list(found.results) == [(rate, reg) for rate in (0.01, 0.1, 0.5) for reg in (0.0, 0.1)]
    assert len(set(expected.values())) > 1


def test_the_best_is_the_first_of_the_highest_and_comes_with_its_history(search, clouds):
    found = search()
    accuracies = {key: val for key, (_, val) in found.results.items()}
    best = max(accuracies, key=accuracies.get)  # of equals the first
    assert tuple(found.best_point.values()) == best
    assert found.best_val == accuracies[best] == np.mean(found.best_net.predict(clouds[2]) == clouds[3])
    seed = next(p.seed for p in make_points({"learning_rate": [best[0]], "reg": [best[1]]}, None, 0))
    net, stats = trained_alone(found.best_point, seed, clouds)
    assert found.best_stats == stats
    np.testing.assert_array_equal(found.best_net.params["W1"], net.params["W1"])


def test_the_table_is_sorted_and_pandas_takes_it(search):
    frame = pandas.DataFrame(search().table)
    assert list(frame.columns[:4]) == ["learning_rate", "reg", "status", "train_accuracy"]
    assert frame["val_accuracy"].is_monotonic_decreasing
    assert (frame["status"] == "done").all()
    assert (frame["iterations"] == 60).all()
    assert (frame["seconds"] > 0).all()


@pytest.mark.parametrize("workers", [1, 3, 8])
def test_any_number_of_workers_gives_the_same_bits(search, facts, workers):
    assert facts(search(workers=workers)) == facts(search(workers=2))


def test_the_order_changes_no_net(search):
    turned = {"learning_rate": [0.5, 0.1, 0.01], "reg": [0.1, 0.0]}
    assert search(turned).results == search().results


def test_a_smaller_grid_trains_the_same_nets(search):
    assert search({"learning_rate": [0.1], "reg": [0.1]}).results.items() <= search().results.items()


@pytest.mark.parametrize("seeds", [(0, 0), (0, 1)])
def test_the_seed_decides_the_nets(search, facts, seeds):
    first, second = (facts(search(seed=seed)) for seed in seeds)
    assert (first == second) == (seeds[0] == seeds[1])


def test_a_seed_that_a_partial_has_given_stays(search, clouds):
    found = search({"reg": [0.1]}, build=partial(fastnet.TwoLayerNet, 2, 8, 3, std=0.1, seed=7), learning_rate=0.5)
    net, _ = trained_alone({"reg": 0.1, "learning_rate": 0.5}, 7, clouds)
    np.testing.assert_array_equal(found.best_net.params["W1"], net.params["W1"])


def test_names_go_to_build_or_to_train(search):
    build = partial(fastnet.TwoLayerNet, 2, output_size=3)
    grid = {"hidden_size": [3, 5], "std": [0.1], "optimizer": [fastnet.SGD(), fastnet.Adam()], "seed": [4]}
    found = search(grid, build=build, learning_rate=0.05)
    assert len(found.results) == 4
    assert found.best_net.params["b1"].shape == (found.best_point["hidden_size"],)
    assert found.best_stats == search({"optimizer": [found.best_point["optimizer"]]}, build=lambda: fastnet.TwoLayerNet(
        2, found.best_point["hidden_size"], 3, std=0.1, seed=4), learning_rate=0.05).best_stats  # fmt: skip


def test_a_failed_and_a_diverged_point_are_rows_that_say_so(search):
    found = search({"learning_rate": [0.1, 1e38], "reg": [0.1, -1.0]})
    status = {(line["learning_rate"], line["reg"]): (line["status"], line["reason"]) for line in found.table}
    assert status[0.1, 0.1] == ("done", "")
    assert status[1e38, 0.1][0] == "diverged"
    assert status[1e38, 0.1][1].endswith("left the finite numbers")
    for rate in (0.1, 1e38):
        kind, reason = status[rate, -1.0]
        assert kind == "failed"
        assert reason.startswith("ValueError: reg is -1.0, expected")
    assert all(math.isnan(accuracy) for accuracy in found.results[1e38, 0.1] + found.results[0.1, -1.0])
    assert found.best_point == {"learning_rate": 0.1, "reg": 0.1}
    assert found.table[0]["status"] == "done"


def test_rows_of_nets_that_did_not_end_well_say_how_far_they_came(search, monkeypatch):
    """As many iterations as had finished, whatever ended them; none where train refused."""
    train = fastnet.TwoLayerNet.train

    @wraps(train)
    def broken(self, *data, callback, reg, **settings):
        def breaking(progress):
            callback(progress)
            if progress.iteration == 7:
                if reg == 0.2:
                    raise MemoryError
                self.params["b2"][:] = np.nan

        breaking.steps_to_call = lambda done: 7 - done if done < 7 else 1
        return train(self, *data, callback=breaking, reg=reg, **settings)

    monkeypatch.setattr(fastnet.TwoLayerNet, "train", broken)
    with pytest.raises(fastnet.searching.SearchError) as caught:
        search({"reg": [0.1, 0.2, -1.0]}, learning_rate=0.1)
    rows = {line["reg"]: line for line in caught.value.search.table}
    assert {reg: (row["status"], row["iterations"]) for reg, row in rows.items()} == {
        0.1: ("diverged", 7), 0.2: ("failed", 7), -1.0: ("failed", 0),
    }  # fmt: skip
    assert rows[0.1]["reason"] == "iteration 7 left the finite numbers"


@pytest.mark.parametrize("reg", [0.1, -1.0])
def test_seconds_are_without_those_in_which_a_net_waited(clouds, build, reg):
    plan = Plan(build, frozenset(), True, {"num_iters": 3}, "val_accuracy")
    (point,) = make_points({"reg": [reg]}, None, 0)

    def watching(net):
        watch = Watch(net, always)
        watch.waited = -1e6
        return watch

    assert 1e6 <= attempt(plan, point, Rows(*clouds), watching).row.seconds < 2e6


def test_iterations_may_follow_from_the_combination(search):
    found = search({"batch_size": [5, 20]}, num_iters=lambda values: 300 // values["batch_size"])
    assert {line["batch_size"]: line["iterations"] for line in found.table} == {5: 60, 20: 15}
    found = search({"batch_size": [5, 0]}, num_iters=lambda values: 300 // values["batch_size"])
    assert found.table[-1]["reason"].startswith("ZeroDivisionError")


def test_a_diverged_net_is_not_trained_to_its_end(search):
    with pytest.raises(fastnet.searching.SearchError, match="2 diverged, 0 failed; try smaller learning rates"):
        search({"learning_rate": [1e38], "reg": [0.1, 0.2]}, num_iters=10**7, learning_rate_decay=1.0)


def test_where_nothing_could_be_trained_the_error_says_why(search):
    with pytest.raises(fastnet.searching.SearchError, match="1 diverged, 2 failed, the first with ValueError: le") as e:
        search({"learning_rate": [-1.0, 1e38, -2.0], "reg": [0.1]})
    assert [line["status"] for line in e.value.search.table].count("failed") == 2


def test_the_loss_as_metric(search, clouds):
    found = search(metric="val_loss")
    losses = [line["val_loss"] for line in found.table]
    assert losses == sorted(losses)
    scores = found.best_net.loss(clouds[2]).astype(float)
    expected = np.mean(np.log(np.exp(scores).sum(axis=1)) - scores[np.arange(60), clouds[3]])
    np.testing.assert_allclose(losses[0], expected, rtol=1e-6)
    assert found.best_val == found.table[0]["val_accuracy"]


def test_refit_trains_the_best_on_all_rows(search, clouds):
    found, plain = search(refit=True), search()
    X, y, X_val, y_val = clouds
    (point,) = make_points({name: [value] for name, value in plain.best_point.items()}, None, 0)
    net = fastnet.TwoLayerNet(2, 8, 3, std=0.1, seed=point.seed)
    stats = net.train(
        np.concatenate([X, X_val]), np.concatenate([y, y_val]), **point.values, num_iters=60, batch_size=20
    )
    np.testing.assert_array_equal(found.best_net.params["W2"], net.params["W2"])
    assert found.best_stats == stats
    assert (found.best_val, found.results) == (plain.best_val, plain.results)


def test_the_callback_hears_of_each_point_and_of_the_time_left(search):
    heard = []
    found = search(callback=heard.append, workers=1)
    assert [(progress.done, progress.total) for progress in heard] == [(k, 6) for k in range(1, 7)]
    assert [tuple(progress.point.values()) for progress in heard] == list(found.results)
    assert {repr(progress.row) for progress in heard} == set(map(repr, found.table))
    assert heard[-1].best_val == found.best_val
    assert heard[-1].seconds_left == 0.0
    assert [p.seconds_left / p.seconds for p in heard[:2]] == pytest.approx([5, 2])


def test_nets_train_side_by_side_on_one_copy_of_the_data(search, clouds, build):
    """Two nets wait for each other in the middle of training: alone neither would go on."""
    meeting, seen = threading.Barrier(2, timeout=60), []

    class Meeting(fastnet.TwoLayerNet):
        def train(self, X, *others, callback, threads, **settings):
            seen.append((X.__array_interface__["data"][0], threads))
            meeting.wait()
            return super().train(X, *others, callback=callback, threads=threads, **settings)

    search({"reg": [0.0, 0.1]}, build=lambda seed: Meeting(2, 8, 3, seed=seed), workers=2)
    assert seen == [(clouds[0].__array_interface__["data"][0], 1)] * 2


@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
def test_what_ends_a_search_carries_what_had_finished_and_ends_the_threads(search, error):
    def end(progress):
        if progress.done == 2:
            raise error

    with pytest.raises(error) as caught:
        search({"num_iters": [10, 20, 10**7]}, callback=end, workers=3, learning_rate_decay=1.0)
    partial_result = caught.value.search
    assert sorted(partial_result.results) == [(10,), (20,)]
    assert partial_result.best_net is not None
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("fastnet search")]


@pytest.mark.skipif(sys.platform == "win32", reason="of POSIX signals")
@pytest.mark.parametrize("halving", [None, 2])
def test_an_interrupt_that_came_just_before_the_wait_is_noticed(search, halving):
    """Else it would be when the next net has ended, which may be hours from then."""

    main, done = threading.main_thread().ident, []

    class Told(fastnet.TwoLayerNet):
        def train(self, *data, **settings):
            try:
                super().train(*data, **settings)
            finally:
                done.append(len(self.history["loss_history"]))

    def build(seed):
        place, before = None, ...
        while place != before:  # until it waits
            time.sleep(0.01)
            frame, before = sys._current_frames()[main], place
            place = frame.f_code, frame.f_lasti
        # To this thread: like a signal just before the search waits, it does not end the wait.
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)
        return Told(2, 8, 3, seed=seed)

    with pytest.raises(KeyboardInterrupt):
        search({"reg": [0.0, 0.1]}, build, num_iters=10**5, learning_rate_decay=1.0, workers=1, halving=halving)
    assert max(done) < 50_000  # of the first rung


def test_a_read_only_memory_map_will_do(search, clouds, tmp_path, facts):
    arrays = []
    for number, array in enumerate(clouds):
        np.save(tmp_path / f"{number}.npy", array)
        arrays.append(np.load(tmp_path / f"{number}.npy", mmap_mode="r"))
    assert facts(search(data=arrays)) == facts(search())


def test_the_function_is_there_without_an_import_of_its_own():
    code = "import sys, fastnet; print('fastnet.searching' in sys.modules, fastnet.search, fastnet.LogUniform(1, 2))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert result.stdout.startswith("False <function search")
    assert result.stderr == ""


@pytest.mark.parametrize("options", [{}, {"halving": 3}])
def test_what_train_would_have_warned_of_stands_in_the_row_of_its_net(search, options):
    """Of many nets a warning would not say which; here warnings are errors, and fail the net that has one."""
    grid = {"learning_rate": [1e-7, 0.1, 0.5], "learning_rate_decay": [1.0, 0.5]}
    build = partial(fastnet.TwoLayerNet, 2, 8, 3, std=1e-3)
    found = search(grid, build, reg=0.0, num_iters=600, metric="val_loss", **options)
    reasons = {(line["learning_rate"], line["learning_rate_decay"]): line["reason"] for line in found.table}
    assert reasons[0.5, 1.0] == ""
    assert all("a decay of 0.5 after each of" in reason for (_, decay), reason in reasons.items() if decay == 0.5)
    if not options:
        assert "the loss is still ln 3" in reasons[1e-7, 1.0]
        assert "; after 600 iterations the loss is still ln 3" in reasons[1e-7, 0.5]


WRONG_BUILDS = {
    "an estimator": (TwoLayerClassifier, "build returned an object of type TwoLayerClassifier, expected"),
    "nothing": (lambda: None, "build returned an object of type NoneType, expected a TwoLayerNet"),
}


@pytest.mark.parametrize("options", [{}, {"halving": 3}], ids=["all", "halving"])
@pytest.mark.parametrize("name", WRONG_BUILDS)
def test_a_build_that_returns_no_net_is_told(search, name, options):
    build, complaint = WRONG_BUILDS[name]
    with pytest.raises(SearchError, match=f"6 failed, the first with ValueError: {complaint}"):
        search(build=lambda: build(), **options)


@pytest.mark.parametrize("options", [{"workers": 1}, {"workers": 2}, {"halving": 3}], ids=["one", "two", "halving"])
def test_a_net_is_trained_once_though_build_returns_it_again(search, build, clouds, options):
    """One after another they would go on where the one before stopped, and the best net be the last of them."""
    net = build(seed=0)
    found = search(build=lambda: net, **options)
    assert sum(line["status"] == "failed" for line in found.table) == 5
    assert "ValueError: build returned the same net twice" in found.table[-1]["reason"]
    X_val, y_val = clouds[2:]
    assert found.best_val == np.mean(net.predict(X_val) == y_val)
