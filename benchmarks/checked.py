"""Nobody is timed who does other work than the reference."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from benchmarks.contestants import Contestant, Train, Unavailable
from benchmarks.problem import TOLERANCE, Problem

CHECKED = 100  # steps, at most: after many more even the same formulas part by their rounding


def prepare(
    problem: Problem, contestants: Mapping[str, Contestant], say: Callable[[str], None]
) -> tuple[dict[str, Train], dict[str, float], dict[str, str]]:
    """Those that can run and agree with the reference, how well they agree, and why the others cannot.

    The check is also the warm-up: compilation is nobody's time.
    """
    start = problem.first(CHECKED)
    expected = start.reference_losses()
    trains: dict[str, Train] = {}
    errors, missing = {}, {}
    for name, contestant in contestants.items():
        try:
            train = contestant.setup(problem)
        except Unavailable as reason:
            missing[name] = str(reason)
            say(f"{name}: left out, {reason}")
            continue
        errors[name] = start.loss_error(train()[: start.steps], expected)
        say(f"{name}: loss within {errors[name]:.1e} of the reference")
        if not errors[name] < TOLERANCE[contestant.dtype]:
            raise RuntimeError(f"{name} does other work than the reference: loss off by {errors[name]:.1e}")
        trains[name] = train
    return trains, errors, missing
