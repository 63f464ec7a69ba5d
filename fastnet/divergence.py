"""Training that leaves the finite numbers: noticed at the next return to Python, and gone back from.

A rate too high, or features of very different sizes, let the weights grow from step to step until no float holds
them; nan is what remains, and it stays.  What was last finite is worth keeping, and more so the word that it was.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

History = dict[str, list[float]]
Array = NDArray[Any]

SHARE = 0.01  # of the time of training may go into copies


class DivergenceError(FloatingPointError):
    """A training whose loss, or whose parameters, are not finite any more.

    Parameters
    ----------
    iteration : int
        The one that failed, counted from 0; the model is as the iterations before it left it, and finite.
    loss : float
        Of the iteration before that; None where there is none.
    history : dict
        What `train` would have returned of those iterations.
    """

    def __init__(self, iteration: int, loss: float | None, history: History) -> None:
        self.iteration, self.loss, self.history = iteration, loss, history
        before = "" if loss is None else f" (the loss before: {loss:.6g})"
        super().__init__(
            f"training diverged: iteration {iteration} left the finite numbers{before}.  Take a smaller learning rate, "
            "or features of one size: Normalization.fit(X, scale=True)"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.iteration, self.loss, self.history)


class Steps(Protocol):
    """The engine's side of training (fastnet.engine.session.Trainer)."""

    @property
    def parameters(self) -> list[Array]:
        """The arrays that are trained."""

    @property
    def state(self) -> list[Array]:
        """All arrays that steps change and the next ones depend on: the parameters, and the update rule's own."""

    def run(
        self, rows: NDArray[np.int64], coefficients: Array, reg: Array, shares: Array | None
    ) -> tuple[Array, Array]:
        """A step for each row of coefficients: its loss before the update, and its accuracy."""


class Guard:
    """Runs steps, and takes back those that leave the finite numbers.

    It keeps a copy of the state, and the steps done since, so that it can do them again up to any one: what is left
    does not depend on how the steps are cut up.  (What a callback has written into the parameters since is lost then.)
    """

    def __init__(self, steps: Steps) -> None:
        self._steps = steps
        self._kept = [array.copy() for array in steps.state]
        self._since: list[Callable[[int | None], tuple[Array, Array]]] = []
        self._next_copy = time.perf_counter()

    def run(
        self, rows: NDArray[np.int64], coefficients: Array, reg: Array, shares: Array | None
    ) -> tuple[Array, Array]:
        """As Steps.run; but only so many steps, and losses, as stayed finite and left finite parameters."""

        def first(count: int | None) -> tuple[Array, Array]:
            some = slice(count)
            return self._steps.run(rows[some], coefficients[some], reg[some], None if shares is None else shares[some])

        losses, accuracies = first(None)
        self._since.append(first)
        finite = np.isfinite(losses)
        if finite.all() and self._is_finite():
            self._keep()
            return losses, accuracies
        count = self._go_back(len(losses) if finite.all() else int(finite.argmin()))
        return losses[:count], accuracies[:count]

    def _is_finite(self) -> bool:
        return all(bool(np.isfinite(array).all()) for array in self._steps.parameters)

    def _keep(self) -> None:
        """Copy the state, unless that took too long of late."""
        began = time.perf_counter()
        if began < self._next_copy:
            return
        for kept, array in zip(self._kept, self._steps.state, strict=True):
            np.copyto(kept, array)
        self._since.clear()
        self._next_copy = time.perf_counter() + (time.perf_counter() - began) / SHARE

    def _go_back(self, most: int) -> int:
        """Take back steps of the last run: `most`, whose losses are finite, or fewer, stay done.  Returns how many."""
        *before, last = self._since
        self._since, self._next_copy = [], 0.0
        try:
            self._restore()
            for again in before:
                again(None)
            if not self._is_finite():  # a callback had written into the parameters: what was kept is what there is
                self._restore()
                return 0
            self._keep()
            low, high = 0, most  # what is not finite stays so
            while low < high:
                middle = (low + high + 1) // 2
                self._restore()
                last(middle)
                low, high = (middle, high) if self._is_finite() else (low, middle - 1)
            self._restore()
            if low:
                last(low)
        except BaseException:  # an interrupt must not leave what may not be finite
            self._restore()
            raise
        return low

    def _restore(self) -> None:
        for kept, array in zip(self._kept, self._steps.state, strict=True):
            np.copyto(array, kept)
