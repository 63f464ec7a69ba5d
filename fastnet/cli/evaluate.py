"""`fastnet evaluate`: the accuracy of a saved model on a test set, over all of it and for each class."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnet.cli.console import Console, Report
from fastnet.cli.errors import about
from fastnet.cli.sources import class_name, existing, found_data, saved_model

if TYPE_CHECKING:
    from fastnet.data import Dataset


def run(arguments: argparse.Namespace, console: Console) -> Report:
    existing(arguments.data, "check --data")
    model = saved_model(arguments.model)
    dataset = found_data(arguments.data)
    part, X, y = _part(dataset)
    with about(arguments.data):
        correct = model.predict(X) == y
    report = {
        "model": str(arguments.model),
        "data": str(arguments.data),
        "part": part,
        "images": len(correct),
        "accuracy": float(correct.mean()),
        "classes": list(_classes(y, correct, model.label_names or dataset.label_names)),
    }
    console.lines(_lines(report))
    return report


def accuracy(model: Any, X: Any, y: Any) -> float | None:
    """The fraction of rows that get their own label; None where there are no rows."""
    return None if X is None else float(np.mean(model.predict(X) == y))


def _part(dataset: Dataset) -> tuple[str, Any, Any]:
    """What to measure on: an archive of X and y alone has been brought here to be measured on."""
    if dataset.X_test is None:
        return "training", dataset.X_train, dataset.y_train
    return "test", dataset.X_test, dataset.y_test


def _classes(y: Any, correct: Any, names: Sequence[str] | None) -> Iterator[Report]:
    for label in np.unique(y).tolist():
        of_class = correct[y == label]
        yield {
            "label": label,
            "name": class_name(label, names),
            "images": len(of_class),
            "accuracy": float(of_class.mean()),
        }


def _lines(report: Report) -> Iterator[str]:
    yield f"{report['part']} accuracy {report['accuracy']:.4f} of {report['images']} images"
    for row in report["classes"]:
        title = f"{row['label']} {row['name'] or ''}"
        yield f"  {title.ljust(16)} {row['accuracy']:.4f} of {row['images']}"
