"""Loss and accuracy over a training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastnet.plots.canvas import PALETTE, axes_of, figure_of, label, legend

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def loss_curve(
    loss_history: Sequence[float],
    val_loss_history: Sequence[float] = (),
    iterations_per_epoch: int | None = None,
    ax: Axes | None = None,
) -> Figure:
    """Draw the loss of every iteration, and its running mean: mini-batches make the loss itself noisy.

    Parameters
    ----------
    loss_history : as `train` returns it
    val_loss_history : as `train` returns it: the validation loss after each epoch, which has no L2 term
    iterations_per_epoch : where those stand; needed for them alone
    ax : where to draw; default a figure of its own

    Returns
    -------
    matplotlib Figure
        That of ax, if it was given.

    Raises
    ------
    ValueError
        A val_loss_history without iterations_per_epoch.
    """
    losses = np.asarray(loss_history, dtype=np.float64)
    if len(val_loss_history) and iterations_per_epoch is None:
        raise ValueError("val_loss_history has no place without iterations_per_epoch: expected both")
    axes = axes_of(ax, 6.6, 3.8)
    axes.plot(losses, color=PALETTE[0], alpha=0.5, linewidth=0.8, label="each iteration")
    axes.plot(_running_mean(losses), color=PALETTE[0], linewidth=1.8, label="running mean")
    if iterations_per_epoch is not None and len(val_loss_history):
        places = iterations_per_epoch * np.arange(1, len(val_loss_history) + 1)
        style: dict[str, Any] = {
            "color": PALETTE[1],
            "marker": _marker(val_loss_history),
            "markersize": 3.5,
            "linewidth": 1.8,
        }
        axes.plot(places, val_loss_history, label="validation, without L2", **style)
    label(axes, x="iteration", y="loss")
    legend(axes, ax)
    return figure_of(axes)


def accuracy_curves(
    train_acc_history: Sequence[float], val_acc_history: Sequence[float] = (), ax: Axes | None = None
) -> Figure:
    """Draw what `train` returns: accuracy on each epoch's last mini-batch, and on the validation set.

    Parameters
    ----------
    train_acc_history, val_acc_history : as `train` returns them, one number an epoch
    ax : where to draw; default a figure of its own

    Returns
    -------
    matplotlib Figure
        That of ax, if it was given.
    """
    axes = axes_of(ax, 6.6, 3.8)
    curves = {"training batches": train_acc_history, "validation": val_acc_history}
    for colour, (name, history) in zip(PALETTE, curves.items(), strict=False):
        if len(history):
            epochs = np.arange(1, len(history) + 1)
            text = f"{name}, {history[-1]:.3f} in the last epoch"
            axes.plot(epochs, history, color=colour, marker=_marker(history), markersize=3.5, linewidth=1.8, label=text)
    label(axes, x="epoch", y="accuracy")
    axes.locator_params(axis="x", integer=True)
    if axes.lines:
        legend(axes, ax)
    return figure_of(axes)


def _marker(history: Sequence[float]) -> str:
    """A single epoch would be an invisible line of no length, and thousands of marks a smear."""
    return "o" if len(history) <= 50 else ""


def _running_mean(losses: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over a window of a fiftieth of the run, centred; at the ends, over what there is of it."""
    n = len(losses)
    first = np.maximum(np.arange(n) - n // 100, 0)
    last = np.minimum(np.arange(n) + n // 100, n - 1)
    with np.errstate(invalid="ignore"):  # a training that diverged holds infinities
        total = np.concatenate(([0.0], np.cumsum(losses)))
        mean: NDArray[np.float64] = (total[last + 1] - total[first]) / (last + 1 - first)
    return mean
