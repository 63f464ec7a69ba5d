"""Weights of rows and of classes: as `reference` has them, and as rows that stand there twice, or not at all."""

import numpy as np
import pytest
from against_reference import (
    DTYPES,
    KINDS,
    TOLERANCE,
    bits,
    draw_case,
    error,
    fastnet_model,
    reference_model,
    worst_error,
)

import fastnet
import reference

D, H, C = 300, 21, 7  # features in two slices
OPTIMIZERS = {
    "sgd": (fastnet.SGD(), reference.SGD, 0.5),
    "momentum": (fastnet.Momentum(0.8), lambda: reference.Momentum(0.8), 0.1),
    "nesterov": (fastnet.Momentum(0.8, nesterov=True), lambda: reference.Nesterov(0.8), 0.1),
    "adam": (fastnet.Adam(epsilon=1e-6), lambda: reference.Adam(epsilon=1e-6), 1e-2),
}


def data(num=300):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((num, D)), rng.integers(0, C, num)
    X[:, :C] += 2 * np.eye(C)[y]
    return X, y


def weights_of(num, seed=0):
    """A third of them 0, the others from 0 to 3."""
    rng = np.random.default_rng(seed)
    return rng.uniform(0, 3, num) * (rng.uniform(size=num) > 1 / 3)


@pytest.mark.parametrize("N", [1, 13, 300, 600])  # blocks of at most 256 rows
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", KINDS)
def test_weighted_loss_and_gradients_are_the_references(kind, dtype, N):
    case = draw_case(kind, N, 30, 17, 5, dtype)
    weights = weights_of(N, seed=1) + (N == 1)
    loss, gradients = case.model.loss(case.X, case.y, 0.1, sample_weight=weights)
    expected_loss, expected = case.reference.loss(case.X64, case.y, 0.1, weights)
    assert error([loss], [expected_loss]) < TOLERANCE[dtype]
    assert worst_error(gradients, expected) < TOLERANCE[dtype]


@pytest.mark.parametrize("kind", KINDS)
def test_a_weight_of_2_is_a_row_twice_and_one_of_0_a_row_absent(kind):
    case = draw_case(kind, 40, 30, 17, 5, np.float64)
    weights = np.random.default_rng(2).integers(0, 4, 40)
    loss, gradients = case.model.loss(case.X, case.y, 0.1, sample_weight=weights)
    repeated_loss, repeated = case.model.loss(case.X.repeat(weights, 0), case.y.repeat(weights), 0.1)
    assert loss == pytest.approx(repeated_loss, rel=1e-13)
    assert worst_error(gradients, repeated) < 1e-13


@pytest.mark.parametrize("batch_size", [20, 300, None])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("kind", KINDS)
def test_weighted_training_is_the_references(kind, optimizer, batch_size):
    X, y = data()
    ours, theirs, rate = OPTIMIZERS[optimizer]
    options = {
        "learning_rate": rate,
        "reg": 1e-2,
        "num_iters": 30,
        "batch_size": batch_size,
        "sample_weight": weights_of(300),
    }
    model = fastnet_model(kind, D, H, C, std=0.05, dtype=np.float64, seed=1)
    expected = reference_model(kind, D, H, C, std=0.05, seed=1)
    weights = weights_of(80, seed=3)
    history = model.train(X, y, X[:80], y[:80], optimizer=ours, sample_weight_val=weights, **options)
    expected_history = expected.train(X, y, X[:80], y[:80], optimizer=theirs(), sample_weight_val=weights, **options)
    assert worst_error(model.params, expected.params) < 1e-9
    for name, values in expected_history.items():
        np.testing.assert_allclose(history[name], values, rtol=1e-9)
    assert len(history["val_loss_history"]) >= 2


@pytest.mark.parametrize("kind", KINDS)
def test_weighted_training_in_float32(kind):
    X, y = data()
    options = {"learning_rate": 0.5, "reg": 1e-2, "num_iters": 30, "batch_size": 20, "sample_weight": weights_of(300)}
    model = fastnet_model(kind, D, H, C, std=0.05, seed=1)
    expected = reference_model(kind, D, H, C, std=0.05, seed=1)
    history = model.train(X.astype(np.float32), y, **options)
    expected_history = expected.train(X, y, **options)
    np.testing.assert_allclose(history["loss_history"], expected_history["loss_history"], rtol=1e-4)
    np.testing.assert_allclose(history["train_acc_history"], expected_history["train_acc_history"], atol=1e-6)
    assert worst_error(model.params, expected.params) < 1e-3


@pytest.mark.parametrize("sampling", ["replacement", "shuffle"])
@pytest.mark.parametrize("batch_size", [10, None])
def test_a_row_of_weight_0_is_never_drawn(sampling, batch_size):
    X, y = data(60)
    weights = weights_of(60) > 0
    spoilt = np.where(weights[:, np.newaxis], X, 1e30)  # would be seen
    options = {"num_iters": 20, "batch_size": batch_size, "sampling": sampling, "learning_rate": 0.1}
    model, expected = (fastnet_model("linear", D, H, C, dtype=np.float64, seed=1) for _ in range(2))
    history = model.train(spoilt, y, sample_weight=weights, **options)
    expected_history = expected.train(X[weights], y[weights], **options)
    np.testing.assert_allclose(history["loss_history"], expected_history["loss_history"], rtol=1e-13)
    assert len(history["train_acc_history"]) == len(expected_history["train_acc_history"])
    assert worst_error(model.params, expected.params) < 1e-13


