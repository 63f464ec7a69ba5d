"""Sizes from the smallest to the largest, both models, against NumPy in the same type.

NumPy is given the better conditions: its data set is converted beforehand, fastnet's is raw images.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any

from benchmarks.contestants import CONTESTANTS
from benchmarks.problem import TOLERANCE, Problem, synthetic
from fastnet.bench import take_turns

SECONDS = 0.1  # of a turn, about
TRIES = 3  # runs that tell how long a step takes: the fastest counts, as a disturbed one would make a turn too short
MOST_STEPS = 2000

# N, D, H, C; H = 0 is the linear classifier.
CORNERS = [(N, D, H, C) for N in (1, 4096) for D in (2, 3072) for H, C in ((8, 2), (1024, 100))]
BETWEEN = [(200, 3072, 80, 10), (300, 2, 100, 3), (128, 784, 256, 10), (17, 33, 9, 7), (1, 784, 32, 10)]
LINEAR_CORNERS = [(N, D, 0, C) for N in (1, 4096) for D, C in ((2, 2), (3072, 2), (3072, 100))]
LINEAR_BETWEEN = [(200, 3072, 0, 10), (300, 2, 0, 3), (64, 784, 0, 10)]
POINTS = CORNERS + BETWEEN + LINEAR_CORNERS + LINEAR_BETWEEN


def pair(dtype: str) -> dict[str, str]:
    """Who meets whom."""
    return {
        "fastnet": f"fastnet {dtype}",
        "NumPy": f"NumPy {dtype}, converted beforehand",
    }


def measure(rounds: int, say: Callable[[str], None]) -> dict[str, Any]:
    points = []
    for N, D, H, C in POINTS:
        for dtype in TOLERANCE:
            problem = synthetic(N, D, H, C, steps=3, num_train=max(N, 2000))
            point = measure_point(problem, dtype, rounds)
            points.append(point)
            fastnet, numpy = (1e6 * min(point["seconds"][who]) / point["steps"] for who in ("fastnet", "NumPy"))
            say(f"{problem.sizes} {dtype}: fastnet {fastnet:.0f} us, NumPy {numpy:.0f} us a step")
    return {"rounds": rounds, "points": points}


def _seconds(task: Callable[[], object]) -> float:
    start = perf_counter()
    task()
    return perf_counter() - start


def measure_point(problem: Problem, dtype: str, rounds: int) -> dict[str, Any]:
    """The seconds of both, for as many steps as take a turn's time."""
    setups = {who: CONTESTANTS[name].setup for who, name in pair(dtype).items()}
    expected = problem.reference_losses()
    errors, slowest = {}, 0.0
    for who, setup in setups.items():
        train = setup(problem)
        errors[who] = problem.loss_error(train(), expected)
        slowest = max(slowest, min(_seconds(train) for _ in range(TRIES)))
    if not errors["fastnet"] < TOLERANCE[dtype]:
        raise RuntimeError(f"fastnet is off by {errors['fastnet']:.1e} at {problem.sizes}, {dtype}")
    longer = problem.with_steps(max(1, min(MOST_STEPS, int(SECONDS / slowest * problem.steps))))
    seconds = take_turns({who: setup(longer) for who, setup in setups.items()}, rounds)
    return {
        "sizes": problem.sizes,
        "dtype": dtype,
        "steps": longer.steps,
        "loss_error": errors["fastnet"],
        "seconds": seconds,
    }
