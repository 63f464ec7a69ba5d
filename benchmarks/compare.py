"""`python -m benchmarks.compare`: measure, write results/*.json, and from these the tables and the picture.

python -m benchmarks.compare [--rounds R] [--steps S] [--data DIR]    all contestants on the lab's problem
python -m benchmarks.compare --sweep [--rounds R]                     sizes small and large, against the fastest
python -m benchmarks.compare --figures [--rounds R]                   predict, threads, start, memory
python -m benchmarks.compare --grid [--rounds R] [--steps S] [--data DIR]   a grid of nets, all contestants
python -m benchmarks.compare --precision [--rounds R] --data DIR      what each matmul_precision costs and gives
python -m benchmarks.compare --phases [--rounds R]                    where the time of a step goes
python -m benchmarks.compare --from-json                              show the last results anew
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import fastnet.data
from benchmarks import figures, grid, machine, phases, precision, report, sweep
from benchmarks.checked import prepare
from benchmarks.contestants import CONTESTANTS
from benchmarks.problem import DTYPES, LAB, Problem, cifar10, synthetic
from benchmarks.tables import Result
from fastnet.bench import take_turns
from fastnet.engine.compilation.cpu import usable_cores
from fastnet.engine.peak import Peak


def main(argv: Sequence[str] | None = None) -> None:
    arguments = parse(argv)
    if arguments.from_json:
        names = list(report.TEXTS)
    else:
        report.save(arguments.mode, RUNS[arguments.mode](arguments, usable_cores()))
        names = [arguments.mode]
    for name in names:
        for line in report.render(name):
            say(line)


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.compare", description="Compare fastnet with what else one could pick."
    )
    parser.add_argument("--rounds", type=int, help="turns of each (default 15; --sweep 5, --grid 3, others 7)")
    parser.add_argument("--steps", type=int, help="training steps a turn (default 100; --grid 4000, --precision 400)")
    parser.add_argument("--data", metavar="DIR", help="CIFAR-10 (default: random images of its sizes)")
    parser.set_defaults(mode="compare")
    mode = parser.add_mutually_exclusive_group()
    for name, text in (
        ("sweep", "sizes small and large, against NumPy, JAX and PyTorch"),
        ("figures", "predict, threads, start, memory"),
        ("grid", "the lab's grid of nets, all contestants"),
        ("precision", "what each matmul_precision costs and gives, on CIFAR-10"),
        ("phases", "where the time of a step goes"),
    ):
        mode.add_argument(f"--{name}", dest="mode", action="store_const", const=name, help=text)
    mode.add_argument("--from-json", action="store_true", help="measure nothing, show the last results anew")
    arguments = parser.parse_args(argv)
    if arguments.rounds is None:
        arguments.rounds = {"compare": 15, "sweep": 5, "grid": 3}.get(arguments.mode, 7)
    if arguments.mode == "precision" and not arguments.data:
        parser.error("--precision trains the lab's net on CIFAR-10: say where it is with --data DIR")
    if arguments.steps is None:
        # Of 100 steps with AMX, 20 ms, a sixth is beginning.
        arguments.steps = {"grid": 4000, "precision": 400}.get(arguments.mode, 100)
    return arguments


def run_compare(arguments: argparse.Namespace, threads: int) -> Result:
    words, images, problem = the_labs(arguments, threads)
    return {**machine.describe(words, threads), "images": images, **measure(problem, arguments.rounds)}


def run_grid(arguments: argparse.Namespace, threads: int) -> Result:
    words, images, problem = the_labs(arguments, threads)
    head = machine.describe(f"--grid {words}", threads)
    return {**head, "images": images, **grid.measure(problem, arguments.rounds, say)}


def the_labs(arguments: argparse.Namespace, threads: int) -> tuple[str, str, Problem]:
    """The words of the command line, what the images are, and the lab's problem on them."""
    words = f"--rounds {arguments.rounds} --steps {arguments.steps}"
    if arguments.data:
        return f"{words} --data DIR", "CIFAR-10", cifar10(arguments.data, arguments.steps, threads)
    return words, "random", synthetic(**LAB, steps=arguments.steps, threads=threads)


def run_sweep(arguments: argparse.Namespace, threads: int) -> Result:
    head = machine.describe(f"--sweep --rounds {arguments.rounds}", threads)
    return {**head, **sweep.measure(arguments.rounds, say)}


def run_figures(arguments: argparse.Namespace, threads: int) -> Result:
    head = machine.describe(f"--figures --rounds {arguments.rounds}", threads)
    return {**head, **figures.measure(arguments.rounds, threads, say)}


def run_precision(arguments: argparse.Namespace, threads: int) -> Result:
    problem = cifar10(arguments.data, arguments.steps, threads)
    data = fastnet.data.load_cifar10(arguments.data)
    words = f"--precision --rounds {arguments.rounds} --steps {arguments.steps} --data DIR"
    head = machine.describe(words, threads)
    return {**head, **precision.measure(problem, (data.X_test, data.y_test), arguments.rounds, say)}


def run_phases(arguments: argparse.Namespace, threads: int) -> Result:
    head = machine.describe(f"--phases --rounds {arguments.rounds}", 1)
    return {**head, **phases.measure(arguments.rounds, say)}


RUNS = {
    "compare": run_compare,
    "sweep": run_sweep,
    "figures": run_figures,
    "grid": run_grid,
    "precision": run_precision,
    "phases": run_phases,
}


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def measure(problem: Problem, rounds: int) -> Result:
    """Seconds of every contestant and of the peaks in every round, each contestant checked before."""
    trains, errors, missing = prepare(problem, CONTESTANTS, say)
    peaks = {dtype: Peak(dtype, problem.threads) for dtype in DTYPES}
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


if __name__ == "__main__":
    main()
