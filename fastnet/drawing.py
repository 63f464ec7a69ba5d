"""Initial parameters: weights drawn at random, biases of zero; whether a model still has them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from fastnet.checks import Array
from fastnet.engine.step.memory import Layer


def layers(sizes: Sequence[int], std: float | str, dtype: np.dtype[Any], rng: np.random.Generator) -> tuple[Layer, ...]:
    """New layers between such sizes, drawn in their order.

    Raises MemoryError, which says what they would take.  Not ValueError: another machine may have as much.
    """
    try:
        made = tuple(Layer.zeros(inputs, outputs, dtype) for inputs, outputs in pairwise(sizes))
        for layer in made:
            layer.W[...] = weights(layer, std, rng)
    except (MemoryError, ValueError) as error:  # the latter NumPy's, of more than addresses there are
        size = dtype.itemsize * sum((inputs + 1) * outputs for inputs, outputs in pairwise(sizes))
        raise MemoryError(
            f"parameters of {' x '.join(map(str, sizes))} take {size:,} bytes, and more while they are drawn: found "
            "less memory than that, expected smaller sizes"
        ) from error
    return made


def weights(layer: Layer, std: float | str, rng: np.random.Generator) -> Array:
    """A layer's initial weights, of that deviation, or "he"."""
    deviation = np.sqrt(2 / layer.inputs) if isinstance(std, str) else std
    return np.asarray(deviation * rng.standard_normal((layer.inputs, layer.outputs)))


def as_drawn(layers: Sequence[Layer], std: float | str, rng: np.random.Generator) -> bool:
    """Whether the parameters still are those that this generator has drawn: they are drawn once more to see that."""
    origin: Any = rng.bit_generator.seed_seq
    again = np.random.default_rng(origin)
    return all(
        np.array_equal(layer.W, weights(layer, std, again).astype(layer.W.dtype)) and not layer.b.any()
        for layer in layers
    )
