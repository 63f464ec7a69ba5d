"""`python -m benchmarks.compare`: measure, write results/*.json, and from these the tables and the picture.

python -m benchmarks.compare [--rounds R] [--steps S] [--data DIR]    all contestants on the lab's problem
python -m benchmarks.compare --sweep [--rounds R]                     sizes small and large, against NumPy
python -m benchmarks.compare --figures [--rounds R]                   predict, threads, start, memory
python -m benchmarks.compare --from-json                              show the last results anew
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from benchmarks import figures, machine, report, sweep
from benchmarks.contestants import CONTESTANTS, Train, Unavailable
from benchmarks.problem import LAB, TOLERANCE, Problem, cifar10, synthetic
from fastnet.bench import take_turns
from fastnet.engine.cpu import usable_cores
from fastnet.engine.peak import Peak


def main(argv: Sequence[str] | None = None) -> None:
    arguments = parse(argv)
    threads = usable_cores()
    rounds = arguments.rounds
    if arguments.sweep:
        head = machine.describe(f"python -m benchmarks.compare --sweep --rounds {rounds}", threads)
        report.save("sweep", {**head, **sweep.measure(rounds, say)})
    elif arguments.figures:
        head = machine.describe(f"python -m benchmarks.compare --figures --rounds {rounds}", threads)
        report.save("figures", {**head, **figures.measure(rounds, threads, say)})
    elif not arguments.from_json:
        command = f"python -m benchmarks.compare --rounds {rounds} --steps {arguments.steps}"
        command += " --data DIR" if arguments.data else ""
        problem = (
            cifar10(arguments.data, arguments.steps, threads)
            if arguments.data
            else synthetic(**LAB, steps=arguments.steps, threads=threads)
        )
        images = "CIFAR-10" if arguments.data else "random"
        report.save(
            "compare", {**machine.describe(command, threads), "images": images, **measure(problem, rounds)}
        )
    for line in report.render():
        say(line)


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.compare", description="Compare fastnet with what else one could pick."
    )
    parser.add_argument(
        "--rounds", type=int, default=15, help="turns that each contestant takes (default 15)"
    )
    parser.add_argument("--steps", type=int, default=100, help="training steps a turn (default 100)")
    parser.add_argument("--data", metavar="DIR", help="CIFAR-10 (default: random images of its sizes)")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--sweep", action="store_true", help="sizes small and large, against NumPy")
    mode.add_argument("--figures", action="store_true", help="predict, threads, start, memory")
    mode.add_argument("--from-json", action="store_true", help="measure nothing, show the last results anew")
    return parser.parse_args(argv)


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def measure(problem: Problem, rounds: int) -> dict[str, Any]:
    """Seconds of every contestant and of the peaks in every round, each contestant checked before."""
    trains, errors, missing = prepare(problem)
    peaks = {dtype: Peak(dtype, problem.threads) for dtype in TOLERANCE}
    seconds = take_turns({**trains, **{f"peak {dtype}": peak for dtype, peak in peaks.items()}}, rounds)
    speeds = {dtype: [peak.flops / s for s in seconds.pop(f"peak {dtype}")] for dtype, peak in peaks.items()}
    return {
        "sizes": problem.sizes,
        "num_train": len(problem.X),
        "steps": problem.steps,
        "rounds": rounds,
        "flops_per_step": problem.flops,
        "peak_flops_per_second": speeds,
        "contestants": {
            name: {"dtype": CONTESTANTS[name].dtype, "loss_error": errors[name], "seconds": seconds[name]}
            for name in trains
        },
        "missing": missing,
    }


def prepare(problem: Problem) -> tuple[dict[str, Train], dict[str, float], dict[str, str]]:
    """Those that can run and agree with the reference, how well they agree, and why the others cannot.

    The check is also the warm-up: compilation is nobody's time.
    """
    expected = problem.reference_losses()
    trains: dict[str, Train] = {}
    errors, missing = {}, {}
    for name, contestant in CONTESTANTS.items():
        try:
            train = contestant.setup(problem)
        except Unavailable as reason:
            missing[name] = str(reason)
            say(f"{name}: left out, {reason}")
            continue
        errors[name] = problem.loss_error(train(), expected)
        say(f"{name}: loss within {errors[name]:.1e} of the reference")
        if not errors[name] < TOLERANCE[contestant.dtype]:
            raise RuntimeError(f"{name} does other work than the reference: loss off by {errors[name]:.1e}")
        trains[name] = train
    return trains, errors, missing


if __name__ == "__main__":
    main()
