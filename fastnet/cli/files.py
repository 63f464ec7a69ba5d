"""Where a command puts its files."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryFile

from fastnet.cli.errors import CommandError


def output_folder(path: Path) -> Path:
    """Make the folder for a training's results, and find out now, not after it, whether it can be written."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=path):
            pass
    except OSError as error:
        raise CommandError(f"{path}: cannot be written ({error.strerror}); name another folder with --out") from error
    return path
