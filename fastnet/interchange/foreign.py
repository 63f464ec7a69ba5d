"""What is not fastnet's own: libraries that are extras, files that anyone may have written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any, BinaryIO

from fastnet.files import Name, damage_told, open_regular


def library(module: str, extra: str) -> Any:
    """A module of another library.  Raises ImportError, with the mend, where the extra is not installed."""
    try:
        return import_module(module)
    except ImportError as error:
        raise ImportError(f'this needs {module.split(".")[0]}: pip install "fastnet-cpu[{extra}]"') from error


@contextmanager
def reading(path: Name, what: str) -> Iterator[BinaryIO]:
    """The file at path, open while the block lasts.

    Raises OSError where there is no regular file that can be read; of what is raised in the block, files.damage_told.
    """
    with open_regular(path) as file, damage_told(path, what):
        yield file
