"""A training step as one size grows and the others stay the lab's, and as workers are added."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.contestants import CONTESTANTS
from benchmarks.problem import DTYPES, LAB, NUM_TRAIN, TOLERANCE, synthetic

GROWING = {"N": [1, 20, 200, 2000], "D": [2, 100, 784, 3072], "H": [8, 80, 256, 1024]}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("letter", "size"), [(k, size) for k, sizes in GROWING.items() for size in sizes])
def test_size(benchmark, timed, letter, size, dtype):
    benchmark.group = f"scaling in {letter}"
    sizes = {**LAB, letter: size}
    problem = synthetic(**sizes, steps=50 if timed else 2, num_train=NUM_TRAIN // 10 if timed else 100)
    train_checked(benchmark, problem, dtype)


@pytest.mark.benchmark(group="scaling in workers")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("workers", [1, 2])
def test_workers(benchmark, lab, workers, dtype):
    train_checked(benchmark, replace(lab, threads=workers), dtype)


def train_checked(benchmark, problem, dtype):
    setup = CONTESTANTS[f"fastnet {dtype}"].setup
    assert problem.loss_error(setup(problem)()) < TOLERANCE[dtype]
    losses = benchmark.pedantic(setup(problem), rounds=5)
    assert np.isfinite(losses).all()
