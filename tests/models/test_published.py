"""What CS231n published: the toy network of the assignment, and the spiral of the case study."""

import numpy as np
import pytest
from against_reference import error, in_reference, worst_error

import fastnet
from fastnet.data import spiral

PUBLISHED_SCORES = [
    [-0.81233741, -1.27654624, -0.70335995],
    [-0.17129677, -1.18803311, -0.47310444],
    [-0.51590475, -1.01354314, -0.8504215],
    [-0.15419291, -0.48629638, -0.52901952],
    [-0.00618733, -0.12435261, -0.15226949],
]
PUBLISHED_LOSS = 1.30378789133  # at reg = 0.05 without the factor 0.5 in the L2 term: reg = 0.1 with it


def toy(dtype):
    """The network and data of the assignment's first cells: D=4, H=10, C=3, five rows."""
    # The assignment draws from NumPy's legacy generator; no other gives its numbers.
    net_rng, data_rng = np.random.RandomState(0), np.random.RandomState(1)
    net = fastnet.TwoLayerNet(4, 10, 3, dtype=dtype)
    net.params["W1"][:] = 0.1 * net_rng.randn(4, 10)
    net.params["W2"][:] = 0.1 * net_rng.randn(10, 3)
    return net, 10.0 * data_rng.randn(5, 4), np.array([0, 1, 2, 2, 1])


@pytest.mark.parametrize(("dtype", "digits"), [(np.float64, 6e-9), (np.float32, 1e-6)])
def test_toy_scores(dtype, digits):
    net, X, _ = toy(dtype)
    np.testing.assert_allclose(net.loss(X.astype(dtype)), PUBLISHED_SCORES, rtol=0.0, atol=digits)


@pytest.mark.parametrize(("dtype", "digits"), [(np.float64, 6e-12), (np.float32, 1e-6)])
def test_toy_loss(dtype, digits):
    net, X, y = toy(dtype)
    loss, _ = net.loss(X.astype(dtype), y, reg=0.1)
    assert loss == pytest.approx(PUBLISHED_LOSS, abs=digits)


def test_toy_gradients():
    net, X, y = toy(np.float64)
    _, grads = net.loss(X, y, reg=0.1)
    _, expected = in_reference(net).loss(X, y, reg=0.1)
    assert worst_error(grads, expected) < 1e-12


def test_toy_training_overfits():
    # The assignment's next cells: full batch, step size 0.1, reg 5e-6; its curve ends near 0.017.
    net, X, y = toy(np.float64)
    history = net.train(X, y, learning_rate=0.1, reg=5e-6, num_iters=100, batch_size=None)
    assert history["loss_history"][-1] < 0.2
    np.testing.assert_array_equal(net.predict(X), y)


CASE_STUDY = {"learning_rate": 1.0, "learning_rate_decay": 1.0, "reg": 1e-3, "batch_size": None}


def test_spiral_linear():
    X, y = spiral()
    model = fastnet.SoftmaxClassifier(2, 3, std=0.01, dtype=np.float64, seed=0)
    losses = model.train(X, y, num_iters=200, **CASE_STUDY)["loss_history"]
    assert losses[190] == pytest.approx(0.786302, abs=1e-6)  # "iteration 190: loss 0.786302"
    assert 0.78 < losses[-1] < 0.80
    assert (model.predict(X) == y).mean() == pytest.approx(0.49, abs=0.005)


def test_spiral_two_layers():
    X, y = spiral()
    net = fastnet.TwoLayerNet(2, 100, 3, std=0.01, dtype=np.float64, seed=0)
    losses = net.train(X, y, num_iters=10_000, **CASE_STUDY)["loss_history"]
    assert losses[0] == pytest.approx(np.log(3.0), rel=1e-3)
    assert losses[-1] < 0.26
    assert (net.predict(X) == y).mean() >= 0.98


def test_probabilities_of_the_toy_are_the_softmax_of_its_scores():
    net, X, _ = toy(np.float64)
    e = np.exp(PUBLISHED_SCORES)
    assert error(net.predict_proba(X), e / e.sum(axis=1, keepdims=True)) < 1e-7
    np.testing.assert_array_equal(net.predict(X), np.argmax(PUBLISHED_SCORES, axis=1))
