"""What travels together through a step: the parts of a batch, of a weight matrix, of an update."""

from __future__ import annotations

from typing import Any, NamedTuple


class Rows(NamedTuple):
    """Some rows of a step: `count` of those that are numbered in row k of batch.rows, from the `first` on."""

    batch: Any
    k: Any
    first: Any
    count: Any


class Group(NamedTuple):
    """Rows of a weight matrix that are updated together: the group's number, its first row, how many there are.

    Of them the columns from begin on, before end: whole tiles, but for the matrix's last.
    """

    number: Any
    row: Any
    width: Any
    begin: Any
    end: Any


class Sums(NamedTuple):
    """Where a gradient adds up, from a row of a matrix on.

    resume: it holds the gradient of earlier blocks, to be added to;  last: there is no later one, so update.
    """

    matrix: Any
    row: Any
    resume: Any
    last: Any


class Descent(NamedTuple):
    """How a step changes parameters: a rule, its coefficients, of which those of step k count, the L2 strength."""

    rule: Any
    coefficients: Any
    k: Any
    reg: Any


class Part(NamedTuple):
    """Some rows of a block and some features: those from r0 and p0 on, before r1 and p1."""

    r0: Any
    r1: Any
    p0: Any
    p1: Any
