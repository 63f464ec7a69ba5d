"""Where the time of a training step goes: each phase alone, in one thread, beside the whole step and the peak."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.problem import LAB, synthetic
from fastnet.bench import take_turns
from fastnet.engine.compilation.kernel import compiled_for, program
from fastnet.engine.emitting.arrays import Matrix
from fastnet.engine.emitting.tile import tile_mr
from fastnet.engine.peak import Peak
from fastnet.engine.session import Trainer
from fastnet.engine.step import programs
from fastnet.engine.step.memory import Batch, Layer, Source
from fastnet.engine.step.parts import Descent, Part, Rows
from fastnet.engine.step.phases import GROUP2, PANEL, gather
from fastnet.engine.step.rules import Rule
from fastnet.engine.threads.units import groups

REPEATS = 50  # of a phase in a turn


@program
def gather_rows(batch, rows, inputs, panel, repeats):
    """The whole batch, panel by panel: once on the way forward, and once more on the way back."""
    for k in range(repeats):
        for p in range(0, inputs, PANEL):
            now, later = Part(0, rows, p, min(p + PANEL, inputs)), Part(0, rows, p + PANEL, inputs)
            gather(panel, 0, Rows(batch, k, 0, rows), now, later)


@program
def forward(tiles, plan, batch, layer, scratch, partial, repeats):
    for k in range(repeats):
        for unit in range(plan.slices * programs.row_units(plan, tile_mr(tiles.forward), plan.rows)):
            programs.forward_unit(
                unit, tiles.forward, plan, Rows(batch, k, 0, plan.rows), layer, None, scratch, partial
            )


@program
def middle(tiles, plan, batch, layer1, layer2, a, scratch, repeats):
    for k in range(repeats):
        for unit in range(programs.row_units(plan, tile_mr(tiles.middle), plan.rows)):
            programs.middle_unit(unit, tiles, plan, Rows(batch, k, 0, plan.rows), layer1, layer2, a, scratch)


@program
def backward(tiles, rule, plan, batch, layer1, layer2, a, scratch, steps, repeats):
    for k in range(repeats):
        block, descent = Rows(batch, k, 0, plan.rows), Descent(rule, steps.coefficients, k, steps.reg[0, k])
        for unit in range(groups(layer2.inputs, GROUP2) + 1):
            programs.backward2_unit(unit, tiles.backward2, plan.rows, False, True, layer2, a, scratch, descent)
        held = -1
        for unit in range(groups(layer1.inputs, PANEL) * plan.parts + 1):
            held = programs.backward1_unit(
                unit, tiles.backward1, plan, block, False, True, layer1, None, a.d_hidden, a, scratch, held, descent
            )  # fmt: skip


def compiled(program: Any, *arguments: Any) -> Callable[[], object]:
    """The program on these arguments, without Numba's search for the types of all of them at every call."""
    found = compiled_for(program, None, lambda: arguments)
    return lambda: found(*arguments)


def measure(rounds: int, say: Callable[[str], None]) -> dict[str, Any]:
    problem = synthetic(**LAB, steps=REPEATS, threads=1)
    N, D, H, C = (problem.sizes[letter] for letter in "NDHC")
    dtype = np.dtype(np.float32)
    layers = Layer.zeros(D, H, dtype), Layer.zeros(H, C, dtype)
    for layer in layers:
        layer.W[...] = 1e-3 * np.random.default_rng(0).standard_normal(layer.W.shape)
    source = Source(problem.X, problem.y, problem.mean.astype(dtype).reshape(1, -1), np.ones((1, D), dtype))
    trainer = Trainer(layers, source, N, Rule("sgd"), threads=1)
    batch, rates = Batch.of(source, Matrix(problem.indices)), np.full((REPEATS, 1), 1e-6)
    tiles, plan, a, scratch = trainer._tiles, trainer._plan, trainer._activations, trainer._new_scratch()
    layer1, layer2 = trainer._affines
    strengths = np.full(REPEATS, 0.5)
    steps = programs.Steps(
        Matrix(rates.astype(dtype)), Matrix(strengths.astype(dtype).reshape(1, -1)), Matrix(np.zeros((2, REPEATS)))
    )
    peak = Peak("float32", 1)
    tasks: dict[str, Callable[[], object]] = {
        "gather and convert, once": compiled(gather_rows, batch, N, D, scratch.panel, REPEATS),
        "forward, with it": compiled(forward, tiles, plan, batch, layer1, scratch, a.partial, REPEATS),
        "middle": compiled(middle, tiles, plan, batch, layer1, layer2, a, scratch, REPEATS),
        "backward and update, with it": compiled(
            backward, tiles, Rule("sgd"), plan, batch, layer1, layer2, a, scratch, steps, REPEATS
        ),
        "whole step": lambda: trainer.run(problem.indices, rates, strengths),
        "peak": peak,
    }
    for task in tasks.values():
        task()
    say(f"{', '.join(tasks)}: {rounds} rounds")
    seconds = take_turns(tasks, rounds)
    return {
        "rounds": rounds,
        "repeats": REPEATS,
        "peak_flops_per_second": [peak.flops / s for s in seconds.pop("peak")],
        "flops": {
            "gather and convert, once": 0,
            "forward, with it": 2 * N * D * H,
            "middle": 4 * N * H * C,
            "backward and update, with it": 2 * N * D * H + 2 * N * H * C,
            "whole step": 4 * N * D * H + 6 * N * H * C,
        },
        "seconds": seconds,
    }
