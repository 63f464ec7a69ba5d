"""Beside scikit-learn's MLPClassifier: from one random state the same weights, batches, losses, and the same end."""

import warnings

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from fastnet.sklearn import SoftmaxRegressionClassifier, TwoLayerClassifier

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, Y = load_iris(return_X_y=True)
X = (X - X.mean(axis=0)) / X.std(axis=0)
TARGETS = {"three classes": (X, np.array(["b", "c", "a"])[Y]), "two classes": (X[:100], Y[:100] > 0)}
SETTINGS = {
    "adam": {},
    "adam, other numbers": {"beta_1": 0.8, "beta_2": 0.9, "epsilon": 1e-2, "alpha": 1.0},
    "sgd, nesterov": {"solver": "sgd", "learning_rate_init": 0.05},
    "sgd, momentum": {"solver": "sgd", "nesterovs_momentum": False, "momentum": 0.5},
    "invscaling": {"solver": "sgd", "learning_rate": "invscaling", "power_t": 0.2, "learning_rate_init": 0.1},
    "adaptive": {"solver": "sgd", "learning_rate": "adaptive", "tol": 5e-3, "n_iter_no_change": 2},
    "adaptive, to its end": {"solver": "sgd", "learning_rate": "adaptive", "tol": 1.0, "n_iter_no_change": 1},
    "adaptive and adam": {"learning_rate": "adaptive", "tol": 5e-3, "n_iter_no_change": 2},
    "no shuffle": {"shuffle": False},
    "one batch": {"batch_size": 1000},
    "whole batches": {"batch_size": 50},
    "tol": {"tol": 1e-2, "n_iter_no_change": 3},
    "early stopping": {"early_stopping": True, "n_iter_no_change": 3, "learning_rate_init": 0.01},
    "early stopping, tol 0": {"early_stopping": True, "n_iter_no_change": 3, "tol": 0.0},
    "early stopping by a third": {"early_stopping": True, "validation_fraction": 0.33, "solver": "sgd"},
}  # fmt: skip


def fitted(estimator, *data, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # batch_size=1000, on either side
        return estimator.fit(*data, **options)


def compare(ours, theirs):
    np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=1e-9)
    for name in ("n_iter_", "t_", "n_layers_", "n_outputs_", "out_activation_", "n_features_in_"):
        assert getattr(ours, name) == getattr(theirs, name), name
    for name in ("loss_", "best_loss_", "best_validation_score_"):
        found, expected = getattr(ours, name), getattr(theirs, name)
        assert (found is None) == (expected is None), name
        assert expected is None or found == pytest.approx(expected, rel=1e-9), name
    assert ours.validation_scores_ == theirs.validation_scores_
    np.testing.assert_array_equal(ours.classes_, theirs.classes_)
    for found, expected in zip(ours.coefs_ + ours.intercepts_, theirs.coefs_ + theirs.intercepts_, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-10)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), rtol=1e-7)
    np.testing.assert_allclose(ours.predict_log_proba(X), theirs.predict_log_proba(X), rtol=1e-7, atol=1e-9)
    np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("target", TARGETS)
def test_two_layers_follow_mlp_classifier(target, settings):
    if target == "three classes" and "early_stopping" in SETTINGS[settings]:
        pytest.skip("MLPClassifier stratifies two classes alone")
    options = {"batch_size": 16, "max_iter": 40, "random_state": 3, **SETTINGS[settings]}
    ours = fitted(TwoLayerClassifier((7,), scale=None, **options), *TARGETS[target])
    compare(ours, fitted(MLPClassifier((7,), **options), *TARGETS[target]))


@pytest.mark.parametrize("target", TARGETS)
def test_softmax_regression_follows_mlp_classifier_without_a_hidden_layer(target):
    options = {"batch_size": 16, "max_iter": 40, "random_state": 3, "learning_rate_init": 0.01}
    ours = fitted(SoftmaxRegressionClassifier(scale=None, **options), *TARGETS[target])
    compare(ours, fitted(MLPClassifier((), **options), *TARGETS[target]))


