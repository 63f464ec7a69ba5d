"""First try: the estimators' defaults on data sets as they come, beside MLPClassifier's after a StandardScaler.

    python -m benchmarks.first_try --fashion DIR

Without the folder of Fashion-MNIST's IDX files the table is without that row.

Five splits of each data set, in each of which one fits after the other, the same settings and random state on the same
rows, after a pause for what the last one has left running (OpenBLAS's threads spin on for a tenth of a second).
What is compiled first is timed apart, by a fit of one epoch; kept programs are not used.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from time import perf_counter, sleep
from typing import Any

import numpy as np
from sklearn import datasets
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import StratifiedShuffleSplit
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks import machine, report
from fastnet.bench import PAUSE
from fastnet.data import load_idx
from fastnet.engine.compilation.cpu import usable_cores
from fastnet.sklearn import TwoLayerClassifier

Rows = tuple[Any, Any]
LARGE = 10_000  # rows of a set that is split less often, as MLPClassifier takes minutes a fit


def synthetic() -> Rows:
    return datasets.make_classification(100_000, 50, n_informative=20, n_classes=5, random_state=0)


def unscaled() -> Rows:
    """Features from 1e-6 to 1e6, their means as far off."""
    X, y = datasets.make_classification(2000, 13, n_informative=8, n_classes=3, random_state=0)
    return (X + 3.0) * np.logspace(-6, 6, 13), y


def imbalanced() -> Rows:
    return datasets.make_classification(5000, 20, n_informative=8, weights=[0.99], class_sep=1.5, random_state=0)


SETS: dict[str, Callable[[], Rows]] = {
    "iris": lambda: datasets.load_iris(return_X_y=True),
    "wine": lambda: datasets.load_wine(return_X_y=True),
    "breast cancer": lambda: datasets.load_breast_cancer(return_X_y=True),
    "digits": lambda: datasets.load_digits(return_X_y=True),
    "unscaled, 1e-6 to 1e6": unscaled,
    "imbalanced, 99:1": imbalanced,
    "synthetic": synthetic,
}


def estimators(seed: int) -> dict[str, Any]:
    """Defaults alone."""
    return {
        "fastnet": TwoLayerClassifier(random_state=seed),
        "MLPClassifier": make_pipeline(StandardScaler(), MLPClassifier(random_state=seed)),
    }


def measure(X: Any, y: Any, splits: int) -> dict[str, Any]:
    """Accuracies, seconds and epochs of each on the same splits; nothing may warn but of too few epochs."""
    result: dict[str, Any] = {"shape": list(X.shape), "dtype": str(X.dtype), "classes": len(np.unique(y))}
    begin = perf_counter()
    TwoLayerClassifier(max_iter=1).fit(X[: 4 * 200], y[: 4 * 200])
    result["compilation"] = perf_counter() - begin
    names = list(estimators(0))
    result |= {name: {"accuracy": [], "seconds": [], "epochs": []} for name in names}
    parts = StratifiedShuffleSplit(splits, test_size=0.25, random_state=0).split(np.zeros(len(y)), y)
    for seed, (train, test) in enumerate(parts):
        for name in names if seed % 2 else names[::-1]:
            estimator = estimators(seed)[name]
            X_train, y_train, X_test = X[train], y[train], X[test]
            sleep(PAUSE)
            begin = perf_counter()
            estimator.fit(X_train, y_train)
            seconds = perf_counter() - begin
            last = estimator if name == "fastnet" else estimator[-1]
            if not np.isfinite(last.loss_curve_).all():
                raise RuntimeError(f"{name} diverged")
            found = result[name]
            found["seconds"].append(seconds)
            found["epochs"].append(last.n_iter_)
            found["accuracy"].append(float((estimator.predict(X_test) == y[test]).mean()))
    return result


def chosen(arguments: argparse.Namespace) -> Iterator[tuple[str, Rows]]:
    yield from ((name, load()) for name, load in SETS.items())
    if arguments.fashion:
        data = load_idx(arguments.fashion)
        yield "Fashion-MNIST", (data.X_train, data.y_train)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.first_try", description=__doc__)
    parser.add_argument("--fashion", metavar="DIR", help="a folder of Fashion-MNIST's IDX files")
    parser.add_argument("--splits", type=int, default=5)
    parser.add_argument("--splits-of-large", type=int, default=5, help=f"of sets of {LARGE:,} rows or more")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    words = f"--splits {arguments.splits} --splits-of-large {arguments.splits_of_large}"
    words += " --fashion DIR" if arguments.fashion else ""
    head = machine.describe(words, usable_cores(), "first_try")
    sets = {}
    with tempfile.TemporaryDirectory() as cache:
        os.environ["FASTNET_CACHE_DIR"] = cache  # an empty one, so that what is compiled is seen
        for name, (X, y) in chosen(arguments):
            sys.stderr.write(f"{name}\n")
            sets[name] = measure(X, y, arguments.splits if len(X) < LARGE else arguments.splits_of_large)
            report.save("first_try", {**head, "cache": "an empty one", "sets": sets})
    for line in report.render("first_try"):
        sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    main()
