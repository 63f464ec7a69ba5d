"""The command line: `fastnet train | search | evaluate | predict | info | bench`.

    parser      the words of the command line, and the command each line asks for
    recipes     the hyper-parameters that a training starts from
    train, search, evaluate, predict, info, bench     the commands: run(arguments, console) -> what --json prints
    sources, samples                   what they read: data sets and models, single samples
    networks, images                   what they build: a recipe's nets, those of fastnet.recipes
    summary, progress, pictures        what a training shows: at its ends, while it runs, afterwards
    console, files, errors, signals    lines or JSON; the folder of results; what ends a command early

Numba and matplotlib take longer to import than `--help` may take: nothing here imports them, or a module
that does, before a command needs it.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Sequence

from fastnet import streams
from fastnet.cli.console import Console, one_line
from fastnet.cli.errors import CommandError
from fastnet.cli.parser import parse
from fastnet.cli.signals import exit_status, raised

__all__ = ["main"]

SUCCESS = 0
FAILURE = 1
BROKEN_PIPE = 141  # as a shell reports SIGPIPE

# What a user can mend by reading one line. Anything else is a defect of fastnet, and shows its traceback.
EXPECTED = (CommandError, OSError, ValueError, ImportError, MemoryError, FloatingPointError)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status: 0 done, 1 failed, 2 misused, 128 + a signal (130 is Ctrl-C)."""
    try:
        arguments = parse(argv)
    except SystemExit as stop:  # argparse has written its help, or what is wrong
        return int(stop.code or 0)
    except OSError as error:  # the help finds the disk full
        Console(json=False).complain(f"error: {one_line(error)}")
        return FAILURE
    console = Console(json=arguments.json)
    try:
        with warnings.catch_warnings(), raised():
            warnings.showwarning = lambda message, *_: console.complain(str(message))
            console.finish(arguments.run(arguments, console))
    except BrokenPipeError:
        # The reader of our output (`| head`) has left. Python would complain again when it flushes at exit.
        for stream in filter(streams.there, (sys.stdout, sys.stderr)):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        return BROKEN_PIPE
    except KeyboardInterrupt as interrupt:
        console.complain(str(interrupt) or "interrupted")
        return exit_status(interrupt)
    except EXPECTED as error:
        console.complain(f"error: {one_line(error)}")
        return FAILURE
    return SUCCESS
