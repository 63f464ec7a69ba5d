"""Images: first-layer weights as such, and those that a model takes for something else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastnet.plots.canvas import DPI, axes_of, figure_of, labels_of, new_figure, require_names

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


IMAGE, WORDS = 0.84, 0.42  # the width of an image and the height of the words above it, in parts of a cell's width


class Prober(Protocol):
    """What `misclassified` needs of a model."""

    def predict_proba(self, X: Any, /) -> NDArray[Any]:
        """The probabilities (N, C) of the rows of X."""


def weight_tiles(W: ArrayLike, image_shape: tuple[int, ...], ax: Axes | None = None) -> Figure:
    """Draw each column of a first layer's weights as a small image, one tile a hidden unit.

    Parameters
    ----------
    W : array of shape (D, H)
        Each tile is stretched to its own lowest and highest weight, as in the lab.
    image_shape : (channels, rows, columns), or (rows, columns) for grey images
        channels * rows * columns must be D; 3 channels are drawn in colour, 1 in grey.
    ax : where to draw; default a figure of its own

    Returns
    -------
    matplotlib Figure
        That of ax, if it was given.

    Raises
    ------
    ValueError
        The shapes do not fit, or the number of channels cannot be drawn.
    """
    tiles = _tiles(np.asarray(W, dtype=np.float64), image_shape)
    sheet = _sheet(tiles)
    rows, columns = sheet.shape[:2]
    if ax is None:
        # A whole number of dots a weight: every weight is a crisp square.  Without axes a notebook would show nothing.
        dots = max(1, 1000 // max(rows, columns))
        ax = new_figure(columns * dots / DPI, rows * dots / DPI, layout=None).add_axes((0.0, 0.0, 1.0, 1.0))
    ax.imshow(sheet, interpolation="nearest")
    ax.set_axis_off()
    return figure_of(ax)


def misclassified(
    model: Prober,
    X: ArrayLike,
    y: ArrayLike,
    image_shape: tuple[int, ...],
    names: Sequence[str] | None = None,
    count: int = 20,
    ax: Axes | None = None,
) -> Figure:
    """Draw the images that a model is surest of and wrong about, with what it takes them for and how surely.

    Parameters
    ----------
    model : TwoLayerNet, SoftmaxClassifier or anything else with `predict_proba`
    X : array of shape (N, D), images as rows; uint8 as they are, others stretched from their lowest to their highest
    y : int array of shape (N,)
    image_shape : (channels, rows, columns), or (rows, columns) for grey images
    names : a name for each class; default its number
    count : images at most
    ax : where to draw; default a figure of its own

    Returns
    -------
    matplotlib Figure
        That of ax, if it was given.

    Raises
    ------
    ValueError
        The shapes do not fit, the number of channels cannot be drawn, or a class has no name.
    """
    rows = np.asarray(X)
    labels = labels_of("y", y, len(rows))
    probabilities = np.asarray(model.predict_proba(rows))
    given, sure = probabilities.argmax(axis=1), probabilities.max(axis=1)
    if names is not None:
        require_names(names, max(probabilities.shape[1], int(labels.max()) + 1))
    wrong = np.flatnonzero(given != labels)
    chosen = wrong[np.argsort(-sure[wrong], kind="stable")][:count]
    tiles = _images(rows[chosen], image_shape)
    across = max(1, min(5, len(chosen)))
    down = max(1, -(-len(chosen) // across))
    height = IMAGE * tiles.shape[1] / tiles.shape[2]
    cell = height + WORDS  # of width 1
    ax = axes_of(ax, 1.5 * across, 1.5 * cell * down)
    ax.set_axis_off()

    def name(label: int) -> str:
        return str(label) if names is None else names[label]

    for k, (row, tile) in enumerate(zip(chosen, tiles, strict=True)):
        i, j = divmod(k, across)
        top, left = i * cell + WORDS, j + (1 - IMAGE) / 2
        place = (left, left + IMAGE, top + height, top)
        ax.imshow(tile, cmap="gray", vmin=0.0, vmax=1.0, extent=place, interpolation="nearest")
        text = f"{name(int(given[row]))}, {sure[row]:.0%}\nis {name(int(labels[row]))}"
        ax.text(j + 0.5, top - 0.03, text, ha="center", va="bottom", fontsize="small")
    ax.set(xlim=(0, across), ylim=(down * cell, 0), aspect="equal")
    if not len(chosen):
        ax.text(0.5, cell / 2, "none", ha="center", va="center")
    return figure_of(ax)


def _tiles(W: NDArray[np.float64], image_shape: tuple[int, ...]) -> NDArray[np.float64]:
    """(D, H) -> (H, rows, columns, channels), each tile stretched over 0 to 1."""
    shape = _drawable(image_shape)
    if W.ndim != 2 or W.shape[0] != np.prod(shape):
        raise ValueError(f"weights of shape {W.shape} are not images of shape {image_shape} in columns")
    low, high = W.min(axis=0), W.max(axis=0)
    stretched = (W - low) / np.where(high > low, high - low, 1.0)
    tiles: NDArray[np.float64] = stretched.T.reshape(-1, *shape).transpose(0, 2, 3, 1)
    return tiles


def _images(rows: NDArray[Any], image_shape: tuple[int, ...]) -> NDArray[np.float64]:
    """(N, D) -> (N, rows, columns, channels) or, of grey ones, (N, rows, columns), from 0 to 1."""
    shape = _drawable(image_shape)
    if rows.ndim != 2 or rows.shape[1] != np.prod(shape):
        raise ValueError(f"rows of shape {rows.shape} are not images of shape {image_shape}")
    values = rows.astype(np.float64)
    low, high = (0.0, 255.0) if rows.dtype == np.uint8 or not rows.size else (values.min(), values.max())
    values = (values - low) / ((high - low) or 1.0)
    tiles: NDArray[np.float64] = values.reshape(-1, *shape).transpose(0, 2, 3, 1)
    return tiles if shape[0] == 3 else tiles[..., 0]


def _drawable(image_shape: tuple[int, ...]) -> tuple[int, ...]:
    shape = (1, *image_shape) if len(image_shape) == 2 else tuple(image_shape)
    if len(shape) != 3 or shape[0] not in (1, 3):
        raise ValueError(f"images of 1 or 3 channels can be drawn, not of shape {image_shape}")
    return shape


def _sheet(tiles: NDArray[np.float64]) -> NDArray[np.float64]:
    """Lay tiles out in a grid as near to a square as their number allows; what is between them lets the ground through.

    (count, rows, columns, channels) -> (.., .., 4): red, green, blue and opacity.
    """
    count, rows, columns, _ = tiles.shape
    across = int(np.ceil(np.sqrt(count)))
    down = -(-count // across)
    sheet = np.zeros((down * (rows + 1) + 1, across * (columns + 1) + 1, 4))
    for k, tile in enumerate(tiles):
        top, left = (k // across) * (rows + 1) + 1, (k % across) * (columns + 1) + 1
        sheet[top : top + rows, left : left + columns, :3] = tile
        sheet[top : top + rows, left : left + columns, 3] = 1.0
    return sheet
