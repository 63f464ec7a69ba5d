"""What ran where."""

from __future__ import annotations

import platform
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import fastnet
from fastnet.engine.compilation import cpu

PACKAGES = ("numpy", "numba", "llvmlite", "torch", "jax", "jaxlib", "scikit-learn")


def describe(words: str, threads: int, script: str = "compare") -> dict[str, Any]:
    """The head of a result file; words are those of the script's command line."""
    versions = {"fastnet": fastnet.__version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    now = datetime.now(UTC)
    return {
        "command": f"python -m benchmarks.{script} {words}",
        "date": now.date().isoformat(),
        "time": now.time().isoformat("minutes"),
        "cpu": f"{cpu.model_name()}, {cpu.target()[1]}",  # the model's name alone may be that of several generations
        "vector unit": cpu.units(),
        "blas": blas(),
        "system": f"{platform.system()} {platform.machine()}",
        "threads": threads,
        "versions": versions,
    }


def blas() -> str:
    """NumPy's BLAS, its version, and the CPU whose kernels it uses, as the library itself tells."""
    try:
        from threadpoolctl import threadpool_info
    except ImportError:
        return "unknown, threadpoolctl is not installed (extra `bench`)"
    found = [pool for pool in threadpool_info() if pool["user_api"] == "blas" and "numpy" in pool["filepath"]]
    told = (
        f"{pool['internal_api']} {pool['version']}, kernels for {pool.get('architecture', 'an unknown CPU')}"
        for pool in found
    )
    return ", ".join(told) or "none that threadpoolctl knows"
