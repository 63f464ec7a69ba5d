"""Where the time of a step goes: on a small net, that every phase runs and is shown."""

from functools import partial

from benchmarks import machine, phases, tables
from benchmarks.problem import synthetic


def test_every_phase_is_measured(monkeypatch):
    monkeypatch.setattr(phases, "LAB", {"N": 40, "D": 200, "H": 16, "C": 3})
    monkeypatch.setattr(phases, "synthetic", partial(synthetic, num_train=100))
    found = phases.measure(2, lambda text: None)
    assert found["seconds"].keys() == found["flops"].keys()
    assert all(len(seconds) == 2 and min(seconds) > 0 for seconds in found["seconds"].values())
    table = tables.phases({**machine.describe("--phases", 1), **found})
    assert all(f"| {name} |" in table for name in found["seconds"])
