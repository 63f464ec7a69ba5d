"""What is not fastnet's own: libraries that are extras, files that anyone may have written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any, BinaryIO

from fastnet.files import Name, open_regular


def library(module: str, extra: str) -> Any:
    """A module of another library.  Raises ImportError, with the mend, where the extra is not installed."""
    try:
        return import_module(module)
    except ImportError as error:
        raise ImportError(f'this needs {module.split(".")[0]}: pip install "fastnet-cpu[{extra}]"') from error


@contextmanager
def reading(path: Name, what: str) -> Iterator[BinaryIO]:
    """The file at path, open while the block lasts.

    Raises OSError where there is no regular file that can be read, and for whatever is raised in the block ValueError,
    which says that it is not `what` was expected: readers of a damaged file may raise anything at all.
    """
    with open_regular(path) as file:
        try:
            yield file
        except Exception as error:
            raise ValueError(f"{path}: not {what} ({error})") from error
