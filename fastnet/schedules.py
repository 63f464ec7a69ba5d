"""Schedules of the learning rate: the factor by which it is multiplied, iteration by iteration. ::

    net.train(X, y, learning_rate=0.05, schedule=fastnet.schedules.Linear(warmup=0.05))

warmup is a fraction of the training: over so many iterations (rounded) the rate rises in equal steps, to be at
its height in the one after (Goyal et al. 2017, arXiv:1706.02677).  A function from iteration
numbers to rates will do as well.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnet.advice import advise
from fastnet.checks import array, non_negative, numbers, open_unit, positive

Iterations = NDArray[np.int64]
Factors = NDArray[np.float64]
Rates = Callable[[Iterations], Factors]


@dataclass(frozen=True)
class Constant:
    """The same rate throughout, after the warm-up.

    Parameters
    ----------
    warmup : float in [0, 1), default 0
        Fraction of the training.
    """

    warmup: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "warmup", open_unit("warmup", self.warmup))

    def factors(self, iterations: Iterations, num_iters: int, per_epoch: int) -> Factors:
        """The factors at some iterations (from 0) of a training of num_iters, with per_epoch in an epoch."""
        warm = round(self.warmup * num_iters)
        return np.minimum(1.0, (iterations + 1) / (warm + 1)) * self._after(iterations, warm, num_iters, per_epoch)

    def _after(self, iterations: Iterations, warm: int, num_iters: int, per_epoch: int) -> Factors:
        """The factors without the warm-up; those of its iterations are 1 where they would only begin after it."""
        return np.ones(len(iterations))


@dataclass(frozen=True)
class EpochDecay(Constant):
    """Multiplied by `factor` after each epoch: the lab's schedule.

    Parameters
    ----------
    warmup : as for Constant
    factor : float above 0, default 0.95
    """

    factor: float = 0.95

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "factor", positive("factor", self.factor))

    def _after(self, iterations: Iterations, warm: int, num_iters: int, per_epoch: int) -> Factors:
        with np.errstate(under="ignore", over="ignore"):  # to 0 is right; `rates` keeps what is too large in bounds
            return np.asarray(np.power(self.factor, iterations // per_epoch, dtype=np.float64))


@dataclass(frozen=True)
class StepDecay(Constant):
    """Multiplied by `factor` at each of the moments `at`.

    Parameters
    ----------
    warmup : as for Constant
    factor : float, default 0.1
    at : fractions of the training in [0, 1), default half and three quarters
    """

    factor: float = 0.1
    at: tuple[float, ...] = (0.5, 0.75)

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "factor", non_negative("factor", self.factor))
        try:
            at = tuple(self.at)
        except TypeError as error:
            raise ValueError(f"at is {self.at!r}, expected fractions of the training") from error
        object.__setattr__(self, "at", tuple(open_unit("at", fraction) for fraction in at))

    def _after(self, iterations: Iterations, warm: int, num_iters: int, per_epoch: int) -> Factors:
        passed = sum((iterations >= round(fraction * num_iters)).astype(np.int64) for fraction in self.at)
        with np.errstate(under="ignore", over="ignore"):
            return np.asarray(np.power(self.factor, passed * np.ones(len(iterations))))


@dataclass(frozen=True)
class Linear(Constant):
    """Falls in equal steps after the warm-up, to zero where the training ends."""

    def _after(self, iterations: Iterations, warm: int, num_iters: int, per_epoch: int) -> Factors:
        return 1.0 - np.maximum(iterations - warm, 0) / max(num_iters - warm, 1)


@dataclass(frozen=True)
class Cosine(Constant):
    """Falls after the warm-up along half a wave of the cosine, to zero where the training ends.

    (Loshchilov and Hutter 2017, arXiv:1608.03983, without restarts.)
    """

    def _after(self, iterations: Iterations, warm: int, num_iters: int, per_epoch: int) -> Factors:
        return 0.5 + 0.5 * np.cos(np.pi * np.maximum(iterations - warm, 0) / max(num_iters - warm, 1))


MOMENTS = 1 << 20  # into which a clock's seconds are divided


@dataclass(frozen=True)
class Clock:
    """Follows the clock: the plan's factors at the moment it is, and the end of training when the seconds are over. ::

        net.train(X, y, num_iters=10**9, schedule=fastnet.schedules.Clock(60))

    It starts when it is made; num_iters is then the most.  The one setting that gives up the same bits.

    Parameters
    ----------
    seconds : float above 0
    plan : of this module but no EpochDecay, default Cosine(warmup=0.05)
    """

    seconds: float
    plan: Constant = field(default=Cosine(warmup=0.05))
    started: float = field(default_factory=time.perf_counter, init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "seconds", positive("seconds", self.seconds))
        if not isinstance(self.plan, Constant) or isinstance(self.plan, EpochDecay):
            raise ValueError(f"plan is {self.plan!r}, expected one of fastnet.schedules that knows no epochs")

    def passed(self) -> float:
        """The fraction of the seconds that has passed: 1 and more when they are over."""
        return (time.perf_counter() - self.started) / self.seconds

    def factors(self, iterations: Iterations, num_iters: int, per_epoch: int) -> Factors:
        """The factors at the next iterations, each expected to take as long as those before it did on average."""
        passed, done = min(self.passed(), 1.0), int(iterations[0])
        moments = passed + (iterations - done) * (passed / max(done, 1))
        return self.plan.factors((np.minimum(moments, 1) * MOMENTS).astype(np.int64), MOMENTS, MOMENTS)

    def over(self, progress: object) -> bool:
        """A callback that ends training."""
        return self.passed() >= 1


NEARLY_NOTHING = 1e-3
NAMES = {"constant": Constant, "linear": Linear, "cosine": Cosine}
Schedule = str | Constant | Clock | Rates


def rates(schedule: Schedule, learning_rate: float, num_iters: int, per_epoch: int, most: float) -> Rates:
    """The function from iteration numbers to rates that a schedule means, checked for the whole training.

    A function of the caller's is asked once, for all iterations: no surprise is left for the midst of training.
    Raises ValueError for a name that is none, and for rates that are not finite numbers from 0 to `most`.
    """
    if isinstance(schedule, str) and schedule in NAMES:
        schedule = NAMES[schedule]()
    if isinstance(schedule, (Constant, Clock)):
        plan = schedule
        largest = most / max(learning_rate, 1.0)  # of a decay above 1: that training diverges, and nothing warns
        return lambda iterations: learning_rate * np.minimum(plan.factors(iterations, num_iters, per_epoch), largest)
    if isinstance(schedule, str) or not callable(schedule):
        names = ", ".join(map(repr, NAMES))
        raise ValueError(f"schedule is {schedule!r}, expected one of {names}, of fastnet.schedules, or a function")
    table = _checked(schedule(np.arange(num_iters)), num_iters, most)
    return lambda iterations: table[iterations]


def _checked(found: Any, num_iters: int, most: float) -> Factors:
    given = array("what the schedule returned", found)
    if given.shape != (num_iters,) or given.dtype.kind not in "uif":
        raise ValueError(
            f"the schedule returned {given.dtype} of shape {given.shape} for {num_iters} iterations, "
            "expected a rate for each"
        )
    table = numbers("what the schedule returned", given)
    wrong = np.flatnonzero(~((table >= 0) & (table <= most)))
    if len(wrong):
        raise ValueError(
            f"the schedule returned {table[wrong[0]]} for iteration {wrong[0]}, "
            f"expected finite numbers of at least 0, up to {most:.3g}"
        )
    return table


def warn_of_early_end(schedule: Schedule, num_iters: int, per_epoch: int) -> None:
    """Warn when a decay by epochs leaves more than half of a training at less than NEARLY_NOTHING of its rate.

    So it is with few rows: where a batch takes all of them, each step is an epoch.
    """
    if not isinstance(schedule, EpochDecay):
        return
    half = schedule.factors(np.array([num_iters // 2]), num_iters, per_epoch)[0]
    if half < NEARLY_NOTHING:
        advise(
            f"a decay of {schedule.factor:g} after each of {num_iters // per_epoch} epochs leaves the second "
            f"half of the training {half:.1g} of the learning rate: take a decay nearer to 1, or schedule='linear'",
            stacklevel=4,
        )
