"""Input of a search that does not fit: refused before any training, by a message that says what was expected."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import fastnet
from fastnet.schedules import Clock

REFUSED = {
    "a list": ({"grid": [0.1]}, "grid is of type list, expected a dictionary"),
    "an empty grid": ({"grid": {}}, "grid is empty, expected at least one name"),
    "no values": ({"grid": {"reg": []}}, r"grid\['reg'\] is empty, expected at least one value"),
    "a number for a list": ({"grid": {"reg": 0.1}}, r"grid\['reg'\] is 0.1, expected a list of values or a LogUniform"),
    "a word for a list": ({"grid": {"sampling": "shuffle"}}, r"grid\['sampling'\] is 'shuffle', expected a list"),
    "a value twice": ({"grid": {"reg": [0.1, 0.2, 0.1]}}, r"grid\['reg'\] holds 0.1 twice"),
    "a value without hash": ({"grid": {"indices": [[[1]]]}}, r"grid\['indices'\] holds a list, expected values that"),
    "an unknown name": ({"grid": {"rate": [0.1]}}, "grid holds 'rate', which neither build nor train has, expected"),
    "a name of the table": ({"grid": {"loss": [1]}}, "grid holds 'loss', a column of the table"),
    "the data": ({"grid": {"X": [1]}}, "grid holds 'X', which is the search's own affair"),
    "threads": ({"grid": {"threads": [1, 2]}}, "grid holds 'threads', which is the search's own affair"),
    "a name twice": ({"grid": {"reg": [0.1]}, "reg": 0.2}, "reg is given in grid and beside it"),
    "an unknown setting": ({"speed": 1}, "train has no argument 'speed', expected one of batch_size"),
    "its own setting": ({"verbose": True}, "verbose is the search's own affair"),
    "a file of all nets": ({"checkpoint": "run"}, "checkpoint is the search's own affair"),
    "a clock": ({"schedule": Clock(60)}, r"schedule is Clock\(seconds=60.*give num_iters, and another schedule"),
    "a clock in the grid": ({"grid": {"schedule": ["cosine", Clock(60)]}}, r"schedule is Clock\(seconds=60.*another"),
    "no function": ({"build": fastnet.TwoLayerNet(2, 3, 3)}, "build is TwoLayerNet.*expected a function of keyword"),
    "an unknown metric": ({"metric": "f1"}, "metric is 'f1', expected 'val_accuracy' or 'val_loss'"),
    "a refit without a validation set": (
        {"refit": True, "restore_best": "loss"},
        "refit trains on X and X_val together, for which restore_best cannot be meant",
    ),
    "a refit by rows of X": (
        {"refit": True, "grid": {"reg": [0.1], "sample_weight": [None]}},
        "refit trains on X and X_val together, for which sample_weight cannot be meant",
    ),
    "no samples": ({"samples": 0}, "samples is 0, expected an integer of at least 1"),
    "too many samples": ({"samples": 7}, "samples is 7, but grid has only 6 combinations"),
    "too many whole numbers": (
        {"grid": {"batch_size": fastnet.LogUniform(1, 2, integer=True)}, "samples": 3},
        "samples is 3, but grid yields hardly more than 2 combinations",
    ),
    "a distribution, no samples": (
        {"grid": {"reg": fastnet.LogUniform(1e-3, 1)}},
        "grid draws reg from a distribution: say with samples= how many times",
    ),
    "a negative seed": ({"seed": -1}, "seed is -1, expected an integer of at least 0"),
    "no workers": ({"workers": 0}, "workers is 0, expected an integer of at least 1"),
    "a callback": ({"callback": 3}, "callback is 3, expected a function of one argument, a SearchProgress"),
    "a number as executor": ({"executor": 4}, "executor is of type int, expected a concurrent.futures.Executor"),
    "a name that both have": (
        {"grid": {"reg": [0.1]}, "build": lambda reg: fastnet.TwoLayerNet(2, 3, 3)},
        "grid holds 'reg', an argument of build and of train both: rename that of build",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(search, trained, name, tmp_path):
    options, complaint = REFUSED[name]
    with pytest.raises(ValueError, match=complaint):
        search(**options, journal=tmp_path / "search.jsonl")
    assert trained == []
    assert list(tmp_path.iterdir()) == []


def spoilt(data, part, array):
    return [array if number == part else given for number, given in enumerate(data)]


@pytest.mark.parametrize(
    ("part", "change", "complaint"),
    [
        (0, lambda X: X[0], r"X has shape \(2,\), expected 2 dimensions"),
        (0, lambda X: X * np.nan, r"X\[0, 0\] is nan, expected finite numbers"),
        (0, lambda X: X[:50], "y has 120 labels for 50 rows"),
        (1, lambda y: y - 1, "y holds -1, expected labels from 0"),
        (1, lambda y: y * 0.5, "y has dtype float64, expected integer labels"),
        (2, lambda X: X[:, :1], "X_val has 1 columns, expected the model's 2 inputs"),
        (2, lambda X: None, "X_val is None, expected an array"),
        (3, lambda y: y[:5], "y_val has 5 labels for 60 rows"),
    ],
)
def test_data_that_does_not_fit_is_refused(search, trained, clouds, part, change, complaint):
    with pytest.raises(ValueError, match=complaint):
        search(data=spoilt(clouds, part, change(clouds[part])))
    assert trained == []


def test_data_of_another_model_fails_every_point_and_says_with_what(search, clouds):
    with pytest.raises(
        fastnet.searching.SearchError, match="0 diverged, 6 failed, the first with ValueError: y holds 5"
    ):
        search(data=spoilt(clouds, 1, clouds[1] + 3))


def test_workers_and_executor_exclude_each_other(search):
    with ThreadPoolExecutor(1) as executor, pytest.raises(ValueError, match="workers and executor are both given"):
        search(executor=executor, workers=2)


def test_halving_and_executor_exclude_each_other(search):
    with ThreadPoolExecutor(1) as executor, pytest.raises(ValueError, match="leave executor away"):
        search(executor=executor, halving=2)


def test_a_client_for_an_executor_is_told_apart(search):
    class Client:
        def get_executor(self): ...

    with pytest.raises(ValueError, match=r"executor is of type Client, expected its get_executor\(\)"):
        search(executor=Client())


@pytest.mark.parametrize(
    ("bounds", "complaint"),
    [((0, 1), "low is 0"), ((1, 1), "low is 1 and high is 1, expected low below high"), ((1, np.inf), "high is inf")],
)
def test_bounds_of_a_distribution(bounds, complaint):
    with pytest.raises(ValueError, match=complaint):
        fastnet.LogUniform(*bounds)
