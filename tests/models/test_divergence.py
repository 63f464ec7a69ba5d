"""Training that leaves the finite numbers is an error, and leaves the parameters of the last finite iteration."""

import pickle
from functools import partial

import numpy as np
import pytest
from against_reference import bits, fastnet_model

import fastnet
from fastnet import divergence, training
from fastnet.checks import PRECISIONS

N, D, H, C = 15, 6, 8, 5
ROWS = np.random.default_rng(3).integers(0, 256, (40, D), dtype=np.uint8)
X, Y = ROWS / 128 - 1, np.arange(40) % C
# At these rates it takes a few iterations, at the highest of float32 a single one.
RUNS = {
    "sgd": ("two-layer", np.float32, None, 1e6),
    "one step": ("two-layer", np.float32, None, 3e38),
    "linear": ("linear", np.float32, None, 1e36),
    "float64": ("two-layer", np.float64, None, 1e40),
    "nesterov": ("two-layer", np.float32, fastnet.Momentum(nesterov=True), 1e6),
    "adam": ("two-layer", np.float32, fastnet.Adam(), 1e18),
}
pytestmark = pytest.mark.filterwarnings("ignore:overflow")


def new_model(run, precision="highest"):
    kind, dtype, _, _ = RUNS[run]
    return fastnet_model(kind, D, H, C, std=0.5, dtype=dtype, seed=1, matmul_precision=precision)


def train(model, run, num_iters, rows=X, **options):
    _, _, optimizer, rate = RUNS[run]
    settings = {"learning_rate": rate, "learning_rate_decay": 1.0, "reg": 1e-3, "sampling": "shuffle", "batch_size": N}
    return model.train(rows, Y, num_iters=num_iters, optimizer=optimizer, **settings | options)


def diverged(model, run, num_iters=3000, **options):
    with pytest.raises(fastnet.DivergenceError) as caught:
        train(model, run, num_iters, **options)
    return caught.value


@pytest.mark.parametrize("run", RUNS)
def test_the_model_and_the_history_are_those_of_the_iterations_before(run):
    model, same = new_model(run), new_model(run)
    error = diverged(model, run)
    history = train(same, run, error.iteration) if error.iteration else vars(training.History())
    assert bits(model) == bits(same)
    assert all(np.isfinite(value).all() for value in model.params.values())
    assert error.history == history == model.history
    assert error.loss == (history["loss_history"][-1] if error.iteration else None)
    assert f"iteration {error.iteration} left the finite numbers" in str(error)
    # And no sooner than it had to be.
    assert diverged(new_model(run), run, error.iteration + 2).iteration == error.iteration


@pytest.mark.parametrize(("steps", "share"), [(1, divergence.SHARE), (3, 1e-12), (4096, 1e-12)])
def test_how_steps_are_cut_and_copies_made_does_not_matter(monkeypatch, steps, share):
    model, same = new_model("adam"), new_model("adam")
    expected = diverged(model, "adam")
    monkeypatch.setattr(training, "MOST_STEPS", steps)
    monkeypatch.setattr(divergence, "SHARE", share)  # at the second one no copy is made after the first
    found = diverged(same, "adam")
    assert (found.iteration, found.history, bits(same)) == (expected.iteration, expected.history, bits(model))
    assert expected.iteration > 1


# Features at which a gradient has a square that is too large, and all else is finite.
STILL = {"two-layer": (np.float32, 1e30), "linear": (np.float32, 1e22), "linear of float64": (np.float64, 1e160)}


