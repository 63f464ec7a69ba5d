"""Numbers at the edge of what a type holds: said aloud, or right; nothing wrong in silence."""

import warnings

import numpy as np
import pytest
from against_reference import KINDS, fastnet_model

import fastnet

Z = np.random.default_rng(0).standard_normal((2000, 2))
Y = (Z[:, 0] > 0).astype(np.int64)
FAR = 1.76e9 + 10 * Z  # time stamps: float32 knows them to two minutes


def around(X):
    """Rows normalised beforehand, in float64, and those of a float32 model that does so itself: by the mean alone."""
    model = fastnet.SoftmaxClassifier(X.shape[1], 2, std=0.1, seed=0)
    twin = fastnet.SoftmaxClassifier(X.shape[1], 2, std=0.1, seed=0)
    model.normalization = fastnet.Normalization.fit(X)
    return model, twin, (X - model.normalization.mean).astype(np.float32)


@pytest.mark.parametrize(
    "X", [FAR, FAR.round().astype(np.int64), FAR.round().astype(np.uint32)], ids=["float64", "int64", "uint32"]
)
def test_wide_rows_lose_no_digit_to_a_float32_model(X):
    X = np.hstack([X] * 9)  # three lines of features, and some
    model, twin, near = around(X)
    options = {"learning_rate": 1e-3, "learning_rate_decay": 1.0, "reg": 0.0, "num_iters": 50}
    assert model.train(X, Y, X, Y, **options) == twin.train(near, Y, near, Y, **options)
    assert model.loss(X, Y)[0] == twin.loss(near, Y)[0]
    assert model.predict_proba(X).tobytes() == twin.predict_proba(near).tobytes()
    assert (model.predict(X) == Y).mean() > 0.95


def test_float32_rows_are_normalised_in_float32():
    X = FAR.astype(np.float32)
    model = around(X)[0]
    assert [a.dtype for a in model._source(X)[2:]] == [np.float32, np.float32]


@pytest.mark.parametrize("size", [1e200, 1e-200])
def test_standardising_the_largest_numbers_and_the_smallest(size):
    fitted = fastnet.Normalization.fit(size * Z, scale=True)
    np.testing.assert_allclose(fitted.scale * size, 1 / Z.std(axis=0), rtol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_without_l2_large_weights_make_no_nan(kind, dtype):
    model = fastnet_model(kind, 2, 4, 2, dtype=dtype, seed=0)
    for value in model.params.values():
        value[:] = 0
    next(iter(model.params.values()))[:] = -1e20 if dtype is np.float32 else -1e160  # squares overflow; X > 0
    loss, _ = model.loss(np.abs(Z), Y, reg=0.0)
    assert loss == pytest.approx(np.log(2), rel=1e-6)


@pytest.mark.parametrize("weight", [1e3, 3e38])
def test_probabilities_may_underflow_under_errstate(weight):
    model = fastnet_model("linear", 2, 2, 2, dtype=np.float32)
    model.params["W"][:] = [[weight, -weight], [0, 0]]
    with np.errstate(all="raise"):
        assert model.predict_proba(np.ones((1, 2), np.float32)).tolist() == [[1.0, 0.0]]


@pytest.mark.filterwarnings("ignore:after .* iterations the loss is still ln 2")
def test_training_may_underflow_under_errstate():
    model = fastnet_model("linear", 2, 2, 2, dtype=np.float32)
    options = {"batch_size": 1000, "learning_rate_decay": 0.5, "reg": 1e-50, "optimizer": fastnet.Adam()}
    with np.errstate(all="raise"), pytest.warns(UserWarning, match="a decay of 0.5"):
        model.train(Z, Y, Z, Y, num_iters=8000, **options)  # 0.5 ** 4000 and 0.9 ** 8000 are 0


def masked(values):
    return np.ma.masked_array(values, mask=np.arange(np.size(values)).reshape(np.shape(values)) == 1)


MASKED = {
    "X": lambda model: model.predict(masked(Z)),
    "y": lambda model: model.loss(Z, masked(Y)),
    "X_val": lambda model: model.train(Z, Y, masked(Z), Y),
    "sample_weight": lambda model: model.loss(Z, Y, sample_weight=masked(np.ones(2000))),
    "indices": lambda model: model.train(Z, Y, indices=masked(np.zeros((3, 4), int))),
    "W": lambda model: model.params.update(W=masked(np.ones((2, 2)))),
    "b": lambda model: setattr(model, "params", {"W": np.ones((2, 2)), "b": masked(np.ones(2))}),
    "what the schedule returned": lambda model: model.train(Z, Y, schedule=lambda k: masked(0.1 + k)),
    "mean": lambda model: fastnet.Normalization(masked([1.0, 2.0])),
    "X ": lambda model: fastnet.Normalization.fit(masked(Z)),
    " X": lambda model: model.predict([[np.ma.masked, 1.0]]),
    " y": lambda model: model.loss(Z[:2], [np.ma.MaskedArray(1, True), 1]),
    " X ": lambda model: model.predict(([1.0, 2.0], (np.ma.MaskedArray(0.5, True), 1.0))),
    "X  ": lambda model: model.predict([np.array([np.ma.masked, 1.0], object)]),
}


@pytest.mark.parametrize("name", MASKED)
def test_masked_elements_are_refused(name):
    with pytest.raises(ValueError, match=f"{name.strip()} is a masked array with masked elements"):
        MASKED[name](fastnet_model("linear", 2, 2, 2))


def test_a_mask_that_masks_nothing_is_none():
    model = fastnet_model("linear", 2, 2, 2)
    model.predict(np.ma.masked_array(Z))
    model.predict([[np.ma.MaskedArray(0.5, False), 1.0]])


@pytest.mark.filterwarnings("default")
def test_other_threads_keep_their_warnings_while_an_array_is_loaded():
    """From a disk it may take a while, and the filters are the process's."""

    class Lazy:
        def __array__(self, dtype=None, copy=None):
            found.append(list(warnings.filters))
            return Z

    found, before = [], list(warnings.filters)
    fastnet_model("linear", 2, 2, 2).predict(Lazy())
    assert found == [before]


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_of_many_equal_rows_add_up(kind):
    rows = 200_000
    model = fastnet_model(kind, 2, 4, 2, std=1e-3, dtype=np.float32, seed=0)
    exact = fastnet_model(kind, 2, 4, 2, std=1e-3, dtype=np.float64, seed=0)
    exact.params = model.params
    data = np.ones((rows, 2), np.float32), (np.arange(rows) % 10 == 0).astype(np.int64)
    for name, gradient in exact.loss(*data)[1].items():
        error = np.abs(model.loss(*data)[1][name] - gradient).max() / np.abs(gradient).max()
        assert error < 5e-5, name  # one after another: 1e-3


@pytest.mark.filterwarnings("ignore:after .* iterations the loss is still ln 2")
@pytest.mark.parametrize("schedule", [None, fastnet.schedules.EpochDecay(warmup=0.1)])
def test_a_rate_that_is_soon_gone_is_said_aloud(schedule):
    model = fastnet_model("linear", 2, 2, 2)
    with pytest.warns(UserWarning, match="a decay of 0.95 after each of 1000 epochs leaves .* schedule='linear'"):
        model.train(Z[:150], Y[:150], schedule=schedule)  # fewer rows than a batch: each step is an epoch


def test_rates_that_last_are_not():
    model = fastnet_model("linear", 2, 2, 2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.train(Z, Y)
        model.train(Z[:150], Y[:150], schedule="linear")
        model.train(Z[:150], Y[:150], learning_rate_decay=0.99)
        model.train(Z[:150], Y[:150], num_iters=200)
