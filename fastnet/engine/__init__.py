"""The compiled training step.  `session` is its front door; the design of each part stands at the top of its file.

    session        what the models ask for: Trainer, loss_and_gradients, Scorer
    planning       into what a run is cut up, and its tiles
    step/          a training step
        programs       what one worker does between two returns to Python
        phases, fixed, softmax     forward, middle, backward: the loop nests, in floats and in fixed point
        matrices                   in fixed point by a matrix unit
        first_layer, precision     the first layer in either; when it is in fixed point, and with how many bits
        rules          update rules, a line at a time
        parts          what travels together through a step
        memory         what programs work on: parameters, batches, activations
    threads/       those that workers run on, how many (crew), how they meet (barrier), who works on what (units)
    emitting/      LLVM IR
        tile, digit_tile           register tiles of floats, and of pixels by digits
        matrix_unit, pixels        a tile by AMX; pixels on their way into panels
        lines, integers, digits, elementary    cache lines as values, cut into digits; exp and log
        arrays, matrix, atomics    padded arrays, as compiled code sees them; integers that workers share
    compilation/   what this CPU can do (cpu), compilation and its cache (kernel), Numba's quick parts (compiler),
                   LLVM without Numba (native)
    proof          tiles that prove themselves when they are first compiled
    peak           the CPU's multiply-add limit, for benchmarks

Each room knows those below it alone.

Importing this package does not import Numba; importing `session` does (about half a second).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastnet.engine.compilation.cpu import Dot


def describe() -> dict[str, str | int | list[str]]:
    """What the engine makes of this machine, for `fastnet info` and bug reports."""
    from fastnet.engine.compilation import cpu, kernel
    from fastnet.engine.emitting import tile

    triple, name, features = cpu.target()
    unit = cpu.vector_unit()
    return {
        "cpu": cpu.model_name(),
        "target": f"{triple} {name}",
        "features": [feature[1:] for feature in features.split(",") if feature.startswith("+")],
        "vector unit": unit.name,
        "vector width": f"{8 * unit.width} bits, {unit.registers} registers",
        "fused multiply-add": "yes" if unit.fma else "no: results may differ from other machines in the last bits",
        "tiles": [f"{shape.mr} x {shape.lines} lines" for shape in tile.shapes(unit)],
        "matmul_precision": f"highest; high and medium by {_dot(cpu.dot_unit())}",
        "threads": cpu.cores_for_one(),
        "compilation": "fast" if kernel.FOR_PROGRAMS else "slow: this Numba lacks a part of those that make it fast",
        "cache folder": _writable(kernel.cache_folder()),
    }


def _dot(unit: Dot) -> str:
    """What multiplies bytes."""
    names = {"amx": "AMX, tdpbusd", "vnni": "vpdpbusd", "usdot": "usdot", "madd": "vpmaddwd", "plain": "plain vectors"}
    return f"{names[unit.instruction]}, {8 * unit.width} bits"


def _writable(folder: Path) -> str:
    """The folder, and what it means where it, or the first of its parents that is there, cannot be written."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    writable = there.is_dir() and os.access(there, os.W_OK)
    return str(folder) if writable else f"{folder}, cannot be written: every process compiles anew"
