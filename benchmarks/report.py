"""From results/*.json to texts between marks in the README files, and a picture.

A text stands between `<!-- mark:begin -->` and `<!-- mark:end -->` and is written over as a whole.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks import picture, tables
from benchmarks.tables import Result

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"

# What is made of each result: mark, file, text.
TEXTS: dict[str, list[tuple[str, str, Callable[[Result], str]]]] = {
    "compare": [("claim", "README.md", tables.claim), ("benchmark", "README.md", tables.compare)],
    "sweep": [("sweep", "benchmarks/README.md", tables.sweep)],
    "figures": [("figures", "benchmarks/README.md", tables.figures)],
    "first_try": [("first-try", "README.md", tables.first_try)],
    "grid": [("grid", "benchmarks/README.md", tables.grid)],
    "accuracy": [("accuracy", "README.md", tables.accuracy)],
    "gains": [("gains", "benchmarks/README.md", tables.gains)],
    "phases": [("phases", "benchmarks/README.md", tables.phases)],
}


def save(name: str, result: Result) -> None:
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n")


def render(name: str, root: Path = ROOT) -> Iterator[str]:
    """Write the texts of one result, and its picture; tell them, and what became of each."""
    source = root / "benchmarks" / "results" / f"{name}.json"
    if not source.exists():
        yield f"{source.relative_to(root)} is not there yet: run the benchmark first"
        return
    result = json.loads(source.read_text())
    for mark, file, write in TEXTS[name]:
        text = write(result)
        yield f"\n{text}\n"
        yield f"{file}, {mark}: {write_between_marks(root / file, mark, text)}"
    if name == "compare":
        yield picture.write(result, tables.compare_rows(result), source.with_suffix(".svg"))
    if name == "accuracy":
        yield picture.write_accuracies(result, source.with_suffix(".svg"))


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