def test_replayed_rows_twice_are_a_weight_of_2():
    X, y = data(60)
    rows = np.random.default_rng(4).integers(0, 60, (15, 10))
    model, expected = (fastnet_model("two-layer", D, H, C, std=0.1, dtype=np.float64, seed=1) for _ in range(2))
    weights = np.random.default_rng(5).integers(0, 3, 60)
    weights[rows[:, 0]] = 1
    options = {"learning_rate": 0.1, "learning_rate_decay": 1.0}
    history = model.train(X, y, indices=rows, sample_weight=weights, **options)
    losses = []
    for batch in rows:
        twice = batch.repeat(weights[batch])[np.newaxis]
        losses += expected.train(X, y, indices=twice, **options)["loss_history"]
    np.testing.assert_allclose(history["loss_history"], losses, rtol=1e-12)
    assert worst_error(model.params, expected.params) < 1e-12


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_weighted_bits_do_not_depend_on_threads(threads):
    X, y = data()
    model, again = (fastnet_model("two-layer", D, H, C, std=0.1, seed=1) for _ in range(2))
    options = {"sample_weight": weights_of(300), "num_iters": 20, "batch_size": 200}
    history = model.train(X, y, threads=1, **options)
    assert bits(again, again.train(X, y, threads=threads, **options)) == bits(model, history)


def balanced(y, weights):
    """By hand: each class of the same sum."""
    return weights * np.array([weights.sum() / weights[y == label].sum() / len(set(y)) for label in y])


@pytest.mark.parametrize("weights", [None, weights_of(300)], ids=["alike", "weighted"])
def test_class_weights_multiply_the_rows(weights):
    X, y = data()
    y[:200] = 0
    ones = np.ones(300) if weights is None else weights
    rows = {
        "balanced": balanced(y, ones),
        "names": ones * np.select([y == 2, y == 5], [3.5, 0.0], 1.0),
    }
    for name, class_weight in {"balanced": "balanced", "names": {2: 3.5, np.int64(5): 0}}.items():
        model, expected = (fastnet_model("linear", D, H, C, dtype=np.float64, seed=1) for _ in range(2))
        options = {"num_iters": 10, "batch_size": 50}
        model.train(X, y, sample_weight=weights, class_weight=class_weight, **options)
        expected.train(X, y, sample_weight=rows[name], **options)
        assert worst_error(model.params, expected.params) < 1e-13


def test_balanced_classes_without_rows_are_left_alone():
    X, y = data()
    model = fastnet_model("linear", D, H, C + 1, dtype=np.float64, seed=1)  # class 7 has no row
    history = model.train(X, y, class_weight="balanced", num_iters=5)
    assert np.isfinite(history["loss_history"]).all()


WEIGHTS = {
    "too few": (np.ones(59), r"has shape \(59,\), expected \(60,\)"),
    "two dimensions": (np.ones((60, 1)), r"has shape \(60, 1\), expected \(60,\)"),
    "a number": (1.0, r"has shape \(\), expected \(60,\)"),
    "text": (["heavy"] * 60, "has dtype <U5, expected numbers"),
    "negative": (np.r_[np.ones(59), -1], r"\[59\] is -1.0, expected finite numbers of at least 0"),
    "nan": (np.r_[np.nan, np.ones(59)], r"\[0\] is nan, expected finite numbers"),
    "inf": (np.r_[np.inf, np.ones(59)], r"\[0\] is inf, expected finite numbers"),
    "zeros": (np.zeros(60), "holds zeros alone, expected a weight above 0"),
}
CLASS_WEIGHTS = {
    "another word": ("balance", "class_weight is 'balance', expected a dictionary"),
    "a list": ([1, 2], r"class_weight is \[1, 2\], expected a dictionary"),
    "no label": ({7: 1.0}, "has the label 7, expected labels from 0 to 6"),
    "a name": ({"cat": 1.0}, "a label of class_weight is 'cat', expected an integer"),
    "negative": ({1: -1.0}, r"class_weight\[1\] is -1.0, expected a finite number of at least 0"),
    "zeros": (dict.fromkeys(range(7), 0), "leave no row with a weight above 0"),
}


def refused(message, **options):
    X, y = data(60)
    model = fastnet_model("two-layer", D, H, C, std=0.1, seed=1)
    before = bits(model)
    with pytest.raises(ValueError, match=message):
        model.train(X, y, **{"num_iters": 5, "batch_size": 10, **options})
    assert bits(model) == before
    return model


@pytest.mark.parametrize("name", WEIGHTS)
def test_weights_that_do_not_fit_are_refused(name):
    weights, message = WEIGHTS[name]
    X, y = data(60)
    model = refused(
        "sample_weight" + message if message.startswith("\\[") else "sample_weight " + message, sample_weight=weights
    )
    refused("sample_weight_val", X_val=X, y_val=y, sample_weight_val=weights)
    with pytest.raises(ValueError, match=message):
        model.loss(X, y, sample_weight=weights)


@pytest.mark.parametrize("name", CLASS_WEIGHTS)
def test_class_weights_that_do_not_fit_are_refused(name):
    class_weight, message = CLASS_WEIGHTS[name]
    refused(message, class_weight=class_weight)


def test_a_batch_without_weight_is_refused():
    weights = np.r_[np.zeros(5), np.ones(55)]
    refused(r"indices\[1\] holds rows of weight 0 alone", indices=[[0, 7], [1, 2]], sample_weight=weights)


def test_weights_of_no_validation_set_are_refused():
    refused("sample_weight_val goes with X_val and y_val", sample_weight_val=np.ones(60))


def test_a_shuffled_batch_larger_than_what_has_weight_is_refused():
    refused("expected at most the 5 rows", sampling="shuffle", sample_weight=np.arange(60) < 5)
