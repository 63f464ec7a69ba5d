"""Results as pictures.

The comparison: a bar for each median, a dot for each round, a line where the machine ends.  Accuracies: a dot for each
seed, over its seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from fastnet.bench import Row

OURS, OTHERS, LIMIT = "#1f6feb", "#b0b7c0", "#d1242f"


def write(result: dict[str, Any], rows: list[Row], file: Path) -> str:
    """Draw rows, from the top down; say what was done."""
    return _drawn(lambda figure: _bars(figure, result, rows), file, (8.0, 0.6 + 0.36 * len(rows)))


def write_accuracies(result: dict[str, Any], file: Path) -> str:
    """Draw the accuracies of each image set; say what was done."""
    return _drawn(lambda figure: _accuracies(figure, result["sets"]), file, (8.0, 4.0 * len(result["sets"])))


def _drawn(draw: Callable[[Any], None], file: Path, size: tuple[float, float]) -> str:
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ImportError:
        return f"{file.name}: not drawn, matplotlib is not installed (extra `plot`)"
    figure = Figure(figsize=size, layout="constrained")
    draw(figure)
    # Without salt and with a date the file would differ each time it is drawn from the same numbers; with its
    # letters as outlines it would be four times as large.
    with matplotlib.rc_context({"svg.hashsalt": "fastnet", "svg.fonttype": "none"}):
        figure.savefig(file, metadata={"Date": None})
    return f"{file.name}: drawn"


def _bars(figure: Any, result: dict[str, Any], rows: list[Row]) -> None:
    axes = figure.add_subplot()
    places = list(range(len(rows)))[::-1]
    axes.barh(places, [r.ms for r in rows], height=0.65, color=[_colour(r.name) for r in rows])
    for place, r in zip(places, rows, strict=True):
        rounds = [1e3 * s / result["steps"] for s in result["contestants"][r.name]["seconds"]]
        axes.plot(rounds, [place] * len(rounds), ".", markersize=3, color="black", alpha=0.5)
    floor = 1e3 * result["flops_per_step"] / median(result["peak_flops_per_second"]["float32"])
    axes.axvline(floor, color=LIMIT, linestyle="--", linewidth=1, label="float32 multiply-add peak")
    axes.set_yticks(places, [r.name for r in rows])
    axes.set_xlim(0, 1.25 * max(r.ms for r in rows))  # a round that was interrupted may lie beyond
    axes.set_xlabel("ms a training step; dots: rounds")
    axes.legend(loc="upper right", frameon=False)  # where the bars are shortest
    axes.spines[["top", "right"]].set_visible(False)


def _accuracies(figure: Any, sets: dict[str, Any]) -> None:
    for axes, (title, found) in zip(figure.subplots(len(sets), squeeze=False)[:, 0], sets.items(), strict=True):
        libraries: dict[str, str] = {}  # and their markers: names at all dots would lie upon each other
        for name, contestant in found["contestants"].items():
            seconds, accuracy = contestant["seconds"], contestant["accuracy"]
            if not seconds:  # not measured yet
                continue
            library, _, recipe = name.partition(", ")
            first = library not in libraries
            marker, colour = libraries.setdefault(library, "os^Dv"[len(libraries)]), _colour(name)
            axes.plot(seconds, accuracy, marker, markersize=4, color=colour, label=library if first else None)
            if colour == OURS:
                axes.annotate(f"  {recipe}", (max(seconds), median(accuracy)), fontsize=8, color=colour, va="center")
        axes.legend(loc="lower right", frameon=False)  # who takes long is as accurate as its recipe
        axes.set_xscale("log")
        axes.margins(x=0.25)  # room for the names
        axes.set_title(title)
        axes.set_xlabel("seconds, preparation included; dots: seeds")
        axes.set_ylabel("test accuracy")
        axes.spines[["top", "right"]].set_visible(False)


def _colour(name: str) -> str:
    return OURS if name.startswith("fastnet") else OTHERS
