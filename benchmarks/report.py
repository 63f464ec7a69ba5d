"""From results/*.json to texts between marks in the README files, and a picture.

A text stands between `<!-- mark:begin -->` and `<!-- mark:end -->` and is written over as a whole.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import picture
from benchmarks.contestants import BASE
from fastnet.bench import Row, row

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
Result = dict[str, Any]


def save(name: str, result: Result) -> None:
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n")


def render(root: Path = ROOT) -> Iterator[str]:
    """Write every text whose results there are, and the picture; tell what became of each."""
    results = root / "benchmarks" / "results"
    for name, mark, file, write in TEXTS:
        source = results / f"{name}.json"
        if not source.exists():
            yield f"{name}: no {source.relative_to(root)} yet, run the benchmark first"
            continue
        result = json.loads(source.read_text())
        text = write(result)
        yield f"\n{text}\n"
        yield f"{file}, {mark}: {write_between_marks(root / file, mark, text)}"
        if write is compare_table:
            yield picture.write(result, compare_rows(result), results / "compare.svg")


def write_between_marks(file: Path, mark: str, text: str) -> str:
    """Replace what stands between the marks; say what was done."""
    begin, end = f"<!-- {mark}:begin -->", f"<!-- {mark}:end -->"
    if not file.exists():
        return "is not there, nothing written"
    before, found, rest = (content := file.read_text()).partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        return f"has no {begin} ... {end}, nothing written"
    new = f"{before}{begin}\n{text}\n{end}{after}"
    if new == content:
        return "is up to date"
    file.write_text(new)
    return "written"


def markdown(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table, its first column to the left and the others to the right."""
    rule = ["---"] + ["---:"] * (len(heads) - 1)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (heads, rule, *rows))


def origin(result: Result) -> str:
    """Where and how it was measured: the last line of every table."""
    versions = ", ".join(f"{name} {number}" for name, number in result["versions"].items())
    return (
        f"`{result['command']}`, {result['date']}, {result['cpu']} ({result['vector unit']}), "
        f"{result['system']}, {result['threads']} threads, medians of {result['rounds']} rounds.  {versions}."
    )


# --- all contestants -------------------------------------------------------------------------------------


def compare_rows(result: Result) -> list[Row]:
    """Fastest first."""
    contestants = result["contestants"]
    base, flops = contestants[BASE]["seconds"], result["flops_per_step"] * result["steps"]
    rows = [
        row(name, c["seconds"], base, result["peak_flops_per_second"][c["dtype"]], flops, result["steps"])
        for name, c in contestants.items()
    ]
    return sorted(rows, key=lambda r: r.ms)


def compare_table(result: Result) -> str:
    def cells(r: Row) -> list[str]:
        own = r.name.startswith("fastnet")
        name = f"**{r.name}**" if own else r.name + (" (fastnet loses)" if r.ratio < 1 else "")
        error = result["contestants"][r.name]["loss_error"]
        return [
            name,
            f"{r.ms:.2f}",
            f"{r.ratio:.2f}",
            f"{r.gflops:.0f}",
            f"{100 * r.fraction:.0f} %",
            f"{error:.0e}",
        ]

    heads = ("", "ms a step", "ratio", "GFLOP/s", "of the peak", "loss error")
    sizes = ", ".join(f"{letter}={size}" for letter, size in result["sizes"].items())
    peaks = ", ".join(
        f"{median(p) / 1e9:.0f} ({dtype})" for dtype, p in result["peak_flops_per_second"].items()
    )
    lines = [
        markdown(heads, [cells(r) for r in compare_rows(result)]),
        "",
        f"A training step at {sizes}, of {result['num_train']:,} uint8 images ({result['images']}).  "
        f"Peak: {peaks} GFLOP/s of multiply-adds.  {origin(result)}",
    ]
    lines += [f"Left out: {name}, {reason}." for name, reason in result["missing"].items()]
    return "\n".join(lines)


