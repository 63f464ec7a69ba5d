"""Where a command puts its files."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryFile, mkdtemp
from typing import TYPE_CHECKING

from fastnet import archive
from fastnet.cli.console import one_line
from fastnet.cli.errors import CommandError, Misplaced

if TYPE_CHECKING:
    from fastnet.classifier import Classifier


def output_folder(path: Path) -> Path:
    """Make the folder for a training's results, and find out now, not after it, whether it can be written."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=path):
            pass
    except OSError as error:
        raise CommandError(f"{path}: cannot be written ({error.strerror}); name another folder with --out") from error
    return path


def model_file(stem: Path) -> Path:
    """Where the model of a command's results is."""
    return stem.with_name(f"{stem.name}.npz")


def require_same_origin(path: Path, origin: str | None) -> None:
    """Raise CommandError where the model that is at path is of other data, of another folder but the same name."""
    if path.exists():
        with archive.reading(path, "a model, and nothing else is written over") as file:
            found = (file.header.get("trained_with") or {}).get("data")
        if found not in (None, origin):
            raise CommandError(f"{path}: a model of other data of this name; name another folder with --out")


def save(model: Classifier, path: Path, origin: str | None) -> None:
    """Save a model that took a while to train, on such data; the folder may have been removed meanwhile.

    Raises Misplaced, which says where the model is, where it is in the system's folder for temporary files: the disk
    of the other was full, for one.
    """
    if origin is not None:
        model.trained_with = {**(model.trained_with or {}), "data": origin}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        model.save(path)
    except OSError as error:
        try:
            other = Path(mkdtemp(prefix="fastnet-")) / path.name
            model.save(other)
        except OSError:
            raise error from None
        raise Misplaced(f"{one_line(error)}; the model is in {other}", other) from error
