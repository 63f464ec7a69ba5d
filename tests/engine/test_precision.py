"""A float32 program computes in float32: a literal that Numba takes for a float64 would double its time, unseen."""

import os
import subprocess
import sys

CODE = """
import re
import numpy as np
import fastnet
from fastnet.engine.step import programs

fastnet.TwoLayerNet(5, 4, 3).predict(np.ones((2, 5), np.uint8))
code = programs.score.inspect_llvm(programs.score.signatures[0])
assert "float" in code
print(re.findall(r".*\\bdouble\\b.*", code))
"""


def test_scoring_in_float32_holds_no_double(tmp_path):
    env = os.environ | {"FASTNET_CACHE_DIR": str(tmp_path)}  # a cached program has no IR to look at
    out = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, env=env, timeout=300)
    assert out.returncode == 0, out.stderr
    assert out.stdout.split() == ["[]"]
