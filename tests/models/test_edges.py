"""Numbers at the edge of what a type holds: said aloud, or right; nothing wrong in silence."""

import warnings

import numpy as np
import pytest
from against_reference import KINDS, fastnet_model

import fastnet

Z = np.random.default_rng(0).standard_normal((2000, 2))
Y = (Z[:, 0] > 0).astype(np.int64)
FAR = 1.76e9 + 10 * Z  # time stamps: float32 knows them to two minutes


def standardised(X, dtype):
    model = fastnet.SoftmaxClassifier(2, 2, dtype=dtype, seed=0)
    model.normalization = fastnet.Normalization.fit(X, scale=True)
    return model


@pytest.mark.parametrize(
    "X", [FAR, FAR.round().astype(np.int64), FAR.round().astype(np.uint32)], ids=["float64", "int64", "uint32"]
)
def test_rows_that_float32_cannot_hold_are_refused(X):
    model = standardised(X, np.float32)
    calls = [
        lambda: model.train(X, Y, num_iters=5),
        lambda: model.loss(X, Y),
        lambda: model.predict(X),
        lambda: model.predict_proba(X[:1]),
        lambda: model.train(Z, Y, X, Y, num_iters=5),
    ]
    for call in calls:
        with pytest.raises(
            ValueError, match=r"feature \d has mean 1.76e\+09 and deviation (10|9.9)\d*, too near .* float32"
        ):
            call()


@pytest.mark.parametrize("X", [FAR, FAR.round().astype(np.int64)], ids=["float64", "int64"])
def test_a_float64_model_holds_them(X):
    model = standardised(X, np.float64)
    model.train(X, Y, learning_rate=0.5, learning_rate_decay=1.0, reg=0.0, num_iters=200)
    assert (model.predict(X) == Y).mean() > 0.98


def test_what_float32_holds_is_taken():
    for X in (1e4 + 10 * Z, FAR.astype(np.float32)):  # of the latter the digits were gone before
        standardised(X, np.float32).train(X, Y, num_iters=5)


def test_a_constant_is_taken():
    X = np.column_stack([Z[:, 0], np.full(2000, 1.76e9)])
    model = standardised(X, np.float32)
    model.train(X, Y, learning_rate=0.5, learning_rate_decay=1.0, reg=0.0, num_iters=200)
    assert (model.predict(X) == Y).mean() > 0.98


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_without_l2_large_weights_make_no_nan(kind, dtype):
    model = fastnet_model(kind, 2, 4, 2, dtype=dtype, seed=0)
    for value in model.params.values():
        value[:] = 0
    next(iter(model.params.values()))[:] = -1e20 if dtype is np.float32 else -1e160  # squares overflow; X > 0
    loss, _ = model.loss(np.abs(Z), Y, reg=0.0)
    assert loss == pytest.approx(np.log(2), rel=1e-6)


def test_probabilities_may_underflow_under_errstate():
    model = fastnet_model("linear", 2, 2, 2, dtype=np.float32)
    model.params["W"][:] = [[1e3, -1e3], [0, 0]]
    with np.errstate(all="raise"):
        assert model.predict_proba(np.ones((1, 2), np.float32)).tolist() == [[1.0, 0.0]]


def test_masked_rows_are_refused():
    model = fastnet_model("linear", 2, 2, 2)
    masked = np.ma.masked_array(Z, mask=Z > 3)
    assert masked.mask.any()
    with pytest.raises(ValueError, match="X is a masked array with masked elements"):
        model.predict(masked)
    model.predict(np.ma.masked_array(Z))


def test_a_rate_that_is_soon_gone_is_said_aloud():
    model = fastnet_model("linear", 2, 2, 2)
    with pytest.warns(
        UserWarning, match="learning_rate_decay=0.95 after each of 1000 epochs leaves .* schedule='linear'"
    ):
        model.train(Z[:150], Y[:150])  # fewer rows than a batch: each step is an epoch


def test_rates_that_last_are_not():
    model = fastnet_model("linear", 2, 2, 2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.train(Z, Y)
        model.train(Z[:150], Y[:150], schedule="linear")
        model.train(Z[:150], Y[:150], learning_rate_decay=0.99)
        model.train(Z[:150], Y[:150], num_iters=200)