@pytest.mark.parametrize("early_stopping", [False, True])
def test_weights_follow_mlp_classifiers(early_stopping):
    weights = np.random.default_rng(0).uniform(0.1, 3, len(X))
    options = {"batch_size": 16, "max_iter": 40, "random_state": 3, "alpha": 0.1, "early_stopping": early_stopping}
    data = (X, Y == 1) if early_stopping else (X, Y)  # it stratifies two classes alone
    ours = fitted(TwoLayerClassifier((7,), scale=None, **options), *data, sample_weight=weights)
    theirs = fitted(MLPClassifier((7,), **options), *data, sample_weight=weights)
    scores = ours.validation_scores_, theirs.validation_scores_
    if early_stopping:
        np.testing.assert_allclose(*scores, rtol=1e-12)
        theirs.validation_scores_ = ours.validation_scores_
    compare(ours, theirs)


def test_a_warm_start_goes_on_as_mlp_classifiers():
    options = {"batch_size": 16, "max_iter": 5, "random_state": 3, "warm_start": True}
    ours, theirs = TwoLayerClassifier((7,), scale=None, **options), MLPClassifier((7,), **options)
    for _ in range(3):
        fitted(ours, X, Y)
        fitted(theirs, X, Y)
        compare(ours, theirs)
    assert len(ours.loss_curve_) == 15


@pytest.mark.parametrize("settings", ["adam", "sgd, nesterov", "invscaling", "adaptive"])
@pytest.mark.parametrize("target", TARGETS)
def test_partial_fit_goes_on_as_mlp_classifiers(target, settings):
    options = {"batch_size": 16, "max_iter": 3, "random_state": 3, **SETTINGS[settings]}
    ours, theirs = TwoLayerClassifier((7,), scale=None, **options), MLPClassifier((7,), **options)
    X, y = TARGETS[target]
    for estimator in (ours, theirs):
        fitted(estimator, X[::2], y[::2])  # whose rate and moments it takes on
        for _ in range(8):
            estimator.partial_fit(X[::3], y[::3], classes=np.unique(y))
            estimator.partial_fit(X[1:40], y[1:40], np.linspace(0.5, 2, 39))
    compare(ours, theirs)
    assert ours.n_iter_ == 1
    assert len(ours.loss_curve_) == 3 + 16


def test_float32_follows_in_float32():
    options = {"batch_size": 16, "max_iter": 40, "random_state": 3}
    ours = fitted(TwoLayerClassifier((7,), scale=None, **options), X.astype(np.float32), Y)
    theirs = fitted(MLPClassifier((7,), **options), X.astype(np.float32), Y)
    np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=1e-3)
    assert ours.coefs_[0].dtype == ours.predict_proba(X.astype(np.float32)).dtype == np.float32


def test_defaults_are_mlp_classifiers():
    ours, theirs = TwoLayerClassifier().get_params(), MLPClassifier().get_params()
    assert set(theirs) - set(ours) == {"max_fun"}  # of lbfgs
    assert {name: ours[name] for name in ours if name in theirs} == {n: v for n, v in theirs.items() if n in ours}
    assert set(ours) - set(theirs) == {"scale", "class_weight", "callback", "matmul_precision", "threads"}
    linear = SoftmaxRegressionClassifier().get_params()
    assert set(ours) - set(linear) == {"hidden_layer_sizes", "activation"}
    assert {name for name in linear if linear[name] != ours[name]} == {"learning_rate_init"}


@pytest.mark.parametrize("options", [{"max_iter": 4}, {"max_iter": 40, "tol": 0.1, "n_iter_no_change": 2}])
def test_verbose_lines_are_mlp_classifiers(options, capsys):
    said = []
    for kind in (TwoLayerClassifier((7,), scale=None, verbose=True, random_state=0, early_stopping=True, **options),
                 MLPClassifier((7,), verbose=True, random_state=0, early_stopping=True, **options)):  # fmt: skip
        fitted(kind, X, Y == 1)
        said.append(capsys.readouterr().out)
    assert said[0] == said[1]
    assert said[0].startswith("Iteration 1, loss = ")


def test_too_few_epochs_are_said_aloud():
    with pytest.warns(ConvergenceWarning, match="max_iter=3 epochs have not been enough"):
        TwoLayerClassifier(max_iter=3).fit(X, Y)
    with warnings.catch_warnings(action="error"):  # a schedule ends there
        TwoLayerClassifier(max_iter=3, learning_rate="linear").fit(X, Y)
