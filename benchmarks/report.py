"""From results/*/*.json to texts between marks in the README files, and a picture.

Machines that differ in their vector unit have folders of their own, so that a reader sees the results of each.

A text stands between `<!-- mark:begin -->` and `<!-- mark:end -->` and is written over as a whole.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks import picture, tables
from benchmarks.tables import Result

ROOT = Path(__file__).parents[1]
OF_A_RUN = ("command", "date", "time")  # of a result's head; the rest is where it ran
Text = Callable[[list[Result]], str]  # of the results of all kinds of machine, the newest first


def newest(write: Callable[[Result], str]) -> Text:
    """Of the last machine measured alone."""
    return lambda results: write(results[0])


def each(write: Callable[[Result], str]) -> Text:
    """Of every kind of machine, under its name."""
    return lambda results: "\n\n".join(f"**{result['vector unit']}**\n\n{write(result)}" for result in results)


# What is made of the results: mark, file, text.
TEXTS: dict[str, list[tuple[str, str, Text]]] = {
    "compare": [
        ("claim", "README.md", newest(tables.claim)),
        ("benchmark", "README.md", newest(tables.compare)),
        ("compare", "benchmarks/README.md", each(tables.compare)),
    ],
    "sweep": [("sweep", "benchmarks/README.md", each(tables.sweep))],
    "figures": [("figures", "benchmarks/README.md", each(tables.figures))],
    "first_try": [("first-try", "README.md", newest(tables.first_try))],
    "grid": [("grid", "benchmarks/README.md", each(tables.grid))],
    "accuracy": [("accuracy", "README.md", newest(tables.accuracy))],
    "gains": [("gains", "benchmarks/README.md", newest(tables.gains))],
    "precision": [("precision", "benchmarks/README.md", each(tables.precision))],
    "phases": [("phases", "benchmarks/README.md", each(tables.phases))],
}


def save(name: str, result: Result, root: Path = ROOT) -> None:
    """Beside those of other kinds of machine, over an older one of this kind."""
    folder = root / "benchmarks" / "results" / folder_of(result)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n")


def folder_of(head: Result) -> str:
    """The name of the folder of a kind of machine."""
    return str(head["vector unit"]).lower().replace(" ", "-")


def begun(name: str, head: Result, root: Path = ROOT) -> Result:
    """The result of that name to add to, under a new head: what was measured on this machine with these versions.

    Else the head alone: seconds of two machines do not go into one table.
    """
    file = root / "benchmarks" / "results" / folder_of(head) / f"{name}.json"
    found = json.loads(file.read_text()) if file.exists() else {}
    same = all(found.get(key) == value for key, value in head.items() if key not in OF_A_RUN)
    return {**found, **head} if same else dict(head)


def render(name: str, root: Path = ROOT) -> Iterator[str]:
    """Write the texts of one kind of result, and its picture; tell them, and what became of each."""
    folder = root / "benchmarks" / "results"
    results = [json.loads(file.read_text()) for file in sorted(folder.glob(f"*/{name}.json"))]
    if not results:
        yield f"no {name}.json is there yet: run the benchmark first"
        return
    results.sort(key=lambda result: (result["date"], result.get("time", "")), reverse=True)
    for mark, file, write in TEXTS[name]:
        text = write(results)
        yield f"\n{text}\n"
        yield f"{file}, {mark}: {write_between_marks(root / file, mark, text)}"
    if name == "compare":
        yield picture.write(results[0], tables.compare_rows(results[0]), folder / "compare.svg")
    if name == "accuracy":
        yield picture.write_accuracies(results[0], folder / "accuracy.svg")


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
