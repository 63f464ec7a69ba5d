"""Ctrl-C while Ctrl-C is dealt with: impatient users press it twice."""

from __future__ import annotations

from collections.abc import Callable


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
