"""What ends a command from outside: Ctrl-C, the end of a terminal or of a session, a batch system's end."""

from __future__ import annotations

import signal
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

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

    The next ones do nothing as long as that exception is anywhere: what is being saved then is saved.  Where it was
    lost, as are all that reach a finalizer or LLVM, which calls Python while it compiles, the next one, or the next
    check(), raises it again.  Once a signal has come they are ignored from the end of the block to that of the process.
    """
    handled = {}
    if threading.current_thread() is threading.main_thread():  # no other one may handle signals
        # Those that are ignored stay so: nohup does that, and a shell to what it runs in the background.
        handled = {
            each: signal.getsignal(each) for each in _ENDING if signal.getsignal(each) not in (signal.SIG_IGN, None)
        }
    try:
        for each in handled:
            signal.signal(each, _received.note)
        yield
    finally:
        for each, before in handled.items():
            # Python sets its own handlers aside before it ends, and a second signal would then be the exit status.
            signal.signal(each, signal.SIG_IGN if _received.first else before)
        _received.forget()


def check(hold: bool = False) -> None:
    """Raise Signalled if a signal has come.  After a call with hold, and until one without, nothing else raises it.

    So a training ends where its checkpoint can be written: between two stretches of steps.
    """
    _received.hold = hold
    if _received.first:
        _received.end()


class _Received:
    """The signals that have come to the command."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        self.first = 0
        self.hold = False
        self._on_its_way: Callable[[], Signalled | None] = lambda: None

    def note(self, number: int, _: Any) -> None:
        self.first = self.first or number
        if not self.hold and self._on_its_way() is None:
            self.end()

    def end(self) -> NoReturn:
        # Under a name here the exception would outlive its loss: its traceback has this frame.
        raise self._watched(Signalled(self.first))

    def _watched(self, error: Signalled) -> Signalled:
        self._on_its_way = weakref.ref(error)
        return error


_received = _Received()
