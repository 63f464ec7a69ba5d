"""The reference against what is known without it: published numbers, sums done by hand, finite differences.

Letters: N batch, D inputs, H hidden units, C classes.
"""

import ast
import sys
from pathlib import Path

import numpy as np
import pytest

import reference
from reference import (
    SoftmaxClassifier,
    TwoLayerNet,
    relu_backward,
    softmax_loss,
    spiral,
)

LN3 = np.log(3.0)


# --- published numbers ---


def toy_net_and_data():
    """The network and data of the assignment's first cells: 4 inputs, 10 hidden units, 3 classes, 5 rows."""
    # The assignment draws from NumPy's legacy generator; no other gives its numbers.
    net_rng = np.random.RandomState(0)
    data_rng = np.random.RandomState(1)
    net = TwoLayerNet(4, 10, 3)
    net.params["W1"][:] = 0.1 * net_rng.randn(4, 10)
    net.params["W2"][:] = 0.1 * net_rng.randn(10, 3)
    return net, 10.0 * data_rng.randn(5, 4), np.array([0, 1, 2, 2, 1])


def test_toy_net_gives_the_published_scores():
    net, X, _ = toy_net_and_data()
    published = [
        [-0.81233741, -1.27654624, -0.70335995],
        [-0.17129677, -1.18803311, -0.47310444],
        [-0.51590475, -1.01354314, -0.8504215],
        [-0.15419291, -0.48629638, -0.52901952],
        [-0.00618733, -0.12435261, -0.15226949],
    ]
    np.testing.assert_allclose(net.loss(X), published, rtol=0.0, atol=6e-9)  # the last digit is rounded


def test_toy_net_gives_the_published_loss():
    # Published for reg = 0.05 without the factor 0.5 in the L2 term: reg = 0.1 with it.
    net, X, y = toy_net_and_data()
    loss, _ = net.loss(X, y, reg=0.1)
    assert loss == pytest.approx(1.30378789133, abs=6e-12)


def train_on_spiral(model, X, y, num_iters):
    """The case study's descent: full batch, step size 1, reg 1e-3."""
    options = {"learning_rate": 1.0, "learning_rate_decay": 1.0, "reg": 1e-3, "batch_size": None}
    return model.train(X, y, num_iters=num_iters, **options)["loss_history"]


def test_linear_classifier_ends_where_the_case_study_does_on_the_spiral():
    # Published: "iteration 190: loss 0.786302", accuracy 0.49. The initial weights were not published, but
    # by then they matter no more (under 1e-6); the points do (60 other seeds: 0.735 to 0.780).
    X, y = spiral()
    model = SoftmaxClassifier(2, 3, std=0.01, seed=0)
    losses = train_on_spiral(model, X, y, num_iters=200)
    assert losses[190] == pytest.approx(0.786302, abs=1e-6)
    assert 0.78 < losses[-1] < 0.80
    assert model.accuracy(X, y) == pytest.approx(0.49, abs=0.005)


def test_two_layer_net_learns_the_spiral():
    # The case study takes 10,000 steps; the loss is within 0.003 of its end after 4,000, and this test fast.
    X, y = spiral()
    net = TwoLayerNet(2, 100, 3, std=0.01, seed=0)
    assert train_on_spiral(net, X, y, num_iters=4000)[-1] < 0.26
    assert net.accuracy(X, y) >= 0.98


# --- loss and gradients ---


def test_softmax_classifier_by_hand():
    model = SoftmaxClassifier(1, 2)
    model.params["W"][:] = [[LN3 / 2.0, 0.0]]
    model.params["b"][:] = [1.0, 1.0]
    X, y = np.array([[2.0], [0.0]]), np.array([1, 0])

    # scores = [[2 * ln3 / 2 + 1, 0 + 1], [1, 1]], so the probabilities are [[3/4, 1/4], [1/2, 1/2]].
    np.testing.assert_allclose(model.loss(X), [[LN3 + 1.0, 1.0], [1.0, 1.0]], rtol=1e-15)

    # data loss = (-log 1/4 - log 1/2) / 2 = 3/2 log 2;   L2 = 0.5 * 0.2 * (ln3 / 2)**2, without b
    loss, grads = model.loss(X, y, reg=0.2)
    assert loss == pytest.approx(1.5 * np.log(2.0) + 0.025 * LN3**2, rel=1e-14)

    # dscores = [[3/4, 1/4 - 1], [1/2 - 1, 1/2]] / 2 = [[3/8, -3/8], [-1/4, 1/4]]
    # dW = X.T @ dscores + 0.2 * W = [[2 * 3/8 + 0.1 * ln3, -2 * 3/8]];   db = [3/8 - 1/4, -3/8 + 1/4]
    assert grads.keys() == model.params.keys()
    np.testing.assert_allclose(grads["W"], [[0.75 + 0.1 * LN3, -0.75]], rtol=1e-14)
    np.testing.assert_allclose(grads["b"], [0.125, -0.125], rtol=1e-14)


