"""What a training tells people: what it is about to do, its losses, its results."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from fastnet.cli.console import Report


def data_line(name: str, parts: dict[str, Any], image_shape: tuple[int, ...] | None, classes: int) -> str:
    """cifar10: 44,000 training, 1,000 validation, 5,000 test images of 3 x 32 x 32, 10 classes."""
    counts = ", ".join(f"{len(X):,} {part}" for part, X in parts.items() if X is not None)
    noun, shape = ("images", image_shape) if image_shape else ("rows", parts["training"].shape[1:])
    return f"{name}: {counts} {noun} of {' x '.join(map(str, shape))}, {classes} classes"


def model_line(name: str, params: dict[str, Any], dtype: str) -> str:
    """two-layer: 3072 -> 80 -> 10, float32."""
    inputs = len(next(iter(params.values())))
    widths = [len(value) for value in params.values() if value.ndim == 1]
    return f"{name}: {' -> '.join(map(str, [inputs, *widths]))}, {dtype}"


def loss_lines(losses: Sequence[float]) -> Iterator[str]:
    """The case study's lines: every 10 of 200 steps, every 1000 of 10,000."""
    every = 10 ** max(0, int(math.log10(max(1, len(losses)))) - 1)
    for iteration in range(0, len(losses), every):
        yield f"iteration {iteration}: loss {losses[iteration]:.6f}"


def result_lines(report: Report) -> Iterator[str]:
    for part in ("training", "validation", "test"):
        if (value := report[f"{part}_accuracy"]) is not None:
            yield _entry(f"{part} accuracy", f"{value:.4f}")
    yield _entry("time", f"{report['seconds']:.2f} s, {report['startup_seconds']:.2f} s of it to start")
    if report["images_per_second"]:  # else it was over before: nothing was left of a training that was resumed
        yield _entry("speed", f"{report['images_per_second']:,.0f} rows a second")
    yield _entry("model", report["path"])
    for k, picture in enumerate(report["pictures"]):
        yield _entry("" if k else "pictures", picture)


def _entry(heading: str, value: str) -> str:
    return f"{heading:<20}{value}"
