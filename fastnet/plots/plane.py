"""Points in the plane over the regions of a model's classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastnet.plots.canvas import PALETTE, axes_of, figure_of, label, labels_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


class Predictor(Protocol):
    """What `decision_boundary` needs of a model."""

    def predict(self, X: Any, /) -> NDArray[Any]:
        """The labels of the rows of X."""


def decision_boundary(model: Predictor, X: ArrayLike, y: ArrayLike, ax: Axes | None = None) -> Figure:
    """Draw the points of a data set in the plane over the class that a model gives to each place.

    Parameters
    ----------
    model : TwoLayerNet, SoftmaxClassifier or anything else with `predict`
    X : array of shape (N, 2)
    y : int array of shape (N,)
    ax : where to draw; default a figure of its own

    Returns
    -------
    matplotlib Figure
        That of ax, if it was given.

    Raises
    ------
    ValueError
        The points do not lie in a plane, or y, or what the model predicts, are no numbers of classes.
    """
    points = np.asarray(X, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != 2 or not len(points):
        raise ValueError(f"a decision boundary needs points of shape (N, 2), got {points.shape}")
    labels = labels_of("y", y, len(points))
    xs, ys, regions = _regions(model, points)
    axes = axes_of(ax, 5.4, 5.4)
    classes = int(max(labels.max(), regions.max())) + 1
    colours = [PALETTE[k % len(PALETTE)] for k in range(classes)]
    axes.contourf(xs, ys, regions, levels=np.arange(classes + 1) - 0.5, colors=colours, alpha=0.3)
    point_colours = [colours[k] for k in labels]
    axes.scatter(points[:, 0], points[:, 1], c=point_colours, s=26, edgecolors="white", linewidths=0.6)
    label(axes, x="$x_0$", y="$x_1$")
    axes.set_aspect("equal")
    axes.grid(visible=False)
    return figure_of(axes)


def _regions(model: Predictor, points: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Predicted class on a square grid that reaches a little beyond the points."""
    low, high = points.min(axis=0), points.max(axis=0)
    reach = 0.55 * float(np.max(high - low)) or 1.0
    xs, ys = (np.linspace(centre - reach, centre + reach, 400) for centre in (low + high) / 2)
    grid = np.stack(np.meshgrid(xs, ys), axis=-1).reshape(-1, 2)
    return xs, ys, labels_of("what the model predicts", model.predict(grid), len(grid)).reshape(len(ys), len(xs))
