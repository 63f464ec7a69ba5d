"""A checkpoint of a run is for one training at a time, and is given back whatever ends that."""

import contextlib
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from against_reference import bits

import fastnet
from fastnet import training

X, Y = np.random.default_rng(3).standard_normal((60, 6)), np.arange(60) % 5


@pytest.fixture(autouse=True)
def short_stretches(monkeypatch):
    """And so, of a short run, several checkpoints."""
    monkeypatch.setattr(training, "MOST_STEPS", 3)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.npz"


def new_model(seed=0):
    return fastnet.TwoLayerNet(6, 8, 5, std=0.5, seed=seed)


def train(model, **options):
    settings = {"learning_rate": 0.1, "num_iters": 40, "batch_size": 15, "checkpoint_every": 0}
    return model.train(X, Y, **settings | options)


@pytest.mark.parametrize("resume", [False, True])
def test_a_second_training_with_a_checkpoint_in_use_is_refused(path, resume):
    model, second, found = new_model(), new_model(seed=1), []

    def begin(progress):
        before = bits(second), second.history, path.read_bytes()
        with ThreadPoolExecutor(1) as threads:
            error = threads.submit(train, second, checkpoint=path, resume=resume).exception(60)
        assert (bits(second), second.history, path.read_bytes()) == before
        found.append(error)

    whole = train(model, checkpoint=path, callback=begin)
    assert len(found) > 5  # between any two writes
    for error in found:
        with pytest.raises(BlockingIOError, match=f"in use by another process or thread.*{path}"):
            raise error
    assert train(new_model(), checkpoint=path, resume=True) == whole


@pytest.mark.parametrize("error", [None, KeyboardInterrupt, ZeroDivisionError, fastnet.DivergenceError])
def test_a_training_that_has_ended_in_any_way_leaves_its_checkpoint_to_the_next(path, error):
    def end(progress):
        if error in (KeyboardInterrupt, ZeroDivisionError):
            raise error

    rate = 1e30 if error is fastnet.DivergenceError else 0.1
    with contextlib.nullcontext() if error is None else pytest.raises(error):
        train(new_model(), checkpoint=path, callback=end, learning_rate=rate)
    assert os.listdir(path.parent) == [path.name]
    train(new_model(), checkpoint=path)
