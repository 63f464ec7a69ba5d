"""Figures beside the training step: workers, prediction, start, memory."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import startup
from benchmarks.contestants import ours
from benchmarks.problem import LAB, NUM_TRAIN, Converted, Problem, reference_network, synthetic
from fastnet.bench import take_turns
from fastnet.engine.peak import Peak

PREDICTED = 10_000
SINGLE = 1000  # predictions of one image in a turn


def measure(rounds: int, threads: int, say: Callable[[str], None]) -> dict[str, Any]:
    problem = synthetic(**LAB, steps=100, num_train=PREDICTED, threads=threads)
    peak = Peak("float32", threads)
    tasks = {**workers(problem), **predictions(problem), "peak": peak}
    for task in tasks.values():
        task()
    say(f"{', '.join(tasks)}: {rounds} rounds")
    seconds = take_turns(tasks, rounds)
    say("start of other processes")
    return {
        "rounds": rounds,
        "steps": problem.steps,
        "single": SINGLE,
        "predicted": PREDICTED,
        "predict_flops": prediction_flops(problem),
        "peak_flops_per_second": [peak.flops / s for s in seconds.pop("peak")],
        "seconds": seconds,
        "starts": [starts() for _ in range(rounds)],
    }


def workers(problem: Problem) -> dict[str, Callable[[], object]]:
    """Training with one worker, with one a core, and with four times as many as that."""
    threads = problem.threads or 1
    return {
        f"train, {name}": ours.float32(replace(problem, threads=count))
        for name, count in (("1 worker", 1), ("a worker a core", threads), ("4 workers a core", 4 * threads))
    }


def predictions(problem: Problem) -> dict[str, Callable[[], object]]:
    """fastnet's and the reference's, of all images and of one, in float32."""
    net, reference = ours.network(problem, np.float32), reference_network(problem, np.float32)
    images, one = Converted(problem, np.float32), slice(1)
    return {
        "predict many, fastnet": lambda: net.predict(problem.X),
        "predict many, NumPy": lambda: reference.predict(images[:]),
        "predict one, fastnet": lambda: [net.predict(problem.X[one]) for _ in range(SINGLE)],
        "predict one, NumPy": lambda: [reference.predict(images[one]) for _ in range(SINGLE)],
    }


def prediction_flops(problem: Problem) -> float:
    return 2.0 * len(problem.X) * (problem.X.shape[1] * problem.H + problem.H * problem.C)


def starts() -> dict[str, dict[str, float]]:
    """A process that has to compile, and one after it that does not."""
    with tempfile.TemporaryDirectory() as cache:
        return {state: startup.measure(Path(cache), NUM_TRAIN) for state in ("cold", "warm")}
