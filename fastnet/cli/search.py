"""`fastnet search`: nets for every combination of the values given, the best of them saved, and what came of each."""

from __future__ import annotations

import argparse
import csv
import io
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, fields, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastnet.cli import signals
from fastnet.cli.console import Console, Report
from fastnet.cli.errors import CommandError, Interrupted
from fastnet.cli.evaluate import accuracy
from fastnet.cli.files import model_file, output_folder, require_same_origin, save
from fastnet.cli.networks import Facts, network
from fastnet.cli.progress import Meter, duration
from fastnet.cli.recipes import AUTO, SEARCHED, Recipe, recipes
from fastnet.cli.sources import origin, title, training_data
from fastnet.cli.summary import data_line
from fastnet.cli.train import Rows, divide, optimizer_of, schedule_of
from fastnet.files import replacing

if TYPE_CHECKING:
    from fastnet.data import Dataset
    from fastnet.searching import Search, SearchProgress

BUILT = ("hidden_size", "std")  # of the arguments searched, those of the network; the others are train's


def run(arguments: argparse.Namespace, console: Console) -> Report:
    recipe, grid = _plan(arguments)
    out = output_folder(arguments.out)
    dataset = training_data(arguments, recipe.seed)
    rows = divide(dataset, recipe)
    own_iterations = partial(_iterations, recipe, len(rows.X)) if _follow(recipe, grid) else None
    recipe = recipe.for_rows(len(rows.X), len(dataset.X_train) - len(rows.X))
    if rows.X_val is None:
        raise CommandError("--validation is 0, expected rows to choose by: at least 1")
    parts = {"training": rows.X, "validation": rows.X_val, "test": dataset.X_test}
    console.line(data_line(arguments.dataset, parts, dataset.image_shape, dataset.num_classes))
    stem = out / f"{title(arguments)}-{recipe.model}-search"
    source = origin(arguments)
    require_same_origin(model_file(stem), source)
    try:
        found = _search(arguments, recipe, own_iterations or recipe.iterations, grid, dataset, rows, console)
    except BaseException as error:
        saved = [arguments.journal] if arguments.journal else []
        # A CommandError says what ended a search; that has the nets that had finished.
        search = getattr(error.__cause__ if isinstance(error, CommandError) else error, "search", None)
        if search is not None and search.best_net is not None:
            saved.append(_save(search, stem.with_name(f"{stem.name}-interrupted"), source))
            if isinstance(error, Exception):
                console.complain(f"the best net so far is in {saved[-1]}")
        if isinstance(error, KeyboardInterrupt):
            raise Interrupted(saved, error) from error
        raise
    path = _save(found, stem, source)
    report = {
        "dataset": arguments.dataset,
        "model": recipe.model,
        "settings": asdict(recipe),
        "best": found.best_point,
        "validation_accuracy": found.best_val,
        "test_accuracy": accuracy(found.best_net, dataset.X_test, dataset.y_test),
        "table": found.table,
        "path": str(path),
        "csv": str(_table(found, stem)),
        "pictures": _pictures(found, stem, console),
    }
    console.lines(_lines(found, report))
    return report


def _plan(arguments: argparse.Namespace) -> tuple[Recipe, dict[str, list[Any]]]:
    """The recipe that all nets share, and the grid: what has several values, by the names of fastnet's arguments."""
    given = {f.name: getattr(arguments, f.name) for f in fields(Recipe) if hasattr(arguments, f.name)}
    several = {name: given[name] for name in SEARCHED if len(given.get(name, [])) > 1}
    if not several:
        options = ", ".join(f"--{name.replace('_', '-')}" for name in SEARCHED)
        raise CommandError(f"there is nothing to choose from: give several values to any of {options}")
    changes = {n: v[0] if n in SEARCHED else v for n, v in given.items()}
    (recipe,) = recipes(arguments.dataset, changes, arguments.recipe)
    grid = {SEARCHED[name]: values for name, values in several.items()}
    if arguments.halving is not None and _follow(recipe, grid):
        raise CommandError("--halving shares out iterations, the same for all nets: give --iterations")
    return recipe, grid


