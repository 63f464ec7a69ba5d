"""`fastnet info`: the machine as the engine sees it, and the versions that matter in a bug report."""

from __future__ import annotations

import argparse
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from fastnet._version import __version__
from fastnet.cli.console import Console, Report


def run(arguments: argparse.Namespace, console: Console) -> Report:
    report = info()
    width = max(map(len, report)) + 2
    console.lines(f"{key.ljust(width)}{_text(value)}" for key, value in report.items())
    return report


def info() -> Report:
    """Versions of fastnet, Python and what it computes with; then the engine's own description."""
    from fastnet import checks, engine

    packages = {name: _version(name) for name in ("numpy", "numba", "llvmlite")}
    machine = engine.describe()
    try:
        machine["threads"] = checks.threads(None) or machine["threads"]
    except ValueError as error:  # this report is to show what is wrong
        machine["threads"] = str(error)
    return {"fastnet": __version__, "python": platform.python_version(), **packages, **machine}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _text(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