def test_two_layer_net_by_hand():
    net = TwoLayerNet(2, 2, 2)
    net.params["W1"][:] = [[1.0, -1.0], [1.0, 0.0]]
    net.params["b1"][:] = [-1.0, 0.5]
    net.params["W2"][:] = [[LN3 / 2.0, 0.0], [5.0, 7.0]]
    net.params["b2"][:] = [1.0, 1.0]
    X, y = np.array([[1.0, 2.0]]), np.array([1])

    # pre = [1 + 2 - 1, -1 + 0 + 0.5] = [2, -0.5];   hidden = [2, 0];   scores = [2 * ln3 / 2 + 1, 0 + 1]
    np.testing.assert_allclose(net.loss(X), [[LN3 + 1.0, 1.0]], rtol=1e-15)

    # probabilities [3/4, 1/4]: data loss = log 4;   L2 = 0.5 * 0.2 * (1 + 1 + 1 + (ln3 / 2)**2 + 25 + 49)
    loss, grads = net.loss(X, y, reg=0.2)
    assert loss == pytest.approx(np.log(4.0) + 0.1 * (77.0 + LN3**2 / 4.0), rel=1e-14)

    # dscores = [3/4, 1/4 - 1]
    # dW2 = hidden.T @ dscores + 0.2 * W2 = [[2 * 3/4, -2 * 3/4], [0, 0]] + 0.2 * W2
    # dhidden = dscores @ W2.T = [3/4 * ln3 / 2, 3/4 * 5 - 3/4 * 7];   dpre = [3/8 * ln3, 0]
    # dW1 = X.T @ dpre + 0.2 * W1 = [[3/8 * ln3, 0], [2 * 3/8 * ln3, 0]] + 0.2 * W1
    assert grads.keys() == net.params.keys()
    np.testing.assert_allclose(grads["W2"], [[1.5 + 0.1 * LN3, -1.5], [1.0, 1.4]], rtol=1e-14)
    np.testing.assert_allclose(grads["b2"], [0.75, -0.75], rtol=1e-14)
    np.testing.assert_allclose(grads["W1"], [[0.375 * LN3 + 0.2, -0.2], [0.75 * LN3 + 0.2, 0.0]], rtol=1e-14)
    np.testing.assert_allclose(grads["b1"], [0.375 * LN3, 0.0], rtol=1e-14)


def central_differences(model, X, y, reg, step=1e-5):
    """(loss(w + step) - loss(w - step)) / (2 * step) for every single w of the model."""
    numeric = {name: np.empty_like(w) for name, w in model.params.items()}
    for name, w in model.params.items():
        for i in np.ndindex(w.shape):
            kept = w[i]
            w[i] = kept + step
            above, _ = model.loss(X, y, reg)
            w[i] = kept - step
            below, _ = model.loss(X, y, reg)
            w[i] = kept
            numeric[name][i] = (above - below) / (2.0 * step)
    return numeric


def gradient_error(grads, expected):
    """The largest difference, relative to the largest element of its parameter."""
    return max(np.abs(grads[k] - expected[k]).max() / np.abs(expected[k]).max() for k in expected)


def model_and_data(kind, N, D, H, C):
    """Weights and biases of order 1; units on both sides of the ReLU, none within a step of its kink."""
    rng = np.random.default_rng(1)
    model = TwoLayerNet(D, H, C, std=1.0, seed=2) if kind is TwoLayerNet else SoftmaxClassifier(D, C, 1.0, 2)
    for w in model.params.values():
        w[...] = rng.uniform(0.2, 1.0, w.shape) * rng.choice([-1.0, 1.0], w.shape)
    X, y = rng.uniform(0.5, 1.5, (N, D)), rng.integers(0, C, N)
    if kind is TwoLayerNet:
        model.params["b1"][0] = 2.0 * D  # one unit is on for every row, whatever its weights
        pre = X @ model.params["W1"] + model.params["b1"]
        assert np.abs(pre).min() > 1e-3
        assert H == 1 or (pre < 0.0).any()
    return model, X, y


SIZES = [(1, 1, 1, 2), (1, 3, 4, 3), (5, 1, 4, 3), (5, 3, 1, 3), (5, 3, 4, 2), (9, 7, 11, 5)]  # N, D, H, C


@pytest.mark.parametrize("reg", [0.0, 0.3])
@pytest.mark.parametrize(("N", "D", "H", "C"), SIZES)
@pytest.mark.parametrize("kind", [SoftmaxClassifier, TwoLayerNet])
def test_gradients_are_the_slopes_of_the_loss(kind, N, D, H, C, reg):
    model, X, y = model_and_data(kind, N, D, H, C)
    _, grads = model.loss(X, y, reg)
    assert gradient_error(grads, central_differences(model, X, y, reg)) < 1e-8


