"""Sizes from the smallest to the largest, both models, three update rules, against NumPy, JAX and PyTorch.

NumPy is given the better conditions: its data set is converted beforehand, all others' is raw images.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from benchmarks.checked import prepare
from benchmarks.contestants import CONTESTANTS, MEDIUM
from benchmarks.problem import Problem, synthetic
from fastnet.bench import take_turns

FLOPS = 1e10  # of the products of a turn, about: a tenth of a second or two
# Steps of a turn: of 16 with weights of 12 MB and momentum, beginning took up to 70 of 220 ms in a virtual machine,
# whose host must give each new page, with matmul_precision "medium" half.
LEAST_STEPS, MOST_STEPS = 48, 1000
PAUSE = 0.12  # seconds between two turns: OpenBLAS's threads spin on for a tenth

OWN, OWN64, OTHER64 = "fastnet float32", "fastnet float64", "NumPy float64, converted beforehand"
OTHERS = {
    "NumPy": "NumPy float32, converted beforehand",
    "JAX": "JAX jit + scan",
    "JAX, W1 transposed": "JAX jit + scan, W1 transposed",
    "PyTorch eager": "PyTorch eager",
    "PyTorch compiled": "PyTorch compiled",
    "bfloat16": "PyTorch eager, bfloat16",  # PyTorch's, and another precision
}

# N, D, H, C, rule; H = 0 is the linear classifier.  Each size of N (1 to 4096), D (50 to 3072) and H (16 to 2048) meets
# small and large ones of the others, as far as a step stays under some 10 GFLOP.
POINTS = [
    (1, 784, 16, 10, "sgd"),
    (1, 50, 2048, 10, "adam"),
    (1, 3072, 768, 10, "momentum"),
    (32, 50, 16, 10, "adam"),
    (32, 784, 256, 10, "momentum"),
    (32, 3072, 2048, 10, "sgd"),
    (200, 50, 80, 10, "momentum"),
    (200, 300, 768, 10, "momentum"),
    (200, 784, 256, 10, "adam"),
    (200, 3072, 80, 10, "sgd"),
    (200, 3072, 80, 10, "adam"),
    (200, 3072, 1024, 10, "momentum"),
    (200, 3072, 2048, 10, "momentum"),
    (400, 300, 2048, 10, "momentum"),
    (400, 784, 256, 100, "sgd"),
    (4096, 50, 16, 2, "sgd"),
    (4096, 300, 768, 10, "adam"),
    (4096, 3072, 80, 10, "sgd"),
    (1, 784, 0, 10, "adam"),
    (200, 50, 0, 3, "momentum"),
    (200, 3072, 0, 10, "sgd"),
    (4096, 784, 0, 100, "adam"),
]
# float64, against NumPy alone: JAX and PyTorch are made for float32.
POINTS64 = [(1, 784, 16, 10), (200, 3072, 80, 10), (200, 300, 768, 10), (4096, 50, 16, 2), (200, 3072, 0, 10)]


def measure(rounds: int, say: Callable[[str], None]) -> dict[str, Any]:
    return {
        "rounds": rounds,
        "points": [measure_point(problem_of(*sizes, rule), "float32", rounds, say) for *sizes, rule in POINTS],
        "points64": [measure_point(problem_of(*sizes), "float64", rounds, say) for sizes in POINTS64],
    }


def problem_of(N: int, D: int, H: int, C: int, rule: str = "sgd") -> Problem:
    """With as many steps as take a turn's time."""
    problem = replace(synthetic(N, D, H, C, steps=1, num_train=max(N, 2000)), rule=rule)
    return problem.with_steps(min(MOST_STEPS, max(LEAST_STEPS, int(FLOPS / problem.flops))))


def measure_point(problem: Problem, dtype: str, rounds: int, say: Callable[[str], None]) -> dict[str, Any]:
    """The seconds of all who can train this in every round."""
    names = [OWN, MEDIUM, *OTHERS.values()] if dtype == "float32" else [OWN64, OTHER64]
    trains, errors, missing = prepare(problem, {name: CONTESTANTS[name] for name in names}, lambda text: None)
    seconds = take_turns(trains, rounds, PAUSE)
    microseconds = {name: round(1e6 * min(s) / problem.steps) for name, s in seconds.items()}
    say(f"{problem.sizes} {problem.rule}, least us a step: {microseconds}")
    return {
        "sizes": problem.sizes,
        "rule": problem.rule,
        "steps": problem.steps,
        "loss_error": errors[OWN if dtype == "float32" else OWN64],
        "seconds": seconds,
        "missing": missing,
    }
