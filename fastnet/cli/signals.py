"""What ends a command from outside: Ctrl-C, the end of a terminal or of a session, a batch system's end."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

_ENDING = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


class Signalled(KeyboardInterrupt):
    """A signal that ends the command; what Ctrl-C raises, and as much."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


def exit_status(error: KeyboardInterrupt) -> int:
    """As a shell reports the signal."""
    return 128 + int(getattr(error, "number", signal.SIGINT))


@contextmanager
def raised() -> Iterator[None]:
    """While the block lasts a signal that would end the process raises Signalled instead, the first of them.

    The next ones are ignored: what is being saved then is saved.
    """

    def end(number: int, _: Any) -> None:
        _ignore()
        raise Signalled(number)

    with _handled(end):
        yield


@contextmanager
def deferred() -> Iterator[Callable[[], None]]:
    """The same, but from its first call on it is the function that it yields which raises.

    So a training ends where its checkpoint can be written: between two stretches of steps.
    """
    received: list[int] = []
    called = False

    def note(number: int, _: Any) -> None:
        received.append(number)
        if not called and len(received) == 1:
            raise Signalled(number)

    def check() -> None:
        nonlocal called
        called = True
        if received:
            raise Signalled(received[0])

    try:
        with _handled(note):
            yield check
            check()  # what came after the last call
    finally:
        if received:
            _ignore()


def _ignore() -> None:
    for each in _ENDING:
        signal.signal(each, signal.SIG_IGN)


@contextmanager
def _handled(handler: Callable[[int, Any], None]) -> Iterator[None]:
    before = {}
    if threading.current_thread() is threading.main_thread():  # no other one may handle signals
        # Those that are ignored stay so: nohup does that, and a shell to what it runs in the background.
        before = {
            each: signal.getsignal(each) for each in _ENDING if signal.getsignal(each) not in (signal.SIG_IGN, None)
        }
    try:
        for each in before:
            signal.signal(each, handler)
        yield
    finally:
        for each, old in before.items():
            signal.signal(each, old)