@pytest.mark.parametrize("factor", [0.0, 0.99, 1.01, -1.0])
@pytest.mark.parametrize("name", ["W1", "b1", "W2", "b2"])
def test_gradient_error_sees_zeros_and_one_percent(name, factor):
    model, X, y = model_and_data(TwoLayerNet, 5, 3, 4, 3)
    _, grads = model.loss(X, y, 0.3)
    grads[name] *= factor
    assert gradient_error(grads, central_differences(model, X, y, 0.3)) > 5e-3


def test_relu_gradient_at_zero_is_zero():
    dout = np.array([[3.0, 5.0, 7.0, 9.0]])
    x = np.array([[-1e-300, 0.0, -0.0, 1e-300]])
    np.testing.assert_array_equal(relu_backward(dout, x), [[0.0, 0.0, 0.0, 9.0]])


@pytest.mark.parametrize("C", [2, 3, 10])
def test_initial_loss_is_log_C(C):
    rng = np.random.default_rng(0)
    X, y = rng.uniform(-1.0, 1.0, (50, 20)), rng.integers(0, C, 50)
    for model in (TwoLayerNet(20, 30, C, seed=0), SoftmaxClassifier(20, C, seed=0)):
        loss, _ = model.loss(X, y, reg=0.5)
        assert loss == pytest.approx(np.log(C), rel=1e-3)


def test_huge_scores_stay_finite():
    scores, y = np.array([[1e4, -1e4], [1e4, -1e4]]), np.array([0, 1])
    loss, dscores = softmax_loss(scores, y)
    assert loss == 1e4  # rows: 0 and 2e4
    np.testing.assert_array_equal(dscores, [[0.0, 0.0], [0.5, -0.5]])


def test_a_constant_added_to_the_scores_of_a_row_changes_nothing():
    rng = np.random.default_rng(0)
    scores, y = rng.standard_normal((6, 4)), rng.integers(0, 4, 6)
    loss, dscores = softmax_loss(scores, y)
    shifted_loss, shifted_dscores = softmax_loss(scores + np.array([[0.0, 1.0, -1.0, 30.0, 1e3, -1e3]]).T, y)
    assert shifted_loss == pytest.approx(loss, rel=1e-12)
    np.testing.assert_allclose(shifted_dscores, dscores, rtol=1e-11)


# --- parameters ---


def test_two_layer_net_draws_W1_then_W2():
    net, rng = TwoLayerNet(3, 4, 2, std=0.5, seed=7), np.random.default_rng(7)
    np.testing.assert_array_equal(net.params["W1"], 0.5 * rng.standard_normal((3, 4)))
    np.testing.assert_array_equal(net.params["W2"], 0.5 * rng.standard_normal((4, 2)))
    np.testing.assert_array_equal(net.params["b1"], np.zeros(4))
    np.testing.assert_array_equal(net.params["b2"], np.zeros(2))
    assert list(net.params) == ["W1", "b1", "W2", "b2"]


def test_softmax_classifier_draws_W():
    model, rng = SoftmaxClassifier(3, 2, std=0.5, seed=7), np.random.default_rng(7)
    np.testing.assert_array_equal(model.params["W"], 0.5 * rng.standard_normal((3, 2)))
    np.testing.assert_array_equal(model.params["b"], np.zeros(2))
    assert list(model.params) == ["W", "b"]


# --- the spiral ---


def test_spiral_is_that_of_the_formula():
    X, y = spiral(points_per_class=50, classes=4, seed=9)
    assert X.shape == (200, 2)
    assert X.dtype == np.float64
    assert y.dtype == np.int64
    np.testing.assert_array_equal(y, [0] * 50 + [1] * 50 + [2] * 50 + [3] * 50)
    rng = np.random.RandomState(9)
    for i in range(200):  # point k of arm j: radius k / 49, angle 4j + 4k / 49 and noise
        j, k = divmod(i, 50)
        angle = 4 * j + 4 * k / 49 + 0.2 * rng.randn()
        np.testing.assert_allclose(X[i], [k / 49 * np.sin(angle), k / 49 * np.cos(angle)], atol=1e-14)


def test_spiral_defaults():
    X, y = spiral()
    assert X.shape == (300, 2)
    np.testing.assert_array_equal(X, spiral(100, 3, seed=0)[0])
    np.testing.assert_array_equal(np.bincount(y), [100, 100, 100])


# --- the house rules of the reference ---

SOURCES = sorted(Path(reference.__file__).parent.glob("*.py"))


def test_reference_imports_numpy_and_the_standard_library_alone():
    imported = set()
    for source in SOURCES:
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add((node.module or "reference").split(".")[0])
    assert imported - sys.stdlib_module_names == {"numpy", "reference"}


def test_reference_stays_under_400_lines():
    assert 0 < sum(len(source.read_text(encoding="utf-8").splitlines()) for source in SOURCES) < 400
