"""What each matmul_precision costs, how close it comes to float64, and that nets learn as well with it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import fastnet
from benchmarks import startup
from benchmarks.contestants import ours
from benchmarks.problem import NUM_TRAIN, Problem
from fastnet.bench import take_turns

MODES = ("highest", "high", "medium")
CLOSE = 20  # steps, for the distance from float64
PREDICTED, SINGLE = 10_000, 1000  # images predicted at once; one by one, in a turn
SEEDS = (0, 1, 2)
LAB_STEPS = 4000


def measure(problem: Problem, test: tuple[Any, Any], rounds: int, say: Callable[[str], None]) -> dict[str, Any]:
    """All of it in one interleaved run, on the lab's problem; the lab's own run is measured by the test images."""
    tasks = {f"{what}, {mode}": task for mode in MODES for what, task in tasks_of(problem, mode).items()}
    for task in tasks.values():
        task()
    say(f"{len(tasks)} tasks, {rounds} rounds")
    seconds = take_turns(tasks, rounds)
    close, errors, runs = problem.first(CLOSE), {}, {}
    expected = close.reference_losses()
    for mode in MODES:
        errors[mode] = close.loss_error(ours.TRAININGS[mode](close)(), expected)
        runs[mode] = [lab(problem, test, mode, seed) for seed in SEEDS]
        say(f"{mode}: losses within {errors[mode]:.1e}, runs {runs[mode]}")
    return {
        "rounds": rounds,
        "steps": problem.steps,
        "single": SINGLE,
        "predicted": PREDICTED,
        "seconds": seconds,
        "errors": errors,
        "runs": runs,
        "starts": [{mode: starts(mode) for mode in MODES} for _ in range(rounds)],
    }


def tasks_of(problem: Problem, mode: str) -> dict[str, Callable[[], object]]:
    """Training by one worker and by one a core; predicting many images, and one by one."""
    net, images, one = ours.network(problem, np.float32, mode), problem.X[:PREDICTED], problem.X[:1]
    return {
        "train": ours.TRAININGS[mode](problem),
        "train, 1 worker": ours.TRAININGS[mode](replace(problem, threads=1)),
        "predict many": lambda: net.predict(images),
        "predict one": lambda: [net.predict(one) for _ in range(SINGLE)],
    }


def lab(problem: Problem, test: tuple[Any, Any], mode: str, seed: int) -> dict[str, float]:
    """The two-layer lab's run, from its own beginning: the last loss of all training images, the test accuracy."""
    net = fastnet.TwoLayerNet(
        problem.X.shape[1], problem.H, problem.C, std=1e-4, seed=seed, threads=problem.threads, matmul_precision=mode
    )
    net.normalization = fastnet.Normalization(problem.mean)
    net.train(problem.X, problem.y, num_iters=LAB_STEPS, reg=problem.reg)
    images, labels = test
    loss = net.loss(problem.X, problem.y, reg=problem.reg)[0]
    return {"loss": float(loss), "accuracy": float((net.predict(images) == labels).mean())}


def starts(mode: str) -> dict[str, dict[str, float]]:
    """A process that has to compile, and one after it that does not."""
    with tempfile.TemporaryDirectory() as cache:
        return {state: startup.measure(Path(cache), NUM_TRAIN, mode) for state in ("cold", "warm")}
