"""Runs the command line, in this process or in another, and makes small data of every form."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastnet.cli import main

# A training that stands still after each progress line until it may read another line, or the end of them.
WAITING = """
import sys
from fastnet.__main__ import main
from fastnet.cli.progress import Meter

show = Meter.show

def wait(self, *progress):
    before = self._tenth
    show(self, *progress)
    if self._tenth > before:
        sys.stdin.readline()

Meter.show = wait
sys.exit(main())
"""


@dataclass
class Result:
    status: int
    out: str
    err: str

    @property
    def report(self) -> dict[str, Any]:
        return json.loads(self.out)  # fails if anything but one JSON value was written

    @property
    def error(self) -> str:
        """The one line that a failed command writes."""
        assert self.out == ""
        assert self.err.count("\n") == 1, self.err
        return self.err.rstrip()


@pytest.fixture(autouse=True)
def signals_that_end():
    """What runs the tests may ignore some, as nohup does, or a shell in the background; and processes inherit that.

    A command that a signal has ended ignores the next ones, and leaves that to the process.
    """
    defaults = {"SIGINT": signal.default_int_handler, "SIGTERM": signal.SIG_DFL, "SIGHUP": signal.SIG_DFL}
    numbers = {getattr(signal, name): handler for name, handler in defaults.items() if hasattr(signal, name)}
    before = {number: signal.getsignal(number) for number in numbers}
    for number, handler in before.items():
        if handler == signal.SIG_IGN:
            signal.signal(number, numbers[number])
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def run(capsys, tmp_path, monkeypatch):
    """`run("train", "--json")` -> Result; what it writes by default lands in tmp_path."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        capsys.readouterr()
        status = main([str(argument) for argument in arguments])
        return Result(status, *capsys.readouterr())

    return call


@pytest.fixture
def spawn(tmp_path):
    """The same in a process of its own, for what only a whole process can show; `waiting` after each progress line."""
    processes = []

    def start(*arguments, waiting=False):
        command = [sys.executable, *(("-c", WAITING) if waiting else ("-m", "fastnet")), *map(str, arguments)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        processes.append(subprocess.Popen(command, cwd=tmp_path, env=environment, **pipes))
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        with process:  # closes the pipes and waits
            pass


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def cifar10(tmp_path, rng) -> Path:
    """A folder of the binary form, three images a batch, whose labels take turns."""
    folder = tmp_path / "cifar"
    folder.mkdir()
    for name in [*(f"data_batch_{k}" for k in range(1, 6)), "test_batch"]:
        records = rng.integers(0, 256, size=(20, 3073), dtype=np.uint8)
        records[:, 0] = np.arange(20) % 10
        (folder / f"{name}.bin").write_bytes(records.tobytes())
    return folder


@pytest.fixture
def idx(tmp_path, rng) -> Path:
    """A folder of 4 x 5 grey images, the labels gzipped."""
    folder = tmp_path / "idx"
    folder.mkdir()
    for part, count in {"train": 30, "t10k": 12}.items():
        images = rng.integers(0, 256, size=(count, 4, 5), dtype=np.uint8)
        labels = (np.arange(count) % 3).astype(np.uint8)
        (folder / f"{part}-images-idx3-ubyte").write_bytes(_idx(images))
        (folder / f"{part}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(_idx(labels)))
    return folder


def _idx(array: np.ndarray) -> bytes:
    header = bytes([0, 0, 8, array.ndim])
    return header + b"".join(size.to_bytes(4, "big") for size in array.shape) + array.tobytes()


@pytest.fixture
def npz(tmp_path, rng) -> Path:
    """Two well parted clouds in four dimensions: 60 training and 20 test rows."""
    y = np.arange(80) % 2
    X = (rng.standard_normal((80, 4)) + np.where(y[:, None] == 1, 4.0, -4.0)).astype(np.float32)
    path = tmp_path / "clouds.npz"
    np.savez(path, X_train=X[:60], y_train=y[:60], X_test=X[60:], y_test=y[60:])
    return path