def claim(result: Result) -> str:
    """The comparison in a sentence: the fastest way found with each library."""
    rows = compare_rows(result)
    own = next(r for r in rows if r.name == BASE)
    fastest: dict[str, Row] = {}
    for r in rows:
        fastest.setdefault(r.name.split()[0], r)
    others = [f"{r.ratio:.1f} times as fast as {library}" for library, r in fastest.items() if r.name != BASE]
    return (
        f"A training step of the lab's network on CIFAR-10's sizes takes **{own.ms:.2f} ms** in float32 "
        f"on {result['threads']} cores of {result['cpu']}, {100 * own.fraction:.0f} % of their multiply-add "
        f"peak: {', '.join(others)}, each in the fastest way found ([numbers](#numbers))."
    )


# --- sizes -----------------------------------------------------------------------------------------------


def sweep_table(result: Result) -> str:
    lost, rows = 0, []
    for point in result["points"]:
        own, numpy = point["seconds"]["fastnet"], point["seconds"]["NumPy"]
        ratio = median(theirs / ours for ours, theirs in zip(own, numpy, strict=True))
        lost += ratio < 1
        microseconds = [_digits(1e6 * median(s) / point["steps"]) for s in (own, numpy)]
        verdict = f"**{ratio:.2f}, lost**" if ratio < 1 else f"{ratio:.2f}"
        sizes = [str(point["sizes"].get(letter, "")) for letter in "NDHC"]
        model = "two-layer" if point["sizes"].get("H") else "linear"
        rows.append([model, *sizes, point["dtype"], *microseconds, verdict, f"{point['loss_error']:.0e}"])
    heads = (
        "",
        "N",
        "D",
        "H",
        "C",
        "type",
        "fastnet, µs a step",
        "NumPy, µs",
        "NumPy / fastnet",
        "loss error",
    )
    return "\n".join([markdown(heads, rows), "", f"Lost: {lost} of {len(rows)}.  {origin(result)}"])


def _digits(number: float) -> str:
    return f"{number:.1f}" if number < 100 else f"{number:,.0f}"


# --- figures ---------------------------------------------------------------------------------------------


def figures_table(result: Result) -> str:
    seconds, starts = result["seconds"], result["starts"]

    def ratio(one: str, other: str) -> float:
        return median(a / b for a, b in zip(seconds[one], seconds[other], strict=True))

    def start(state: str, what: str) -> float:
        return median(s[state][what] for s in starts)

    speeds = [result["predict_flops"] / s for s in seconds["predict many, fastnet"]]
    fraction = median(own / most for own, most in zip(speeds, result["peak_flops_per_second"], strict=True))
    many, one = (median(seconds[f"predict {count}, fastnet"]) for count in ("many", "one"))
    rows = [
        (
            "a worker a core, times faster than one worker",
            f"{ratio('train, 1 worker', 'train, a worker a core'):.2f}",
        ),
        (
            "4 workers a core, times the time",
            f"{ratio('train, 4 workers a core', 'train, a worker a core'):.2f}",
        ),
        (f"predict {result['predicted']:,} images, ms", f"{1e3 * many:.1f}"),
        ("of the multiply-add peak", f"{100 * fraction:.0f} %"),
        ("times faster than NumPy", f"{ratio('predict many, NumPy', 'predict many, fastnet'):.2f}"),
        ("predict one image, µs", f"{1e6 * one / result['single']:.0f}"),
        ("times faster than NumPy", f"{ratio('predict one, NumPy', 'predict one, fastnet'):.2f}"),
        ("`import fastnet` over `import numpy`, ms", f"{1e3 * start('warm', 'import fastnet'):.0f}"),
        ("first `train`, nothing compiled yet, s", f"{start('cold', 'first train'):.2f}"),
        ("first `train`, compiled before, s", f"{start('warm', 'first train'):.2f}"),
        ("most memory beside the data, compiling, MB", f"{start('cold', 'bytes beside the data') / 1e6:.0f}"),
        (
            "most memory beside the data, compiled before, MB",
            f"{start('warm', 'bytes beside the data') / 1e6:.0f}",
        ),
    ]
    return "\n".join([markdown(("float32", ""), rows), "", origin(result)])


# result, mark, file, text
TEXTS: list[tuple[str, str, str, Callable[[Result], str]]] = [
    ("compare", "claim", "README.md", claim),
    ("compare", "benchmark", "README.md", compare_table),
    ("sweep", "sweep", "benchmarks/README.md", sweep_table),
    ("figures", "figures", "benchmarks/README.md", figures_table),
]
