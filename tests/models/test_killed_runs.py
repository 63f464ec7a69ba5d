"""Trainings killed at random moments, some while they write, end with the bits of one that was never stopped.

`pytest tests/models/test_killed_runs.py --kills 100 --killed-runs-report FILE` kills a hundred times and writes down
what it found.
"""

import json
import os
import platform
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import fastnet
from fastnet import archive

ITERATIONS_A_KILL, SECONDS = 200, 0.25  # what a process gets done in the longest of its lives, and that life
THREADS = (1, 2, 3)

# Trains with a checkpoint after every few steps, so that about every other moment is one of writing.
PROGRAM = """
import hashlib, json, sys
import numpy as np
import fastnet
from fastnet import training

path, iterations, threads, every = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
training.MOST_STEPS = 10
rng = np.random.default_rng(0)
X, y = rng.integers(0, 256, (2000, 784), dtype=np.uint8), rng.integers(0, 10, 2000)
net = fastnet.TwoLayerNet(784, 60, 10, std=0.01, seed=0)
net.normalization = fastnet.Normalization.fit(X)
kept = {} if path == "none" else {"checkpoint": path, "checkpoint_every": every, "resume": True}
said = []

def callback(progress):
    if not said:
        said.append(progress)
        print("going", flush=True)

callback.every_epoch = False
settings = dict(batch_size=50, learning_rate=1e-5, learning_rate_decay=1.0, sampling="shuffle", restore_best="loss")
history = net.train(X, y, X[:200], y[:200], num_iters=iterations, optimizer=fastnet.Momentum(), threads=threads,
    callback=callback, **settings, **kept)
digest = hashlib.sha256(b"".join(value.tobytes() for value in net.params.values()))
print(json.dumps({"weights": digest.hexdigest(), "history": hashlib.sha256(repr(history).encode()).hexdigest()}))
"""


def start(path, iterations, threads, every=10.0):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", PROGRAM, *map(str, (path, iterations, threads, every))]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, cwd=Path(path).parent)


def finished(process):
    """What the run ended with."""
    out, _ = process.communicate(timeout=300)  # only so that a hang fails
    assert process.returncode == 0
    return json.loads(out.splitlines()[-1])


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_killed_runs_end_as_if_they_never_had_been(tmp_path, request):
    kills, report = request.config.getoption("kills"), request.config.getoption("killed_runs_report")
    iterations, path = ITERATIONS_A_KILL * (kills + 2), tmp_path / "run"
    chance = random.Random(kills)
    found = []
    for number in range(kills):
        with start(path, iterations, THREADS[number % 3], every=0) as process:
            assert process.stdout.readline() == "going\n"
            time.sleep(chance.uniform(0, SECONDS))
            process.send_signal(signal.SIGKILL)
        if process.returncode == 0:  # on a very fast machine the run is over
            break
        assert process.returncode == -signal.SIGKILL
        writing = [name for name in os.listdir(tmp_path) if name.endswith(".part")]
        with archive.reading(path, "a checkpoint") as file:
            found.append((file.header["iteration"], len(writing)))
    assert found
    assert [at for at, _ in found] == sorted(at for at, _ in found)
    resumed = finished(start(path, iterations, 2))
    assert os.listdir(tmp_path) == ["run"]
    assert resumed == finished(start("none", iterations, 1))
    if report is not None:
        write_report(Path(report), iterations, found)


def write_report(file, iterations, found):
    writing = sum(count > 0 for _, count in found)
    moments = ", ".join(f"{at} w" if count else f"{at}" for at, count in found)
    file.write_text(
        f"""# {len(found)} kills

A training of {iterations} iterations was killed with SIGKILL {len(found)} times, {writing} of them while a checkpoint
was being written, and resumed each time, with 1, 2 and 3 threads in turn.  Its weights and histories were, to the
bit, those of the same training that nobody stopped.  No file was torn, and none was left over.

fastnet {fastnet.__version__}, {platform.system()}, {platform.machine()}.  Written by
`pytest tests/models/test_killed_runs.py --kills {len(found)} --killed-runs-report FILE`.

Iterations in the checkpoint after each kill (w: killed while the next one was written): {moments}
""",
        "utf-8",
    )
