"""The training loop, the optimisers and the search of the reference: by hand, and by properties.

Letters: N batch, D inputs, H hidden units, C classes.
"""

import inspect

import numpy as np
import pytest

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
    spiral,
)

LN3 = np.log(3.0)


# --- training ---


class Watch(SoftmaxClassifier):
    """Notes the rows of each mini-batch it trains on; row i of the data is [i]."""

    def __init__(self, num_train, seed=0):
        super().__init__(1, 2, seed=seed)
        self.X, self.y = np.arange(num_train, dtype=float)[:, None], np.arange(num_train) % 2
        self.batches, self.learning_rates = [], []

    def loss(self, X, y=None, reg=0.0, sample_weight=None):
        if y is not None:
            self.batches.append(X[:, 0].astype(int).tolist())
        return super().loss(X, y, reg, sample_weight)

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
        "schedule": None,
        "sample_weight": None,
        "sample_weight_val": None,
        "stop": None,
        "best": None,
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
        # scores -+0.5 and +-0.5 after the step, so each row's margin is 1
        "val_loss_history": [pytest.approx(np.log(1.0 + np.exp(-1.0)))],
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
