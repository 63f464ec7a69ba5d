"""`fastnet evaluate`: a saved model on a test set: accuracy, precision and recall of each class, confusion matrix."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastnet.cli.console import Console, Report
from fastnet.cli.errors import about
from fastnet.cli.sources import class_name, existing, found_data, saved_model

if TYPE_CHECKING:
    from fastnet.data import Dataset

MOST_COLUMNS = 20  # of a confusion matrix that is written for people


def run(arguments: argparse.Namespace, console: Console) -> Report:
    existing(arguments.data, "check --data")
    model = saved_model(arguments.model)
    dataset = found_data(arguments.data, arguments.label, model)
    part, X, y = _part(dataset)
    with about(arguments.data):
        given = model.predict(X)
    confusion = np.zeros((max(model.output_size, int(y.max()) + 1),) * 2, np.int64)
    np.add.at(confusion, (y, given), 1)
    report = {
        "model": str(arguments.model),
        "data": str(arguments.data),
        "part": part,
        "images": len(y),
        "accuracy": float((given == y).mean()),
        "classes": list(_classes(confusion, model.label_names or dataset.label_names)),
        "confusion": confusion.tolist(),
    }
    console.lines(_lines(report, "images" if model.image_shape or dataset.image_shape else "rows"))
    return report


def accuracy(model: Any, X: Any, y: Any) -> float | None:
    """The fraction of rows that get their own label; None where there are no rows."""
    return None if X is None else float(np.mean(model.predict(X) == y))


def _part(dataset: Dataset) -> tuple[str, Any, Any]:
    """What to measure on: a table, or an archive of X and y alone, has been brought here to be measured on."""
    if dataset.X_test is None:
        return "all" if dataset.feature_names else "training", dataset.X_train, dataset.y_train
    return "test", dataset.X_test, dataset.y_test


def _classes(confusion: NDArray[np.int64], names: Sequence[str] | None) -> Iterator[Report]:
    """Of each class that has a row, or is given to one; None where there is nothing to divide by."""
    for label, (own, given) in enumerate(zip(confusion.sum(axis=1), confusion.sum(axis=0), strict=True)):
        if own or given:
            right = int(confusion[label, label])
            yield {
                "label": label,
                "name": class_name(label, names),
                "images": int(own),
                "precision": right / int(given) if given else None,
                "recall": right / int(own) if own else None,
            }


def _lines(report: Report, noun: str) -> Iterator[str]:
    part = "" if report["part"] == "all" else f"{report['part']} "
    yield f"{part}accuracy {report['accuracy']:.4f} of {report['images']} {noun}"
    titles = [f"{row['label']} {row['name'] or ''}".rstrip() for row in report["classes"]]
    width = max(16, *map(len, titles))
    yield f"  {'class'.ljust(width)} precision    recall  {noun}"
    for title, row in zip(titles, report["classes"], strict=True):
        shares = (f"{'-' if row[of] is None else format(row[of], '.4f'):>9}" for of in ("precision", "recall"))
        yield f"  {title.ljust(width)} {' '.join(shares)}  {row['images']}"
    labels = [row["label"] for row in report["classes"]]
    if len(labels) <= MOST_COLUMNS:
        cells = max(len(str(report["images"])), len(str(labels[-1]))) + 1
        yield f"  {'class, given as'.ljust(width)}{''.join(f'{label:>{cells}}' for label in labels)}"
        for title, label in zip(titles, labels, strict=True):
            counts = report["confusion"][label]
            yield f"  {title.ljust(width)}{''.join(f'{counts[k]:>{cells}}' for k in labels)}"
