"""Ctrl-C in the midst of training, in a process of its own."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

# Trains for hours; interrupted, tells what it finds.  Full batches make a run a function of its length.
PROGRAM = """
import json, sys
import numpy as np
import fastnet

kind, threads = sys.argv[1], int(sys.argv[2])
rng = np.random.default_rng(0)
X, y = rng.standard_normal((250, 200)), rng.integers(0, 10, 250)
X[:, :10] += 2 * np.eye(10)[y]
options = dict(learning_rate=0.01, learning_rate_decay=1.0, reg=1e-3, batch_size=None, threads=threads)

def new_model():
    if kind == "linear":
        return fastnet.SoftmaxClassifier(200, 10, std=0.01, dtype=np.float64, seed=0)
    return fastnet.TwoLayerNet(200, 100, 10, std=0.01, dtype=np.float64, seed=0)

def bits(model):
    return b"".join(value.tobytes() for value in model.params.values())

model, finished = new_model(), [0]

def callback(progress):
    finished[0] = progress.iteration
    print("at", progress.iteration, flush=True)

try:
    model.train(X, y, num_iters=10**9, callback=callback, **options)
except KeyboardInterrupt:
    pass
else:
    raise SystemExit("never interrupted")

# The same run, step by step from the last one reported: the parameters must be those of one of the next.
same, steps = new_model(), finished[0]
same.train(X, y, num_iters=steps, **options)
while bits(same) != bits(model) and steps < finished[0] + 5000:
    same.train(X, y, num_iters=1, **options)
    steps += 1
loss = model.loss(X, y, reg=1e-3)[0]
again = model.train(X, y, num_iters=50, **options)["loss_history"]
print(json.dumps({
    "whole": bits(same) != bits(new_model()) and len(again) == 50,
    "same as a finished run": steps < finished[0] + 5000,
    "finite": all(bool(np.isfinite(value).all()) for value in model.params.values()),
    "start": new_model().loss(X, y, reg=1e-3)[0],
    "loss": loss,
    "again": [again[0], again[-1]],
}))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no SIGINT to another process")
@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("kind", ["linear", "two-layer"])
def test_an_interrupt_leaves_a_finished_iteration(kind, threads):
    root = Path(__file__).parents[2]
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, kind, str(threads)],
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
    assert found["whole"]
    assert found["finite"]
    assert found["loss"] < found["start"]
    # A new call goes on from there.
    assert found["again"][0] == pytest.approx(found["loss"], rel=1e-12)
    assert found["again"][1] < found["again"][0]