def _follow(recipe: Recipe, grid: dict[str, list[Any]]) -> bool:
    """Whether each net has iterations of its own, which follow from its batch size."""
    return recipe.iterations == AUTO and "batch_size" in grid


def _iterations(recipe: Recipe, rows: int, values: dict[str, Any]) -> int:
    return replace(recipe, batch_size=values["batch_size"]).for_rows(rows, 0).iterations


def _search(
    arguments: argparse.Namespace,
    recipe: Recipe,
    num_iters: int | Callable[[dict[str, Any]], int],
    grid: dict[str, list[Any]],
    dataset: Dataset,
    rows: Rows,
    console: Console,
) -> Search:
    import fastnet
    from fastnet.searching import SearchError, dask

    fixed = {name: getattr(recipe, field) for field, name in SEARCHED.items() if name not in grid}
    if "num_iters" in fixed:
        fixed["num_iters"] = num_iters
    facts = Facts.of(dataset, rows.X, recipe.normalize)
    build = partial(
        network, facts, recipe.model, recipe.dtype, recipe.matmul_precision,
        **{n: fixed.pop(n) for n in BUILT if n in fixed},
    )  # fmt: skip
    with ExitStack() as stack:
        executor = None
        if arguments.dask is not None:
            executor = stack.enter_context(dask.connect(arguments.dask)).get_executor()
        meter = Meter(sys.stderr, lines=not console.json)
        stack.callback(meter.close)
        meter.announce("getting ready: what is new to this CPU is compiled first, for some seconds")
        try:
            return fastnet.search(
                *(build, rows.X, rows.y, rows.X_val, rows.y_val, grid),
                seed=recipe.seed,
                workers=arguments.workers,
                executor=executor,
                journal=arguments.journal,
                halving=arguments.halving,
                callback=partial(_show, meter),
                sampling=recipe.sampling,
                schedule=schedule_of(recipe),
                optimizer=optimizer_of(recipe),
                **fixed,
            )
        except SearchError as error:
            raise CommandError(str(error)) from error


def _show(meter: Meter, state: SearchProgress) -> None:
    def text() -> str:
        left = f"  {duration(state.seconds_left)} left" if state.done < state.total else ""
        return f"{state.done}/{state.total} nets  best validation {state.best_val:.3f}{left}"

    meter.show(state.done, state.total, text)
    signals.check()


def _save(found: Search, stem: Path, source: str | None) -> Path:
    save(found.best_net, model_file(stem), source)
    return model_file(stem)


def _table(found: Search, stem: Path) -> Path:
    path = stem.with_name(f"{stem.name}.csv")
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(found.table[0]))
    writer.writeheader()
    writer.writerows(found.table)
    with replacing(path) as file:
        file.write(text.getvalue().encode())
    return path


def _pictures(found: Search, stem: Path, console: Console) -> list[str]:
    from fastnet import plots

    path = stem.with_name(f"{stem.name}.png")
    try:
        figure = plots.search_map(found)
    except ImportError as error:
        console.complain(f"pictures skipped: {error}")
        return []
    with replacing(path) as file:
        figure.savefig(file, format="png")
    return [str(path)]


def _lines(found: Search, report: Report) -> Iterator[str]:
    """The lines of CS231n's assignment, in the grid's order; and where the results are."""
    for point, row in found.finished:
        words = " ".join(f"{'lr' if n == 'learning_rate' else n} {_number(v)}" for n, v in point.values.items())
        result = f"train accuracy: {row.train_accuracy:.6f} val accuracy: {row.val_accuracy:.6f}"
        note = {"done": "", "stopped": f" (stopped after {row.iterations} iterations)"}.get(row.status)
        yield f"{words} {row.status}: {row.reason}" if note is None else f"{words} {result}{note}"
    yield f"best validation accuracy achieved during cross-validation: {found.best_val:.6f}"
    if report["test_accuracy"] is not None:
        yield f"its accuracy on the test set: {report['test_accuracy']:.6f}"
    yield f"saved {', '.join([report['path'], report['csv'], *report['pictures']])}"


def _number(value: Any) -> str:
    return f"{value:e}" if isinstance(value, float) else str(value)
