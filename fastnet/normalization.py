"""Per-feature normalisation, applied while a batch is gathered: no float copy of the data is ever made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnet import checks

_BLOCK_BYTES = 1 << 24  # of float64 in work at a time while fitting


@dataclass(frozen=True, eq=False)
class Normalization:
    """`(x - mean) * scale`, feature by feature.

    Parameters
    ----------
    mean : float64 array (D,)
    scale : float64 array (D,), or None for 1

    Raises
    ------
    ValueError
        For other shapes, and numbers that are not finite.
    """

    mean: NDArray[np.float64]
    scale: NDArray[np.float64] | None = None
    _prepared: dict[Any, Any] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        for name in ("mean", "scale"):
            given = getattr(self, name)
            if given is None and name == "scale":
                continue
            array = np.array(checks.numbers(name, given), order="C")
            if array.ndim != 1 or array.shape != np.shape(self.mean):
                raise ValueError(f"{name} has shape {array.shape}, expected one number for each of D features")
            if not np.isfinite(array).all():
                raise ValueError(f"{name} holds nan or infinity, expected finite numbers")
            array.flags.writeable = False
            object.__setattr__(self, name, array)

    def mean_and_scale(self, dtype: np.dtype[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Mean and scale as arrays (1, D) of dtype."""
        if dtype not in self._prepared:
            scale = np.ones_like(self.mean) if self.scale is None else self.scale
            limit = np.finfo(dtype).max
            if not (np.abs(scale).max() <= limit and np.abs(self.mean).max() <= limit):
                raise ValueError(f"the normalization has numbers too large, expected ones that fit {dtype}")
            self._prepared[dtype] = self.mean.astype(dtype).reshape(1, -1), scale.astype(dtype).reshape(1, -1)
        prepared: tuple[NDArray[Any], NDArray[Any]] = self._prepared[dtype]
        return prepared

    @classmethod
    def fit(cls, X: Any, scale: bool = False, *, sample_weight: Any = None) -> Normalization:
        """The mean of each column of X (N, D), and with scale=True also 1 / its standard deviation.

        A feature that never varies keeps scale 1.  The sums are in float64, block by block.

        Parameters
        ----------
        X : array (N, D) of integers or floats, in memory or a memmap
        scale : bool, default False
        sample_weight : numbers (N,) of at least 0, or None
            A row of weight 2 counts twice, one of weight 0 not at all.

        Returns
        -------
        Normalization
            Its mean and scale are float64 arrays (D,); scale is None without scale=True.

        Raises
        ------
        ValueError
            For X of another kind, and numbers that are not finite.
        """
        scale = checks.flag("scale", scale)
        array = checks.array("X", X)
        if array.ndim != 2 or len(array) == 0 or array.dtype.kind not in "buif":
            raise ValueError(
                f"X is {array.dtype} of shape {array.shape}, expected numbers of shape (N, D), N at least 1"
            )
        rows = max(1, _BLOCK_BYTES // (8 * max(1, array.shape[1])))
        weights = checks.weights("sample_weight", sample_weight, len(array))
        name = "X"
        if weights is not None:  # absent rows first, whose numbers may be anything; without any, no copy is made
            present = weights > 0
            if not present.all():
                name, array, weights = "X[sample_weight > 0]", array[present], weights[present]
        starts = range(0, len(array), rows)
        blocks = [array[first : first + rows] for first in starts]

        def mean_over_rows(sums: Callable[[NDArray[Any]], NDArray[Any]]) -> NDArray[np.float64]:
            """Of numbers (rows, D) made from a block at a time."""
            if weights is None:
                return np.asarray(sum(sums(block).sum(axis=0, dtype=np.float64) for block in blocks) / len(array))
            parts = (weights[first : first + rows] @ sums(block) for first, block in zip(starts, blocks, strict=True))
            return np.asarray(sum(parts) / weights.sum())

        with np.errstate(all="ignore"):  # what is no finite number is said below
            mean = mean_over_rows(lambda block: block)
            if not np.isfinite(mean).all():
                checks.require_finite(name, array, np.dtype(np.float64))
            if not scale:
                return cls(mean)
            lowest = np.min([block.min(axis=0) for block in blocks], axis=0)
            highest = np.max([block.max(axis=0) for block in blocks], axis=0)
            # Squares of 1e200 overflow, of 1e-200 they vanish: so of numbers up to 1, made so by a power of two, which
            # rounds nothing.
            _, exponent = np.frexp(np.maximum(highest - mean, mean - lowest))
            unit = np.ldexp(1.0, np.clip(exponent, -1000, 1000))
            variance = mean_over_rows(lambda block: ((block - mean) * (1 / unit)) ** 2)
            # The mean of a constant may be rounded: its deviation from that is not 0, and 1 / it is enormous.
            deviation = np.where(lowest < highest, unit * np.sqrt(variance), 1.0)
            return cls(mean, 1 / np.where(deviation > 0, deviation, 1.0))
