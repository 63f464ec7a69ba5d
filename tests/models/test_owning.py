"""One thread trains a model at a time; what others ask of it meanwhile is refused, not answered from half a step."""

import contextlib
import copy
import os
import pickle
import sys
import threading

import numpy as np
import pytest
from against_reference import bits

import fastnet
from fastnet import owning

N, D, H, C = 15, 6, 8, 5
X, Y = np.random.default_rng(3).standard_normal((60, D)), np.arange(60) % C
SETTINGS = {"learning_rate": 0.1, "learning_rate_decay": 1.0, "batch_size": N}


@pytest.fixture
def trained():
    """A model that another thread is training, at rest in a callback of its first iterations."""
    model = fastnet.TwoLayerNet(D, H, C, std=0.5, seed=1)
    reached, go_on = threading.Event(), threading.Event()

    def rest(progress):
        reached.set()
        go_on.wait(60)

    thread = threading.Thread(target=lambda: model.train(X, Y, num_iters=20, callback=rest, **SETTINGS))
    thread.start()
    assert reached.wait(60)
    yield model
    go_on.set()
    thread.join()
    # As if nobody had asked; and free again.
    plain = fastnet.TwoLayerNet(D, H, C, std=0.5, seed=1)
    plain.train(X, Y, num_iters=20, callback=lambda progress: None, **SETTINGS)
    assert bits(model) == bits(plain)
    model.train(X, Y, num_iters=1, **SETTINGS)


READS = {
    "loss": lambda model, path: model.loss(X, Y),
    "predict": lambda model, path: model.predict(X),
    "predict_proba": lambda model, path: model.predict_proba(X),
    "save": lambda model, path: model.save(path),
    "pickle": lambda model, path: pickle.dumps(model),
    "deepcopy": lambda model, path: copy.deepcopy(model),
}


def test_another_thread_neither_trains_nor_reads(trained, tmp_path):
    before = bits(trained)
    with pytest.raises(RuntimeError, match="being trained already"):
        trained.train(X, Y, num_iters=1, **SETTINGS)
    for read in (*READS.values(), lambda model, path: setattr(model, "params", model.params)):
        with pytest.raises(RuntimeError, match="another thread is training this model"):
            read(trained, tmp_path / "model")
    for name, value in {"normalization": fastnet.Normalization.fit(3 * X), "label_names": list("abcde")}.items():
        with pytest.raises(RuntimeError, match="another thread is training this model"):
            setattr(trained, name, value)
    assert bits(trained) == before
    assert trained.normalization is None
    assert os.listdir(tmp_path) == []


class Rows:
    """Rows of another library's, which come when they are asked for: they call `on_the_way` first."""

    def __init__(self, on_the_way):
        self.on_the_way = on_the_way

    def __array__(self, dtype=None, copy=None):
        self.on_the_way()
        return X


def start(call):
    thread = threading.Thread(target=call)
    thread.start()
    return thread


@pytest.fixture
def read():
    """A model that another thread is reading, held in its midst; what that has found, and what lets it go on."""
    model = fastnet.TwoLayerNet(D, H, C, std=0.5, seed=1)
    reached, go_on, found = threading.Event(), threading.Event(), []

    def rest():
        reached.set()
        go_on.wait(60)

    thread = start(lambda: found.append(model.predict_proba(Rows(rest))))
    assert reached.wait(60)
    yield model, found, go_on
    go_on.set()
    thread.join()


def test_a_training_begins_when_readings_that_have_begun_are_over(read):
    model, found, go_on = read
    before = model.predict_proba(X)
    stepped = threading.Event()
    training = start(lambda: model.train(X, Y, num_iters=1, callback=lambda _: stepped.set(), **SETTINGS))
    while owning.OWNER not in vars(model):
        pass
    with pytest.raises(RuntimeError, match="another thread is training this model"):
        model.predict(X)  # it would have to wait for the training, which may be long
    assert not stepped.wait(0.2)
    go_on.set()
    training.join()
    assert stepped.is_set()
    np.testing.assert_array_equal(found[0], before)
    assert (model.predict_proba(X) != before).any()


def test_a_training_does_not_wait_for_good(read, monkeypatch):
    model, _, _ = read
    before = bits(model)
    monkeypatch.setattr(owning, "MOST_WAIT", 0.01)
    with pytest.raises(RuntimeError, match=r"another thread has been reading this model for 0\.01 seconds"):
        model.train(X, Y, num_iters=1, **SETTINGS)
    assert bits(model) == before
    model.predict(X)  # nobody owns it


def test_a_reading_trains_in_its_own_thread():
    model = fastnet.TwoLayerNet(D, H, C, std=0.5, seed=1)
    model.predict(Rows(lambda: model.train(X, Y, num_iters=1, **SETTINGS)))
    assert len(model.history["loss_history"]) == 1


def test_readings_that_fail_are_over(monkeypatch):
    model = fastnet.TwoLayerNet(D, H, C, std=0.5, seed=1)
    monkeypatch.setattr(owning, "MOST_WAIT", 0.0)
    with pytest.raises(ValueError, match="X"):
        model.predict(X[:, 1:])
    assert vars(model)[owning.READERS] == []
    assert not {owning.READERS, owning.OWNER} & vars(copy.deepcopy(model)).keys()


@pytest.mark.parametrize("read", READS)
def test_a_callback_may_read(read, tmp_path):
    model, seen = fastnet.TwoLayerNet(D, H, C, std=0.5, seed=1), []
    model.train(X, Y, num_iters=3, callback=lambda _: seen.append(READS[read](model, tmp_path / "model")), **SETTINGS)
    assert seen


def test_a_callback_trains_another_copy_but_not_its_own_model():
    model, copies = fastnet.TwoLayerNet(D, H, C, std=0.5, seed=1), []

    def train_again(progress):
        copies.append(copy.deepcopy(model))
        copies[0].train(X, Y, num_iters=1, **SETTINGS)
        model.train(X, Y, num_iters=1, **SETTINGS)

    with pytest.raises(RuntimeError, match="being trained already"):
        model.train(X, Y, num_iters=3, callback=train_again, **SETTINGS)
    assert len(copies) == 1
    model.train(X, Y, num_iters=1, **SETTINGS)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.skipif(sys.version_info >= (3, 12), reason="Python warns of forks beside threads")
def test_a_forked_child_has_the_model_to_itself(trained):
    child = os.fork()
    if child == 0:
        os._exit(0 if len(trained.predict(X)) == 60 and trained.train(X, Y, num_iters=1, **SETTINGS) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.skipif(sys.version_info >= (3, 12), reason="Python warns of forks beside threads")
def test_a_forked_child_does_not_wait_for_the_threads_of_its_parent(read, monkeypatch):
    monkeypatch.setattr(owning, "MOST_WAIT", 0.0)
    child = os.fork()
    if child == 0:
        with contextlib.suppress(RuntimeError):
            read[0].train(X, Y, num_iters=1, **SETTINGS)
            os._exit(0)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
