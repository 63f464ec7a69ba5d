"""Pictures of a training and of what was learned, as matplotlib figures.

Each function returns a `matplotlib.figure.Figure`, made without pyplot: no global state, no window, no
display needed. Save one with `figure.savefig("name.png")`; a notebook shows it by itself. matplotlib is an
extra, imported on first use.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from fastnet.searching import Search

__all__ = ["accuracy_curves", "decision_boundary", "loss_curve", "search_map", "weight_tiles"]

MISSING_MATPLOTLIB = 'pictures need matplotlib: pip install "fastnet-cpu[plot]"'
DPI = 150
INK, FAINT = "#333333", "#dddddd"
# Ten colours that stay apart for readers with the common colour-vision deficiencies.
PALETTE = (
    *("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee"),
    *("#aa3377", "#997700", "#004488", "#ee8866", "#777777"),
)


class Predictor(Protocol):
    """What `decision_boundary` needs of a model."""

    def predict(self, X: Any, /) -> NDArray[Any]:
        """The labels of the rows of X."""


def loss_curve(loss_history: Sequence[float]) -> Figure:
    """Draw the loss of every iteration, and its running mean: mini-batches make the loss itself noisy."""
    losses = np.asarray(loss_history, dtype=np.float64)
    figure = _figure(6.6, 3.8)
    axes = figure.subplots()
    axes.plot(losses, color=PALETTE[0], alpha=0.3, linewidth=0.8, label="each iteration")
    axes.plot(_running_mean(losses), color=PALETTE[0], linewidth=1.8, label="running mean")
    _label(axes, x="iteration", y="loss")
    _legend(figure)
    return figure


def accuracy_curves(train_acc_history: Sequence[float], val_acc_history: Sequence[float] = ()) -> Figure:
    """Draw what `train` returns: accuracy on each epoch's last mini-batch, and on the validation set."""
    figure = _figure(6.6, 3.8)
    axes = figure.subplots()
    curves = {"training batches": train_acc_history, "validation": val_acc_history}
    for colour, (name, history) in zip(PALETTE, curves.items(), strict=False):
        if len(history):
            epochs = np.arange(1, len(history) + 1)
            # A single epoch would be an invisible line of no length, and thousands of marks a smear.
            marker = "o" if len(history) <= 50 else ""
            label = f"{name}, {history[-1]:.3f} in the last epoch"
            axes.plot(epochs, history, color=colour, marker=marker, markersize=3.5, linewidth=1.8, label=label)
    _label(axes, x="epoch", y="accuracy")
    axes.locator_params(axis="x", integer=True)
    if axes.lines:
        _legend(figure)
    return figure


def decision_boundary(model: Predictor, X: ArrayLike, y: ArrayLike) -> Figure:
    """Draw the points of a data set in the plane over the class that a model gives to each place.

    Parameters
    ----------
    model : TwoLayerNet, SoftmaxClassifier or anything else with `predict`
    X : array of shape (N, 2)
    y : int array of shape (N,)

    Raises
    ------
    ValueError
        The points do not lie in a plane.
    """
    points, labels = np.asarray(X, dtype=np.float64), np.asarray(y)
    if points.ndim != 2 or points.shape[1] != 2 or not len(points):
        raise ValueError(f"a decision boundary needs points of shape (N, 2), got {points.shape}")
    figure = _figure(5.4, 5.4)
    axes = figure.subplots()
    xs, ys, regions = _regions(model, points)
    classes = int(max(labels.max(), regions.max())) + 1
    colours = [PALETTE[k % len(PALETTE)] for k in range(classes)]
    axes.contourf(xs, ys, regions, levels=np.arange(classes + 1) - 0.5, colors=colours, alpha=0.3)
    point_colours = [colours[k] for k in labels]
    axes.scatter(points[:, 0], points[:, 1], c=point_colours, s=26, edgecolors="white", linewidths=0.6)
    _label(axes, x="$x_0$", y="$x_1$")
    axes.set_aspect("equal")
    axes.grid(visible=False)
    return figure


