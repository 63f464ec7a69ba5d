"""Whole runs of training against `reference`, loss by loss: what one step cannot show, many do.

The sign of an update, a buffer left from the step before, a learning rate that decays too early.
"""

from functools import cache

import numpy as np
import pytest
from against_reference import DTYPES, KINDS, fastnet_model, reference_model, worst_error

import fastnet

SIZES = (3072, 80, 10)  # D, H, C: the lab's network on CIFAR-10
STEPS, N = {"two-layer": 500, "linear": 200}, 200


@cache
def images():
    """2,000 images of 10 classes that can be told apart, as CIFAR-10's: uint8, a pattern a class in noise."""
    rng = np.random.default_rng(5)
    y = rng.integers(0, 10, 2000)
    patterns = 120 + 12 * rng.standard_normal((10, 3072))
    noise = 50 * rng.standard_normal((2000, 3072))
    return np.clip(patterns[y] + noise, 0, 255).astype(np.uint8), y


@cache
def replayed(kind):
    """The row numbers of every step."""
    return np.random.default_rng(6).integers(0, 2000, (STEPS[kind], N))


@cache
def reference_run(kind):
    X, y = images()
    model = reference_model(kind, *SIZES, seed=3)
    history = model.train(X - X.mean(axis=0, dtype=np.float64), y, indices=replayed(kind), **options(kind))
    return history, model.params


def options(kind):
    return {"learning_rate": 1e-3 if kind == "two-layer" else 1e-6, "reg": 0.5}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", KINDS)
def test_many_steps_of_the_lab_follow_the_reference(kind, dtype):
    X, y = images()
    expected, params = reference_run(kind)
    model = fastnet_model(kind, *SIZES, dtype=dtype, seed=3)
    model.normalization = fastnet.Normalization.fit(X)
    history = model.train(X, y, indices=replayed(kind), **options(kind))

    first, *_, last = expected["loss_history"]
    assert last < 0.9 * first  # it learns: there is a way to err on
    tolerance = {np.float32: 1e-3, np.float64: 1e-9}[dtype]
    np.testing.assert_allclose(history["loss_history"], expected["loss_history"], rtol=tolerance)
    assert worst_error(model.params, params) < tolerance
    # 2,000 rows in batches of 200: epochs of 10 steps.  In float32 a row near the border may change sides.
    assert len(history["train_acc_history"]) == STEPS[kind] // 10
    rows = 2.5 / N if dtype is np.float32 else 1e-12
    np.testing.assert_allclose(history["train_acc_history"], expected["train_acc_history"], rtol=0, atol=rows)


def blobs(num, D, C, seed):
    """Rows around a centre a class, near enough to each other that some are taken for another's."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, C, num)
    centres = np.random.default_rng(9).standard_normal((C, D))
    return 0.4 * centres[y] + rng.standard_normal((num, D)), y


@pytest.mark.parametrize("batch_size", [20, 100, 130, None])  # epochs of 6, 1, 1, 1 steps
@pytest.mark.parametrize("kind", KINDS)
def test_accuracies_and_decay_are_the_references(kind, batch_size):
    (X, y), (X_val, y_val) = blobs(130, 30, 7, seed=1), blobs(80, 30, 7, seed=2)
    model = fastnet_model(kind, 30, 19, 7, std=0.1, dtype=np.float64, seed=4)
    expected_model = reference_model(kind, 30, 19, 7, std=0.1, seed=4)
    arguments = {
        "learning_rate": 0.2,
        "learning_rate_decay": 0.8,
        "reg": 1e-2,
        "num_iters": 60,
        "batch_size": batch_size,
    }
    history = model.train(X, y, X_val, y_val, **arguments)
    expected = expected_model.train(X, y, X_val, y_val, **arguments)
    np.testing.assert_allclose(history["loss_history"], expected["loss_history"], rtol=1e-9)
    assert history["train_acc_history"] == expected["train_acc_history"]
    assert history["val_acc_history"] == expected["val_acc_history"]
    assert len(set(history["val_acc_history"])) > 3  # they move
    assert worst_error(model.params, expected_model.params) < 1e-9


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_that_scores_all_alike_is_right_about_class_0(kind):
    # Of equal scores the first is the answer: in training as in predict.
    X, _ = blobs(40, 5, 3, seed=1)
    y = np.arange(40) % 3
    model = fastnet_model(kind, 5, 4, 3, std=0.0, dtype=np.float64)
    history = model.train(X, y, X, y, learning_rate=0.0, num_iters=2, batch_size=None)
    assert history["train_acc_history"] == [14 / 40] * 2
    assert history["val_acc_history"] == [14 / 40] * 2
    assert not model.predict(X).any()


def test_no_iterations_change_nothing():
    X, y = blobs(40, 5, 3, seed=1)
    model = fastnet_model("two-layer", 5, 4, 3, seed=0)
    before = {name: value.copy() for name, value in model.params.items()}
    history = model.train(X, y, X, y, num_iters=0)
    names = "loss_history", "train_acc_history", "val_acc_history", "val_loss_history"
    assert [history[name] for name in names] == [[]] * 4
    for name in before:
        np.testing.assert_array_equal(model.params[name], before[name])


@pytest.mark.filterwarnings("ignore:a decay of 0.95 after each of 500 epochs")
@pytest.mark.filterwarnings("ignore:after 1000 iterations the loss is still ln 7")
def test_defaults_are_the_labs():
    X, y = blobs(400, 30, 7, seed=1)
    model, expected = (
        fastnet_model("two-layer", 30, 19, 7, dtype=np.float64, seed=4),
        reference_model("two-layer", 30, 19, 7, seed=4),
    )
    history, expected_history = model.train(X, y), expected.train(X, y)
    assert len(history["loss_history"]) == 1000
    np.testing.assert_allclose(history["loss_history"], expected_history["loss_history"], rtol=1e-9)
    assert worst_error(model.params, expected.params) < 1e-9
