"""A small search: three clouds in the plane, nets that take a few milliseconds."""

from __future__ import annotations

from functools import partial, wraps

import numpy as np
import pytest

import fastnet

GRID = {"learning_rate": [0.01, 0.1, 0.5], "reg": [0.0, 0.1]}
SETTINGS = {"num_iters": 60, "batch_size": 20}


@pytest.fixture(scope="session")
def clouds():
    """X, y, X_val, y_val: 120 and 60 points; classes overlap, so that nets differ in their accuracies."""
    rng = np.random.default_rng(0)
    y = np.arange(180) % 3
    X = np.array([[0.0, 2.0], [2.0, -1.0], [-2.0, -1.0]])[y] + 1.3 * rng.standard_normal((180, 2))
    X = X.astype(np.float32)
    return X[:120], y[:120], X[120:], y[120:]


@pytest.fixture
def build():
    return partial(fastnet.TwoLayerNet, 2, 8, 3, std=0.1)


@pytest.fixture
def search(build, clouds):
    """`search(grid, **options)`: with the small data, network and settings unless others are given."""

    def call(grid=GRID, build=build, data=clouds, **options):
        settings = {name: value for name, value in SETTINGS.items() if name not in grid}
        return fastnet.search(build, *data, grid, **{**settings, **options})

    return call


@pytest.fixture
def trained(monkeypatch):
    """The rates and strengths of all trainings so far."""
    calls = []
    train = fastnet.TwoLayerNet.train

    @wraps(train)
    def counting(self, *data, **settings):
        calls.append((settings["learning_rate"], settings["reg"]))
        return train(self, *data, **settings)

    monkeypatch.setattr(fastnet.TwoLayerNet, "train", counting)
    return calls


def facts(search):
    """All of a search that must not depend on how it was run."""
    rows = [{name: value for name, value in line.items() if name != "seconds"} for line in search.table]
    params = {name: value.tobytes() for name, value in search.best_net.params.items()}
    return repr((rows, search.results, params, search.best_stats, search.best_val, search.best_point))


@pytest.fixture(name="facts")
def _facts():
    return facts
