"""The reference against what is known without it: published numbers, sums done by hand, finite differences.

Letters: N batch, D inputs, H hidden units, C classes.
"""

import ast
import inspect
import sys
from pathlib import Path

import numpy as np
import pytest

import reference
from reference import (
    SGD,
    Adam,
    Classifier,
    Momentum,
    Nesterov,
    SoftmaxClassifier,
    TwoLayerNet,
    draw_indices,
    grid_search,
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


# --- training ---


class Watch(SoftmaxClassifier):
    """Notes the rows of each mini-batch it trains on; row i of the data is [i]."""

    def __init__(self, num_train, seed=0):
        super().__init__(1, 2, seed=seed)
        self.X, self.y = np.arange(num_train, dtype=float)[:, None], np.arange(num_train) % 2
        self.batches, self.learning_rates = [], []

    def loss(self, X, y=None, reg=0.0):
        if y is not None:
            self.batches.append(X[:, 0].astype(int).tolist())
        return super().loss(X, y, reg)

    def update(self, params, grads, learning_rate):
        assert params is self.params
        self.learning_rates.append(learning_rate)  # and moves nothing

    def run(self, **options):
        return self.train(self.X, self.y, optimizer=self, **options)


def test_training_defaults_are_the_contract():
    parameters = inspect.signature(Classifier.train).parameters
    assert {name: p.default for name, p in parameters.items() if p.default is not p.empty} == {
        "X_val": None,
        "y_val": None,
        "learning_rate": 1e-3,
        "learning_rate_decay": 0.95,
        "reg": 0.5,
        "num_iters": 1000,
        "batch_size": 200,
        "sampling": "replacement",
        "indices": None,
        "optimizer": None,
    }


@pytest.mark.parametrize(("kind", "sizes"), [(TwoLayerNet, (2, 5, 3)), (SoftmaxClassifier, (2, 3))])
def test_trajectory_is_that_of_a_loop_written_out(kind, sizes):
    X, y = spiral(10, 3, seed=1)  # 30 rows in batches of 10: an epoch is 3 iterations
    indices = np.random.default_rng(2).integers(0, 30, (10, 10))
    trained, model = kind(*sizes, std=0.1, seed=4), kind(*sizes, std=0.1, seed=4)
    history = trained.train(
        X, y, X, y, learning_rate=0.5, learning_rate_decay=0.8, reg=0.1, batch_size=7, indices=indices
    )

    losses, train_accuracies, val_accuracies = [], [], []
    for it in range(10):
        X_batch, y_batch = X[indices[it]], y[indices[it]]
        scores = model.loss(X_batch)
        loss, grads = model.loss(X_batch, y_batch, 0.1)
        losses.append(loss)
        for name in model.params:
            model.params[name] = model.params[name] - 0.5 * 0.8 ** (it // 3) * grads[name]
        if it in (2, 5, 8):
            train_accuracies.append(np.mean(scores.argmax(axis=1) == y_batch))
            val_accuracies.append(np.mean(model.loss(X).argmax(axis=1) == y))

    np.testing.assert_allclose(history["loss_history"], losses, rtol=1e-12)
    assert history["train_acc_history"] == train_accuracies
    assert history["val_acc_history"] == val_accuracies
    for name, w in model.params.items():
        np.testing.assert_allclose(trained.params[name], w, rtol=1e-12)


def test_train_accuracy_is_from_before_the_update_and_validation_accuracy_from_after():
    # All weights 0: every score is 0 and every guess class 0. One step separates the two points.
    X, y = np.array([[1.0], [-1.0]]), np.array([1, 0])
    model = SoftmaxClassifier(1, 2, std=0.0)
    history = model.train(X, y, X, y, learning_rate=1.0, reg=0.0, num_iters=1, batch_size=None)
    assert history == {
        "loss_history": [pytest.approx(np.log(2.0))],
        "train_acc_history": [0.5],
        "val_acc_history": [1.0],
    }


def test_train_accuracy_is_that_of_the_last_batch_of_the_epoch():
    # Every guess is class 0 (weights 0, step size 0): right on row 1 alone, which is the last batch.
    X, y = np.array([[1.0], [-1.0]]), np.array([1, 0])
    model = SoftmaxClassifier(1, 2, std=0.0)
    history = model.train(X, y, learning_rate=0.0, indices=np.array([[0], [1]]))
    assert history["train_acc_history"] == [1.0]
    assert history["val_acc_history"] == []


@pytest.mark.parametrize(
    ("batch_size", "expected"),
    [
        (4, [1.0, 1.0, 0.5, 0.5, 0.25]),  # 10 rows: an epoch is 10 // 4 = 2 iterations
        (10, [1.0, 0.5, 0.25, 0.125, 0.0625]),
        (25, [1.0, 0.5, 0.25, 0.125, 0.0625]),  # never less than one
        (None, [1.0, 0.5, 0.25, 0.125, 0.0625]),
    ],
)
def test_learning_rate_decays_after_each_epoch(batch_size, expected):
    watch = Watch(num_train=10)
    watch.run(learning_rate=1.0, learning_rate_decay=0.5, num_iters=5, batch_size=batch_size)
    assert watch.learning_rates == expected


def test_batches_are_drawn_with_replacement_from_the_generator_of_the_weights():
    watch, rng = Watch(num_train=10, seed=3), np.random.default_rng(3)
    watch.run(num_iters=20, batch_size=5)
    watch.run(num_iters=1, batch_size=5)  # a second run draws on
    rng.standard_normal((1, 2))  # W
    assert watch.batches == [rng.integers(0, 10, size=5).tolist() for _ in range(21)]
    assert any(len(set(batch)) < 5 for batch in watch.batches)


@pytest.mark.parametrize("batch_size", [3, 5, 10])
def test_shuffle_visits_each_row_once_an_epoch(batch_size):
    watch, rng = Watch(num_train=10, seed=3), np.random.default_rng(3)
    per_epoch = 10 // batch_size
    watch.run(num_iters=4 * per_epoch + 1, batch_size=batch_size, sampling="shuffle")
    rng.standard_normal((1, 2))  # W
    used = per_epoch * batch_size  # the tail that fills no batch is dropped
    for e in range(4):
        epoch = np.ravel(watch.batches[e * per_epoch : (e + 1) * per_epoch])
        assert len(set(epoch)) == used
        np.testing.assert_array_equal(epoch, rng.permutation(10)[:used])
    assert watch.batches[4 * per_epoch :] == [rng.permutation(10)[:batch_size].tolist()]


def test_batch_size_none_takes_all_rows_in_order():
    watch = Watch(num_train=4)
    watch.run(num_iters=3, batch_size=None, sampling="shuffle")
    assert watch.batches == [[0, 1, 2, 3]] * 3


@pytest.mark.parametrize(("batch_size", "sampling"), [(11, "shuffle"), (5, "shuffled"), (5, "")])
def test_impossible_sampling_is_refused(batch_size, sampling):
    with pytest.raises(ValueError, match=f"{batch_size} from 10 rows with sampling='{sampling}'"):
        draw_indices(np.random.default_rng(0), 10, 3, batch_size, sampling)


@pytest.mark.parametrize("sampling", ["replacement", "shuffle"])
def test_replayed_indices_reproduce_a_run(sampling):
    X, y = spiral(20, 3, seed=0)
    drawn, replayed = TwoLayerNet(2, 8, 3, 0.1, seed=5), TwoLayerNet(2, 8, 3, 0.1, seed=5)
    options = {"learning_rate": 0.5, "reg": 1e-3}
    rng = np.random.default_rng(5)
    rng.standard_normal(2 * 8 + 8 * 3)  # W1, W2
    indices = draw_indices(rng, 60, 12, 16, sampling)
    history = drawn.train(X, y, X, y, num_iters=12, batch_size=16, sampling=sampling, **options)
    assert replayed.train(X, y, X, y, num_iters=5, indices=indices, **options) == history
    assert len(history["loss_history"]) == 12
    for name, w in drawn.params.items():
        np.testing.assert_array_equal(replayed.params[name], w)


def test_predict_is_the_first_class_of_the_highest_score():
    model = SoftmaxClassifier(3, 3)
    model.params["W"][:] = np.eye(3)  # the scores are X
    X = np.array([[1.0, 3.0, 2.0], [5.0, 5.0, 4.0], [-3.0, -2.0, -1.0]])
    np.testing.assert_array_equal(model.predict(X), [1, 0, 2])
    assert model.accuracy(X, np.array([1, 1, 2])) == pytest.approx(2.0 / 3.0)


# --- optimizers: two updates of w = 1 by hand, beside one of u = [2, 3] whose gradient is 0 ---


def two_updates(optimizer, first, second, learning_rate):
    params = {"w": np.array([1.0]), "u": np.array([2.0, 3.0])}
    w = params["w"]
    values = []
    for g in (first, second):
        optimizer.update(params, {"w": np.array([g]), "u": np.zeros(2)}, learning_rate)
        values.append(w[0])
    assert params["w"] is w  # moved in place
    np.testing.assert_array_equal(params["u"], [2.0, 3.0])
    return values


def test_sgd_by_hand():
    # w = 1 - 0.1 * 2 = 0.8;   w = 0.8 - 0.1 * 1 = 0.7
    assert two_updates(SGD(), 2.0, 1.0, 0.1) == pytest.approx([0.8, 0.7], rel=1e-14)


def test_momentum_by_hand():
    # v = -0.1 * 2 = -0.2, w = 0.8;   v = 0.5 * -0.2 - 0.1 * 1 = -0.2, w = 0.6
    assert two_updates(Momentum(mu=0.5), 2.0, 1.0, 0.1) == pytest.approx([0.8, 0.6], rel=1e-14)


def test_nesterov_by_hand():
    # v = -0.2, w = 1 - 0.5 * 0 + 1.5 * -0.2 = 0.7
    # v = 0.5 * -0.2 - 0.1 * 1 = -0.2, w = 0.7 - 0.5 * -0.2 + 1.5 * -0.2 = 0.5
    assert two_updates(Nesterov(mu=0.5), 2.0, 1.0, 0.1) == pytest.approx([0.7, 0.5], rel=1e-14)


def test_adam_by_hand():
    # t = 1, g = 2: m = 1, s = 1;  m_hat = 1 / 0.5 = 2, s_hat = 1 / 0.25 = 4;  w = 1 - 0.3 * 2 / (2 + 1) = 0.8
    # t = 2, g = 5: m = 0.5 + 2.5 = 3, s = 0.75 + 6.25 = 7;  m_hat = 3 / 0.75 = 4, s_hat = 7 / 0.4375 = 16
    #               w = 0.8 - 0.3 * 4 / (4 + 1) = 0.56
    adam = Adam(beta1=0.5, beta2=0.75, epsilon=1.0)
    assert two_updates(adam, 2.0, 5.0, 0.3) == pytest.approx([0.8, 0.56], rel=1e-14)


def test_optimizer_defaults():
    adam = Adam()
    assert (adam.beta1, adam.beta2, adam.epsilon) == (0.9, 0.999, 1e-8)
    assert Momentum().mu == Nesterov().mu == 0.9


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


# --- grid search ---


class Always(Classifier):
    """Guesses the same class for every row."""

    def __init__(self, label):
        self.label = label

    def predict(self, X):
        return np.full(len(X), self.label)


def test_grid_search_tries_every_combination_and_keeps_the_best():
    X_val, y_val = np.zeros((4, 1)), np.array([1, 2, 2, 0])
    tried = []

    def train_model(label, reg):
        tried.append(Always(label))
        return tried[-1]

    best, accuracy, results = grid_search(train_model, {"label": [0, 2, 1], "reg": [0.5, 0.1]}, X_val, y_val)
    assert results == [
        ({"label": 0, "reg": 0.5}, 0.25),
        ({"label": 0, "reg": 0.1}, 0.25),
        ({"label": 2, "reg": 0.5}, 0.5),
        ({"label": 2, "reg": 0.1}, 0.5),
        ({"label": 1, "reg": 0.5}, 0.25),
        ({"label": 1, "reg": 0.1}, 0.25),
    ]
    assert best is tried[2]  # the first of the two at 0.5
    assert accuracy == 0.5


def test_grid_search_keeps_a_model_that_is_always_wrong_if_there_is_no_other():
    best, accuracy, _ = grid_search(Always, {"label": [1]}, np.zeros((2, 1)), np.array([0, 0]))
    assert best.label == 1
    assert accuracy == 0.0


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


def test_reference_stays_under_300_lines():
    assert 0 < sum(len(source.read_text(encoding="utf-8").splitlines()) for source in SOURCES) < 300
