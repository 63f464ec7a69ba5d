"""What the programs work on: parameters, data sets and batches, activations, each worker's own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from fastnet.engine.emitting.arrays import Matrix, allocate


@dataclass(frozen=True)
class Layer:
    """An affine layer's storage: weight of `inputs` rows, bias of one, both padded as `allocate` does."""

    weight: np.ndarray
    bias: np.ndarray
    inputs: int
    outputs: int

    @classmethod
    def zeros(cls, inputs: int, outputs: int, dtype: np.dtype) -> Layer:
        return cls(allocate(inputs, outputs, dtype), allocate(1, outputs, dtype), inputs, outputs)

    def clear_padding(self) -> None:
        """Zero what lies beside the parameters: a run that diverged has left nan there."""
        self.weight[:, self.outputs :] = 0
        self.bias[:, self.outputs :] = 0

    @property
    def W(self) -> np.ndarray:
        """The weights, (inputs, outputs): a view of the storage."""
        return self.weight[:, : self.outputs]

    @property
    def b(self) -> np.ndarray:
        """The bias, (outputs,): a view of the storage."""
        return self.bias[0, : self.outputs]


class Parameter(NamedTuple):
    """A weight matrix, or a bias as a matrix of one row, with what its update rule keeps beside it.

    squares holds a line for each line of columns and group of rows: the sum of the squared weights.

    Here and in Batch and Activations, None stands where a program has no use for a matrix: each one that it is
    handed takes time in every call.
    """

    value: Matrix
    state1: Matrix | None = None
    state2: Matrix | None = None
    squares: Matrix | None = None


class Affine(NamedTuple):
    """The parameters of an affine layer, and the numbers of inputs and outputs."""

    weight: Parameter
    bias: Parameter
    inputs: int
    outputs: int


class Source(NamedTuple):
    """A data set as it is read: row x is (X[x] - mean) * scale, with label y[x].

    X (num, D), C-contiguous, of uint8, float32 or float64; y (num,) int64, None where only scores are asked for;
    mean and scale (1, D) in the wider of X's dtype and the model's, in which rows are normalised before they are
    rounded to the model's; that of uint8 is the model's.
    """

    X: np.ndarray
    y: np.ndarray | None
    mean: np.ndarray
    scale: np.ndarray


class Batch(NamedTuple):
    """A source as programs take it, y (1, num), and the rows of each step: row r of step k is the source's rows[k, r].

    rows (steps, N) int64 may have a single row for all steps.  shares, of the same shape and in the model's dtype,
    are the parts that the rows have in the loss of their step; None is 1 / N each.
    """

    X: Matrix
    y: Matrix | None
    mean: Matrix
    scale: Matrix
    rows: Matrix
    shares: Matrix | None = None

    @classmethod
    def of(cls, source: Source, rows: Matrix, shares: Matrix | None = None) -> Batch:
        """The rows of a source, and their shares."""
        X, y, mean, scale = source
        labels = None if y is None else Matrix(y.reshape(1, -1))
        return cls(Matrix(X), labels, Matrix(mean), Matrix(scale), rows, shares)


class Activations(NamedTuple):
    """What the workers share within a block of rows.  Row s * stride + r of partial is slice s of row r."""

    partial: Matrix
    hidden: Matrix | None
    d_hidden: Matrix | None
    scores: Matrix
    transposed: Matrix | None  # W2.T, (C, H)
    per_row: Matrix | None  # for the loss, of each row (see softmax.py)
    gradients: tuple[Matrix, ...] | None  # of W1, b1, W2, b2, summed over the blocks of a large batch


class Scratch(NamedTuple):
    """What a worker has for itself: a panel of converted rows, the scores of a line of rows turned over (softmax.py),
    and the gradient of a group of weights of any layer.

    fixed is fixed.FixedScratch, in the panel's place where the first layer's products are in fixed point.
    """

    panel: Matrix | None
    turned: Matrix | None
    sums: Matrix | None
    fixed: Any = None
