"""Whatever arrays a caller brings: the reference's answer, or ValueError; and they are left as they were."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastnet
from reference.models import TwoLayerNet
from tests.properties.strategies import DTYPES, NUMBERS, brought

N, D, H, C = 20, 6, 5, 3  # those of tests/models/test_bad_input.py, whose programs are compiled
OTHERS = ((0, D), (N, 0), (N, D - 1), (D,), (), (N, 2, 3), (1, N, D), (0, 0))
LABELS = np.random.default_rng(1).integers(0, C, N)


def models(dtype):
    net = fastnet.TwoLayerNet(D, H, C, std=0.5, dtype=dtype, seed=0)
    with np.errstate(all="raise"):
        ours = TwoLayerNet(D, H, C)
    for name, value in net.params.items():
        ours.params[name] = value.astype(np.float64)
    return net, ours


NETS = {dtype: models(dtype) for dtype in (np.float32, np.float64)}


def told(call):
    """What a call returns, None for a ValueError."""
    try:
        return call()
    except ValueError:
        return None


def proper(array, shape, kinds):
    """Whether the array is one that must be taken."""
    return array.shape == shape and array.dtype.kind in kinds and bool(np.isfinite(array).all())


@pytest.mark.parametrize("dtype", NETS)
@given(what=brought((N, D), OTHERS))
def test_features(dtype, what):
    X, array = what
    net, ours = NETS[dtype]
    before, kept = array.tobytes(), np.array(array)
    scores, labels = told(lambda: net.loss(X)), told(lambda: net.predict(X))
    assert array.tobytes() == before
    if isinstance(X, np.ndarray) and array.dtype.kind != "O":
        assert np.array_equal(np.ma.getdata(X).astype(kept.dtype), kept, equal_nan=kept.dtype.kind in "fc")
    masked = isinstance(X, np.ma.MaskedArray) and np.ma.is_masked(X)
    masked |= isinstance(X, list) and any(np.ma.is_masked(row) for row in X)
    given_dtype = X.dtype if isinstance(X, np.ndarray) else np.asarray(X if not masked else array).dtype
    if scores is None:
        large = array.dtype.kind in "fc" and array.size and not (np.abs(array) <= np.finfo(dtype).max).all()
        assert masked or large or array.shape != (N, D) or given_dtype.kind not in "buif"
        return
    assert not masked
    assert array.shape == (N, D)
    rows = np.asarray(array).astype(np.float64)
    with np.errstate(all="ignore"):
        expected = ours.loss(rows)
        W = [np.abs(value) for value in ours.params.values()]
        size = (np.abs(rows) @ W[0] + W[1]) @ W[2] + W[3]  # of the terms that are added up
    error = 1e-5 if dtype == np.float32 else 1e-12
    usual = (size < np.finfo(dtype).max / 1e3).all(axis=1)
    np.testing.assert_array_less(np.abs(scores - expected)[usual], (error * size + 1e-37)[usual])
    assert labels is not None or not usual.all()
    if labels is not None:
        top = expected.max(axis=1)
        chosen = np.take_along_axis(expected, labels[:, np.newaxis], axis=1)[:, 0]
        assert (top - chosen <= 2 * error * size.max(axis=1))[usual].all()


@given(
    what=brought((N,), ((0,), (N, 1), (N - 1,), ()), (*DTYPES, "<i8", "<i8", "u1")), classes=st.sampled_from((3, 100))
)
def test_labels(what, classes):
    y, array = what
    net, X = NETS[np.float64][0], np.ones((N, D))
    before = array.tobytes()
    if classes == C and array.dtype.kind in "ui":
        array %= C
        y = y % C if isinstance(y, np.ndarray) else y
        before = array.tobytes()
    found = told(lambda: net.loss(X, y))
    assert array.tobytes() == before
    if found is not None:
        assert array.shape == (N,)
        assert np.asarray(y).dtype.kind in "ui"
        expected, _ = NETS[np.float64][1].loss(X, np.asarray(y).astype(np.int64), reg=0.0)
        assert found[0] == pytest.approx(expected, rel=1e-10)


@given(what=brought((N,), ((0,), (N, 1), (N - 1,), ()), DTYPES))
def test_weights_of_rows(what):
    weights, array = what
    net, X = NETS[np.float64][0], np.random.default_rng(0).standard_normal((N, D))
    before = array.tobytes()
    found = told(lambda: net.loss(X, LABELS, sample_weight=weights))
    assert array.tobytes() == before
    if found is not None:
        numbers = np.asarray(array).astype(np.float64)
        losses = [NETS[np.float64][1].loss(X[k : k + 1], LABELS[k : k + 1], reg=0.0)[0] for k in range(N)]
        assert found[0] == pytest.approx(float(np.average(losses, weights=numbers)), rel=1e-9)


@pytest.mark.parametrize("scale", [False, True])
@given(what=brought((7, 3), ((0, 3), (7, 0), (7,), (), (2, 3, 4))))
def test_normalization(scale, what):
    X, array = what
    before = array.tobytes()
    found = told(lambda: fastnet.Normalization.fit(X, scale=scale))
    assert array.tobytes() == before
    if found is None:
        assert not (isinstance(X, np.ndarray) and not isinstance(X, np.ma.MaskedArray) and proper(X, (7, 3), "bui"))
        return
    rows = np.asarray(array if array.size else X).astype(np.float64)  # empty lists have no type, such as complex
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(found.mean, rows.mean(axis=0), rtol=1e-9, atol=1e-9 * np.abs(rows).max(initial=0))
        if scale and np.abs(rows).max(initial=0) < 1e100:
            deviation = rows.std(axis=0)
            usual = deviation > 1e-6 * np.abs(rows).max(axis=0)
            np.testing.assert_allclose(found.scale[usual], 1 / deviation[usual], rtol=1e-6)


@given(mean=brought((4,), ((0,), (4, 1), ())), scale=st.none() | brought((4,), ((3,), ())))
def test_made_normalizations(mean, scale):
    given_scale = None if scale is None else scale[0]
    found = told(lambda: fastnet.Normalization(mean[0], given_scale))
    if found is not None:
        mean_given = mean[1] if mean[1].size else mean[0]  # an empty list has no type, such as complex
        np.testing.assert_array_equal(found.mean, np.asarray(mean_given).astype(np.float64))
        assert np.isfinite(found.mean).all()
        assert found.scale is None or np.isfinite(found.scale).all()


@pytest.mark.parametrize("dtype", NETS)
@given(what=brought((H, C), ((H,), (C, H), (1, C), ())))
def test_parameters(dtype, what):
    W, array = what
    net = models(dtype)[0]
    kept = net.params["W2"].copy()
    before = array.tobytes()
    if told(lambda: net.params.update(W2=W) or True) is None:
        np.testing.assert_array_equal(net.params["W2"], kept)
        return
    assert array.tobytes() == before
    numbers = np.asarray(array).astype(np.float64)  # of a list's, which may have been objects
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(net.params["W2"], numbers.astype(dtype))
    assert np.array_equal(np.isfinite(net.params["W2"]), np.isfinite(numbers))


@given(what=brought((30, 4), ((0, 4), (30,), (30, 2, 2)), NUMBERS), components=st.sampled_from((1, 3, 4, 5, 0)))
def test_whitening(what, components):
    X, array = what
    before = array.tobytes()
    found = told(lambda: fastnet.Whitening.fit(X, components))
    assert array.tobytes() == before
    if found is not None:
        rows = np.asarray(array).astype(np.float64)
        z = (rows - found.mean) @ found.matrix + found.offset
        np.testing.assert_allclose(z.std(axis=0), found.deviations, rtol=1e-3, atol=1e-3)
