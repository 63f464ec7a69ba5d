"""Normalization: fitted block by block, applied wherever X goes in, the same as normalising X beforehand."""

import numpy as np
import pytest
from against_reference import TOLERANCE, error, fastnet_model, in_reference, worst_error

import fastnet
from fastnet import Normalization, normalization


def pixels(rows=50):
    return np.random.default_rng(0).integers(0, 256, (rows, 30), dtype=np.uint8)


@pytest.mark.parametrize("X_type", ["uint8", "float32", "float64", "int16"])
@pytest.mark.parametrize("block", [1, 1000, 1 << 24])
def test_fit_is_mean_and_deviation(X_type, block, monkeypatch):
    monkeypatch.setattr(normalization, "_BLOCK_BYTES", block)
    X = pixels().astype(X_type)
    X64 = X.astype(np.float64)
    mean_only, both = Normalization.fit(X), Normalization.fit(X, scale=True)
    np.testing.assert_allclose(mean_only.mean, X64.mean(axis=0), rtol=1e-14)
    assert mean_only.scale is None
    np.testing.assert_allclose(both.mean, X64.mean(axis=0), rtol=1e-14)
    np.testing.assert_allclose(both.scale, 1 / X64.std(axis=0), rtol=1e-13)
    assert both.mean.dtype == both.scale.dtype == np.float64


def test_fit_reads_a_memmap_and_leaves_it_alone(tmp_path):
    pixels().tofile(tmp_path / "X.bin")
    X = np.memmap(tmp_path / "X.bin", np.uint8, "r", shape=pixels().shape)
    np.testing.assert_array_equal(Normalization.fit(X, scale=True).scale, Normalization.fit(pixels(), scale=True).scale)
    assert (tmp_path / "X.bin").read_bytes() == pixels().tobytes()


@pytest.mark.parametrize("constant", [0.0, 7.0, 0.1, -1e-3])  # the mean of ten times 0.1 is not 0.1
@pytest.mark.parametrize("rows", [1, 10])
def test_a_feature_that_never_varies_keeps_scale_1(rows, constant):
    X = np.random.default_rng(0).standard_normal((rows, 3))
    X[:, 1] = constant
    assert Normalization.fit(X, scale=True).scale[1] == 1.0


@pytest.mark.parametrize("scale", [False, True])
@pytest.mark.parametrize(("kind", "dtype"), [("two-layer", np.float32), ("linear", np.float64)])
def test_applied_it_is_the_same_as_normalising_beforehand(kind, dtype, scale):
    X, y = pixels(), np.arange(50) % 4
    fitted = Normalization.fit(X, scale)
    model = fastnet_model(kind, 30, 9, 4, std=0.01, dtype=dtype, seed=0)
    model.normalization = fitted
    twin, X64 = in_reference(model), (X - fitted.mean) * (1.0 if fitted.scale is None else fitted.scale)
    assert error(model.loss(X), twin.loss(X64)) < TOLERANCE[dtype]
    assert error(model.loss(X, y)[0], twin.loss(X64, y)[0]) < TOLERANCE[dtype]
    assert worst_error(model.loss(X, y)[1], twin.loss(X64, y)[1]) < TOLERANCE[dtype]
    options = {"learning_rate": 1e-3, "num_iters": 8, "batch_size": None}
    history, expected = model.train(X, y, X, y, **options), twin.train(X64, y, X64, y, **options)
    assert error(history["loss_history"], expected["loss_history"]) < TOLERANCE[dtype]
    assert history["val_acc_history"] == expected["val_acc_history"]
    np.testing.assert_array_equal(model.predict(X), twin.predict(X64))
    e = np.exp(twin.loss(X64))
    assert error(model.predict_proba(X), e / e.sum(axis=1, keepdims=True)) < 10 * TOLERANCE[dtype]


def test_what_it_was_made_of_may_change():
    mean = np.zeros(3)
    made = Normalization(mean, [1, 2, 3])
    mean[:] = 5
    np.testing.assert_array_equal(made.mean, 0.0)
    np.testing.assert_array_equal(made.scale, [1.0, 2.0, 3.0])


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.zeros(3), r"X is float64 of shape \(3,\), expected numbers of shape \(N, D\)"),
        (np.zeros((0, 3)), r"shape \(0, 3\).*N at least 1"),
        (np.zeros((2, 2, 2)), r"shape \(2, 2, 2\)"),
        (np.array([["a"]]), "X is <U1"),
        (np.zeros((2, 2), complex), "X is complex128"),
        (np.array([[1.0, np.nan]]), r"X\[0, 1\] is nan, expected finite"),
        (np.array([[1.0], [np.inf]]), r"X\[1, 0\] is inf, expected finite"),
        (np.full((2, 1), 1e308), "mean holds nan or infinity, expected finite"),
    ],
)
def test_fit_refuses(X, message):
    with pytest.raises(ValueError, match=message):
        Normalization.fit(X)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.zeros((2, 2)),), r"mean has shape \(2, 2\)"),
        ((0.5,), r"mean has shape \(\)"),
        ((np.zeros(2), np.ones(3)), r"scale has shape \(3,\)"),
        ((np.zeros(2), 1.0), r"scale has shape \(\)"),
        (([np.nan],), "mean holds nan or infinity"),
        (([0.0], [np.inf]), "scale holds nan or infinity"),
    ],
)
def test_numbers_that_fit_no_features_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Normalization(*arguments)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (Normalization(np.zeros(31)), "31 features, expected the model's 30"),
        (Normalization(np.zeros(30), np.full(30, 1e200)), "fit float32"),
        (Normalization(np.full(30, -1e300)), "fit float32"),
        ("mean", "of type str, expected a Normalization or None"),
    ],
)
def test_a_model_refuses_what_does_not_fit_it(given, message):
    model = fastnet.TwoLayerNet(30, 9, 4, seed=0)
    model.normalization = given
    for call in (
        lambda: model.predict(pixels()),
        lambda: model.train(pixels(), np.zeros(50, int), num_iters=1),
    ):
        with pytest.raises(ValueError, match=message):
            call()
