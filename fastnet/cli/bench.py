"""`fastnet bench`: a training step on this machine, beside NumPy's and beside the multiply-add peak.

The two-layer lab's step on CIFAR-10's sizes.  NumPy's is the same work in the same type: gather, conversion,
mean, loss, gradients, update.  Its formulas stand here, because the readable ones of `reference/` are not
installed with the package.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import fastnet
from fastnet import checks
from fastnet.bench import Row, row, take_turns
from fastnet.cli.console import Console, Report

N, D, H, C = 200, 3072, 80, 10
FLOPS = 4.0 * N * D * H + 6.0 * N * H * C  # of the products of a step
DTYPES = ("float32", "float64")
PRECISIONS = (
    "high",
    "medium",
)  # of float32 models; what they multiply is measured by the float32 peak, and may pass it
RATE, REG = 1e-3, 0.5


@dataclass(frozen=True)
class Size:
    """How much is measured: a few seconds of it, some more to compile."""

    images: int = 10_000
    steps: int = 40
    rounds: int = 5


SIZE = Size()


def run(arguments: argparse.Namespace, console: Console) -> Report:
    from fastnet.engine.compilation.cpu import model_name, units, usable_cores

    workers = checks.threads(None) or usable_cores()
    console.line(f"{model_name()}, {units()}, threads: {workers}")
    console.line(
        f"training step of {N} images, {D} -> {H} -> {C}; {SIZE.rounds} rounds in turn: medians, of ratios too"
    )
    rows, peaks = measure(SIZE, workers)
    console.lines(_lines(rows, peaks))
    return {
        "cpu": model_name(),
        "vector unit": units(),
        "threads": workers,
        "numpy": np.__version__,
        "peak_gflops": peaks,
        "rows": [asdict(r) for r in rows],
    }


def measure(size: Size, workers: int) -> tuple[list[Row], dict[str, float]]:
    """A line for each contestant, and the peak of each type in GFLOP/s."""
    from fastnet.engine.peak import Peak

    rng = np.random.default_rng(0)
    X = rng.integers(0, 256, (size.images, D), dtype=np.uint8)
    y = rng.integers(0, C, size.images)
    rows = rng.integers(0, size.images, (size.steps, N))
    peaks = {dtype: Peak(dtype, workers) for dtype in DTYPES}
    tasks: dict[str, Callable[[], object]] = {f"peak {dtype}": peak for dtype, peak in peaks.items()}
    for dtype in DTYPES:
        tasks[f"fastnet {dtype}"] = fastnet_training(X, y, rows, np.dtype(dtype), workers)
        tasks[f"NumPy {dtype}"] = numpy_training(X, y, rows, np.dtype(dtype))
    for precision in PRECISIONS:
        tasks[f"fastnet {precision}"] = fastnet_training(X, y, rows, np.dtype(np.float32), workers, precision)
    for task in tasks.values():
        task()  # compile, and wake whatever sleeps
    seconds = take_turns(tasks, size.rounds)
    limits = {dtype: [peaks[dtype].flops / s for s in seconds[f"peak {dtype}"]] for dtype in DTYPES}
    base, flops = seconds["fastnet float32"], FLOPS * size.steps
    lines = [
        row(name, own, base, limits["float64" if "float64" in name else "float32"], flops, size.steps)
        for name, own in seconds.items()
        if not name.startswith("peak")
    ]
    return lines, {dtype: 1e-9 * float(np.median(values)) for dtype, values in limits.items()}


def fastnet_training(
    X: Any, y: Any, rows: Any, dtype: Any, workers: int, precision: str = "highest"
) -> Callable[[], object]:
    net = fastnet.TwoLayerNet(D, H, C, dtype=dtype, seed=0, threads=workers, matmul_precision=precision)
    net.normalization = fastnet.Normalization.fit(X)
    return lambda: net.train(X, y, indices=rows, learning_rate=RATE, learning_rate_decay=1.0, reg=REG)["loss_history"]


def numpy_training(X: Any, y: Any, rows: Any, dtype: Any) -> Callable[[], object]:
    start = fastnet.TwoLayerNet(D, H, C, dtype=dtype, seed=0).params
    W1, b1, W2, b2 = (np.array(value) for value in start.values())
    mean = X.mean(axis=0).astype(dtype)

    def step(batch: NDArray[np.int64]) -> float:
        images, labels, order = X[batch] - mean, y[batch], np.arange(N)
        hidden = np.maximum(images @ W1 + b1, 0)
        scores = hidden @ W2 + b2
        scores -= scores.max(axis=1, keepdims=True)
        log_probs = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
        loss = -log_probs[order, labels].mean() + 0.5 * REG * (np.sum(W1 * W1) + np.sum(W2 * W2))
        d_scores = np.exp(log_probs)
        d_scores[order, labels] -= 1
        d_scores /= N
        d_hidden = (d_scores @ W2.T) * (hidden > 0)
        gradients = (
            images.T @ d_hidden + REG * W1,
            d_hidden.sum(0),
            hidden.T @ d_scores + REG * W2,
            d_scores.sum(0),
        )
        for value, gradient in zip((W1, b1, W2, b2), gradients, strict=True):
            value -= RATE * gradient
        return float(loss)

    return lambda: [step(batch) for batch in rows]


def _lines(rows: list[Row], peaks: dict[str, float]) -> Iterator[str]:
    yield ""
    yield f"{'':<18}{'ms a step':>10}{'ratio':>9}{'GFLOP/s':>10}{'of peak':>9}"
    for r in rows:
        yield f"{r.name:<18}{r.ms:>10.2f}{r.ratio:>9.2f}{r.gflops:>10.1f}{r.fraction:>9.0%}"
    for dtype, gflops in peaks.items():
        yield f"{'peak ' + dtype:<18}{'':>19}{gflops:>10.1f}"
