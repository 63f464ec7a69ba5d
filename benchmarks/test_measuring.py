"""Turns, medians, the peak, and `fastnet bench`, which is made of them."""

import json
import time

import numpy as np
import pytest

from benchmarks.problem import Problem
from fastnet import bench
from fastnet.cli import bench as command
from fastnet.cli import main
from fastnet.engine import peak
from fastnet.engine.compilation.cpu import VectorUnit


def test_everyone_takes_a_turn_in_each_round_and_begins_one():
    calls = []
    seconds = bench.take_turns({name: lambda name=name: calls.append(name) for name in "abc"}, 3, pause=0.0)
    assert "".join(calls) == "abcbcacab"
    assert {name: len(times) for name, times in seconds.items()} == {"a": 3, "b": 3, "c": 3}


def test_a_turn_is_timed_without_the_pause():
    seconds = bench.take_turns({"sleep": lambda: time.sleep(0.02), "nothing": lambda: None}, 1, pause=0.01)
    assert seconds["sleep"][0] >= 0.02  # never shorter than it is; how much longer is the machine's affair
    assert seconds["nothing"][0] >= 0


def test_a_row_by_hand():
    # Two steps of 10 flops a run; medians: 2 s a run, ratio 1/2, 4/2, 9/3 -> 2, and of the peak of 20 flop/s
    # 20/1/20, 20/4/20, 20/9/20 -> a quarter. Means would differ in each column.
    row = bench.row("name", [1.0, 4.0, 9.0], base=[2.0, 2.0, 3.0], peak=[20.0] * 3, flops=20.0, steps=2)
    assert row == bench.Row("name", ms=2000.0, ratio=2.0, gflops=5e-9, fraction=0.25)


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_peak_multiplies_and_adds(monkeypatch, dtype, workers):
    monkeypatch.setattr(peak, "SECONDS", 1e-3)
    limit = peak.Peak(dtype, workers)
    limit()
    assert len(limit._lines) == workers
    for lines in (matrix.array for matrix in limit._lines):
        assert (lines[2:, : 64 // lines.itemsize] == 2.0).all()  # where x = x / 2 + 1 ends from anywhere
    # A multiply-add of every lane of every chain in each round.
    lanes = 64 // np.dtype(dtype).itemsize
    assert limit.flops == 2 * lanes * peak.chains() * workers * limit._rounds


@pytest.mark.parametrize("unit", ["AVX-512 64 32", "AVX2 32 16", "NEON 16 32", "128-bit 16 16"])
def test_chains_and_their_operands_fit_the_registers(monkeypatch, unit):
    name, width, registers = unit.rsplit(maxsplit=2)
    unit = VectorUnit(name, int(width), int(registers), fma=True)
    monkeypatch.setattr(peak, "vector_unit", lambda: unit)
    assert 8 <= peak.chains() * unit.per_line <= unit.registers - 2  # 8: two a cycle, four cycles late


def test_flops_by_hand():
    def flops(N, D, H, C):
        return Problem(np.empty((1, D)), None, None, np.empty((1, N)), H, C).flops

    # Two-layer: forward 2*3 + 3*4, weights' gradients the same, hidden gradient 3*4 multiply-adds for a row.
    assert flops(1, 2, 3, 4) == 2 * (6 + 12 + 6 + 12 + 12)
    assert flops(5, 2, 0, 4) == 5 * 2 * (8 + 8)
    assert flops(200, 3072, 80, 10) == command.FLOPS


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(command, "SIZE", command.Size(images=50, steps=2, rounds=2))
    monkeypatch.setattr(peak, "SECONDS", 1e-3)


def test_bench_command(small, capsys):
    assert main(["bench", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in report["rows"]] == [
        *(f"{who} {dtype}" for dtype in ("float32", "float64") for who in ("fastnet", "NumPy")),
        "fastnet high",
        "fastnet medium",
    ]
    assert report["rows"][0]["ratio"] == 1.0
    assert all(value > 0 for row in report["rows"] for value in row.values() if value != row["name"])
    assert set(report["peak_gflops"]) == {"float32", "float64"}

    assert main(["bench"]) == 0
    text = capsys.readouterr().out
    assert all(row["name"] in text for row in report["rows"])


def test_bench_command_takes_the_workers_of_the_environment(small, capsys, monkeypatch):
    asked = []
    measure = command.measure
    monkeypatch.setattr(command, "measure", lambda size, workers: (asked.append(workers), measure(size, 1))[1])
    monkeypatch.setenv("FASTNET_THREADS", "3")
    assert main(["bench", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["threads"] == 3
    assert asked == [3]


@pytest.mark.parametrize("dtype", command.DTYPES)
def test_both_sides_of_the_bench_command_do_the_same_work(dtype):
    rng = np.random.default_rng(0)
    X, y = rng.integers(0, 256, (300, command.D), dtype=np.uint8), rng.integers(0, command.C, 300)
    rows = rng.integers(0, 300, (30, command.N))
    own = command.fastnet_training(X, y, rows, np.dtype(dtype), 1)()
    other = command.numpy_training(X, y, rows, np.dtype(dtype))()
    assert abs(own[-1] - own[0]) > 1e-3  # it moves
    np.testing.assert_allclose(own, other, rtol=1e-4 if dtype == "float32" else 1e-10)