def weight_tiles(W: ArrayLike, image_shape: tuple[int, ...]) -> Figure:
    """Draw each column of a first layer's weights as a small image, one tile a hidden unit.

    Parameters
    ----------
    W : array of shape (D, H)
        Each tile is stretched to its own lowest and highest weight, as in the lab.
    image_shape : (channels, rows, columns), or (rows, columns) for grey images
        channels * rows * columns must be D; 3 channels are drawn in colour, 1 in grey.

    Raises
    ------
    ValueError
        The shapes do not fit, or the number of channels cannot be drawn.
    """
    tiles = _tiles(np.asarray(W, dtype=np.float64), image_shape)
    sheet = _sheet(tiles)
    rows, columns = sheet.shape[:2]
    # A whole number of dots a weight, and no resampling: every weight is a crisp square.
    dots = max(1, 1000 // max(rows, columns))
    figure = _figure(columns * dots / DPI, rows * dots / DPI, layout=None)
    figure.figimage(sheet.repeat(dots, axis=0).repeat(dots, axis=1), cmap="gray", vmin=0.0, vmax=1.0)
    return figure


def search_map(search: Search, names: Sequence[str] | None = None, ax: Axes | None = None) -> Figure:
    """Draw the validation accuracies of a search, a square for each combination, the best one framed.

    Parameters
    ----------
    search : what fastnet.search returned
    names : one or two names of its grid, down and across; default its first two
        A square shows the best over all other names.
    ax : where to draw; default a figure of its own

    Raises
    ------
    ValueError
        A name that is not in the grid, or more than two.
    """
    known = list(search.finished[0][0].values)
    names = known[:2] if names is None else list(names)
    if not 1 <= len(names) <= 2 or not set(names) <= set(known):
        raise ValueError(f"names are {', '.join(names)}, expected one or two of {', '.join(known)}")
    across, down = names[-1], names[0]
    best: dict[tuple[Any, Any], float] = {}
    for point, row in search.finished:
        place = (point.values[down] if len(names) == 2 else None, point.values[across])
        best[place] = np.fmax(best.get(place, np.nan), row.val_accuracy)
    rows, columns = (list(dict.fromkeys(place[k] for place in best)) for k in (0, 1))
    cells = np.array([[best.get((r, c), np.nan) for c in columns] for r in rows])
    if ax is None:
        ax = _figure(1.6 + 0.9 * len(columns), 1.3 + 0.7 * len(rows)).subplots()
    ax.set_facecolor(FAINT)  # of squares without an accuracy, on dark axes as well
    ax.imshow(np.ma.masked_invalid(cells), cmap="viridis", aspect="auto")
    _mark(ax, cells)
    ax.set_xticks(range(len(columns)), [f"{c:g}" if isinstance(c, float) else str(c) for c in columns])
    ax.set_yticks(range(len(rows)), [f"{r:g}" if isinstance(r, float) else str(r) for r in rows])
    ax.set_xlabel(across)
    ax.set_ylabel(down)
    if len(names) == 1:
        ax.set_yticks([])
        ax.set_ylabel("")
    ax.set_title("accuracy on the validation set", fontsize="medium")
    figure: Figure = ax.figure  # type: ignore[assignment]  # or a part of one, which draws as well
    return figure


def _mark(ax: Axes, cells: NDArray[np.float64]) -> None:
    """Write each cell's number into it, in the colour that is read on it, and frame the highest."""
    finite = np.isfinite(cells)
    low, high = (cells[finite].min(), cells[finite].max()) if finite.any() else (0.0, 0.0)
    for (row, column), value in np.ndenumerate(cells):
        if np.isfinite(value):
            light = value - low > 0.6 * (high - low) > 0
            ax.text(column, row, f"{value:.3f}", ha="center", va="center", color="black" if light else "white")
        else:
            ax.text(column, row, "none", ha="center", va="center", color=INK)
    if finite.any():
        row, column = np.unravel_index(np.nanargmax(cells), cells.shape)
        frame = {"fill": False, "edgecolor": PALETTE[1], "linewidth": 3, "clip_on": False, "zorder": 3}
        ax.add_patch(_rectangle((column - 0.5, row - 0.5), 1.0, 1.0, **frame))


def _rectangle(*place: Any, **style: Any) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle(*place, **style)


def _figure(width: float, height: float, layout: Literal["constrained"] | None = "constrained") -> Figure:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(MISSING_MATPLOTLIB) from error
    return Figure(figsize=(width, height), dpi=DPI, layout=layout)


def _legend(figure: Figure) -> None:
    """Above the curves, whichever way they go."""
    figure.legend(loc="outside upper left", ncols=2, frameon=False)


def _label(axes: Axes, *, x: str, y: str) -> None:
    axes.set_xlabel(x, color=INK)
    axes.set_ylabel(y, color=INK)
    axes.grid(color=FAINT, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _running_mean(losses: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over a window of a fiftieth of the run, centred; at the ends, over what there is of it."""
    n = len(losses)
    first = np.maximum(np.arange(n) - n // 100, 0)
    last = np.minimum(np.arange(n) + n // 100, n - 1)
    with np.errstate(invalid="ignore"):  # a training that diverged holds infinities
        total = np.concatenate(([0.0], np.cumsum(losses)))
        mean: NDArray[np.float64] = (total[last + 1] - total[first]) / (last + 1 - first)
    return mean


def _regions(model: Predictor, points: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Predicted class on a square grid that reaches a little beyond the points."""
    low, high = points.min(axis=0), points.max(axis=0)
    reach = 0.55 * float(np.max(high - low)) or 1.0
    xs, ys = (np.linspace(centre - reach, centre + reach, 400) for centre in (low + high) / 2)
    grid = np.stack(np.meshgrid(xs, ys), axis=-1).reshape(-1, 2).astype(np.float32)
    return xs, ys, np.asarray(model.predict(grid)).reshape(len(ys), len(xs))


def _tiles(W: NDArray[np.float64], image_shape: tuple[int, ...]) -> NDArray[np.float64]:
    """(D, H) -> (H, rows, columns, channels), each tile stretched over 0 to 1."""
    shape = (1, *image_shape) if len(image_shape) == 2 else tuple(image_shape)
    if len(shape) != 3 or shape[0] not in (1, 3):
        raise ValueError(f"weights can be drawn as images of 1 or 3 channels, not of shape {image_shape}")
    if W.ndim != 2 or W.shape[0] != np.prod(shape):
        raise ValueError(f"weights of shape {W.shape} are not images of shape {image_shape} in columns")
    low, high = W.min(axis=0), W.max(axis=0)
    stretched = (W - low) / np.where(high > low, high - low, 1.0)
    tiles: NDArray[np.float64] = stretched.T.reshape(-1, *shape).transpose(0, 2, 3, 1)
    return tiles


def _sheet(tiles: NDArray[np.float64]) -> NDArray[np.float64]:
    """Lay tiles out in a grid as near to a square as their number allows, with white lines between them."""
    count, rows, columns, channels = tiles.shape
    across = int(np.ceil(np.sqrt(count)))
    down = -(-count // across)
    sheet = np.ones((down * (rows + 1) + 1, across * (columns + 1) + 1, channels))
    for k, tile in enumerate(tiles):
        top, left = (k // across) * (rows + 1) + 1, (k % across) * (columns + 1) + 1
        sheet[top : top + rows, left : left + columns] = tile
    return sheet if channels == 3 else sheet[:, :, 0]
