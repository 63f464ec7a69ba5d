"""Fixtures of the benchmarks.

As part of the test suite each case runs once, small; with --benchmark-enable it is timed at the sizes meant.
"""

from __future__ import annotations

import os

import pytest

from benchmarks.problem import LAB, NUM_TRAIN, Problem, synthetic

# Else torch.compile starts a pool of processes for one small function, and leaves them running.
os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "1")


@pytest.fixture(scope="session")
def timed(pytestconfig) -> bool:
    """Whether cases are timed, or only run once to see that they work."""
    return pytestconfig.getoption("benchmark_enable") or not pytestconfig.getoption("benchmark_disable")


@pytest.fixture(scope="session")
def lab(timed) -> Problem:
    """The lab's sizes on random images; of these, and of steps, only a few when nothing is timed."""
    return synthetic(**LAB, steps=500 if timed else 5, num_train=NUM_TRAIN if timed else 1000)
