"""What a training says to whoever asked for it: by Python's warnings, or to somebody who listens in their place.

A search listens: of many nets a warning would not say which one it is about.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

SCALING = "Normalization.fit(X, scale=True), on the command line --normalize standard"

_listener: ContextVar[Callable[[str], object] | None] = ContextVar("listener", default=None)


def advise(text: str, stacklevel: int) -> None:
    """Say it; stacklevel is that of warnings.warn, for a call in the place of this one."""
    if (hear := _listener.get()) is None:
        warnings.warn(text, stacklevel=stacklevel + 1)
    else:
        hear(text)


@contextmanager
def heard_by(hear: Callable[[str], object]) -> Iterator[None]:
    """In this block, and in its thread alone, advice goes to a function instead."""
    token = _listener.set(hear)
    try:
        yield
    finally:
        _listener.reset(token)
