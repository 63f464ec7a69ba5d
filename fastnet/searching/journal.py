"""The journal of a search: what has finished is on disk before the search goes on.

A line of JSON for the search itself, then one for each finished point, appended and synced: a search that is killed
leaves at most a torn last line, and resumes without doing anything twice.  The best net so far is beside it, in
FILE.best.npz, a model like any other; its point's line holds what its train returned.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import asdict, fields
from os import PathLike
from pathlib import Path
from types import NoneType
from typing import Any

import numpy as np

from fastnet import files, locks
from fastnet.searching.grid import Point
from fastnet.searching.trial import STATUSES, Row

Line = dict[str, Any]

FORMAT = 2
# Lists, objects and texts in a line: each takes up to twenty times the memory of its letters.
_MOST_PARTS = 1 << 16
_NUMBERS = {field.name for field in fields(Row) if field.type == "float"}
_KINDS: dict[str, Any] = {"str": str, "int": int, "float": (float, int, NoneType), "tuple[float, ...]": list}  # in JSON
_NONE = object()  # in the place of an entry that is not there
_DAMAGE = (ValueError, LookupError, TypeError, RecursionError)  # the last one of lists in lists


class Journal:
    """One file, open for appending, by one search at a time.

    Raises OSError where it is no regular file, cannot be written or is in use by another search, ValueError where it is
    another search's, no journal at all, or not named by a str or a Path.
    """

    def __init__(self, path: str | PathLike[str], search: Mapping[str, Any]) -> None:
        files.regular_or_new(path)
        self.path = Path(path)
        self.best_path = self.path.with_name(f"{self.path.name}.best.npz")
        with ExitStack() as opened:
            opened.enter_context(locks.locked(path))
            self._file = opened.enter_context(open(self.path, "a+b"))
            with files.memory_told(path):
                self._lines = self._read({"fastnet search journal": FORMAT, **search})
            self._opened = opened.pop_all()

    def row(self, point: Point) -> tuple[Row, dict[str, Any] | None] | None:
        """What an earlier run found out about a point, and what its train returned if it was the best then."""
        line = self._lines.get(point.identity)
        if line is None:
            return None
        told = {field.name: line[field.name] for field in fields(Row)}
        numbers = {name: np.nan if told[name] is None else told[name] for name in _NUMBERS}
        return Row(**{**told, **numbers, "scores": tuple(told["scores"])}), line.get("stats")

    def append(self, point: Point, row: Row, net: Any, stats: dict[str, Any] | None) -> None:
        """Keep a row for good; stats and the net come with one that is the best so far."""
        if net is not None:
            net.save(self.best_path)
        line: Line = {"point": json.loads(point.identity), **asdict(row)}
        line |= {name: None if np.isnan(line[name]) else line[name] for name in _NUMBERS}
        self._write(line if stats is None else {**line, "stats": stats})

    def close(self) -> None:
        """Nothing more will be appended."""
        # What a full disk did not take is still in the file's buffer: append has told of it.
        with suppress(OSError):
            self._opened.close()

    def _write(self, line: Line) -> None:
        with files.naming(self.path):
            self._file.write(json.dumps(line).encode() + b"\n")
            self._file.flush()
            os.fsync(self._file.fileno())

    def _read(self, head: Line) -> dict[str, Line]:
        """The lines of earlier runs by the identity of their points; a new file gets its head."""
        self._file.seek(0)
        *lines, torn = self._file.read().split(b"\n")
        if not lines and (json.dumps(head).encode() + b"\n").startswith(torn):
            self._file.truncate(0)
            self._write(head)
            files.sync(Path(os.path.realpath(self.path)).parent)
            return {}
        try:
            found = _parsed(lines[0])
            if found["fastnet search journal"] != FORMAT:
                raise ValueError(found["fastnet search journal"])
        except _DAMAGE as error:
            raise ValueError(
                f"{self.path}: not a journal of this version of fastnet, expected a new file or one of this search"
            ) from error
        own = json.loads(json.dumps(head))
        for name in head:
            if found.get(name) != own[name]:
                where, theirs, ours = _difference(name, found.get(name), own[name])
                raise ValueError(
                    f"{self.path}: the journal of another search, its {where} is {theirs}, expected {ours}; "
                    "name another file"
                )
        known = {}
        for number, line in enumerate(lines[1:], start=2):
            try:
                parsed = _parsed(line)
                known[json.dumps(parsed["point"], sort_keys=True)] = parsed
                _require_row(parsed)
            except _DAMAGE as error:
                raise ValueError(
                    f"{self.path}, line {number}: damaged; take the line out, and its point is done again"
                ) from error
        # What a killed run left of its last line would spoil the next one.
        self._file.truncate(sum(len(line) + 1 for line in lines))
        return known


def _parsed(line: bytes) -> Any:
    """What a line holds.  Raises ValueError where that is more than any search writes, and where it is no JSON."""
    parts = sum(line.count(mark) for mark in (b"[", b"{", b'"'))
    if parts > _MOST_PARTS:
        raise ValueError(f"{parts} parts")
    return json.loads(line)


def _require_row(line: Line) -> None:
    """Raise ValueError where a line's values are not of a row's types."""
    for field in fields(Row):
        if not isinstance(line[field.name], _KINDS[str(field.type)]):
            raise ValueError(field.name)
    if not all(isinstance(score, (int, float)) for score in line["scores"]) or line["status"] not in STATUSES:
        raise ValueError("scores or status")
    if not isinstance(line.get("stats"), (dict, NoneType)):
        raise ValueError("stats")


def _difference(name: str, found: Any, expected: Any) -> tuple[str, str, str]:
    """Where two values differ first, objects in objects by their names, and what stands there."""
    while isinstance(found, dict) and isinstance(expected, dict):
        entry = next(key for key in {**expected, **found} if found.get(key, _NONE) != expected.get(key, _NONE))
        name, found, expected = f"{name}.{entry}", found.get(entry, _NONE), expected.get(entry, _NONE)
    return name, _short(found), _short(expected)


def _short(value: Any) -> str:
    text = "not there" if value is _NONE else json.dumps(value)
    return text if len(text) <= 200 else f"{text[:200]}..."
