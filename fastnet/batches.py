"""Which rows of the data set each step sees."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]


class Batches(Protocol):
    """A sequence of mini-batches; what it yields does not depend on how many are asked for at once."""

    size: int

    def take(self, count: int) -> Rows:
        """The rows of the next `count` steps, (count, size), or (1, size) when all steps see the same."""


class Replacement:
    """Each row of each batch drawn anew from all rows."""

    def __init__(self, rng: np.random.Generator, num_train: int, size: int) -> None:
        self._rng, self._num_train, self.size = rng, num_train, size

    def take(self, count: int) -> Rows:
        return self._rng.integers(0, self._num_train, size=(count, self.size))


class Shuffle:
    """Epochs of a random permutation, cut into batches; rows that do not fill a batch wait for the next epoch."""

    def __init__(self, rng: np.random.Generator, num_train: int, size: int) -> None:
        self._rng, self._num_train, self.size = rng, num_train, size
        self._rest = np.empty((0, size), np.int64)

    def take(self, count: int) -> Rows:
        parts = [self._rest[:count]]
        missing = count - len(parts[0])
        self._rest = self._rest[count:]
        while missing > 0:
            whole = self._num_train // self.size * self.size
            epoch = self._rng.permutation(self._num_train)[:whole].reshape(-1, self.size)
            parts.append(epoch[:missing])
            self._rest = epoch[missing:]
            missing -= len(parts[-1])
        return np.concatenate(parts)


class FullBatch:
    """All rows, in order, in every step."""

    def __init__(self, num_train: int) -> None:
        self.size = num_train

    def take(self, count: int) -> Rows:
        return np.arange(self.size, dtype=np.int64).reshape(1, -1)


class Replay:
    """A given sequence, a row of `indices` for each step."""

    def __init__(self, indices: Rows) -> None:
        self._indices, self.size = indices, indices.shape[1]
        self._next = 0

    def take(self, count: int) -> Rows:
        first, self._next = self._next, self._next + count
        return self._indices[first : self._next]
