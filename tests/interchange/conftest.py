"""Small nets to be taken elsewhere and back."""

import itertools

import numpy as np
import pytest

import fastnet
from fastnet.evaluation import softmax

D, H = 7, 9
PIXELS = np.random.default_rng(0).integers(0, 256, (20, D), dtype=np.uint8)


def make(kind="TwoLayerNet", dtype=np.float32, normalized=False, classes=4):
    """A net whose biases are not zeros, and whose dimensions are all different."""
    sizes = (D, H, classes) if kind == "TwoLayerNet" else (D, classes)
    net = getattr(fastnet, kind)(*sizes, std=1.0, dtype=dtype, seed=1)
    for value in net.params.values():
        value += 0.1 * np.cos(np.arange(value.size)).reshape(value.shape)
    if normalized:
        net.normalization = fastnet.Normalization.fit(PIXELS, scale=normalized == "standard")
    return net


def scores(net, X):
    """The scores of X in NumPy's float64, for which nothing has to be compiled."""
    params = [value.astype(np.float64) for value in net.params.values()]
    if net.normalization is not None:
        X = X - net.normalization.mean
        X = X if net.normalization.scale is None else X * net.normalization.scale
    hidden = X if len(params) == 2 else np.maximum(X @ params[0] + params[1], 0)
    return hidden @ params[-2] + params[-1]


def same_bits(a, b):
    """Whether two nets have the same parameters, to the last bit."""
    return type(a) is type(b) and {n: (v.dtype, v.tobytes()) for n, v in a.params.items()} == {
        n: (v.dtype, v.tobytes()) for n, v in b.params.items()
    }


PLAIN = list(itertools.product(["TwoLayerNet", "SoftmaxClassifier"], [np.float32, np.float64]))


@pytest.fixture(name="make")
def _make():
    return make


@pytest.fixture(name="scores")
def _scores():
    return scores


@pytest.fixture
def probabilities():
    """The probabilities of X in NumPy's float64."""
    return lambda net, X: softmax(scores(net, X))


@pytest.fixture(name="same_bits")
def _same_bits():
    return same_bits


@pytest.fixture
def pixels():
    return PIXELS


@pytest.fixture(params=PLAIN, ids=lambda plain: f"{plain[0]} {plain[1].__name__}")
def plain(request):
    """A net without a normalization, of each kind and dtype."""
    return make(*request.param)
