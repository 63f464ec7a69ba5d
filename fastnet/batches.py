"""Which rows of the data set each step sees, and what each of them counts for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from fastnet import checks
from fastnet.schedules import Clock

Rows = NDArray[np.int64]
Weights = NDArray[np.float64]


class Drawn(NamedTuple):
    """The mini-batches of some steps.

    rows : (count, size) row numbers, or (1, size) when all steps see the same
    shares : the part of each row in the loss of its batch, of the same shape, in sum 1; None is 1 / size each
    weight : (count or 1,) how many rows each batch counts as: the sum of its weights
    """

    rows: Rows
    shares: NDArray[Any] | None
    weight: Weights


class Batches(Protocol):
    """A sequence of mini-batches; what it yields does not depend on how many are asked for at once."""

    size: int
    num_train: int  # rows that an epoch goes through

    def take(self, count: int) -> Drawn:
        """The next `count` mini-batches."""


class Resumable(Batches):
    """Batches that another process can go on with; what they depend on beside a generator is here."""

    @property
    def waiting(self) -> Rows:
        """Batches (count, size) that have been drawn and not yet been taken."""
        return np.empty((0, self.size), np.int64)

    def go_on(self, done: int, waiting: Rows) -> None:
        """Be as after so many batches.  Raises ValueError where the waiting ones are none of these."""
        if len(waiting):
            raise ValueError(f"{len(waiting)} batches wait, expected none")


def _alike(rows: Rows) -> Drawn:
    """Batches of rows that count as one each."""
    return Drawn(rows, None, np.full(len(rows), float(rows.shape[1])))


class Replacement(Resumable):
    """Each row of each batch drawn anew from all rows."""

    def __init__(self, rng: np.random.Generator, num_train: int, size: int) -> None:
        self._rng, self.num_train, self.size = rng, num_train, size

    def take(self, count: int) -> Drawn:
        return _alike(self._rng.integers(0, self.num_train, size=(count, self.size)))


class Shuffle(Resumable):
    """Epochs of a random permutation, cut into batches; rows that do not fill a batch wait for the next epoch."""

    def __init__(self, rng: np.random.Generator, num_train: int, size: int) -> None:
        self._rng, self.num_train, self.size = rng, num_train, size
        self._rest = np.empty((0, size), np.int64)

    def take(self, count: int) -> Drawn:
        parts = [self._rest[:count]]
        missing = count - len(parts[0])
        self._rest = self._rest[count:]
        while missing > 0:
            whole = self.num_train // self.size * self.size
            epoch = self._rng.permutation(self.num_train)[:whole].reshape(-1, self.size)
            parts.append(epoch[:missing])
            self._rest = epoch[missing:]
            missing -= len(parts[-1])
        return _alike(np.concatenate(parts))

    @property
    def waiting(self) -> Rows:
        return self._rest

    def go_on(self, done: int, waiting: Rows) -> None:
        self._rest = checks.integers("waiting", waiting, self.num_train, "row numbers")


@dataclass(frozen=True)
class Ending:
    """Sampling that shuffles all rows, and towards the end of training the first ones alone.

    Parameters
    ----------
    rows : int, how many are the first ones
    after : float in [0, 1), the fraction of the training that is on all rows
    clock : Clock, by whose time it is a fraction; default None, by the iterations
    """

    rows: int
    after: float
    clock: Clock | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "rows", checks.count("rows", self.rows, 1))
        object.__setattr__(self, "after", checks.open_unit("after", self.after))
        if not (self.clock is None or isinstance(self.clock, Clock)):
            raise ValueError(f"clock is {self.clock!r}, expected a fastnet.schedules.Clock or None")


class Narrowing(Resumable):
    """What Ending says, of a training of num_iters."""

    def __init__(self, rng: np.random.Generator, num_train: int, size: int, ending: Ending, num_iters: int) -> None:
        self.num_train, self.size = num_train, size
        self._all, self._first = Shuffle(rng, num_train, size), Shuffle(rng, ending.rows, size)
        self._ending, self._done = ending, 0
        self._begin = round(ending.after * num_iters)

    def take(self, count: int) -> Drawn:
        clock = self._ending.clock
        if clock is not None:
            self._begin = self._done + count if clock.passed() < self._ending.after else min(self._begin, self._done)
        early = min(count, max(self._begin - self._done, 0))
        self._done += count
        parts = [batches.take(n).rows for batches, n in ((self._all, early), (self._first, count - early)) if n]
        return _alike(np.concatenate(parts))

    @property
    def waiting(self) -> Rows:
        return (self._first if self._done > self._begin else self._all).waiting

    def go_on(self, done: int, waiting: Rows) -> None:
        self._done = done
        (self._first if done > self._begin else self._all).go_on(done, waiting)


class FullBatch(Resumable):
    """All rows, in order, in every step."""

    def __init__(self, num_train: int) -> None:
        self.size = self.num_train = num_train

    def take(self, count: int) -> Drawn:
        return _alike(np.arange(self.size, dtype=np.int64).reshape(1, -1))


class Replay(Resumable):
    """A given sequence, a row of `indices` for each step."""

    def __init__(self, indices: Rows, num_train: int) -> None:
        self._indices, self.num_train, self.size = indices, num_train, indices.shape[1]
        self._next = 0

    def take(self, count: int) -> Drawn:
        first, self._next = self._next, self._next + count
        return _alike(self._indices[first : self._next])

    def go_on(self, done: int, waiting: Rows) -> None:
        super().go_on(done, waiting)
        self._next = done


class Weighted(Resumable):
    """Mini-batches of which each row counts as much as its weight says.

    Batches of row numbers among `present`; weights (num,) is for all rows, and no batch may have a sum of 0.
    """

    def __init__(self, batches: Resumable, weights: Weights, present: Rows) -> None:
        self._batches, self._weights, self._present = batches, weights, present
        self.size, self.num_train = batches.size, batches.num_train

    def take(self, count: int) -> Drawn:
        rows = self._present[self._batches.take(count).rows]
        weights = self._weights[rows]
        total = weights.sum(axis=1)
        return Drawn(rows, weights / total[:, np.newaxis], total)

    @property
    def waiting(self) -> Rows:
        return self._batches.waiting

    def go_on(self, done: int, waiting: Rows) -> None:
        self._batches.go_on(done, waiting)


def batches_of(
    rng: np.random.Generator,
    num_rows: int,
    num_iters: Any,
    batch_size: Any,
    sampling: Any,
    indices: Any,
    weights: Weights | None,
) -> tuple[Resumable, int]:
    """The batches that the arguments of `train` ask for, and how many.

    Raises ValueError for arguments that do not fit, and for a batch in `indices` whose rows all have weight 0.
    """
    if indices is not None:
        rows = checks.array("indices", indices)
        if rows.ndim != 2 or rows.size == 0:
            raise ValueError(f"indices have shape {rows.shape}, expected (num_iters, batch_size), neither 0")
        rows = checks.integers("indices", rows, num_rows, "row numbers")
        if weights is None:
            return Replay(rows, num_rows), len(rows)
        empty = np.flatnonzero(~(weights[rows] > 0).any(axis=1))
        if len(empty):
            raise ValueError(f"indices[{empty[0]}] holds rows of weight 0 alone, expected one of a weight above 0")
        replay = Replay(rows, int(np.count_nonzero(weights)))
        return Weighted(replay, weights, np.arange(num_rows)), len(rows)
    num_iters = checks.count("num_iters", num_iters, 0)
    if isinstance(sampling, Ending):
        return _ending(rng, num_rows, num_iters, batch_size, sampling, weights), num_iters
    if weights is None:
        return _drawn(rng, num_rows, batch_size, sampling), num_iters
    present = np.flatnonzero(weights)
    return Weighted(_drawn(rng, len(present), batch_size, sampling), weights, present), num_iters


def _ending(
    rng: np.random.Generator, num_rows: int, num_iters: int, batch_size: Any, ending: Ending, weights: Weights | None
) -> Resumable:
    if weights is not None:
        raise ValueError("sampling is an Ending, expected 'replacement' or 'shuffle' beside weights of rows or classes")
    if ending.rows > num_rows:
        raise ValueError(f"sampling ends with {ending.rows} rows, expected at most the {num_rows} of X")
    size = checks.count("batch_size", batch_size, 1)
    if size > ending.rows:
        raise ValueError(f"batch_size is {size}, expected at most the {ending.rows} rows that sampling ends with")
    return Narrowing(rng, num_rows, size, ending, num_iters)


def _drawn(rng: np.random.Generator, num_train: int, batch_size: Any, sampling: Any) -> Resumable:
    if not isinstance(sampling, str) or sampling not in ("replacement", "shuffle"):
        raise ValueError(f"sampling is {sampling!r}, expected 'replacement' or 'shuffle'")
    if batch_size is None:
        return FullBatch(num_train)
    if isinstance(batch_size, str):
        raise ValueError(f"batch_size is {batch_size!r}, expected an integer of at least 1, or None for all rows")
    batch_size = checks.count("batch_size", batch_size, 1)
    if sampling == "replacement":
        return Replacement(rng, num_train, batch_size)
    if batch_size > num_train:
        raise ValueError(f"batch_size is {batch_size}, expected at most the {num_train} rows of X with shuffle")
    return Shuffle(rng, num_train, batch_size)
