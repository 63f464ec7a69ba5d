"""Squares with numbers: the combinations of a search, the confusions of a model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from fastnet.plots.canvas import FAINT, INK, PALETTE, axes_of, figure_of, labels_of, require_names

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

    from fastnet.searching import Search


def search_map(search: Search, names: Sequence[str] | None = None, ax: Axes | None = None) -> Figure:
    """Draw the validation accuracies of a search, a square for each combination, the best one framed.

    Parameters
    ----------
    search : what fastnet.search returned
    names : one or two names of its grid, down and across; default its first two
        A square shows the best over all other names.
    ax : where to draw; default a figure of its own

    Returns
    -------
    matplotlib Figure
        That of ax, if it was given.

    Raises
    ------
    ValueError
        A name that is not in the grid, or twice, or more than two; and a search of which nothing had finished.
    """
    if not search.finished:
        raise ValueError("the search has no finished combination, expected at least one")
    known = list(search.finished[0][0].values)
    names = known[:2] if names is None else list(names)
    if not 1 <= len(names) <= 2 or len(set(names)) < len(names) or not set(names) <= set(known):
        raise ValueError(f"names are {', '.join(names)}, expected one or two of {', '.join(known)}")
    across, down = names[-1], names[0]
    best: dict[tuple[Any, Any], float] = {}
    for point, row in search.finished:
        place = (point.values[down] if len(names) == 2 else None, point.values[across])
        best[place] = np.fmax(best.get(place, np.nan), row.val_accuracy)
    rows, columns = (list(dict.fromkeys(place[k] for place in best)) for k in (0, 1))
    cells = np.array([[best.get((r, c), np.nan) for c in columns] for r in rows])
    ax = axes_of(ax, 1.6 + 0.9 * len(columns), 1.3 + 0.7 * len(rows))
    ax.set_facecolor(FAINT)  # of squares without an accuracy, on dark axes as well
    image = ax.imshow(np.ma.masked_invalid(cells), cmap="viridis", aspect="auto")
    _write(ax, image, [[f"{cell:.3f}" for cell in row] for row in cells])
    if search.best_point is not None:
        best_down = search.best_point[down] if len(names) == 2 else None
        _frame(ax, rows.index(best_down), columns.index(search.best_point[across]))
    ax.set_xticks(range(len(columns)), [f"{c:g}" if isinstance(c, float) else str(c) for c in columns])
    ax.set_yticks(range(len(rows)), [f"{r:g}" if isinstance(r, float) else str(r) for r in rows])
    ax.set_xlabel(across)
    ax.set_ylabel(down)
    if len(names) == 1:
        ax.set_yticks([])
        ax.set_ylabel("")
    ax.set_title("accuracy on the validation set", fontsize="medium")
    return figure_of(ax)


def confusion_matrix(
    labels: ArrayLike, predicted: ArrayLike, names: Sequence[str] | None = None, ax: Axes | None = None
) -> Figure:
    """Draw how many rows of each class were given to which, each square as deep as its part of the class.

    Parameters
    ----------
    labels : int array of shape (N,), the classes that rows are of, down
    predicted : int array of shape (N,), those that a model gave them, across
    names : a name for each class; default its number
    ax : where to draw; default a figure of its own

    Returns
    -------
    matplotlib Figure
        That of ax, if it was given.

    Raises
    ------
    ValueError
        Arrays that are not of one length, or labels that have no name.
    """
    own = labels_of("labels", labels, np.size(labels))
    given = labels_of("predicted", predicted, len(own))
    classes = int(max(own.max(), given.max())) + 1
    if names is None:
        names = [str(label) for label in range(classes)]
    require_names(names, classes)
    counts = np.zeros((len(names), len(names)), np.int64)
    np.add.at(counts, (own, given), 1)
    parts = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    size = 1.8 + 0.55 * len(names)
    ax = axes_of(ax, size, size)
    image = ax.imshow(parts, cmap="viridis", vmin=0.0, vmax=1.0)
    _write(ax, image, [[str(count) for count in row] for row in counts])
    ax.set_xticks(range(len(names)), names, rotation=45, ha="right")
    ax.set_yticks(range(len(names)), names)
    ax.set_xlabel("predicted")
    ax.set_ylabel("class")
    ax.set_title(f"accuracy {np.trace(counts) / len(own):.3f}", fontsize="medium")
    return figure_of(ax)


def _write(ax: Axes, image: AxesImage, texts: list[list[str]]) -> None:
    """Write a text into each cell, in the colour that is read on it; "none" where there is no number."""
    depths = np.ma.asarray(image.norm(image.get_array()))  # type: ignore[arg-type,var-annotated]  # it has an array
    for (row, column), absent in np.ndenumerate(np.ma.getmaskarray(depths)):
        light = not absent and depths[row, column] > 0.6
        text, ink = ("none", INK) if absent else (texts[row][column], "black" if light else "white")
        ax.text(column, row, text, ha="center", va="center", color=ink)


def _frame(ax: Axes, row: int, column: int) -> None:
    from matplotlib.patches import Rectangle

    frame: dict[str, Any] = {"fill": False, "edgecolor": PALETTE[1], "linewidth": 3, "clip_on": False, "zorder": 3}
    ax.add_patch(Rectangle((column - 0.5, row - 0.5), 1.0, 1.0, **frame))
