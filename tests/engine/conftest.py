"""Fixtures of the engine's tests."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]

# Trains a small model and tells, as JSON, a digest of its parameters and whether the program was cached.
TRAIN = """
import hashlib, json
import numpy as np
import fastnet
from fastnet.engine.compilation import cpu
from fastnet.engine.step import programs

rng = np.random.default_rng(3)
digest = hashlib.sha256()
for kind, hidden, dtype in {models}:
    sizes = (130, hidden, 11) if hidden else (130, 11)
    net = kind(*sizes, std=0.1, dtype=dtype, seed=1)
    X, y = rng.integers(0, 256, (300, 130), dtype=np.uint8), rng.integers(0, 11, 300)
    net.normalization = fastnet.Normalization.fit(X, scale=True)
    history = net.train(X, y, num_iters=20, batch_size=61, learning_rate=1e-2, threads=2)
    for value in net.params.values():
        digest.update(np.ascontiguousarray(value).tobytes())
    digest.update(np.array(history["loss_history"]).tobytes())
stats = programs.train.stats
print(json.dumps({{
    "digest": digest.hexdigest(),
    "loss": history["loss_history"][-1],
    "hits": sum(stats.cache_hits.values()),
    "misses": sum(stats.cache_misses.values()),
    "unit": cpu.vector_unit().name,
}}))
"""
TWO_LAYER = "[(fastnet.TwoLayerNet, 21, np.float32)]"
LINEAR = "[(fastnet.SoftmaxClassifier, None, np.float32)]"
BOTH = "[(fastnet.TwoLayerNet, 21, np.float32), (fastnet.SoftmaxClassifier, None, np.float64)]"


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def start(models=LINEAR, package=ROOT, before="", **environment):
    """Start the training above in a process of its own, after the code `before`."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("NUMBA_", "FASTNET_"))}
    env = {**env, "PYTHONPATH": str(package), **environment}
    env = {name: value for name, value in env.items() if value is not None}
    return subprocess.Popen(
        [sys.executable, "-c", before + TRAIN.format(models=models)],
        env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=package,
    )  # fmt: skip


def finish(process):
    """What it found."""
    out, err = process.communicate(timeout=600)
    assert process.returncode == 0, err
    return json.loads(out)


@pytest.fixture
def train():
    return lambda *args, **kwargs: finish(start(*args, **kwargs))


@pytest.fixture
def train_at_once():
    """Two processes that start together."""

    def run(*args, **kwargs):
        processes = [start(*args, **kwargs) for _ in range(2)]
        return [finish(process) for process in processes]

    return run
