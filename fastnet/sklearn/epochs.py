"""Training as scikit-learn's MLPClassifier does it: epochs of all rows, its order of draws, its rules for stopping.

Given the same random state, initial weights and batches are the same numbers, so the losses are as well
(scikit-learn, neural_network/_multilayer_perceptron.py and _stochastic_optimizers.py).
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnet import streams
from fastnet.batches import Drawn, Rows, Weights
from fastnet.divergence import Steps
from fastnet.optimizers import Adam, Optimizer
from fastnet.outcome import LEAST_STEPS, STANDSTILL
from fastnet.stopping import Scored
from fastnet.training import History, Progress, asks_to_stop

LOWEST_RATE = 1e-6  # at which learning_rate="adaptive" gives up
RATE_STEP = 5.0  # by which it divides


class Epochs:
    """Every row once an epoch, in an order drawn anew for each; the last batch takes what is left.

    rows are the numbers of those to train on, weights (of all rows of the data set) what they count for, all above 0.
    A smaller batch is filled up with rows that have no share in its loss: the engine's batches are of one size.
    """

    def __init__(
        self, rng: np.random.RandomState, rows: Rows, size: int, shuffled: bool, weights: Weights | None
    ) -> None:
        self._rng, self._rows, self._shuffled = rng, rows, shuffled
        self.size, self.num_train = size, len(rows)
        self.per_epoch = -(-len(rows) // size)
        ones = np.zeros(self.per_epoch * size)
        ones[: len(rows)] = 1.0
        self.sizes = ones.reshape(-1, size).sum(axis=1)
        self._places = np.resize(np.arange(len(rows)), (self.per_epoch, size))
        self._filled = ones.reshape(-1, size)
        self._weights = weights
        self._epoch = self._places, *_shares(self._filled)
        self._next = self.per_epoch

    def take(self, count: int) -> Drawn:
        """The next `count` mini-batches."""
        parts = []
        while count > 0:
            if self._next == self.per_epoch:
                self._begin()
            first, self._next = self._next, min(self._next + count, self.per_epoch)
            parts.append([array[first : self._next] for array in self._epoch])
            count -= self._next - first
        return Drawn(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))

    def _begin(self) -> None:
        if self._shuffled:
            order = np.arange(len(self._rows))
            self._rng.shuffle(order)  # as sklearn.utils.shuffle does, whose checks take longer than a step
            self._rows = self._rows[order]
        rows = self._rows[self._places]
        if self._weights is None:
            self._epoch = rows, *self._epoch[1:]
        else:
            self._epoch = rows, *_shares(self._filled * self._weights[rows])
        self._next = 0


def _shares(weights: Weights) -> tuple[Weights, Weights]:
    """The parts that rows of such weights have in the loss of their batches (count, size), and the batches' weights."""
    total = weights.sum(axis=1)
    return weights / total[:, np.newaxis], total


@dataclass(frozen=True)
class AdamEpsilonLast(Adam):
    """Adam with an epsilon that is added before the second moment's correction (Kingma and Ba, end of section 2).

    It goes on from so many steps before.
    """

    before: int = 0

    def coefficients(self, learning_rates: NDArray[np.float64], first: int) -> NDArray[np.float64]:
        """Adam's, with epsilon divided by the root of the correction that it would escape."""
        table = super().coefficients(learning_rates, self.before + first)
        table[:, 7] *= np.sqrt(table[:, 6])
        return table


class SteadyRate:
    """A learning rate that stays as it is for an epoch at least."""

    def __init__(self, rate: float) -> None:
        self.rate = rate

    def __call__(self, iterations: NDArray[np.int64]) -> NDArray[np.float64]:
        return np.full(len(iterations), self.rate)


@dataclass
class RuleState:
    """Where an update rule stands after a fit, for partial_fit to go on from: its rate, its moments."""

    solver: str
    rate: float
    steps: int = 0
    moments: list[NDArray[Any]] = field(default_factory=list)

    def go_on(self, optimizer: Optimizer, trainer: Steps) -> Optimizer:
        """Have the trainer, and the optimizer, be as after these steps, if there are any."""
        if self.steps:
            for own, kept in zip(_moments(trainer), self.moments, strict=True):
                own[...] = kept
        return replace(optimizer, before=self.steps) if isinstance(optimizer, AdamEpsilonLast) else optimizer

    def keep(self, trainer: Steps, steps: int, rate: float) -> None:
        """After so many more."""
        self.rate, self.moments = rate, [array.copy() for array in _moments(trainer)]
        self.steps += steps


def _moments(trainer: Steps) -> list[NDArray[Any]]:
    return trainer.state[len(trainer.parameters) :]


@dataclass
class Record:
    """What fits leave behind, and go on from with warm_start; names are the estimators' without the last `_`."""

    t: int = 0
    n_iter: int = 0
    loss: float = math.inf
    best_loss: float | None = None
    loss_curve: list[float] = field(default_factory=list)
    validation_scores: list[float] | None = None
    validation_loss_curve: list[float] | None = None
    best_validation_score: float | None = None
    waited: int = 0  # epochs without a gain
    rule: RuleState | None = None


