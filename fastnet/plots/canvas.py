"""Figures, axes and colours, and labels: what all pictures share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MISSING_MATPLOTLIB = 'pictures need matplotlib: pip install "fastnet-cpu[plot]"'
DPI = 150
INK, FAINT = "#333333", "#dddddd"
# Ten colours that stay apart for readers with the common colour-vision deficiencies.
PALETTE = (
    *("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee"),
    *("#aa3377", "#997700", "#004488", "#ee8866", "#777777"),
)


def new_figure(width: float, height: float, layout: Literal["constrained"] | None = "constrained") -> Figure:
    """A figure of so many inches; ImportError, with the mend, without matplotlib."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(MISSING_MATPLOTLIB) from error
    return Figure(figsize=(width, height), dpi=DPI, layout=layout)


def axes_of(ax: Axes | None, width: float, height: float) -> Axes:
    """The axes given, or those of a new figure."""
    return new_figure(width, height).subplots() if ax is None else ax


def figure_of(ax: Axes) -> Figure:
    """The figure, or the part of one, that axes belong to; either draws."""
    figure: Figure = ax.figure  # type: ignore[assignment]  # or a part of one, which draws as well
    return figure


def label(axes: Axes, *, x: str, y: str) -> None:
    """What the axes are of, and lines to read them by."""
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.grid(color="#888888", alpha=0.3, linewidth=0.6)  # faint on dark axes as well
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def legend(axes: Axes, given: Axes | None) -> None:
    """Above the curves of a figure of our own, whichever way they go; somewhere among them in axes given."""
    if given is None:
        figure_of(axes).legend(loc="outside upper left", ncols=2, frameon=False)
    else:
        axes.legend(frameon=False)


def labels_of(what: str, values: ArrayLike, rows: int) -> NDArray[Any]:
    """The labels of so many rows.  Raises ValueError, which calls them `what`, for anything but integers from 0 on."""
    found = np.asarray(values)
    if found.shape != (rows,) or found.dtype.kind not in "iu" or not rows:
        raise ValueError(f"{what} of shape {found.shape} and dtype {found.dtype}, expected integers, one a row")
    if found.min() < 0:
        raise ValueError(f"{what} go down to {found.min()}, expected numbers from 0 on")
    return found


def require_names(names: Sequence[str], classes: int) -> None:
    """Raise ValueError where there are fewer names than classes."""
    if len(names) < classes:
        raise ValueError(f"labels up to {classes - 1} have {len(names)} names, expected a name for each")
