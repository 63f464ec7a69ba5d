"""Optimisers: which update rule a step applies, and with what coefficients.

The rules themselves are compiled (fastnet.engine.step.rules) and applied while the gradient is still in cache; here
stand their hyper-parameters, and the few numbers a step that follow from them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from fastnet.checks import flag, non_negative, open_unit, positive


class Optimizer(Protocol):
    """What training asks of an optimiser."""

    @property
    def rule(self) -> str:
        """The name of its update rule."""

    def coefficients(self, learning_rates: NDArray[np.float64], first: int) -> NDArray[np.float64]:
        """A row of the rule's coefficients for each of the steps first, first + 1, ... (counted from 0)."""


@dataclass(frozen=True)
class SGD:
    """Plain gradient descent: `w -= lr * g`."""

    rule = "sgd"

    def coefficients(self, learning_rates: NDArray[np.float64], first: int) -> NDArray[np.float64]:
        return learning_rates.reshape(-1, 1)


@dataclass(frozen=True)
class Momentum:
    """`v = momentum * v - lr * g; w += v`.  With nesterov, `w += momentum * v - lr * g` (CS231n notes).

    Parameters
    ----------
    momentum : float in [0, 1), default 0.9
    nesterov : bool, default False
    """

    momentum: float = 0.9
    nesterov: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "momentum", open_unit("momentum", self.momentum))
        flag("nesterov", self.nesterov)

    @property
    def rule(self) -> str:
        return "nesterov" if self.nesterov else "momentum"

    def coefficients(self, learning_rates: NDArray[np.float64], first: int) -> NDArray[np.float64]:
        return np.stack([learning_rates, np.full_like(learning_rates, self.momentum)], axis=1)


@dataclass(frozen=True)
class Adam:
    """Adam with bias correction (Kingma and Ba, 2015), with decoupled weight decay AdamW (Loshchilov and Hutter, 2019).

    Parameters
    ----------
    beta1, beta2 : float in [0, 1), default 0.9 and 0.999
    epsilon : float, default 1e-8
        Added to the root of the second moment.
    weight_decay : float of at least 0, default 0
        Each step first takes learning rate * weight_decay off each weight, not off biases.  No part of the loss, unlike
        `reg`, beside which it may stand.
    """

    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "beta1", open_unit("beta1", self.beta1))
        object.__setattr__(self, "beta2", open_unit("beta2", self.beta2))
        object.__setattr__(self, "epsilon", positive("epsilon", self.epsilon))
        object.__setattr__(self, "weight_decay", non_negative("weight_decay", self.weight_decay))

    @property
    def rule(self) -> str:
        return "adamw" if self.weight_decay else "adam"

    def coefficients(self, learning_rates: NDArray[np.float64], first: int) -> NDArray[np.float64]:
        t = np.arange(first + 1, first + 1 + len(learning_rates), dtype=np.float64)
        table = np.empty((len(t), 9))
        table[:, 0] = learning_rates
        table[:, 1:5] = self.beta1, 1 - self.beta1, self.beta2, 1 - self.beta2
        table[:, 5] = 1 / (1 - self.beta1**t)
        table[:, 6] = 1 / (1 - self.beta2**t)
        table[:, 7] = self.epsilon
        table[:, 8] = 1 - self.weight_decay * learning_rates
        return table


def checked(optimizer: Any, dtype: np.dtype[Any]) -> Optimizer:
    """An optimiser that works on such numbers; None is SGD().  Raises ValueError for anything else."""
    optimizer = SGD() if optimizer is None else optimizer
    if not isinstance(optimizer, (SGD, Momentum, Adam)):
        raise ValueError(f"optimizer is {optimizer!r}, expected SGD(), Momentum() or Adam()")
    least = float(np.finfo(dtype).tiny)
    if isinstance(optimizer, Adam) and optimizer.epsilon < least:
        raise ValueError(f"epsilon is {optimizer.epsilon}, expected at least {least} in {dtype}")
    return optimizer
