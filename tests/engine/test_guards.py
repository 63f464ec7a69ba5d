"""Nothing outside of any buffer is read or written, by any unit, in any precision: see guards.py."""

import json
import os
import subprocess
import sys

import pytest

from fastnet.engine.compilation.cpu import target
from tests.engine.conftest import ROOT
from tests.engine.test_portability import narrowed


def without(*names):
    return ",".join("-" + f[1:] if f[1:].startswith(names) else f for f in target()[2].split(","))


UNITS = {
    "this one": (lambda: target()[2], ("float32", "float64", "high", "medium")),
    "no matrix unit": (lambda: without("amx"), ("high", "medium")),
    "a narrower one": (narrowed, ("float32", "high", "medium")),
    "none": (lambda: without("avx512", "avx10", "amx", "avxvnni", "avx2", "fma"), ("float32", "medium")),
}


@pytest.mark.skipif(sys.platform != "linux", reason="by Linux's mprotect")
@pytest.mark.parametrize("unit", UNITS)
def test_every_buffer_lies_between_guards(unit):
    features, modes = UNITS[unit]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    if unit != "this one":
        if not target()[0].startswith("x86_64"):
            pytest.skip("the features taken away here are those of x86-64")
        environment["NUMBA_CPU_FEATURES"] = features()
    out = subprocess.run(
        [sys.executable, "-m", "tests.engine.guards", "all" if unit == "this one" else "few", *modes],
        env=environment, cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert out.returncode == 0, (out.returncode, out.stderr)
    plain, behind, before = json.loads(out.stdout)["found"]
    assert plain.keys() == set(modes)
    assert plain.get("high", 16) != plain.get("medium", 24)  # else they were floats
    assert plain == behind == before
