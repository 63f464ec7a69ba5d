"""The work that every contestant does, and the reference that each of them is checked against.

Letters: N batch, D inputs, H hidden units, C classes; num_train images in the data set.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

import fastnet.data
import reference

Params = dict[str, NDArray[np.float64]]

LAB = {"N": 200, "D": 3072, "H": 80, "C": 10}  # the sizes of the two-layer lab on CIFAR-10
NUM_TRAIN = 45_000
REG = 0.5

# How far a loss may be from the reference, relatively, anywhere on the way.
TOLERANCE = {"float32": 1e-3, "float64": 1e-9, "24 bits": 1e-3, "16 bits": 1e-3, "bfloat16": 3e-2}
DTYPES = ("float32", "float64")  # fastnet's own
OPTIMIZERS = {"sgd": reference.SGD, "momentum": reference.Momentum, "adam": reference.Adam}


@dataclass(frozen=True, eq=False)
class Problem:
    """Gradient descent on given mini-batches of raw images, less their mean.

    X : uint8 (num_train, D);  y : int64 (num_train,);  mean : float64 (D,), subtracted from every image
    indices : int64 (steps, N), the rows of each mini-batch, drawn with replacement
    H : hidden units, 0 for the linear classifier;  threads : None for all cores
    reg : strength of the L2 term;  pace : factor on the learning rate
    rule : sgd, momentum or adam, each with its usual numbers
    """

    X: NDArray[np.uint8]
    y: NDArray[np.int64]
    mean: NDArray[np.float64]
    indices: NDArray[np.int64]
    H: int
    C: int
    threads: int | None = None
    reg: float = REG
    pace: float = 1.0
    rule: str = "sgd"

    @property
    def sizes(self) -> dict[str, int]:
        sizes = {"N": self.indices.shape[1], "D": self.X.shape[1], "H": self.H, "C": self.C}
        return {letter: size for letter, size in sizes.items() if size}

    @property
    def steps(self) -> int:
        return len(self.indices)

    @property
    def flops(self) -> float:
        """Of the products of one training step, a multiply-add counting two; all else is left out."""
        N, D = self.indices.shape[1], self.X.shape[1]
        if not self.H:
            return 4.0 * N * D * self.C  # scores = X @ W, dW = X.T @ dscores
        return 4.0 * N * D * self.H + 6.0 * N * self.H * self.C  # in the second layer dhidden, too

    @property
    def learning_rate(self) -> float:
        """1 / the mean squared length of an image: the loss moves from the first step, and stays finite.

        Momentum sums ten such steps; Adam's step is a hundredth of an initial weight.
        """
        squared = self._squared_length()
        usual = {"sgd": 1.0 / squared, "momentum": 0.1 / squared, "adam": 0.01 / np.sqrt(squared)}[self.rule]
        return self.pace * usual

    def params(self) -> Params:
        """Initial weights that give scores around 1.

        With the lab's std of 1e-4 the loss stands still for the first hundred steps, and a contestant with a
        wrong update would pass the check.
        """
        rng = np.random.default_rng(1)
        first = rng.standard_normal((self.X.shape[1], self.H or self.C)) / np.sqrt(self._squared_length())
        if not self.H:
            return {"W": first, "b": np.zeros(self.C)}
        second = rng.standard_normal((self.H, self.C)) / np.sqrt(self.H)
        return {"W1": first, "b1": np.zeros(self.H), "W2": second, "b2": np.zeros(self.C)}

    def with_steps(self, steps: int) -> Problem:
        return replace(self, indices=draw(len(self.X), steps, self.indices.shape[1]))

    def first(self, steps: int) -> Problem:
        """No more than so many steps of the same."""
        return replace(self, indices=self.indices[:steps])

    def reference_losses(self) -> NDArray[np.float64]:
        """The loss of each step, by the readable float64 code."""
        return np.array(train_reference(self, np.float64, Converted(self, np.float64))())

    def loss_error(self, losses: ArrayLike, expected: NDArray[np.float64] | None = None) -> float:
        """The largest relative error of the losses of the first pass over indices."""
        expected = self.reference_losses() if expected is None else expected
        found = np.asarray(losses, np.float64)
        if found.shape != expected.shape:
            raise ValueError(f"losses have shape {found.shape}, expected {expected.shape}")
        return float(np.abs(found / expected - 1.0).max())

    def _squared_length(self) -> float:
        sample = self.X[:1000] - self.mean
        return float((sample * sample).sum(axis=1).mean())


class Converted:
    """The images as the reference's loop wants them, each mini-batch converted when it is asked for."""

    def __init__(self, problem: Problem, dtype: type) -> None:
        self._X, self._mean = problem.X, problem.mean.astype(dtype)

    def __len__(self) -> int:
        return len(self._X)

    def __getitem__(self, rows: Any) -> NDArray[Any]:
        return self._X[rows] - self._mean  # uint8 - float gives float: one pass less than with astype


def reference_network(problem: Problem, dtype: type) -> reference.Classifier:
    """The reference's network with its numbers in dtype.

    The formulas keep the type of what they are given: other parameters are all that it takes.
    """
    D = problem.X.shape[1]
    net = reference.TwoLayerNet(D, problem.H, problem.C) if problem.H else reference.SoftmaxClassifier(D, problem.C)
    net.params = {name: value.astype(dtype) for name, value in problem.params().items()}
    return net


def train_reference(problem: Problem, dtype: type, X: Any) -> Callable[[], list[float]]:
    """A callable that trains the reference's network in dtype on X: images less their mean."""
    net = reference_network(problem, dtype)
    options = {"learning_rate": problem.learning_rate, "learning_rate_decay": 1.0, "reg": problem.reg}
    options["optimizer"] = OPTIMIZERS[problem.rule]()
    return lambda: net.train(X, problem.y, indices=problem.indices, **options)["loss_history"]


def draw(num_train: int, steps: int, N: int) -> NDArray[np.int64]:
    return np.random.default_rng(2).integers(0, num_train, (steps, N))


def synthetic(
    N: int, D: int, H: int, C: int, steps: int, num_train: int = NUM_TRAIN, threads: int | None = None
) -> Problem:
    """Random images: half their class's own, half noise."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, C, num_train)
    centres = rng.integers(0, 128, (C, D), dtype=np.uint8)
    X = rng.integers(0, 128, (num_train, D), dtype=np.uint8)
    for label in range(C):
        X[y == label] += centres[label]
    return Problem(X, y, X.mean(axis=0), draw(num_train, steps, N), H, C, threads)


def cifar10(data: str | PathLike[str], steps: int, threads: int | None = None) -> Problem:
    """The lab's problem on real images: the first 45,000 of CIFAR-10."""
    dataset = fastnet.data.load_cifar10(data)
    X, y = dataset.X_train[:NUM_TRAIN], dataset.y_train[:NUM_TRAIN]
    return Problem(X, y, X.mean(axis=0), draw(len(X), steps, LAB["N"]), LAB["H"], dataset.num_classes, threads)
