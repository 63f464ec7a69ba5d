"""How to compare on a noisy machine: everyone in turn, round after round, and medians.

A machine's speed drifts within seconds by more than most differences worth knowing.  So nothing is compared
across rounds: a ratio, or a fraction of the peak, is taken within each round, and the median of those counts.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

Seconds = Mapping[str, Sequence[float]]  # by name, one for each round

# Seconds between two turns: OpenBLAS's threads spin on for a tenth of a second on a core that the next one needs.
PAUSE = 0.2


def take_turns(tasks: Mapping[str, Callable[[], object]], rounds: int, pause: float = PAUSE) -> dict[str, list[float]]:
    """The seconds that each task took in each round.  Each round begins with another task."""
    seconds: dict[str, list[float]] = {name: [] for name in tasks}
    order = list(tasks)
    for _ in range(rounds):
        for name in order:
            time.sleep(pause)
            start = time.perf_counter()
            tasks[name]()
            seconds[name].append(time.perf_counter() - start)
        order = order[1:] + order[:1]
    return seconds


@dataclass(frozen=True)
class Row:
    """A line of a comparison: medians over the rounds.

    ratio is the time over the base's, fraction the speed over the peak's, both within a round.
    """

    name: str
    ms: float
    ratio: float
    gflops: float
    fraction: float


def row(
    name: str,
    seconds: Sequence[float],
    base: Sequence[float],
    peak: Sequence[float],
    flops: float,
    steps: int,
) -> Row:
    """The line of one task.  flops are those of one run of `steps` steps; peak is in flop/s, by round."""
    return Row(
        name,
        ms=1e3 * median(seconds) / steps,
        ratio=median(own / other for own, other in zip(seconds, base, strict=True)),
        gflops=1e-9 * flops / median(seconds),
        fraction=median(flops / own / most for own, most in zip(seconds, peak, strict=True)),
    )
