"""Epochs that need not be looked at one by one are run together, with the results of those that are."""

import warnings

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning

from fastnet import training
from fastnet.engine import session
from fastnet.sklearn import TwoLayerClassifier

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, Y = load_iris(return_X_y=True)
WEIGHTS = np.random.default_rng(0).random(150)
SETTINGS = {
    "to max_iter": {"max_iter": 70},
    "tol": {"tol": 1e-2, "n_iter_no_change": 3},
    "at once": {"tol": 1.0, "n_iter_no_change": 1},
    "adaptive": {"solver": "sgd", "learning_rate": "adaptive", "tol": 5e-3, "n_iter_no_change": 2},
    "invscaling": {"solver": "sgd", "learning_rate": "invscaling", "max_iter": 40},
    "a schedule": {"learning_rate": "linear", "max_iter": 40},
    "weights": {"max_iter": 40},
}
ATTRIBUTES = ("loss_curve_", "loss_", "best_loss_", "n_iter_", "t_")


@pytest.fixture
def calls(monkeypatch):
    """The steps of each call of the engine, however long they take."""
    counts, run = [], session.Trainer.run

    def counted(self, rows, coefficients, *rest):
        counts.append(len(coefficients))
        return run(self, rows, coefficients, *rest)

    monkeypatch.setattr(session.Trainer, "run", counted)
    monkeypatch.setattr(training, "STRETCH_SECONDS", 1e9)
    return counts


@pytest.mark.parametrize("name", SETTINGS)
def test_epochs_run_together_are_those_one_by_one(calls, name):
    weights = WEIGHTS if name == "weights" else None
    draws, fits, made = [], [], []
    for callback in (None, lambda progress: None):
        rng = np.random.RandomState(1)
        model = TwoLayerClassifier(random_state=rng, batch_size=40, callback=callback, **SETTINGS[name])
        fits.append(model.fit(X, Y, sample_weight=weights))
        draws.append(rng.randint(1 << 30))
        made.append(len(calls) - sum(made))
    together, one_by_one = fits
    for attribute in ATTRIBUTES:
        assert getattr(together, attribute) == getattr(one_by_one, attribute), attribute
    for found, expected in zip(together.coefs_, one_by_one.coefs_, strict=True):
        np.testing.assert_array_equal(found, expected)
    assert draws[0] == draws[1]  # none beyond the end
    if name not in ("at once", "invscaling", "adaptive"):
        assert made[0] < made[1] / 2


def test_an_interrupt_within_epochs_counts_those_that_have_ended(monkeypatch):
    whole = TwoLayerClassifier(random_state=0, batch_size=40, max_iter=30).fit(X, Y)
    monkeypatch.setattr(training, "STRETCH_SECONDS", 1e9)
    run, done = session.Trainer.run, []

    def interrupted(self, rows, coefficients, reg, shares, history):
        count = min(len(coefficients), 30 - sum(done))
        done.append(count)
        history[:, :count] = run(self, rows[:count], coefficients[:count], reg[:count], shares[:count])
        if count < len(coefficients):
            raise KeyboardInterrupt
        return history

    monkeypatch.setattr(session.Trainer, "run", interrupted)
    with pytest.warns(UserWarning, match="training was interrupted"):
        model = TwoLayerClassifier(random_state=0, batch_size=40).fit(X, Y)
    assert done[-1] > 8  # in the midst of a third epoch
    assert (model.n_iter_, model.t_) == (7, 7 * 150)
    assert model.loss_curve_ == whole.loss_curve_[:7]


GUESSES = {
    "no gain": ({"solver": "sgd", "learning_rate_init": 1e10}, X),
    "nothing to learn": ({"max_iter": 300, "n_iter_no_change": np.inf}, np.zeros_like(X)),
}


@pytest.mark.parametrize("name", GUESSES)
def test_a_fit_that_ends_in_guesses_is_told(name):
    settings, rows = GUESSES[name]
    with pytest.warns(UserWarning, match=r"the loss ends at .*, no better than that of guessing, ln 3: take another"):
        TwoLayerClassifier(random_state=0, **settings).fit(rows, Y)


def test_fits_that_learn_or_are_only_begun_are_not():
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        warnings.simplefilter("ignore", ConvergenceWarning)
        TwoLayerClassifier(random_state=0).fit(X, Y)
        TwoLayerClassifier(random_state=0, max_iter=3).fit(np.zeros_like(X), Y)


def test_no_change_for_ever_is_no_end():
    model = TwoLayerClassifier(random_state=0, tol=1.0, n_iter_no_change=np.inf, max_iter=50).fit(X, Y)
    assert model.n_iter_ == 50


def test_a_fit_cut_off_within_its_first_epoch_is_not_judged():
    """Warnings are errors here; no loss of an epoch is known yet."""
    X, y = load_iris(return_X_y=True)
    model = TwoLayerClassifier(batch_size=1, callback=lambda progress: progress.iteration >= 200, threads=1)
    model.fit(np.tile(X, (20, 1)), np.tile(y, 20))
    assert model.n_iter_ == 0
