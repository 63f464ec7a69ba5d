"""A validation set: the loss and the accuracy of the scores that a model gives it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from fastnet.batches import Weights
from fastnet.checks import Array
from fastnet.stopping import Scored

_BLOCK = 4096  # rows looked at together


class Validation:
    """Scored anew whenever it is called."""

    def __init__(self, scores: Callable[[], Array], labels: NDArray[np.int64], weights: Weights | None) -> None:
        self._scores, self._labels, self._weights = scores, labels, weights

    def __call__(self) -> Scored:
        scores = self._scores()
        given = scores.argmax(axis=1)
        accuracy = float(np.average(given == self._labels, weights=self._weights))
        return Scored(mean_loss(scores, self._labels, self._weights), accuracy, lone_class(given, self._labels))


def lone_class(given: NDArray[np.int64], labels: NDArray[np.int64]) -> int | None:
    """The class that all rows are given, where their labels are of several; else None."""
    alike = bool((given == given[0]).all()) and not (labels == labels[0]).all()
    return int(given[0]) if alike else None


def softmax(scores: Array) -> Array:
    """The probabilities (N, C) of scores, in their own type."""
    with np.errstate(over="ignore", under="ignore"):  # to minus infinity and to 0 are right
        exponentials = np.exp(scores - scores.max(axis=1, keepdims=True))
        return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True))


def mean_loss(scores: Array, labels: NDArray[np.int64], weights: Weights | None) -> float:
    """The weighted mean over rows of -log softmax(scores)[label], in float64."""
    losses = np.empty(len(scores))
    for first in range(0, len(scores), _BLOCK):
        block = scores[first : first + _BLOCK].astype(np.float64)
        own = block[np.arange(len(block)), labels[first : first + _BLOCK]]
        top = block.max(axis=1)
        # Scores of a training that diverged are nan or infinite: the loss is then nan, and no more need be said.
        with np.errstate(all="ignore"):
            sums = np.exp(block - top[:, np.newaxis]).sum(axis=1)
            losses[first : first + _BLOCK] = np.log(sums) + (top - own)
    with np.errstate(all="ignore"):
        return float(np.average(losses, weights=weights))
