"""Ctrl-C in the midst of training, of `loss` and of `predict`: at once where a step or a call is long."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from against_reference import bits

import fastnet
from fastnet import divergence, training
from fastnet.engine import session

# Trains for hours; interrupted, tells what it finds.  Full batches make a run a function of its length.
PROGRAM = """
import json, sys
import numpy as np
import fastnet
from fastnet.engine import session

kind, threads = sys.argv[1], int(sys.argv[2])
if sys.argv[3] == "long":  # as if a step took seconds
    session.LONG = 0
rng = np.random.default_rng(0)
X, y = rng.standard_normal((600, 200)), rng.integers(0, 10, 600)
X[:, :10] += 2 * np.eye(10)[y]
options = dict(learning_rate=0.01, learning_rate_decay=1.0, reg=1e-3, batch_size=None, threads=threads)

def new_model():
    if kind == "linear":
        return fastnet.SoftmaxClassifier(200, 10, std=0.01, dtype=np.float64, seed=0)
    return fastnet.TwoLayerNet(200, 100, 10, std=0.01, dtype=np.float64, seed=0)

def bits(model):
    return b"".join(value.tobytes() for value in model.params.values())

model = new_model()

def callback(progress):
    print("at", progress.iteration, flush=True)

try:
    model.train(X, y, num_iters=10**9, callback=callback, **options)
except KeyboardInterrupt as interrupt:
    losses = interrupt.history["loss_history"]
else:
    raise SystemExit("never interrupted")

same = new_model()
expected = same.train(X, y, num_iters=len(losses), **options)["loss_history"]
alike = bits(same) == bits(model) and expected == losses
loss = model.loss(X, y, reg=1e-3)[0]
again = model.train(X, y, num_iters=50, **options)["loss_history"]
print(json.dumps({
    "steps": len(losses),
    "same as a finished run": alike and len(again) == 50,
    "finite": all(bool(np.isfinite(value).all()) for value in model.params.values()),
    "start": new_model().loss(X, y, reg=1e-3)[0],
    "loss": loss,
    "again": [again[0], again[-1]],
}))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no SIGINT to another process")
@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize(("kind", "steps"), [("linear", "short"), ("two-layer", "short"), ("two-layer", "long")])
def test_an_interrupt_leaves_a_finished_iteration_and_its_history(kind, threads, steps):
    root = Path(__file__).parents[2]
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, kind, str(threads), steps],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    try:
        for _ in range(4):  # stretches grow from a single step to a tenth of a second
            assert process.stdout.readline().startswith("at "), process.stderr.read()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=120)  # only so that a hang fails
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0, err
    found = json.loads(out.splitlines()[-1])
    assert found["same as a finished run"]
    assert found["steps"] > 0
    assert found["finite"]
    assert found["loss"] < found["start"]
    # A new call goes on from there.
    assert found["again"][0] == pytest.approx(found["loss"], rel=1e-12)
    assert found["again"][1] < found["again"][0]


N, D, H, C = 600, 40, 12, 5  # three blocks of rows
RNG = np.random.default_rng(0)
X, Y = RNG.integers(0, 256, (N, D), dtype=np.uint8), RNG.integers(0, C, N)


@pytest.fixture
def interrupted(monkeypatch):
    """Calls what is a long step, or call, with Ctrl-C before its end, or after it.  Returns the exception."""

    def call(when, function, *arguments, **settings):
        def run_waiting(work, stop):
            if when == "before":
                stop()
            work()
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(session, "run_waiting", run_waiting)
            with pytest.raises(KeyboardInterrupt) as caught:
                function(*arguments, **settings)
        return caught.value

    monkeypatch.setattr(session, "LONG", 0)
    return call


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("precision", ["highest", "medium"])
def test_a_long_step_that_is_stopped_leaves_nothing_of_itself(interrupted, precision, threads):
    settings = {"learning_rate": 1e-3, "batch_size": None, "optimizer": fastnet.Momentum()}

    def new_model():
        model = fastnet.TwoLayerNet(D, H, C, std=0.1, seed=0, threads=threads, matmul_precision=precision)
        model.normalization = fastnet.Normalization.fit(X)
        return model

    for when, steps in (("before", 0), ("after", 1)):
        model, same = new_model(), new_model()
        error = interrupted(when, model.train, X, Y, num_iters=10, **settings)
        expected = same.train(X, Y, num_iters=steps, **settings)
        assert bits(model) == bits(same)
        assert error.history["loss_history"] == model.history["loss_history"] == expected["loss_history"]


def test_a_long_call_ends_before_its_end_and_the_next_one_is_whole(interrupted):
    model = fastnet.TwoLayerNet(D, H, C, std=0.1, seed=0, threads=2)
    expected, (scorer,) = model.loss(X), model._scorers.values()
    interrupted("before", model.predict, X)
    assert scorer._tickets.array.sum() <= 2  # blocks of rows that the workers have taken
    interrupted("before", model.loss, X, Y)
    assert (model.loss(X) == expected).all()


# What deals with an interrupt, what it leaves if it is cut short, and a learning rate that asks for it.
DEALING = {
    "noting": (training.History, "note", lambda history: history.loss_history.append(7.0), 1e-3),
    "going back": (divergence.Guard, "_restore", lambda guard: guard._steps.parameters[0].fill(7), 3e38),
}


@pytest.mark.parametrize("what", DEALING)
def test_a_second_interrupt_waits_for_the_first(interrupted, monkeypatch, what):
    kind, name, leave_half, rate = DEALING[what]
    whole, cut = getattr(kind, name), []

    def cut_short(self, *arguments):
        found = whole(self, *arguments)
        if not cut:
            cut.append(leave_half(self))
            raise KeyboardInterrupt
        return found

    monkeypatch.setattr(kind, name, cut_short)
    model, same = (fastnet.TwoLayerNet(D, H, C, std=0.1, seed=0) for _ in range(2))
    error = interrupted("after", model.train, X, Y, learning_rate=rate, num_iters=1, batch_size=None)
    assert len(cut) == 1
    expected = same.train(X, Y, learning_rate=1e-3, num_iters=1 if what == "noting" else 0, batch_size=None)
    assert bits(model) == bits(same)
    assert error.history["loss_history"] == expected["loss_history"]


LEAVING = {"parameters": (1.0, 3e38, None), "Adam's second moments": (1e22, 1e-9, fastnet.Adam())}


@pytest.mark.parametrize("what", LEAVING)
def test_an_interrupt_that_would_leave_the_finite_numbers_is_taken_back(interrupted, what):
    size, rate, optimizer = LEAVING[what]
    model = fastnet.TwoLayerNet(D, H, C, std=0.1, seed=0)
    before = bits(model)
    settings = {"learning_rate": rate, "num_iters": 1, "batch_size": None, "optimizer": optimizer}
    error = interrupted("after", model.train, size * X, Y, **settings)
    assert bits(model) == before
    assert error.history["loss_history"] == []
