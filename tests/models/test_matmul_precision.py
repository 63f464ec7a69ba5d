"""matmul_precision: what "high" and "medium" promise, on ordinary data and on data made to hurt."""

import copy
import pickle

import numpy as np
import pytest
from against_reference import KINDS, bits, error, fastnet_model

import fastnet

MODES = {"high": 24, "medium": 16}
N, D, H, C = 45, 150, 20, 4  # one tile shape for all
FLOAT = 2.0**-21  # a float32 sum's own rounding, relative to the sum of absolute values


def pixels(seed=0, rows=N):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (rows, D), dtype=np.uint8), rng.integers(0, C, rows)


def build(mode="highest", kind="two-layer", dtype=np.float32, std=0.02):
    return fastnet_model(kind, D, H, C, std=std, seed=3, dtype=dtype, matmul_precision=mode)


def layer_of_its_own(mode, W, normalization):
    """A model whose scores are the first layer's product."""
    model = fastnet.SoftmaxClassifier(*W.shape, matmul_precision=mode)
    model.params["W"][:] = W
    model.normalization = normalization
    return model


def assert_bound(mode, W, X, normalization, bits=None):
    """Scores within the bound that the docstring states; bits where the rule must take more."""
    W = W.astype(np.float32)
    mean, scale = (a.astype(np.float64) for a in normalization.mean_and_scale(np.dtype(np.float32)))
    V, centred = scale.reshape(-1, 1) * W, X - mean
    found = layer_of_its_own(mode, W, normalization).loss(X)
    bound = 2.0 ** (1 - (bits or MODES[mode])) * np.abs(V).max(axis=0) * np.abs(centred).sum(axis=1, keepdims=True)
    if bits == 0:
        bound = 0  # floats
    bound = bound * (1 + 1 / 100) + FLOAT * (np.abs(centred) @ np.abs(V))
    assert (np.abs(found - centred @ V) <= bound).all(), (np.abs(found - centred @ V) / bound).max()
    return found


# --- the bound -------------------------------------------------------------------------------------------


def mean_of(X):
    return fastnet.Normalization.fit(X)


def weights(columns=C):
    return np.random.default_rng(5).standard_normal((D, columns))


@pytest.mark.parametrize("mode", MODES)
def test_ordinary_weights(mode):
    X, _ = pixels()
    found = assert_bound(mode, weights(), X, mean_of(X))
    assert (found != layer_of_its_own("highest", weights(), mean_of(X)).loss(X)).any()


@pytest.mark.parametrize("largest", [1.0, 1.999])
@pytest.mark.parametrize("mode", MODES)
def test_the_bound_is_no_larger_than_it_must_be(mode, largest):
    """Weights halfway between two integers, which all go the way that adds to one row's error."""
    X, _ = pixels()
    unit = 2.0 ** (2 - MODES[mode]) * (1 if largest == 1 else 2)  # balanced digits end a little below 2
    halfway = 2 * np.random.default_rng(1).integers(-9, 9, D) + (X[0] > X.mean(axis=0)) + 0.5
    W = np.repeat((halfway * unit)[:, None], C, axis=1)
    W[7] = largest
    found = assert_bound(mode, W, X, mean_of(X))
    centred = X[0] - mean_of(X).mean_and_scale(np.dtype(np.float32))[0].astype(np.float64)
    error = np.abs(found[0] - centred @ W)
    assert (error > 0.95 * 2.0 ** (1 - MODES[mode]) * largest * np.abs(centred).sum()).all()


