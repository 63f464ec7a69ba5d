"""Per-feature normalisation, applied while a batch is gathered: no float copy of the data is ever made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnet import checks

ROUNDING = 1 / 64  # of a deviation: less than what tables are measured to
_BLOCK_BYTES = 1 << 24  # of float64 in work at a time while fitting


@dataclass(frozen=True, eq=False)
class Normalization:
    """(x - mean) * scale, feature by feature.

    mean : float64 array (D,)
    scale : float64 array (D,), or None for 1
    """

    mean: NDArray[np.float64]
    scale: NDArray[np.float64] | None = None
    _prepared: dict[Any, Any] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        for name in ("mean", "scale"):
            given = getattr(self, name)
            if given is None and name == "scale":
                continue
            array = np.array(given, dtype=np.float64)
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

    def require_digits(self, dtype: np.dtype[Any]) -> None:
        """Raise ValueError where numbers rounded to dtype, before the mean is subtracted, would be mostly rounding.

        That is, by more than ROUNDING of a feature's deviation: float64 holds a time stamp to the microsecond, float32
        to the minute.
        """
        if self.scale is None:
            return  # whose deviations nobody knows
        if (dtype, "digits") not in self._prepared:
            lost = np.abs(self.mean) * (self.scale * (np.finfo(dtype).eps / 2))
            lost[self.scale == 1] = 0  # that of a constant, which loses nothing
            self._prepared[dtype, "digits"] = int(lost.argmax()) if lost.max() > ROUNDING else None
        worst = self._prepared[dtype, "digits"]
        if worst is not None:
            raise ValueError(
                f"feature {worst} has mean {self.mean[worst]:.6g} and deviation {1 / self.scale[worst]:.3g}, too near "
                f"for the digits of {dtype}: expected a model of dtype float64, or X less its mean"
            )

    @classmethod
    def fit(cls, X: Any, scale: bool = False, *, sample_weight: Any = None) -> Normalization:
        """The mean of each column of X (N, D), and with scale=True also 1 / its standard deviation.

        A feature that never varies keeps scale 1.  X may be uint8 or float, in memory or a memmap; the sums
        are in float64, block by block.  With sample_weight (N,) they are weighted: a row of weight 2 counts twice,
        one of weight 0 not at all.
        """
        array = np.asarray(X)
        if array.ndim != 2 or len(array) == 0 or array.dtype.kind not in "buif":
            raise ValueError(
                f"X is {array.dtype} of shape {array.shape}, expected numbers of shape (N, D), N at least 1"
            )
        rows = max(1, _BLOCK_BYTES // (8 * max(1, array.shape[1])))
        weights = checks.weights("sample_weight", sample_weight, len(array))
        if weights is not None:  # absent rows first, whose numbers may be anything; without any, no copy is made
            present = weights > 0
            array, weights = (array, weights) if present.all() else (array[present], weights[present])
        starts = range(0, len(array), rows)
        blocks = [array[first : first + rows] for first in starts]

        def mean_over_rows(sums: Callable[[NDArray[Any]], NDArray[Any]]) -> NDArray[np.float64]:
            """Of numbers (rows, D) made from a block at a time."""
            if weights is None:
                return np.asarray(sum(sums(block).sum(axis=0, dtype=np.float64) for block in blocks) / len(array))
            parts = (weights[first : first + rows] @ sums(block) for first, block in zip(starts, blocks, strict=True))
            return np.asarray(sum(parts) / weights.sum())

        mean = mean_over_rows(lambda block: block)
        if not scale:
            return cls(mean)
        variance = mean_over_rows(lambda block: (block - mean) ** 2)
        deviation = np.sqrt(variance)
        # The mean of a constant may be rounded: its deviation from that is not 0, and 1 / it is enormous.
        lowest = np.min([block.min(axis=0) for block in blocks], axis=0)
        highest = np.max([block.max(axis=0) for block in blocks], axis=0)
        return cls(mean, 1 / np.where((lowest < highest) & (deviation > 0), deviation, 1.0))
