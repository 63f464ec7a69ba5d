"""Everything at random, for minutes: does anything break, grow or stay behind?

`python -m benchmarks.soak --minutes 10 --out FILE` trains, predicts, saves, loads, interrupts, kills and resumes, in
an order that a seed decides, and looks at every answer: what is done twice must give the same bits.  After each
action it counts the process's memory, threads and open files (Linux tells), and what lies in its folder.  FILE is the
report.  The exit status is 1 where an answer was wrong, or where anything has grown.

All programs are compiled before.  Numba keeps some megabytes of each that it compiles, and which ones a run comes
to need chance decides: 35 for predictions at medium precision, so that memory grew for ten minutes.
"""

from __future__ import annotations

import argparse
import copy
import ctypes
import os
import platform
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import fastnet
from fastnet.checks import Array
from fastnet.engine.threads import workers

ROWS, FEATURES, HIDDEN, CLASSES = 3000, 200, 60, 5
STEPS = 400
COUNTS = range(1, 241)  # of rows, whose predictions need all the programs that any number of rows does
GROWTH = 1.05  # of the memory from the second third to the last, at most
KINDS: tuple[dict[str, Any], ...] = (
    {"dtype": "float32", "optimizer": fastnet.Momentum()},
    {"dtype": "float32", "matmul_precision": "medium", "optimizer": fastnet.Adam()},
    {"dtype": "float64", "optimizer": fastnet.Momentum(nesterov=True)},
)


class Seen(NamedTuple):
    """What the process holds: bytes of memory, threads beside idle workers, open files."""

    memory: int
    threads: int
    files: int


def data() -> tuple[Array, Array]:
    rng = np.random.default_rng(0)
    y = rng.integers(0, CLASSES, ROWS)
    X = rng.integers(0, 200, (ROWS, FEATURES), dtype=np.uint8)
    X[np.arange(ROWS), y] += 55
    return X, y


def new_model(kind: int) -> fastnet.TwoLayerNet:
    settings = {name: value for name, value in KINDS[kind].items() if name != "optimizer"}
    model = fastnet.TwoLayerNet(FEATURES, HIDDEN, CLASSES, std="he", seed=kind, **settings)
    model.normalization = fastnet.Normalization.fit(data()[0], scale=True)
    return model


def train(model: fastnet.TwoLayerNet, kind: int, **settings: Any) -> dict[str, Any]:
    X, y = data()
    options: dict[str, Any] = {
        "num_iters": STEPS,
        "batch_size": 100,
        "learning_rate": 1e-3,
        "sampling": "shuffle",
        "reg": 1e-3,
    }
    return model.train(X, y, X[:300], y[:300], optimizer=KINDS[kind]["optimizer"], **options | settings)


def bits(model: fastnet.TwoLayerNet) -> bytes:
    return b"".join(value.tobytes() for value in model.params.values())


