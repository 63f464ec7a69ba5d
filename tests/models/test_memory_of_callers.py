"""A model keeps nothing of what it is shown: the memory of the caller's arrays is free after each call."""

import gc
import weakref

import numpy as np
import pytest
from against_reference import KINDS, fastnet_model

D, H, C = 6, 5, 3


def rows(count):
    return np.random.default_rng(0).integers(0, 256, (count, D), dtype=np.uint8)


CALLS = {
    "predict": lambda model, X, y: model.predict(X),
    "predict twice": lambda model, X, y: (model.predict(X), model.predict(X)),
    "predict with two workers": lambda model, X, y: model.predict(X, threads=2),
    "loss": lambda model, X, y: model.loss(X, y),
    "train": lambda model, X, y: model.train(X, y, num_iters=2, batch_size=4),
    "validation": lambda model, X, y: model.train(rows(30), y[:30], X, y, num_iters=9, batch_size=10),
    "validation that never comes": lambda model, X, y: model.train(rows(30), y[:30], X, y, num_iters=1, batch_size=10),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("call", CALLS)
def test_nothing_is_kept(kind, call):
    model = fastnet_model(kind, D, H, C, std=0.1, seed=0)
    X, y = rows(300), np.random.default_rng(1).integers(0, C, 300)
    shown = weakref.ref(X)
    CALLS[call](model, X, y)
    del X
    gc.collect()
    assert shown() is None
