"""One combination: its net built, trained with one worker, and measured.

It runs wherever the search's executor puts it, in this process or another; what it needs comes with its
arguments, and what it found out goes back as its value.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import TYPE_CHECKING, Any, Protocol
from weakref import WeakSet

import numpy as np
from numpy.typing import NDArray

from fastnet import advice
from fastnet.classifier import Classifier
from fastnet.digests import digest
from fastnet.divergence import DivergenceError
from fastnet.searching.describing import described
from fastnet.searching.grid import Point, train_arguments

if TYPE_CHECKING:
    from fastnet.training import Progress

Array = NDArray[Any]
History = dict[str, Any]

_tried: WeakSet[Classifier] = WeakSet()  # nets of this process
_lock = Lock()

STATUSES = DONE, STOPPED, DIVERGED, FAILED = "done", "stopped", "diverged", "failed"
METRICS = {"val_accuracy": 1.0, "val_loss": -1.0}  # with the sign that makes more of it better


@dataclass(frozen=True, eq=False)
class Rows:
    """The data, as train takes it."""

    X: Array
    y: Array
    X_val: Array
    y_val: Array

    def rows(self) -> Rows:
        """Themselves: they are here already."""
        return self


class Shared(Protocol):
    """The data, or where a trial finds it."""

    def rows(self) -> Rows:
        """The data, here."""


@dataclass(frozen=True)
class Plan:
    """What all trials of a search have in common."""

    build: Callable[..., Any]
    to_build: frozenset[str]  # the names that build takes
    seeds: bool  # whether build is given the point's seed
    settings: dict[str, Any]  # of train, beside the point's
    metric: str

    def make(self, point: Point) -> Any:
        """The untrained net of a point.  Raises ValueError where build returns anything else than a net."""
        arguments = {name: value for name, value in point.values.items() if name in self.to_build}
        if self.seeds and "seed" not in point.values:
            arguments["seed"] = point.seed
        net = self.build(**arguments)
        if not isinstance(net, Classifier):
            raise ValueError(
                f"build returned an object of type {type(net).__name__}, expected a TwoLayerNet or a SoftmaxClassifier"
            )
        return net

    def training(self, point: Point) -> dict[str, Any]:
        """The arguments of train for a point; num_iters may be a function of its values."""
        found = self.settings | {name: value for name, value in point.values.items() if name not in self.to_build}
        if callable(found.get("num_iters")):
            found["num_iters"] = found["num_iters"](point.values)
        return found

    def iterations(self, point: Point) -> int:
        """How many iterations a point's training takes; 0 where it will fail, and its row say with what."""
        try:
            arguments = train_arguments() | self.training(point)
            return int(arguments["num_iters"] if arguments["indices"] is None else len(arguments["indices"]))
        except Exception:  # a function of the user's, or what is no number at all
            return 0

    def score(self, accuracy: float, loss: float) -> float:
        """Of a validation: more is better."""
        return METRICS[self.metric] * {"val_accuracy": accuracy, "val_loss": loss}[self.metric]


