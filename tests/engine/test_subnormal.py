"""No subnormal number outlives a step: it would make every step that meets it many times slower on some CPUs."""

import numpy as np
import pytest

from fastnet.engine import session
from fastnet.engine.step.memory import Layer, Source
from fastnet.engine.step.rules import GRADIENT, Rule
from fastnet.optimizers import SGD, Adam, Momentum

DTYPES = FLOAT32, FLOAT64 = [np.dtype(np.float32), np.dtype(np.float64)]
RULES = {
    "sgd": (SGD(), FLOAT32),
    "momentum": (Momentum(), FLOAT32),
    "nesterov": (Momentum(nesterov=True), FLOAT32),
    "adam": (Adam(), FLOAT32),
    "adam, float64": (Adam(), FLOAT64),
}
N, D, C, REG, RATE = 20, 60, 3, 0.5, 0.1
DEAD = 40  # features that are 0 in every row


def trainer_of(optimizer, dtype, rng):
    """A linear model, its dead features' weights and state of every magnitude down to the smallest subnormal."""
    layer = Layer.zeros(D, C, dtype)
    layer.W[...] = rng.standard_normal((D, C))
    X = rng.standard_normal((N, D)).astype(dtype)
    X[:, :DEAD] = 0
    source = Source(X, rng.integers(0, C, N), np.zeros((1, D), dtype), np.ones((1, D), dtype))
    trainer = session.Trainer((layer,), source, N, Rule(optimizer.rule), threads=1)
    smallest = np.log2(float(np.finfo(dtype).smallest_subnormal))
    tiny = np.exp2(np.linspace(smallest, smallest / 4, DEAD)).astype(dtype)[:, None]
    layer.W[:DEAD] = tiny * rng.choice([-1, 1], (DEAD, C))
    weight = trainer._affines[0].weight
    for state, power in ((weight.state1, 1), (weight.state2, 2)):
        if state is not None:  # a first moment is as large as the gradient, a second moment is its square
            state.array[:DEAD, :C] = tiny**power
    return trainer, weight


def subnormals(array):
    return np.count_nonzero((array != 0) & (np.abs(array) < np.finfo(array.dtype).tiny))


@pytest.mark.parametrize("name", RULES)
def test_what_a_rule_keeps_is_normal_or_zero(name, rng):
    optimizer, dtype = RULES[name]
    trainer, weight = trainer_of(optimizer, dtype, rng)
    kept = [matrix.array for matrix in weight if matrix is not None]  # the sums of squared weights are the last
    assert all(subnormals(array) for array in kept[:-1])
    for first in range(3):
        trainer.run(np.arange(N).reshape(1, -1), optimizer.coefficients(np.full(1, RATE), first), np.array([REG]))
        assert [subnormals(array) for array in kept] == [0] * len(kept)
    assert all(array[:DEAD].any() for array in kept[:-1])


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_only_tiny_numbers_become_zero(dtype, rng):
    trainer, weight = trainer_of(SGD(), dtype, rng)
    before = weight.value.array[:DEAD, :C].copy()
    trainer.run(np.arange(N).reshape(1, -1), np.full((1, 1), RATE), np.array([REG]))
    expected = before * dtype.type(1 - RATE * REG)
    expected[np.abs(expected) < np.sqrt(np.finfo(dtype).tiny)] = 0
    assert 0 < np.count_nonzero(expected) < expected.size
    np.testing.assert_allclose(weight.value.array[:DEAD, :C], expected, rtol=1e-6)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_what_is_no_number_stays(dtype, rng):
    """Else a run that diverged would look sound."""
    trainer, weight = trainer_of(SGD(), dtype, rng)
    weight.value.array[0, :C] = [np.nan, np.inf, -np.inf]
    trainer.run(np.arange(N).reshape(1, -1), np.zeros((1, 1)), np.zeros(1))
    assert not np.isfinite(weight.value.array[0, :C]).any()


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_gradients_of_sure_rows_are_normal_or_zero(dtype, rng):
    """Rows whose label scores so far above the rest that the others' probabilities would be subnormal."""
    layer = Layer.zeros(D, C, dtype)
    margins = np.linspace(0, -1.1 * np.log(float(np.finfo(dtype).smallest_subnormal)), N)
    layer.W[0] = [1, 0, 0]
    X = rng.standard_normal((N, D)).astype(dtype)
    X[:, 0] = margins
    source = Source(X, np.zeros(N, np.int64), np.zeros((1, D), dtype), np.ones((1, D), dtype))
    trainer = session.Trainer((layer,), source, N, GRADIENT, threads=1)
    trainer.run(np.arange(N).reshape(1, -1), np.zeros((1, 1)), np.zeros(1))
    found = trainer._activations.scores.array[:N, 1:C]
    probability = np.exp(-margins) / (1 + 2 * np.exp(-margins)) / N
    assert not subnormals(found)
    assert 0 < np.count_nonzero(found) < found.size
    np.testing.assert_allclose(found, np.stack([probability] * 2, 1), rtol=1e-4, atol=np.sqrt(np.finfo(dtype).tiny))
