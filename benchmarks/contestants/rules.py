"""The update rules as formulas without state of their own, for libraries that compile the whole step.

Written so that the arrays of either library will do; the numbers are everyone's defaults.
"""

from __future__ import annotations

from typing import Any

MOMENTUM, BETA1, BETA2, EPSILON = 0.9, 0.9, 0.999, 1e-8
STATES = {"sgd": 0, "momentum": 1, "adam": 2}  # arrays beside each parameter


def updated(rule: str, w: Any, g: Any, state: tuple[Any, ...], t: Any, learning_rate: Any) -> tuple[Any, ...]:
    """The parameter w and its state after step t, counted from 1, down the gradient g."""
    if rule == "sgd":
        return (w - learning_rate * g,)
    if rule == "momentum":
        v = MOMENTUM * state[0] - learning_rate * g
        return w + v, v
    m = BETA1 * state[0] + (1 - BETA1) * g
    v = BETA2 * state[1] + (1 - BETA2) * g * g
    root = (v / (1 - BETA2**t)) ** 0.5
    return w - learning_rate * (m / (1 - BETA1**t)) / (root + EPSILON), m, v
