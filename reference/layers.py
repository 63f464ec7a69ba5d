"""The formulas of the lecture, each forward pass with its backward pass beside it.

    N batch   D inputs   H hidden units   C classes          dA means d(loss)/dA, and has the shape of A

Every backward pass quotes the forward line that it differentiates. Sources: the CS231n notes
"Linear classification" (softmax) and "Backpropagation, intuitions" (affine, ReLU), cs231n.github.io.
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Labels = NDArray[np.int64]
Params = dict[str, Array]


def affine_forward(X: Array, W: Array, b: Array) -> Array:
    return X @ W + b  # (N, C) = (N, D) @ (D, C) + (C,)


def affine_backward(dout: Array, X: Array, W: Array) -> tuple[Array, Array, Array]:
    # out = X @ W + b
    dX = dout @ W.T  # (N, D) = (N, C) @ (C, D)
    dW = X.T @ dout  # (D, C) = (D, N) @ (N, C)
    db = dout.sum(axis=0)  # (C,): b was added to each of the N rows
    return dX, dW, db


def relu_forward(x: Array) -> Array:
    return np.maximum(x, 0.0)  # (N, H)


def relu_backward(dout: Array, x: Array) -> Array:
    # out = max(x, 0), its slope at x = 0 taken as 0
    return dout * (x > 0.0)  # (N, H)


def softmax_loss(scores: Array, y: Labels, weights: Array | None = None) -> tuple[float, Array]:
    """The batch mean of -log(probability of the right class y), and its gradient by the scores (N, C).

    With weights (N,) the weighted mean: a row of weight 2 counts as two rows, one of weight 0 as none.
    """
    rows = np.arange(len(scores))  # (N,)
    shares = np.full(len(scores), 1.0 / len(scores)) if weights is None else weights / weights.sum()  # (N,)
    # A shift of a row's scores leaves its probabilities alone: with their maximum at 0 no exp overflows.
    shifted = scores - scores.max(axis=1, keepdims=True)  # (N, C)
    log_probs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))  # (N, C)
    loss = -np.sum(shares * log_probs[rows, y])

    # loss = sum(shares * -log(probs[rows, y])), whence dscores = shares * (probs - onehot(y))
    dscores = np.exp(log_probs)  # (N, C)
    dscores[rows, y] -= 1.0
    return float(loss), shares[:, None] * dscores
