"""A memmap whose file shrinks is told of at the next return to Python: to read on would end the process."""

import os

import numpy as np
import pytest
from against_reference import bits, fastnet_model

import fastnet

D, H, C = 6, 5, 3
N = 20_000


@pytest.fixture
def mapped(tmp_path):
    """The file of a data set, and the part of it that begins in the middle of a page."""
    rows = np.random.default_rng(0).integers(0, 256, (N, D), dtype=np.uint8)
    (tmp_path / "rows").write_bytes(bytes(5000) + rows.tobytes())
    return tmp_path / "rows", np.memmap(tmp_path / "rows", np.uint8, "r", 5000, (N, D))


def test_training_ends_with_what_was_finished(mapped):
    path, X = mapped
    y = np.random.default_rng(1).integers(0, C, N)
    model, same = (fastnet_model("two-layer", D, H, C, std=0.1, seed=0) for _ in range(2))
    told = []

    def shrink(progress):
        told.append(progress.iteration)
        os.truncate(path, 5000 + N * D - 1)

    with pytest.raises(OSError, match=r"the file of X has 124999 bytes now, 125000 when it was mapped") as caught:
        model.train(X, y, num_iters=10**6, batch_size=20, learning_rate_decay=1.0, callback=shrink)
    assert len(told) == 1
    assert len(caught.value.history["loss_history"]) == told[0]
    os.truncate(path, 5000 + N * D)
    same.train(X, y, num_iters=told[0], batch_size=20, learning_rate_decay=1.0)
    assert bits(model) == bits(same)


def test_other_calls_do_not_begin(mapped):
    path, X = mapped
    model = fastnet_model("two-layer", D, H, C, std=0.1, seed=0)
    os.truncate(path, 4096)
    for call in (model.predict, lambda X: model.loss(X[::-1]), lambda X: fastnet.Whitening.fit(X[1:], 2)):
        with pytest.raises(OSError, match="the file of X has 4096 bytes now"):
            call(X)