@pytest.mark.parametrize("mode", MODES)
def test_an_outlier(mode):
    X, _ = pixels()
    W = weights()
    W[7, 1] = 1e6
    assert_bound(mode, W, X, mean_of(X))
    # The other columns have their own scales.
    without = layer_of_its_own(mode, weights(), mean_of(X)).loss(X)
    np.testing.assert_array_equal(layer_of_its_own(mode, W, mean_of(X)).loss(X)[:, [0, 2, 3]], without[:, [0, 2, 3]])


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("highest", [3, 40, 255])
def test_dark_images(highest, mode):
    """Pixels that hardly differ from their mean: its own rounding must not show."""
    X, _ = pixels()
    X = (X.astype(int) * (highest + 1) // 256).astype(np.uint8)
    assert_bound(mode, np.abs(weights()), X, mean_of(X))


@pytest.mark.parametrize("mode", MODES)
def test_a_mean_between_two_places_of_fixed_point(mode):
    X, _ = pixels()
    assert_bound(mode, np.abs(weights()), X % 2, fastnet.Normalization(np.full(D, 1 / 3)))


@pytest.mark.parametrize("mode", MODES)
def test_features_of_very_different_scale_take_more_bits(mode):
    X, _ = pixels()
    X[:, :20] = 0
    X[3, :20] = 1
    scale = np.full(D, 1 / 74)
    for largest, expected in ((1 / 74, MODES[mode]), (1.0, 24 if mode == "medium" else 0), (1e6, 0)):
        scale[:20] = largest
        assert_bound(mode, weights(), X, fastnet.Normalization(X.mean(axis=0), scale), bits=expected)
    found = layer_of_its_own(mode, weights(), fastnet.Normalization(X.mean(axis=0), scale))
    same = layer_of_its_own("highest", weights(), found.normalization)
    np.testing.assert_array_equal(found.loss(X), same.loss(X))


@pytest.mark.parametrize("mode", MODES)
def test_constant_features_and_columns_of_zeros(mode):
    X, _ = pixels()
    X[:, 5:60] = 17
    W = weights()
    W[:, 2] = 0
    found = assert_bound(mode, W, X, fastnet.Normalization.fit(X, scale=True))
    assert (found[:, 2] == 0).all()


# --- the gradient ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("mode", "limit"), [("high", 1e-6), ("medium", 1e-4)])
@pytest.mark.parametrize("sure", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_gradients_against_float64(kind, sure, mode, limit):
    X, y = pixels()
    model, exact = build(mode, kind), build(kind=kind, dtype=np.float64)
    model.normalization = exact.normalization = fastnet.Normalization.fit(X, scale=True)
    if sure:  # every row at probability 0.9999 or so: tiny gradients
        y[:] = 1
        for name, value in model.params.items():
            value *= 0.1 if name in ("W", "W1") else 1
            value += np.where(np.arange(H) % 3, 0.3, -0.3) if name == "b1" else 0  # far from the kink
        list(model.params.values())[-1][1] = 10
    exact.params = model.params
    true_loss, expected = exact.loss(X, y)
    assert (true_loss < 2e-3) == sure

    def errors():
        loss, found = model.loss(X, y)
        return [abs(loss / true_loss - 1), *(error(found[name], expected[name]) for name in found)]

    found = errors()
    model.matmul_precision = "highest"
    # Of probabilities so near to 1 float32 keeps few digits, in every mode.
    own = max(errors()) if sure else 0
    assert max(found) < limit + 4 * own
    assert found != errors()


# --- training --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("mode", "limit"), [("high", 1e-6), ("medium", 3e-5)])
def test_training_follows_float64(mode, limit):
    rng = np.random.default_rng(2)
    y = rng.integers(0, C, 400)
    images = rng.uniform(0, 200, (C, D))[y] + rng.uniform(0, 55, (400, D))
    X = images.astype(np.uint8)
    losses = {}
    for name, dtype in ((mode, np.float32), ("highest", np.float64)):
        model = build(name, dtype=dtype, std=0.01)
        model.normalization = fastnet.Normalization.fit(X, scale=True)
        losses[name] = np.array(
            model.train(X, y, learning_rate=0.1, num_iters=20, batch_size=N, reg=0.01)["loss_history"]
        )
    expected = losses["highest"]
    assert expected[-1] < 0.9 * expected[0]
    assert 0 < np.abs(losses[mode] / expected - 1).max() < limit


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("factor", [1e3, 1e-3])
def test_scales_follow_weights_that_grow_and_shrink(factor, mode):
    """A step that makes the weights 1000 times as large, or as small: no digit saturates, none is left unused."""
    X, y = pixels()
    models = build(mode), build(dtype=np.float64)
    rate, reg = (1e-6, (1 - factor) * 1e6) if factor < 1 else (1e4, 0.0)
    for model in models:
        model.normalization = fastnet.Normalization.fit(X, scale=True)
        model.params = models[0].params
    before, rows = np.abs(models[0].params["W1"]).max(), np.tile(np.arange(N), (3, 1))
    histories = [
        model.train(X, y, None, None, rate, 1.0, reg, num_iters=3, batch_size=N, indices=rows)["loss_history"]
        for model in models
    ]
    after = np.abs(models[0].params["W1"]).max()
    assert after > 300 * before if factor > 1 else after < before / 300
    np.testing.assert_allclose(histories[0], histories[1], rtol=1e-3)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("value", [np.nan, np.inf, 3e38])
def test_numbers_that_are_not_finite(value, mode):
    X, y = pixels()
    losses, finite = [], []
    for name in ("highest", mode):
        model = build(name)
        model.normalization = fastnet.Normalization(X.mean(axis=0), np.full(D, 4.0))
        model.params["W1"][9, 3] = value
        finite.append(np.isfinite(model.loss(X)))
        losses.append(model.loss(X, y)[0])
    # A unit that is infinite for some rows in float32, and 0 for the others, is no number for any.
    assert not finite[1].all()
    assert not (finite[1] & ~finite[0]).any()
    assert not np.isfinite(losses).any()


@pytest.mark.filterwarnings("ignore:overflow")
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_run_that_explodes_and_is_mended(kind, mode):
    X, y = pixels()
    model = build(mode, kind)
    fresh = build(mode, kind)
    with pytest.raises(fastnet.DivergenceError):
        model.train(X, y, learning_rate=1e30, num_iters=20, batch_size=N)
    assert all(np.isfinite(value).all() for value in model.params.values())
    model.params = fresh.params
    assert model.loss(X, y)[0] == fresh.loss(X, y)[0]


# --- where it is used, and where not ---------------------------------------------------------------------


def run(model, X, y, rows=N):
    """The bits of a short training, and of what the model then says."""
    history = model.train(X, y, X, y, num_iters=5, batch_size=rows, learning_rate=1e-6)
    loss, grads = model.loss(X[:rows], y[:rows])
    return (bits(model, history), loss, model.loss(X[:rows]).tobytes(), *(g.tobytes() for g in grads.values()))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("case", ["float32", "float64", "few rows", "mean below 0", "mean beyond 255", "a scale of 0"])
def test_what_runs_at_highest(case, mode):
    X, y = pixels(rows=31 if case == "few rows" else N)
    shift = {"mean below 0": -200, "mean beyond 255": 200}.get(case, 0)
    scale = np.ones(D)
    scale[4] = case != "a scale of 0"
    found = []
    for name in ("highest", mode):
        model = build(name)
        model.normalization = fastnet.Normalization(X.mean(axis=0) + shift, scale)
        data = X.astype(case) if case.startswith("float") else X
        found.append(run(model, data, y, len(X)))
    assert found[0] == found[1]


def test_modes_differ_where_they_are_used():
    X, y = pixels()
    results = [run(build(mode), X, y) for mode in ("highest", *MODES)]
    for part in zip(*results, strict=True):
        assert len(set(part)) == 3


@pytest.mark.parametrize("kind", KINDS)
def test_it_may_be_set_later_and_stays_with_the_model(kind, tmp_path):
    X, y = pixels()
    model = build(kind=kind)
    model.loss(X)
    model.matmul_precision = "medium"
    expected = run(build("medium", kind), X, y)
    assert run(pickle.loads(pickle.dumps(model)), X, y) == expected
    assert run(copy.deepcopy(model), X, y) == expected
    assert run(model, X, y) == expected
    model.save(tmp_path / "model.npz")
    loaded = fastnet.load(tmp_path / "model.npz")
    assert loaded.matmul_precision == "medium"
    np.testing.assert_array_equal(loaded.loss(X), model.loss(X))


@pytest.mark.parametrize("mode", MODES)
def test_a_new_normalization_is_a_new_question(mode):
    """What the last prediction left in memory fits its normalisation, not every one."""
    X, _ = pixels()
    model = layer_of_its_own(mode, weights(), mean_of(X))
    steep = np.ones(D)
    steep[:20] = 1e6
    for normalization in (
        fastnet.Normalization(X.mean(axis=0) - 300),
        fastnet.Normalization(X.mean(axis=0), steep),
        mean_of(X[:9]),
        None,
    ):
        model.normalization = mean_of(X)
        model.loss(X)
        model.normalization = normalization
        fresh = layer_of_its_own(mode, weights(), normalization)
        np.testing.assert_array_equal(model.loss(X), fresh.loss(X))


@pytest.mark.parametrize("kind", KINDS)
def test_words_that_are_refused(kind):
    for wrong in ("low", "HIGH", "", None, 16):
        with pytest.raises(ValueError, match=r"matmul_precision is .*, expected one of 'highest', 'high', 'medium'"):
            build(wrong, kind)
        model = build(kind=kind)
        model.matmul_precision = wrong
        for call in (
            lambda m: m.predict(pixels()[0]),
            lambda m: m.loss(*pixels()),
            lambda m: m.train(*pixels(), num_iters=2),
        ):
            with pytest.raises(ValueError, match="matmul_precision"):
                call(model)
    for mode in MODES:
        with pytest.raises(ValueError, match="expected 'highest': a float64 model has no other"):
            build(mode, kind, dtype=np.float64)
