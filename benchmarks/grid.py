"""The lab's last act, a grid of learning rates and strengths: seconds for all its nets.

Everyone trains the same nets on the same mini-batches: fastnet.search side by side, JAX all at once, the others one
after another, each with all threads.  fastnet.search measures each net's accuracies besides.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from typing import Any

import numpy as np

import fastnet
from benchmarks.contestants import jax_scan, ours, pytorch
from benchmarks.contestants.library import Unavailable
from benchmarks.problem import TOLERANCE, Problem, train_reference
from fastnet.bench import take_turns

PACES, REGS = (0.5, 1.0), (0.25, 0.5)  # the lab's 2 x 2
SIDE_BY_SIDE = 8  # nets of the other figure
CHECKED_STEPS = 30

Train = Callable[[], Any]  # returns the last loss of each net


@dataclass(frozen=True)
class Contestant:
    """setup(problems of the grid) returns what trains all of them."""

    setup: Callable[[Sequence[Problem]], Train]
    dtype: str
    compiles: bool = False  # for a number of steps, or for a net: a whole turn before the clock starts


def searched(problems: Sequence[Problem]) -> Train:
    """fastnet.search."""
    first = problems[0]
    grid = {
        "learning_rate": list(dict.fromkeys(p.learning_rate for p in problems)),
        "reg": list(dict.fromkeys(p.reg for p in problems)),
    }
    build = partial(ours.network, first, np.float32)
    settings = {"indices": first.indices, "learning_rate_decay": 1.0}

    def train() -> list[float]:
        found = fastnet.search(build, first.X, first.y, first.X[:1000], first.y[:1000], grid, **settings)
        losses = {(line["learning_rate"], line["reg"]): line["loss"] for line in found.table}
        return [losses[p.learning_rate, p.reg] for p in problems]

    return train


def one_after_another(setup: Callable[[Problem], Callable[[], Sequence[float]]], problems: Sequence[Problem]) -> Train:
    """Every net from its beginning, with all threads."""
    return lambda: [setup(p)()[-1] for p in problems]


def converted(dtype: type, problems: Sequence[Problem]) -> Train:
    """The lab's code, on a float copy of the data that is made once, before the clock starts."""
    X = problems[0].X.astype(dtype)
    X -= problems[0].mean.astype(dtype)
    return lambda: [train_reference(p, dtype, X)()[-1] for p in problems]


def prepared(setup: Callable[[Problem], Callable[[], Sequence[float]]], problems: Sequence[Problem]) -> Train:
    """Nets that are made and compiled before the clock starts, and go on training from turn to turn."""
    trains = [setup(p) for p in problems]
    return lambda: [train()[-1] for train in trains]


BASE = "fastnet.search"
CONTESTANTS = {
    BASE: Contestant(searched, "float32"),
    "fastnet, one net after another": Contestant(partial(one_after_another, ours.float32), "float32"),
    "NumPy float32, converted beforehand": Contestant(partial(converted, np.float32), "float32"),
    "NumPy float64, converted beforehand": Contestant(partial(converted, np.float64), "float64"),
    "PyTorch eager": Contestant(partial(prepared, pytorch.eager), "float32"),
    "PyTorch compiled": Contestant(partial(prepared, pytorch.compiled), "float32", compiles=True),
    "JAX vmap + scan": Contestant(jax_scan.plain_grid, "float32", compiles=True),
    "JAX vmap + scan, W1 transposed": Contestant(jax_scan.transposed_grid, "float32", compiles=True),
}


def points(problem: Problem, paces: Sequence[float] = PACES, regs: Sequence[float] = REGS) -> list[Problem]:
    """A problem for each combination."""
    return [replace(problem, pace=pace, reg=reg) for pace, reg in product(paces, regs)]


def measure(problem: Problem, rounds: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Seconds of every contestant for the whole grid, each checked before on a few steps; and of fastnet.search for
    eight nets beside fastnet's one after another."""
    errors, missing, trains = {}, {}, {}
    short = points(problem.with_steps(CHECKED_STEPS))
    expected = np.array([p.reference_losses()[-1] for p in short])
    for name, contestant in CONTESTANTS.items():
        try:
            errors[name] = float(np.abs(np.asarray(contestant.setup(short)()) / expected - 1.0).max())
        except Unavailable as reason:
            missing[name] = str(reason)
            say(f"{name}: left out, {reason}")
            continue
        say(f"{name}: last losses within {errors[name]:.1e} of the reference")
        if not errors[name] < TOLERANCE[contestant.dtype]:
            raise RuntimeError(f"{name} does other work than the reference: loss off by {errors[name]:.1e}")
        trains[name] = contestant.setup(points(problem))
        if contestant.compiles:
            trains[name]()
    eight = points(problem, paces=[0.25, 0.5, 0.75, 1.0])
    both = {"side by side": searched(eight), "alone": one_after_another(ours.float32, eight)}
    return {
        "sizes": problem.sizes,
        "num_train": len(problem.X),
        "steps": problem.steps,
        "rounds": rounds,
        "nets": len(short),
        "contestants": {
            name: {"loss_error": errors[name], "seconds": seconds}
            for name, seconds in take_turns(trains, rounds).items()
        },
        "missing": missing,
        "eight nets": {"steps": eight[0].steps, "seconds": take_turns(both, rounds)},
    }