@dataclass
class Course:
    """The course of one fit: a callback of training, which sums up each epoch and says when to stop.

    rate is the SteadyRate to change, None where a schedule says how.  stopped says why training ended.
    """

    record: Record
    epochs: Epochs
    history: History
    rate: SteadyRate | None
    learning_rate: str  # "constant" but for the two kinds that act between epochs
    learning_rate_init: float
    power_t: float
    tol: float
    patience: int
    early_stopping: bool
    verbose: bool
    callback: Callable[[Progress], object] | None
    stopped: bool = False
    summed: int = 0  # iterations, whole epochs

    def begin(self, validated: bool) -> None:
        """Of a fit; without a warm start the record is empty."""
        record = self.record
        record.n_iter = 0
        if validated and record.validation_scores is None:
            record.validation_scores, record.validation_loss_curve = [], []
        if self.early_stopping:
            record.best_loss = None
            record.best_validation_score = (
                -math.inf if record.best_validation_score is None else record.best_validation_score
            )
        elif record.best_loss is None:
            record.best_loss = math.inf

    def judge(self, scored: Scored) -> None:
        """Note what the validation set says; training calls this before the callback of the same epoch."""
        record = self.record
        assert record.validation_scores is not None
        assert record.validation_loss_curve is not None
        record.validation_scores.append(scored.accuracy)
        record.validation_loss_curve.append(scored.loss)

    @property
    def every_epoch(self) -> bool:
        """Whether each epoch's end must be seen when it comes: what acts there cannot be known before."""
        return self.callback is not None or self.learning_rate == "invscaling"

    def steps_to_call(self, done: int) -> int:
        """To the end of the first epoch that may be the last one, or that may change the rate.

        Each return to Python takes as long as a step or two of digits; the epochs before it are counted there.
        """
        waiting = 1 if self.every_epoch else max(1, self.patience + 1 - self.record.waited)
        return waiting * self.epochs.per_epoch - done % self.epochs.per_epoch

    def __call__(self, progress: Progress) -> bool:
        self.catch_up()
        return self._asked(progress)

    def catch_up(self) -> None:
        """Sum up the epochs that have ended since the last call."""
        losses = self.history.loss_history
        while len(losses) - self.summed >= self.epochs.per_epoch and not self.stopped:
            self._sum_up(np.array(losses[self.summed : self.summed + self.epochs.per_epoch]))
            self.summed += self.epochs.per_epoch

    def _sum_up(self, losses: NDArray[np.float64]) -> None:
        """The losses of an epoch's steps."""
        record = self.record
        record.loss = float(losses @ self.epochs.sizes / self.epochs.num_train)
        record.loss_curve.append(record.loss)
        record.n_iter += 1
        record.t += self.epochs.num_train
        self._say(f"Iteration {record.n_iter}, loss = {record.loss:.8f}")
        self._count()
        if self.rate is not None and self.learning_rate == "invscaling":
            self.rate.rate = self.learning_rate_init / (record.t + 1) ** self.power_t
        if record.waited > self.patience:
            self.stopped = self._is_the_end()
            record.waited = 0 if not self.stopped else record.waited

    def _count(self) -> None:
        """Epochs without a gain of tol: of the validation score with early stopping, else of the training loss."""
        record = self.record
        if self.early_stopping:
            assert record.validation_scores is not None
            assert record.best_validation_score is not None
            score = record.validation_scores[-1]
            self._say(f"Validation score: {score:f}")
            gained = not score < record.best_validation_score + self.tol
            record.best_validation_score = max(record.best_validation_score, score)
        else:
            assert record.best_loss is not None
            gained = not record.loss > record.best_loss - self.tol
            record.best_loss = min(record.best_loss, record.loss)
        record.waited = 0 if gained else record.waited + 1

    def _is_the_end(self) -> bool:
        what = "Validation score" if self.early_stopping else "Training loss"
        text = f"{what} did not improve more than tol={self.tol:f} for {self.patience} consecutive epochs."
        if self.rate is None or self.learning_rate != "adaptive":
            self._say(f"{text} Stopping.")
            return True
        if self.rate.rate <= LOWEST_RATE:
            self._say(f"{text} Learning rate too small. Stopping.")
            return True
        self.rate.rate /= RATE_STEP
        self._say(f"{text} Setting learning rate to {self.rate.rate:f}")
        return False

    def _asked(self, progress: Progress) -> bool:
        """Whether the user's callback asks to stop."""
        if self.callback is not None and asks_to_stop(self.callback(progress)):
            self.stopped = True
        return self.stopped

    def guesses(self, classes: int) -> bool:
        """Whether what has ended, by its own rule or after many steps, knows no more than a guess among so many.

        Of a fit that was cut off within its first epoch nothing is known.
        """
        ended = self.summed > 0 and (
            self.record.waited > self.patience or len(self.history.loss_history) >= LEAST_STEPS
        )
        return ended and self.record.loss > (1 - STANDSTILL) * math.log(classes)

    def _say(self, line: str) -> None:
        if self.verbose:
            streams.show(sys.stdout, f"{line}\n")


def glorot(rng: Any, inputs: int, outputs: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Initial weights and biases of a layer, uniform up to sqrt(6 / (inputs + outputs)) (Glorot and Bengio, 2010)."""
    bound = math.sqrt(6.0 / (inputs + outputs))
    return rng.uniform(-bound, bound, (inputs, outputs)), rng.uniform(-bound, bound, outputs)
