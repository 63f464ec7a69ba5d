"""Files: a checkpoint of a wide net with Adam at CIFAR-10's shape; one every ten seconds may take 100 ms, 1 %."""

import numpy as np
import pytest

from benchmarks.problem import LAB
from fastnet import archive

WIDE = 800  # hidden units


@pytest.mark.benchmark(group="files")
def test_checkpoint(benchmark, timed, tmp_path):
    shape = LAB["D"], WIDE if timed else 8
    rng = np.random.default_rng(0)
    arrays = {name: rng.standard_normal(shape).astype(np.float32) for name in ("params.W1", "rule.0", "rule.1")}
    benchmark(archive.write, tmp_path / "run", {"kind": "checkpoint of a run"}, arrays)
    with archive.reading(tmp_path / "run", "what was written") as file:
        found = file.read({name: archive.Layout(value.dtype, value.shape) for name, value in arrays.items()})
    assert all(np.array_equal(found[name], value) for name, value in arrays.items())
