"""What a process pays once: imports, compilation, memory.

`measure(cache)` starts another process and has it tell about itself.  Run as a script, this file is that
process: it imports nothing heavy before the clock runs.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from time import perf_counter

ROOT = Path(__file__).parents[1]


def start(arguments: list[str], cache: Path | None = None) -> str:
    """Run Python with the arguments, compiled programs kept in the folder `cache`; what it wrote."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # bytecode is there in an installed package, so it is here
    if cache is not None:
        environment["FASTNET_CACHE_DIR"] = str(cache)
    command = [sys.executable, *arguments]
    return subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout


def measure(cache: Path, num_train: int, matmul_precision: str = "highest") -> dict[str, float]:
    """Cold if the folder is empty, else warm."""
    result: dict[str, float] = json.loads(start([__file__, str(num_train), matmul_precision], cache))
    return result


def report(num_train: int, matmul_precision: str) -> dict[str, float]:
    """Seconds of both imports and of the first training from `import fastnet` on; bytes beside the data."""
    begin = perf_counter()
    import numpy as np

    numpy_there = perf_counter()
    import fastnet

    fastnet_there = perf_counter()
    X = np.random.default_rng(0).integers(0, 256, (num_train, 3072), dtype=np.uint8)
    y = np.arange(num_train) % 10
    data_there = perf_counter()
    net = fastnet.TwoLayerNet(3072, 80, 10, seed=0, matmul_precision=matmul_precision)
    loss = net.train(X, y, num_iters=10)["loss_history"][-1]
    seconds = perf_counter() - data_there + fastnet_there - numpy_there
    return {
        "import numpy": numpy_there - begin,
        "import fastnet": fastnet_there - numpy_there,
        "first train": seconds,
        "bytes beside the data": _peak_memory() - X.nbytes - y.nbytes,
        "loss": loss,
    }


def _peak_memory() -> float:
    """The most bytes this process had in memory; nan where the system does not tell.

    Not getrusage: on Linux its number outlives exec, and is the parent's if that was larger.
    """
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return float("nan")
    return 1024.0 * next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))


if __name__ == "__main__":
    sys.stdout.write(json.dumps(report(int(sys.argv[1]), sys.argv[2])))
