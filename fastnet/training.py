"""The training loop: stretches of compiled steps, and between them schedule, history and callbacks.

The engine runs many steps between two returns to Python.  A stretch takes about a tenth of a second, so that
Ctrl-C, callbacks and progress lines are served; it ends early where an epoch does and there is a validation
set to score or a callback to call.  How the steps are cut into stretches changes no bit of the result.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from fastnet import streams
from fastnet.batches import Batches, Weights
from fastnet.checks import require_file
from fastnet.divergence import DivergenceError, Guard, Steps
from fastnet.interrupts import uninterrupted
from fastnet.optimizers import Optimizer
from fastnet.schedules import Rates
from fastnet.stopping import Scored

STRETCH_SECONDS = 0.1
MOST_STEPS = 4096  # in a stretch: bounds the memory of row numbers and coefficients
GROWTH = 8  # of a stretch over the one before: the first may hold a compilation and tell nothing
VERBOSE_EVERY = 100  # iterations


@dataclass(frozen=True)
class Progress:
    """Where training stands, for a callback.

    Parameters
    ----------
    iteration, num_iters : int
        Finished iterations, of so many.
    epoch : int
        Finished epochs.
    loss : float
        Of the last iteration before its update.
    seconds : float
        Since the start.
    val_accuracy, val_loss : float
        Those of the last finished epoch, None where there is none.
    """

    iteration: int
    num_iters: int
    epoch: int
    loss: float
    seconds: float
    val_accuracy: float | None
    val_loss: float | None = None


Callback = Callable[[Progress], object]
Judge = Callable[[Scored], object]  # True ends the training


def check_callback(callback: Any) -> None:
    """Raise ValueError for what is neither None nor can be called."""
    if callback is not None and not callable(callback):
        raise ValueError(f"callback is {callback!r}, expected a function of one argument, a Progress")


def asks_to_stop(answer: object) -> bool:
    """Whether a callback has returned True: nothing else counts, as most return whatever their last line did."""
    return isinstance(answer, (bool, np.bool_)) and bool(answer)


@runtime_checkable
class Punctual(Protocol):
    """A callback that is to be called after given iterations, and not only when a tenth of a second has passed."""

    def __call__(self, progress: Progress) -> object:
        """What every callback does."""

    def steps_to_call(self, done: int) -> int:
        """How many iterations after the first `done` it must be called at the latest, at least 1."""


class Keeper(Protocol):
    """What keeps a run on disk (fastnet.runs.Checkpoint)."""

    done: int  # iterations, when training begins
    over: bool  # whether a judge has ended it by then

    def keep(self, done: int, over: bool) -> None:
        """So many iterations are done."""

    def keep_if_due(self, done: int, over: bool) -> None:
        """The same, of a run that goes on."""


@dataclass(frozen=True)
class Plan:
    """How long to train, how fast, and how much L2.

    rates gives the learning rates of iterations, reg the L2 strengths for batches of such weights; rows is the data
    set, if it may be a memmap whose file may shrink.
    """

    num_iters: int
    iterations_per_epoch: int
    rates: Rates
    reg: Callable[[Weights], Weights]
    rows: NDArray[Any] | None = None

    def to_end_of_epoch(self, done: int) -> int:
        """Iterations from `done` to the end of its epoch."""
        return self.iterations_per_epoch - done % self.iterations_per_epoch


@dataclass
class History:
    """What training leaves behind: a loss for each iteration, two accuracies and a loss for each finished epoch.

    The last epoch of a training that ends early may lack what is of the validation set.  val_accuracy and val_loss are
    of the parameters at the end, None until there.
    """

    loss_history: list[float] = field(default_factory=list)
    train_acc_history: list[float] = field(default_factory=list)
    val_acc_history: list[float] = field(default_factory=list)
    val_loss_history: list[float] = field(default_factory=list)
    val_accuracy: float | None = None
    val_loss: float | None = None

    def note(self, guard: Guard, per_epoch: int) -> int:
        """Have the iterations that the parameters have been through, and no others.  Returns how many.

        To do it again changes nothing.
        """
        began, losses, accuracies = guard.stretch
        done = began + len(losses)
        ends = range(began // per_epoch * per_epoch + per_epoch - 1, done, per_epoch)  # the last iterations of epochs
        self.loss_history[began:] = losses.tolist()
        self.train_acc_history[began // per_epoch :] = [float(accuracies[k - began]) for k in ends]
        for of_validation in (self.val_acc_history, self.val_loss_history):
            del of_validation[done // per_epoch :]
        return done


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
    plan: Plan,
    history: History,
    validate: Callable[[], Scored] | None,
    judges: list[Judge],
    callbacks: list[Callback],
    keeper: Keeper | None = None,
) -> None:
    """Train until the plan ends, a judge of the validation set says so, or a callback; write into history.

    Callbacks see the end of every epoch, unless all say that they need not (every_epoch).  The parameters are the
    trainer's, changed in place, and finite when training begins.  An interrupt, or an exception of a callback, leaves
    them as the last finished iteration did; so does DivergenceError, raised at the return to Python after a loss or a
    parameter that is not finite.
    """
    by_epoch = validate is not None or any(getattr(callback, "every_epoch", True) for callback in callbacks)
    punctual = [callback for callback in callbacks if isinstance(callback, Punctual)]
    done, over = (0, False) if keeper is None else (keeper.done, keeper.over)
    pace, guard = _Pace(), Guard(trainer, done)
    start = time.perf_counter()
    stop = over
    with _carrying(history, lambda: history.note(guard, plan.iterations_per_epoch)):
        while done < plan.num_iters and not stop:
            if plan.rows is not None:
                require_file("X", plan.rows)
            count = min(pace.steps, trainer.most_steps, plan.num_iters - done)
            if by_epoch:
                count = min(count, plan.to_end_of_epoch(done))
            count = min([count, *(_steps_to(callback, done) for callback in punctual)])
            with np.errstate(under="ignore", over="ignore"):  # of Adam's beta**t: to 0 is right; of its decay, diverges
                coefficients = optimizer.coefficients(plan.rates(np.arange(done, done + count)), done)
            began = time.perf_counter()
            drawn = batches.take(count)
            reg = np.broadcast_to(plan.reg(drawn.weight), count)
            finite = guard.run(drawn.rows, coefficients, reg, drawn.shares)
            pace.observe(count, time.perf_counter() - began)
            done = history.note(guard, plan.iterations_per_epoch)
            if not finite:
                raise DivergenceError(done, history.loss_history[-1] if done else None, vars(history), guard.still)
            if validate is not None and done % plan.iterations_per_epoch == 0:
                scored = validate()
                history.val_acc_history.append(scored.accuracy)
                history.val_loss_history.append(scored.loss)
                verdicts = [judge(scored) for judge in judges]  # each must see it
                stop = over = True in verdicts
            progress = Progress(
                iteration=done,
                num_iters=plan.num_iters,
                epoch=done // plan.iterations_per_epoch,
                loss=history.loss_history[-1],
                seconds=time.perf_counter() - start,
                val_accuracy=history.val_acc_history[-1] if history.val_acc_history else None,
                val_loss=history.val_loss_history[-1] if history.val_loss_history else None,
            )
            try:
                for callback in callbacks:
                    stop = asks_to_stop(callback(progress)) or stop
            except BaseException:
                if keeper is not None:
                    keeper.keep(done, over)
                raise
            if keeper is not None:
                (keeper.keep if stop or done == plan.num_iters else keeper.keep_if_due)(done, over)


def _steps_to(callback: Punctual, done: int) -> int:
    steps = callback.steps_to_call(done)
    if steps < 1:
        raise ValueError(f"steps_to_call returned {steps} after iteration {done}, expected at least 1")
    return steps


@contextmanager
def _carrying(history: History, note: Callable[[], object]) -> Iterator[None]:
    """What ends a training early carries the histories so far, as its attribute `history`, when all is noted."""
    try:
        yield
    except BaseException as error:
        uninterrupted(note)
        error.history = vars(history)  # type: ignore[attr-defined]  # no exception declares it
        raise


class LossLines:
    """The callback of verbose=True: a line on standard output for the first iteration, every hundredth, the last."""

    every_epoch = False

    def steps_to_call(self, done: int) -> int:
        """To the next line: equal runs have equal lines."""
        return VERBOSE_EVERY - done % VERBOSE_EVERY if done else 1

    def __call__(self, progress: Any) -> None:
        iteration, last = progress.iteration, progress.num_iters
        if iteration in (1, last) or iteration % VERBOSE_EVERY == 0:
            streams.show(sys.stdout, f"iteration {iteration} / {last}: loss {progress.loss:.6f}\n")
