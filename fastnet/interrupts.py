"""Ctrl-C where it may get lost: while another is dealt with (impatient users press it twice), before a long wait."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import TypeVar

T = TypeVar("T")

NOTICE_SECONDS = 0.1  # within which a wait notices a signal that did not end it: one that came just before it began


def uninterrupted(call: Callable[[], object]) -> None:
    """Call it, and again where Ctrl-C cuts it short: it must be one that may be begun anew.

    For use where another interrupt, or an error, is on its way already, and is told.
    """
    while True:
        try:
            call()
        except KeyboardInterrupt:
            continue
        return


def next_of(queue: SimpleQueue[T]) -> T:
    """The next thing in a queue, however long it takes to come; signals are noticed meanwhile, whenever they come."""
    while True:
        with contextlib.suppress(Empty):
            return queue.get(timeout=NOTICE_SECONDS)