class Soak:
    """The actions, each of which raises AssertionError where an answer is wrong."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self.chance = folder, np.random.default_rng(seed)
        self.kind, self.threads = 0, 1
        self.models = [new_model(kind) for kind in range(len(KINDS))]
        for kind, model in enumerate(self.models):
            train(model, kind)
        self.expected = [bits(model) for model in self.models]
        self.labels = [model.predict(data()[0]) for model in self.models]
        for model, count in product(self.models, COUNTS):
            model.predict(data()[0][:count])
        self.actions: tuple[Callable[[], None], ...] = (
            self.trained, self.predicted, self.saved, self.interrupted, self.killed, self.at_once
        )  # fmt: skip

    def act(self) -> str:
        """One action, of one kind of model, at one number of threads."""
        self.kind, self.threads = int(self.chance.integers(len(KINDS))), int(self.chance.integers(1, 4))
        action = self.actions[self.chance.integers(len(self.actions))]
        action()
        return action.__name__.replace("_", " ")

    def _check(self, model: fastnet.TwoLayerNet) -> None:
        assert bits(model) == self.expected[self.kind], f"other weights, {KINDS[self.kind]}, threads={self.threads}"

    def trained(self) -> None:
        model = new_model(self.kind)
        train(model, self.kind, threads=self.threads)
        self._check(model)

    def predicted(self) -> None:
        X, model = data()[0], self.models[self.kind]
        first = int(self.chance.integers(ROWS))
        count = int(self.chance.integers(1, ROWS - first + 1))
        found = model.predict(X[first : first + count], threads=self.threads)
        assert (found == self.labels[self.kind][first : first + count]).all(), "other labels"

    def saved(self) -> None:
        path = self.folder / f"model{self.chance.integers(4)}.npz"
        self.models[self.kind].save(path)
        model = fastnet.load(path)
        self._check(model)  # type: ignore[arg-type]  # load says either model
        assert (model.predict(data()[0][:50]) == self.labels[self.kind][:50]).all(), "other labels after load"

    def interrupted(self) -> None:
        """Ctrl-C at a random moment; what is left is what history tells, and training goes on."""
        model, same = new_model(self.kind), new_model(self.kind)
        timer = threading.Timer(float(self.chance.uniform(0, 0.2)), os.kill, [os.getpid(), signal.SIGINT])
        steps = 10**9
        try:
            timer.start()
            train(model, self.kind, num_iters=steps, threads=self.threads, learning_rate_decay=1.0)
        except KeyboardInterrupt:
            steps = len(model.history.get("loss_history", []))
        finally:
            timer.join()
        train(same, self.kind, num_iters=steps, learning_rate_decay=1.0)
        assert bits(model) == bits(same), f"interrupted after {steps} steps, other weights"

    def killed(self) -> None:
        """A process that trains with a checkpoint is killed, and this one resumes."""
        path = self.folder / "run"
        command = [sys.executable, "-m", "benchmarks.soak", "--child", str(path), str(self.kind), str(self.threads)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()  # the first steps are done
            time.sleep(float(self.chance.uniform(0, 0.1)))
            process.kill()
        model = new_model(self.kind)
        train(model, self.kind, threads=self.threads, checkpoint=path, resume=True)
        self._check(model)
        path.unlink()

    def at_once(self) -> None:
        """Three trainings in threads; readers of one of them are refused."""
        models = [new_model(self.kind) for _ in range(3)]
        busy = threading.Event()
        calls: list[dict[str, Any]] = [{"callback": lambda _: busy.set()}, {}, {}]
        threads = [
            threading.Thread(target=train, args=(model, self.kind), kwargs=call)
            for model, call in zip(models, calls, strict=True)
        ]
        for thread in threads:
            thread.start()
        busy.wait()
        try:
            copied = bits(copy.deepcopy(models[0]))
        except RuntimeError:
            copied = self.expected[self.kind]
        for thread in threads:
            thread.join()
        assert copied == self.expected[self.kind], "a copy from within a training"
        for model in models:
            self._check(model)


def child(path: str, kind: int, threads: int) -> None:
    """The process that is killed: it trains on and on, and writes all the time."""

    def say(_: Any) -> None:
        sys.stdout.write("\n")
        sys.stdout.flush()

    train(new_model(kind), kind, threads=threads, checkpoint=path, checkpoint_every=0, callback=say)
    time.sleep(3600)


def seen() -> Seen:
    """What there is of the process now; memory that is free, but kept by the C library, not counted.

    Of 188 MB after 860 actions 43 were; what was in use stayed the same.
    """
    idle = len(workers._idle)
    if sys.platform == "linux" and (trim := getattr(ctypes.CDLL(None), "malloc_trim", None)):
        trim(0)
    try:
        memory = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        return Seen(memory, threading.active_count() - idle, len(os.listdir("/proc/self/fd")))
    except OSError:
        return Seen(0, threading.active_count() - idle, 0)


def soak(minutes: float, seed: int) -> tuple[Counter[str], list[Seen], list[str]]:
    """So many actions of each kind, what there was after each, and what was wrong."""
    counts: Counter[str] = Counter()
    track: list[Seen] = []
    wrong: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        run = Soak(Path(folder), seed)
        end = time.monotonic() + 60 * minutes
        while time.monotonic() < end and not wrong:
            try:
                counts[run.act()] += 1
            except Exception as error:
                wrong.append(f"{type(error).__name__}: {error}")
            track.append(seen())
        left = sorted(name for name in os.listdir(folder) if not name.startswith("model"))
        wrong += [f"left behind: {', '.join(left)}"] if left else []
    third = len(track) // 3
    for number, name in enumerate(Seen._fields):
        before, after = (max(moment[number] for moment in part) for part in (track[third:-third], track[-third:]))
        if after > GROWTH * before:
            wrong.append(f"{name} grew from {before} to {after}")
    return counts, track, wrong


def report(minutes: float, seed: int, counts: Counter[str], track: list[Seen], wrong: list[str]) -> str:
    done = ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))
    moments = [track[len(track) * n // 10] for n in range(10)] + [track[-1]]
    lines = "\n".join(f"| {10 * n} % | {s.memory / 1e6:.1f} | {s.threads} | {s.files} |" for n, s in enumerate(moments))
    return f"""# {minutes:g} minutes of everything at random

{counts.total()} actions: {done}.

{"; ".join(wrong) if wrong else "Every answer was right, to the bit; nothing grew, nothing was left behind."}

| time | memory, MB | threads, but idle workers | open files |
| ---: | ---: | ---: | ---: |
{lines}

fastnet {fastnet.__version__}, {platform.system()}, {platform.machine()}.  Written by
`python -m benchmarks.soak --minutes {minutes:g} --seed {seed} --out FILE`.
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="file for the report; default standard output")
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        path, kind, threads = arguments.child
        child(path, int(kind), int(threads))
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell has what it runs in the background ignore it
    counts, track, wrong = soak(arguments.minutes, arguments.seed)
    text = report(arguments.minutes, arguments.seed, counts, track, wrong)
    if arguments.out is None:
        sys.stdout.write(text)
    else:
        arguments.out.write_text(text, "utf-8")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
