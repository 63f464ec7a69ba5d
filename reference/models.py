"""The two networks: the linear softmax classifier of the case study, and the two-layer network of the lab.

    N batch   D inputs   H hidden units   C classes          dA means d(loss)/dA, and has the shape of A

Sources: the CS231n notes "Putting it together: minimal neural network case study" and the assignment
"Two-layer neural network", cs231n.github.io. The L2 term has the factor 0.5, as in the case study; the
learning rate decays at the end of each epoch, never before the first update.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from reference import layers
from reference.data import draw_indices
from reference.layers import Array, Labels, Params
from reference.optimizers import SGD, Adam, Momentum, Nesterov
from reference.stopping import Best


def deviation(std: float | str, fan_in: int) -> float:
    """Of a layer's initial weights: "he" is sqrt(2 / fan_in) (He et al. 2015, arXiv:1502.01852)."""
    return float(np.sqrt(2.0 / fan_in)) if std == "he" else float(std)


class Classifier:
    """What both networks share: the training loop and prediction."""

    params: Params
    rng: np.random.Generator  # drew the initial weights, goes on to draw the batches

    def loss(self, X: Array, y: Labels | None = None, reg: float = 0.0, sample_weight: Array | None = None) -> Any:
        """The scores (N, C) of X (N, D); with labels y (N,), the loss and its gradients keyed as `params`."""
        raise NotImplementedError

    def predict(self, X: Array) -> Labels:
        labels: Labels = self.loss(X).argmax(axis=1)  # (N,) from scores (N, C); the first of equals
        return labels

    def accuracy(self, X: Array, y: Labels, sample_weight: Array | None = None) -> float:
        return float(np.average(self.predict(X) == y, weights=sample_weight))

    def train(
        self,
        X: Array,  # (num_train, D)
        y: Labels,  # (num_train,)
        X_val: Array | None = None,
        y_val: Labels | None = None,
        learning_rate: float = 1e-3,
        learning_rate_decay: float = 0.95,
        reg: float = 0.5,
        num_iters: int = 1000,
        batch_size: int | None = 200,  # None: all rows, in order
        sampling: str = "replacement",
        indices: Labels | None = None,  # (num_iters, batch_size): row numbers to replay instead of drawing
        optimizer: SGD | Momentum | Nesterov | Adam | None = None,
        schedule: Callable[[int], float] | None = None,  # learning rate of an iteration, in the place of the decay
        sample_weight: Array | None = None,  # (num_train,)
        sample_weight_val: Array | None = None,  # (num_val,)
        stop: Best | None = None,  # ends training
        best: Best | None = None,  # its parameters are the result
    ) -> dict[str, list[float]]:
        """Step down the gradient of one mini-batch after another; return the histories."""
        names = "loss_history", "train_acc_history", "val_acc_history", "val_loss_history"
        history: dict[str, list[float]] = {name: [] for name in names}
        optimizer = optimizer or SGD()
        # A row of weight 0 is absent: it is not drawn.
        present = np.arange(len(X)) if sample_weight is None else np.flatnonzero(sample_weight)
        if indices is None:
            indices = present[draw_indices(self.rng, len(present), num_iters, batch_size, sampling)]
        iterations_per_epoch = max(len(present) // indices.shape[1], 1)

        for it, rows in enumerate(indices):
            X_batch, y_batch = X[rows], y[rows]  # (N, D), (N,)
            w_batch = None if sample_weight is None else sample_weight[rows]  # (N,)
            epoch_ends = (it + 1) % iterations_per_epoch == 0
            loss, grads = self.loss(X_batch, y_batch, reg, w_batch)
            history["loss_history"].append(loss)
            if epoch_ends:  # before the update: by the scores of which this is the loss
                history["train_acc_history"].append(self.accuracy(X_batch, y_batch, w_batch))
            optimizer.update(self.params, grads, learning_rate if schedule is None else schedule(it))
            if epoch_ends:
                learning_rate *= learning_rate_decay
                if X_val is not None and y_val is not None:
                    history["val_acc_history"].append(self.accuracy(X_val, y_val, sample_weight_val))
                    data_loss, _ = layers.softmax_loss(self.loss(X_val), y_val, sample_weight_val)
                    history["val_loss_history"].append(data_loss)
                    for watch in (stop, best):
                        if watch is not None:
                            watch.see(history, self.params)
                    if stop is not None and stop.over:
                        break
        if best is not None:
            self.params.update({name: value.copy() for name, value in best.params.items()})
        return history


class SoftmaxClassifier(Classifier):
    """affine -> softmax."""

    def __init__(self, input_size: int, output_size: int, std: float | str = 1e-4, seed: int | None = None) -> None:
        self.rng = np.random.default_rng(seed)
        W = deviation(std, input_size) * self.rng.standard_normal((input_size, output_size))  # (D, C)
        self.params = {"W": W, "b": np.zeros(output_size)}

    def loss(self, X: Array, y: Labels | None = None, reg: float = 0.0, sample_weight: Array | None = None) -> Any:
        W, b = self.params["W"], self.params["b"]  # (D, C), (C,)
        scores = layers.affine_forward(X, W, b)  # (N, C)
        if y is None:
            return scores
        data_loss, dscores = layers.softmax_loss(scores, y, sample_weight)  # dscores (N, C)
        loss = data_loss + 0.5 * reg * float(np.sum(W * W))

        # scores = affine_forward(X, W, b)
        _, dW, db = layers.affine_backward(dscores, X, W)  # (D, C), (C,)
        return loss, {"W": dW + reg * W, "b": db}  # loss += 0.5 * reg * sum(W * W)


class TwoLayerNet(Classifier):
    """affine -> ReLU -> affine -> softmax."""

    def __init__(
        self, input_size: int, hidden_size: int, output_size: int, std: float | str = 1e-4, seed: int | None = None
    ) -> None:
        self.rng = np.random.default_rng(seed)
        W1 = deviation(std, input_size) * self.rng.standard_normal((input_size, hidden_size))  # (D, H)
        W2 = deviation(std, hidden_size) * self.rng.standard_normal((hidden_size, output_size))  # (H, C)
        self.params = {"W1": W1, "b1": np.zeros(hidden_size), "W2": W2, "b2": np.zeros(output_size)}

    def loss(self, X: Array, y: Labels | None = None, reg: float = 0.0, sample_weight: Array | None = None) -> Any:
        W1, b1 = self.params["W1"], self.params["b1"]  # (D, H), (H,)
        W2, b2 = self.params["W2"], self.params["b2"]  # (H, C), (C,)
        pre = layers.affine_forward(X, W1, b1)  # (N, H)
        hidden = layers.relu_forward(pre)  # (N, H)
        scores = layers.affine_forward(hidden, W2, b2)  # (N, C)
        if y is None:
            return scores
        data_loss, dscores = layers.softmax_loss(scores, y, sample_weight)  # dscores (N, C)
        loss = data_loss + 0.5 * reg * float(np.sum(W1 * W1) + np.sum(W2 * W2))

        # scores = affine_forward(hidden, W2, b2)
        dhidden, dW2, db2 = layers.affine_backward(dscores, hidden, W2)  # (N, H), (H, C), (C,)
        # hidden = relu_forward(pre)
        dpre = layers.relu_backward(dhidden, pre)  # (N, H)
        # pre = affine_forward(X, W1, b1)
        _, dW1, db1 = layers.affine_backward(dpre, X, W1)  # (D, H), (H,)
        # loss = data_loss + 0.5 * reg * (sum(W1 * W1) + sum(W2 * W2))
        return loss, {"W1": dW1 + reg * W1, "b1": db1, "W2": dW2 + reg * W2, "b2": db2}
