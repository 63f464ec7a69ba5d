"""Where the text of a command goes: lines for people, or one JSON object for machines."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from fastnet import streams

Report = dict[str, Any]  # what a command found out, in JSON's types


class Console:
    """Standard output carries the result alone; warnings, errors and progress go to standard error.

    Lines that cannot be written (a full disk, a terminal or a reader that is gone) cost no training: the command goes
    on without them, and fails when it has ended.
    """

    def __init__(self, json: bool) -> None:
        self.json = json
        self._failure: OSError | None = None

    def lines(self, texts: Iterable[str]) -> None:
        """Lines for people. `--json` leaves them out: the report holds the same facts."""
        if self.json or self._failure is not None:
            return
        try:
            streams.write(sys.stdout, "".join(f"{text}\n" for text in texts))
        except OSError as error:
            self._failure = error

    def line(self, text: str = "") -> None:
        self.lines([text])

    def complain(self, text: str) -> None:
        streams.show(sys.stderr, f"fastnet: {text}\n")

    def finish(self, report: Report) -> None:
        """The command has ended well.  Raises the OSError of lines that could not be written."""
        if self._failure is not None:
            raise self._failure
        if self.json:
            streams.write(sys.stdout, json.dumps(_finite(report), allow_nan=False) + "\n")


def one_line(error: BaseException) -> str:
    """The message of an exception on one line; a system error starts with the file it is about."""
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"{error.filename}: {error.strerror}"
    return " ".join(str(error).split()) or type(error).__name__


def _finite(value: Any) -> Any:
    """JSON has no NaN and no infinity: a loss that diverged is null."""
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