@pytest.mark.parametrize("steps", [1, 4096])
@pytest.mark.parametrize("kind", STILL)
def test_adam_does_not_stand_still_at_squares_that_are_too_large(monkeypatch, kind, steps):
    monkeypatch.setattr(training, "MOST_STEPS", steps)
    dtype, size = STILL[kind]
    new = partial(fastnet_model, kind.split()[0], D, H, C, std=1e-9, dtype=dtype, seed=1)
    rows = np.concatenate([X, X[:5] * size]).astype(dtype)
    order = np.concatenate([np.arange(20), [40, 41, 42, 43, 44], np.arange(20)]).reshape(9, 5)
    labels = np.concatenate([Y, Y[1:6]])  # not those of X
    settings = {"optimizer": fastnet.Adam(), "reg": 0.0, "learning_rate": 1e-9}
    model, same = new(), new()
    with pytest.raises(fastnet.DivergenceError, match=r"iteration 4 .*the squares of its gradients") as caught:
        model.train(rows, labels, indices=order, **settings)
    history = same.train(rows, labels, indices=order[:4], **settings)
    assert caught.value.still
    assert caught.value.history == history
    assert bits(model) == bits(same)


def test_parameters_of_the_last_update_are_looked_at_too():
    model = new_model("one step")
    before = bits(model)
    error = diverged(model, "one step", num_iters=1, rows=20 * X)
    assert (error.iteration, error.loss) == (0, None)
    assert bits(model) == before


@pytest.mark.parametrize("precision", ["high", "medium"])
def test_with_products_in_integers(precision):
    model = new_model("sgd", precision)
    model.normalization = fastnet.Normalization.fit(ROWS)
    error = diverged(model, "sgd", rows=ROWS, batch_size=35)
    assert error.iteration > 0
    assert all(np.isfinite(value).all() for value in model.params.values())


def test_no_callback_sees_what_is_not_finite(monkeypatch):
    monkeypatch.setattr(training, "MOST_STEPS", 1)
    model, seen = new_model("sgd"), []

    def look(progress):
        assert np.isfinite(progress.loss)
        assert all(np.isfinite(value).all() for value in model.params.values())
        seen.append(progress.iteration)

    error = diverged(model, "sgd", callback=look)
    assert seen == list(range(1, error.iteration + 1))


def test_the_error_can_be_sent_to_another_process():
    error = diverged(new_model("sgd"), "sgd")
    again = pickle.loads(pickle.dumps(error))
    assert isinstance(again, FloatingPointError)
    assert (str(again), vars(again)) == (str(error), vars(error))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["W1", "b1", "W2", "b2"])
def test_a_model_that_is_not_finite_neither_predicts_nor_trains(name, value):
    model = new_model("sgd")
    model.params[name].flat[-1] = value
    before = bits(model)
    for call in (model.predict, model.predict_proba, lambda X: train(model, "sgd", 1)):
        with pytest.raises(ValueError, match=f"{name} holds nan or infinity, expected finite parameters"):
            call(X)
    assert bits(model) == before


@pytest.mark.parametrize("rows", [1, 40, 500])
@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_first_weight_of_minus_infinity_does_not_just_switch_its_unit_off(precision, rows):
    model = fastnet_model("two-layer", 300, H, C, std=0.5, dtype=np.float32, seed=1, matmul_precision=precision)
    pixels = np.random.default_rng(0).integers(1, 256, (rows, 300), dtype=np.uint8)
    model.predict(pixels, threads=2)
    model.params["W1"].flat[-1] = -np.inf
    with pytest.raises(ValueError, match="W1 holds nan or infinity, expected finite parameters"):
        model.predict(pixels, threads=2)
    model.params["W1"].flat[-1] = 0
    model.predict(pixels, threads=2)
    model.params["W1"][:, -1] = -1e38  # sums of numbers, though no float holds them: the unit is off
    assert np.isfinite(model.predict_proba(pixels)).all()


def test_scores_too_large_are_no_predictions():
    model = new_model("sgd")
    model.params["W1"][:] = model.params["W2"][:] = 1e30
    with pytest.raises(ValueError, match=r"the scores of row \d+ are not finite"):
        model.predict(X)


def test_an_estimator_says_so():
    from fastnet.sklearn import TwoLayerClassifier

    with pytest.raises(fastnet.DivergenceError):
        TwoLayerClassifier((H,), solver="sgd", learning_rate_init=1e30, random_state=0).fit(X, Y)
