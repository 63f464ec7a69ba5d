"""When training has gone on for long enough, and which of its parameters were the best: told by a validation set."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnet.checks import non_negative, whole

MONITORS = ("loss", "accuracy")


@dataclass(frozen=True)
class EarlyStopping:
    """End training when the validation set has seen no gain for `patience` epochs in a row.

    Parameters
    ----------
    monitor : "loss" (default) or "accuracy" of the validation set
    patience : int, default 10
    min_delta : float, default 0
        A gain counts when it is larger.
    """

    monitor: str = "loss"
    patience: int = 10
    min_delta: float = 0.0

    def __post_init__(self) -> None:
        monitor("monitor", self.monitor)
        object.__setattr__(self, "patience", whole("patience", self.patience, 1))
        object.__setattr__(self, "min_delta", non_negative("min_delta", self.min_delta))


def monitor(name: str, value: Any) -> str:
    """One of MONITORS."""
    if not isinstance(value, str) or value not in MONITORS:
        raise ValueError(f"{name} is {value!r}, expected {' or '.join(map(repr, MONITORS))}")
    return value


@dataclass(frozen=True)
class Scored:
    """What a validation set says of the parameters: mean loss, without L2, and accuracy.

    lone_class is the class that all its rows are given, None where they are given several, or are all of one.
    """

    loss: float
    accuracy: float
    lone_class: int | None = None

    def cost(self, monitor: str) -> float:
        """What to make small."""
        return self.loss if monitor == "loss" else -self.accuracy


class Patience:
    """Counts the epochs since the last gain; nan, which no comparison likes, is none."""

    def __init__(self, rule: EarlyStopping) -> None:
        self._rule = rule
        self.lowest, self.waited = math.inf, 0

    def over(self, scored: Scored) -> bool:
        """Whether, after one more epoch, it is time to stop."""
        cost = scored.cost(self._rule.monitor)
        self.waited += 1
        if cost < self.lowest - self._rule.min_delta:
            self.lowest, self.waited = cost, 0
        return self.waited >= self._rule.patience


class Best:
    """A copy of the parameters where the validation set liked them best, of equals the first."""

    def __init__(self, monitor: str, params: list[NDArray[Any]]) -> None:
        self._monitor, self._params = monitor, params
        self.lowest = math.inf
        self.kept: list[NDArray[Any]] | None = None

    def see(self, scored: Scored) -> None:
        """Keep what is better than all before."""
        cost = scored.cost(self._monitor)
        if cost < self.lowest:
            self.lowest, self.kept = cost, [np.array(value) for value in self._params]

    def restore(self) -> None:
        """Bring back what was kept, if anything was."""
        for value, kept in zip(self._params, self.kept or self._params, strict=True):
            value[...] = kept


def best_of(restore_best: Any, params: list[NDArray[Any]], validated: bool) -> Best | None:
    """What keeps the best of these parameters, if anything is asked to.  Raises ValueError without a validation set."""
    if restore_best is None:
        return None
    if not validated:
        raise ValueError(f"restore_best is {restore_best!r} without a validation set, expected X_val and y_val")
    return Best(monitor("restore_best", restore_best), params)


def patience_of(early_stopping: Any, validated: bool) -> Patience | None:
    """What counts the epochs for an EarlyStopping, if there is one.  Raises ValueError without a validation set."""
    if early_stopping is None:
        return None
    if not isinstance(early_stopping, EarlyStopping):
        raise ValueError(f"early_stopping is {early_stopping!r}, expected fastnet.EarlyStopping() or None")
    if not validated:
        raise ValueError("early_stopping needs a validation set, expected X_val and y_val")
    return Patience(early_stopping)
