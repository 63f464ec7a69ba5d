"""What the recipes of fastnet.recipes are in another library: the same views, batches, rates and initial weights.

The whitening is fitted by fastnet for everyone, with NumPy; each projects all views by products of its own, in floats,
and a mirror image's components are the image's with signs, as in fastnet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnet import Whitening
from fastnet.batches import batches_of
from fastnet.images import View
from fastnet.recipes import Settings

BLOCK_ROWS = 5000  # images in floats at a time
Projection = tuple[Any, Any, Any]  # the mean, matrix and offset that make components of images, float32


@dataclass(frozen=True, eq=False)
class Images:
    """An image set: uint8 rows and int64 labels, to train on and to measure on."""

    X: NDArray[np.uint8]
    y: NDArray[np.int64]
    X_test: NDArray[np.uint8]
    y_test: NDArray[np.int64]
    image_shape: tuple[int, int, int]
    num_classes: int


@dataclass(frozen=True, eq=False)
class Found:
    """Seconds from loaded images to a trained net, compilation apart, and the test images that it is right about."""

    seconds: float
    right: NDArray[np.bool_]

    @property
    def accuracy(self) -> float:
        return float(np.mean(self.right))


@dataclass(frozen=True, eq=False)
class Plan:
    """What is the same for all libraries: rows of the views' components (steps, N), rates (steps,), weights."""

    indices: NDArray[np.int64]
    rates: NDArray[np.float64]
    params: dict[str, NDArray[np.float32]]

    @classmethod
    def of(cls, settings: Settings, images: Images, K: int, seed: int) -> Plan:
        """Batches drawn as fastnet draws them, the schedule's rates, He's initialisation."""
        rng = np.random.default_rng(seed)
        rows = len(images.X) * len(settings.shifts) * (1 + settings.mirrored)
        N = min(settings.batch_size, len(images.X) * (1 + settings.mirrored))
        steps = max(1, settings.epochs * len(images.X) // N)
        batches, _ = batches_of(rng, rows, steps, N, settings.sampling(len(images.X)), None, None)
        order = batches.take(steps).rows
        sizes = (K, settings.hidden_size, images.num_classes)
        params = {}
        for k, (inputs, outputs) in enumerate(pairwise(sizes), 1):
            params[f"W{k}"] = np.float32(np.sqrt(2 / inputs) * rng.standard_normal((inputs, outputs)))
            params[f"b{k}"] = np.zeros(outputs, np.float32)
        factors = settings.schedule.factors(np.arange(steps), steps, steps)
        return cls(order, settings.learning_rate * factors, params)


def components(settings: Settings, images: Images) -> int:
    return min(settings.components, *images.X.shape)


def fitted(settings: Settings, images: Images, seed: int) -> Whitening:
    shape = images.image_shape if settings.mirrored else None
    return Whitening.fit(images.X, components(settings, images), settings.epsilon, image_shape=shape, seed=seed)


def projection(whitening: Whitening) -> Projection:
    return np.float32(whitening.mean), np.float32(whitening.matrix), np.float32(whitening.offset)


def projections(whitening: Whitening, settings: Settings, images: Images) -> Iterator[Projection]:
    """Of each shift."""
    return (projection(whitening.of_view(images.image_shape, View(*shift))) for shift in settings.shifts)


def blocks(rows: int) -> Iterator[slice]:
    """All of one size, the last overlapping the one before it."""
    size = min(BLOCK_ROWS, rows)
    for first in range(0, rows, size):
        yield slice(min(first, rows - size), min(first, rows - size) + size)


def measured(train: Callable[[], Any], predict: Callable[[Any], NDArray[Any]], images: Images) -> Found:
    """How long train takes, and when predict of what it returns is right about the test images."""
    begin = perf_counter()
    net = train()
    seconds = perf_counter() - begin
    return Found(seconds, predict(net) == images.y_test)
