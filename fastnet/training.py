"""The training loop: stretches of compiled steps, and between them schedule, history and callbacks.

The engine runs many steps between two returns to Python.  A stretch takes about a tenth of a second, so that
Ctrl-C, callbacks and progress lines are served; it ends early where an epoch does and there is a validation
set to score.  How the steps are cut into stretches changes no bit of the result.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from fastnet.batches import Batches
from fastnet.optimizers import Optimizer

STRETCH_SECONDS = 0.1
MOST_STEPS = 4096  # in a stretch: bounds the memory of row numbers and coefficients
GROWTH = 8  # of a stretch over the one before: the first may hold a compilation and tell nothing
VERBOSE_EVERY = 100  # iterations


@dataclass(frozen=True)
class Progress:
    """Where training stands, for a callback.

    iteration counts the finished iterations of num_iters, epoch the finished epochs; loss is that of the last
    iteration before its update; seconds count from the start; val_accuracy is that of the last finished epoch,
    None where there is none.
    """

    iteration: int
    num_iters: int
    epoch: int
    loss: float
    seconds: float
    val_accuracy: float | None


Callback = Callable[[Progress], object]


@runtime_checkable
class Punctual(Protocol):
    """A callback that is to be called after given iterations, and not only when a tenth of a second has passed."""

    def __call__(self, progress: Progress) -> object:
        """What every callback does."""

    def steps_to_call(self, done: int) -> int:
        """How many iterations after the first `done` it must be called at the latest, at least 1."""


class Steps(Protocol):
    """The engine's side of the loop (fastnet.engine.session.Trainer)."""

    def run(
        self, rows: NDArray[np.int64], coefficients: NDArray[np.float64], reg: float
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """A step for each row of coefficients: its loss before the update, and how many rows were right."""


@dataclass(frozen=True)
class Schedule:
    """How long to train, and how fast.

    The learning rate is multiplied by decay after each epoch of iterations_per_epoch iterations.
    """

    num_iters: int
    iterations_per_epoch: int
    learning_rate: float
    decay: float

    def rates(self, first: int, count: int) -> NDArray[np.float64]:
        """The learning rates of the iterations first .. first + count."""
        epochs = np.arange(first, first + count) // self.iterations_per_epoch
        return np.asarray(self.learning_rate * np.power(self.decay, epochs, dtype=np.float64))

    def to_end_of_epoch(self, done: int) -> int:
        """Iterations from `done` to the end of its epoch."""
        return self.iterations_per_epoch - done % self.iterations_per_epoch


@dataclass
class History:
    """What training leaves behind: a loss for each iteration, two accuracies for each finished epoch."""

    loss_history: list[float] = field(default_factory=list)
    train_acc_history: list[float] = field(default_factory=list)
    val_acc_history: list[float] = field(default_factory=list)


class _Pace:
    """How many steps make a stretch of about STRETCH_SECONDS."""

    def __init__(self) -> None:
        self.steps = 1

    def observe(self, steps: int, seconds: float) -> None:
        fitting = int(STRETCH_SECONDS * steps / max(seconds, 1e-9))
        self.steps = max(1, min(fitting, GROWTH * self.steps, MOST_STEPS))


def run(
    trainer: Steps,
    batches: Batches,
    optimizer: Optimizer,
    schedule: Schedule,
    reg: float,
    validate: Callable[[], float] | None,
    callbacks: list[Callback],
) -> History:
    """Train until the schedule ends; the parameters are the trainer's, changed in place.

    An interrupt, or an exception of a callback, leaves them as the last finished iteration did.
    """
    history = History()
    pace = _Pace()
    start = time.perf_counter()
    done = 0
    while done < schedule.num_iters:
        count = min(pace.steps, schedule.num_iters - done)
        if validate is not None:
            count = min(count, schedule.to_end_of_epoch(done))
        count = min(
            [count, *(callback.steps_to_call(done) for callback in callbacks if isinstance(callback, Punctual))]
        )
        coefficients = optimizer.coefficients(schedule.rates(done, count), done)
        began = time.perf_counter()
        losses, hits = trainer.run(batches.take(count), coefficients, reg)
        pace.observe(count, time.perf_counter() - began)
        history.loss_history += losses.tolist()
        ends = [k for k in range(done + 1, done + count + 1) if k % schedule.iterations_per_epoch == 0]
        history.train_acc_history += [int(hits[k - done - 1]) / batches.size for k in ends]
        done += count
        if ends and validate is not None:
            history.val_acc_history.append(validate())
        progress = Progress(
            iteration=done,
            num_iters=schedule.num_iters,
            epoch=done // schedule.iterations_per_epoch,
            loss=history.loss_history[-1],
            seconds=time.perf_counter() - start,
            val_accuracy=history.val_acc_history[-1] if history.val_acc_history else None,
        )
        for callback in callbacks:
            callback(progress)
    return history


class LossLines:
    """The callback of verbose=True: a line on standard output for every hundredth iteration passed."""

    def __init__(self) -> None:
        self._next = 0

    def __call__(self, progress: Any) -> None:
        if progress.iteration >= self._next or progress.iteration == progress.num_iters:
            sys.stdout.write(f"iteration {progress.iteration} / {progress.num_iters}: loss {progress.loss:.6f}\n")
            self._next = (progress.iteration // VERBOSE_EVERY + 1) * VERBOSE_EVERY