@dataclass(frozen=True)
class Row:
    """What became of a point: a line of the journal, and of the table.

    status : "done"; "stopped" by halving; "diverged": its numbers are nan; "failed"
    reason : with what it failed, where it diverged; of others what train would have warned of, if anything
    loss : of the last iteration;  val_loss : on the validation set, without the L2 term
    iterations : how many it was trained for;  seconds : since it was made, without those in which it waited
    made, trained : digests of the net before and after
    scores : its validation at each rung of halving
    """

    status: str
    train_accuracy: float = np.nan
    val_accuracy: float = np.nan
    loss: float = np.nan
    val_loss: float = np.nan
    iterations: int = 0
    seconds: float = 0.0
    reason: str = ""
    made: str = ""
    trained: str = ""
    scores: tuple[float, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """A row, and where it ended well the net and what its train returned."""

    row: Row
    net: Any = None
    stats: History | None = None


class Dropped(Exception):
    """Halving lets a net go: it is measured as it stands."""


class Stopped(Exception):
    """The search has ended before this net has."""


@dataclass
class Watch:
    """The callback of a trial: ends it as soon as it is no longer wanted."""

    net: Any
    wanted: Callable[[], bool]
    iterations: int = field(default=0, init=False)
    loss: float = field(default=np.nan, init=False)
    waited: float = field(default=0.0, init=False)  # seconds that are not the training's

    def __call__(self, progress: Progress) -> None:
        self.iterations, self.loss = progress.iteration, progress.loss
        if not self.wanted():
            raise Stopped


def always() -> bool:
    """Whether a trial is wanted, where nobody could tell it that it is not."""
    return True


def try_point(plan: Plan, point: Point, data: Shared, wanted: Callable[[], bool] = always) -> Outcome:
    """Build the point's net, train it with one worker, measure it.

    A failure of whatever kind is a row that says so; only Stopped, once the net is not wanted any more, is raised.
    """
    return attempt(plan, point, data, lambda net: Watch(net, wanted))


def attempt(plan: Plan, point: Point, data: Shared, watching: Callable[[Any], Watch]) -> Outcome:
    """As try_point does, watched by a callback that is made for the net."""
    start, made = time.perf_counter(), ""
    net: Any = None
    watch: Watch | None = None

    def seconds() -> float:
        return time.perf_counter() - start - (0.0 if watch is None else watch.waited)

    def failed(status: str, reason: str) -> Outcome:
        history = {} if net is None else net.history  # whose last iterations the watch may not have seen
        iterations = len(history.get("loss_history", ()))
        return Outcome(Row(status, reason=reason, made=made, iterations=iterations, seconds=seconds()))

    try:
        net, rows, stats = _new(plan.make(point)), data.rows(), None
        made, watch = net_digest(net), watching(net)
        status, arguments = DONE, plan.training(point)
        told: list[str] = []
        try:
            with advice.heard_by(told.append):
                stats = net.train(rows.X, rows.y, rows.X_val, rows.y_val, **arguments, threads=1, callback=watch)
        except Dropped:
            status = STOPPED
        row = Row(status, reason="; ".join(told), made=made, seconds=seconds())
        return Outcome(measure(net, rows, row, watch), net, stats)
    except Stopped:
        raise
    except DivergenceError as error:
        return failed(DIVERGED, f"iteration {error.iteration} left the finite numbers")
    except Exception as error:  # build is the user's: it may raise anything, and one row is all that it costs
        return failed(FAILED, f"{type(error).__name__}: {' '.join(str(error).split())}")


def _new(net: Classifier) -> Classifier:
    """The net.  Raises ValueError for one that a trial had before: it would go on from what that has left."""
    with _lock:
        if net in _tried:
            raise ValueError("build returned the same net twice, expected a new one each time, as a copy.deepcopy")
        _tried.add(net)
    return net


def measure(net: Any, rows: Rows, row: Row, watch: Watch) -> Row:
    """The row with what the net, trained or as far as it was, is worth; taken with one worker, too."""
    val_accuracy, val_loss = validate(net, rows)
    return replace(
        row,
        train_accuracy=float(np.mean(net.predict(rows.X, threads=1) == rows.y)),
        val_accuracy=val_accuracy,
        loss=watch.loss,
        val_loss=val_loss,
        iterations=watch.iterations,
        trained=net_digest(net),
    )


def validate(net: Any, rows: Rows) -> tuple[float, float]:
    """Accuracy and mean cross-entropy on the validation set."""
    scores = net.loss(rows.X_val, threads=1)
    accuracy = float(np.mean(scores.argmax(axis=1) == rows.y_val))
    with np.errstate(invalid="ignore"):  # a net on its way to divergence may have scores that are infinite
        shifted = scores.astype(np.float64) - scores.max(axis=1, keepdims=True)
    of_label = np.take_along_axis(shifted, rows.y_val[:, np.newaxis], axis=1)[:, 0]
    return accuracy, float(np.mean(np.log(np.exp(shifted).sum(axis=1)) - of_label))


def net_digest(net: Any) -> str:
    """Of a net's parameters, its normalisation, how it multiplies, and the random state that draws its batches."""
    told = json.dumps([net.matmul_precision, described(net._rng.bit_generator.state)])
    arrays = [np.frombuffer(told.encode(), np.uint8), *net.params.values()]
    if net.normalization is not None:
        arrays += [value for value in (net.normalization.mean, net.normalization.scale) if value is not None]
    return digest(*arrays)
