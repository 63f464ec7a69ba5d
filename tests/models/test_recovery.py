"""After a run that diverged, or a call that failed, a model is as good as new."""

import numpy as np
import pytest

import fastnet

X = np.random.default_rng(0).standard_normal((40, 6))
Y = np.arange(40) % 3


@pytest.mark.filterwarnings("ignore:overflow")
@pytest.mark.parametrize("sizes", [(6, 5, 3), (6, 3)], ids=["two-layer", "linear"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_good_parameters_cure_a_model_that_diverged(sizes, dtype):
    kind = fastnet.TwoLayerNet if len(sizes) == 3 else fastnet.SoftmaxClassifier
    model, fresh = (kind(*sizes, std=0.1, dtype=dtype, seed=1) for _ in range(2))
    with pytest.raises(fastnet.DivergenceError):
        model.train(X, Y, learning_rate=1e30, num_iters=20, batch_size=10)
    assert not np.array_equal(*(next(iter(net.params.values())) for net in (model, fresh)))
    model.params = fresh.params
    assert model.loss(X, Y, reg=0.1)[0] == fresh.loss(X, Y, reg=0.1)[0]


def test_several_parameters_are_written_or_none():
    model = fastnet.TwoLayerNet(6, 5, 3, seed=1)
    before = model.params["W1"].copy()
    with pytest.raises(ValueError, match="b1 has shape"):
        model.params.update({"W1": np.ones((6, 5)), "b1": np.ones(4)})
    np.testing.assert_array_equal(model.params["W1"], before)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"learning_rate": 1e300}, "learning_rate is 1e\\+300, expected .* float32"),
        ({"reg": 1e300}, "reg is 1e\\+300, expected .* float32"),
        ({"optimizer": fastnet.Adam(epsilon=1e-50)}, "epsilon is 1e-50, expected at least"),
    ],
)
def test_numbers_that_float32_cannot_hold_are_refused(options, message):
    model = fastnet.TwoLayerNet(6, 5, 3, seed=1)
    with pytest.raises(ValueError, match=message):
        model.train(X, Y, num_iters=1, **options)


def test_scores_far_below_any_mask_are_scores_like_others():
    model = fastnet.SoftmaxClassifier(1, 2, std=0.0)
    model.params["b"][:] = [-1e31, -2e31]
    assert model.loss(np.ones((1, 1)), [0])[0] == 0


def test_features_far_from_zero_keep_what_sets_them_apart():
    x = 1e6 + np.arange(8.0).reshape(8, 1)
    model = fastnet.SoftmaxClassifier(1, 2, std=1.0, seed=0)
    model.normalization = fastnet.Normalization(np.array([1e6]))
    expected = (x - 1e6) @ model.params["W"].astype(np.float64)
    np.testing.assert_allclose(model.loss(x.astype(np.float32)), expected, rtol=1e-6)
