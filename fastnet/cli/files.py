"""Files appear under their name only when they are complete."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile

from fastnet.cli.errors import CommandError


@contextmanager
def finished(path: Path) -> Iterator[Path]:
    """A path to write to; it becomes `path` if the block ends well, and goes if it does not."""
    # The suffix stays last: writers choose the format by it.
    temporary = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def output_folder(path: Path) -> Path:
    """Make the folder for a training's results, and find out now, not after it, whether it can be written."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=path):
            pass
    except OSError as error:
        raise CommandError(f"{path}: cannot be written ({error.strerror}); name another folder with --out") from error
    return path
