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

from fastnet.advice import SCALING
from fastnet.interrupts import uninterrupted

History = dict[str, list[float]]
Array = NDArray[Any]

SHARE = 0.005  # of the time of training may go into copies
_NOT_DONE = -1.0  # an accuracy
_NO_STEPS = np.empty((2, 0))


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
    still : bool
        Loss and parameters are finite, but squares of gradients are not: Adam, which divides by their mean, would have
        left parameters where they are for good.
    """

    def __init__(self, iteration: int, loss: float | None, history: History, still: bool = False) -> None:
        self.iteration, self.loss, self.history, self.still = iteration, loss, history, still
        before = "" if loss is None else f" (the loss before: {loss:.6g})"
        what = ": the squares of its gradients, by which Adam divides, did" if still else ""
        super().__init__(
            f"training diverged: iteration {iteration} left the finite numbers{before}{what}.  Take a smaller learning "
            f"rate, or features of one size: {SCALING}"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.iteration, self.loss, self.history, self.still)


class Steps(Protocol):
    """The engine's side of training (fastnet.engine.session.Trainer)."""

    @property
    def parameters(self) -> list[Array]:
        """The arrays that are trained."""

    @property
    def state(self) -> list[Array]:
        """All arrays that steps change and the next ones depend on: the parameters, and the update rule's own."""

    def run(
        self, rows: NDArray[np.int64], coefficients: Array, reg: Array, shares: Array | None, history: Array | None
    ) -> tuple[Array, Array]:
        """A step for each row of coefficients: its loss before the update, and its accuracy, the rows of history.

        Interrupted, it leaves the steps that are done, and history as it was beyond them.
        """

    @property
    def most_steps(self) -> int:
        """How many the next run should be of, at most."""

    def finite(self) -> bool:
        """Whether the parameters that the last step left are finite."""

    def sums_finite(self) -> bool:
        """Whether the sums of squares that the update rule keeps are."""


class Guard:
    """Runs steps, and takes back those that leave the finite numbers.

    It keeps a copy of the state, and the steps done since, so that it can do them again up to any one: what is left
    does not depend on how the steps are cut up.  (What a callback has written into the parameters since is lost then.)

    still : whether all that the last run took out of the finite numbers are sums of squares
    """

    def __init__(self, steps: Steps, done: int) -> None:
        self._steps = steps
        self._since: list[Callable[[int | None], None]] = []
        self._copy(done)
        self._stretch = done, _NO_STEPS
        self.still = False

    @property
    def stretch(self) -> tuple[int, Array, Array]:
        """The last run, at any moment: how many iterations came before, the losses and accuracies of those since.

        With both the parameters are as of so many iterations.
        """
        began, history = self._stretch
        losses, accuracies = history[:, : np.count_nonzero(history[1] != _NOT_DONE)]
        return began, losses, accuracies

    def run(self, rows: NDArray[np.int64], coefficients: Array, reg: Array, shares: Array | None) -> bool:
        """As Steps.run; but only so many steps as stayed finite and left finite parameters.  Whether all did."""

        def first(count: int | None, history: Array | None = None) -> None:
            some = slice(count)
            parts = None if shares is None else shares[some]
            self._steps.run(rows[some], coefficients[some], reg[some], parts, history)

        began, losses, _ = self.stretch
        began, history = began + len(losses), np.full((2, len(coefficients)), _NOT_DONE)
        self._stretch = began, history
        try:
            first(None, history)
            self._since.append(first)
            finite = np.isfinite(history[0])
            self.still = bool(finite.all()) and self._steps.finite()
            if self.still and self._steps.sums_finite():
                self._keep(began + len(finite))
                return True
        except BaseException:  # an interrupt must not leave what may not be finite
            uninterrupted(self._restore_unless_finite)
            raise
        self._go_back(began, history[:, : len(finite) if finite.all() else finite.argmin()])
        return False

    def _keep(self, done: int) -> None:
        """Copy the state after so many iterations, unless that took too long of late."""
        if time.perf_counter() >= self._next_copy:
            self._copy(done)

    def _copy(self, done: int) -> None:
        """Copy the state after so many iterations, and find out when to do so again."""
        began = time.perf_counter()
        self._kept = done, [array.copy() for array in self._steps.state]
        self._since.clear()
        self._next_copy = time.perf_counter() + (time.perf_counter() - began) / SHARE

    def _go_back(self, began: int, history: Array) -> None:
        """Take back steps of the last run: those of history, whose losses are finite, or fewer, stay done."""
        *before, last = self._since
        self._since, self._next_copy = [], 0.0
        try:
            self._restore()
            for again in before:
                again(None)
            if before and not self._finite():  # a callback had written into the parameters
                self._restore()
                return
            self._keep(began)
            low, high = 0, history.shape[1]  # what is not finite stays so
            while low < high:
                middle = (low + high + 1) // 2
                self._restore()
                last(middle)
                low, high = (middle, high) if self._finite() else (low, middle - 1)
            self._restore()
            if low:
                last(low)
                self._stretch = began, history[:, :low]
        except BaseException:
            uninterrupted(self._restore)
            raise

    def _restore_unless_finite(self) -> None:
        """Put the state back where the steps of the last run, or what they left, are not finite."""
        if not (np.isfinite(self.stretch[1]).all() and self._finite()):
            uninterrupted(self._restore)  # begun, it makes them finite: to ask again would tell nothing

    def _finite(self) -> bool:
        return self._steps.finite() and self._steps.sums_finite()

    def _restore(self) -> None:
        """Put the state back to what was kept."""
        done, state = self._kept
        for kept, array in zip(state, self._steps.state, strict=True):
            np.copyto(array, kept)
        self._stretch = done, _NO_STEPS
