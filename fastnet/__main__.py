"""`python -m fastnet`, and the script `fastnet`: the command line from its first moment on."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any


def main() -> int:
    """Run the command line and return its exit status; Ctrl-C while it is imported is one, too, and no traceback."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else it is ignored, and stays so
        signal.signal(signal.SIGINT, _leave)
    from fastnet.cli import main as run  # imports NumPy

    return run()


def _leave(number: int, _: Any) -> None:
    """End the process, in which nothing has begun yet, or nothing is left to do."""
    os._exit(128 + number)


if __name__ == "__main__":
    sys.exit(main())
