"""The table of the estimators' defaults: measured on a small set, told as measured."""

import numpy as np
import pytest

from benchmarks import first_try, machine, tables


@pytest.fixture(scope="module")
def measured():
    X, y = first_try.SETS["iris"]()
    with pytest.warns(first_try.ConvergenceWarning):
        return first_try.measure(X[::2], y[::2], splits=2)


def test_both_are_measured_on_as_many_splits(measured):
    assert measured["shape"] == [75, 4]
    assert measured["classes"] == 3
    for name in ("fastnet", "MLPClassifier"):
        assert {key: len(values) for key, values in measured[name].items()} == {
            "accuracy": 2,
            "seconds": 2,
            "epochs": 2,
        }
    # The same settings, weights and batches: what is scaled inside and what was scaled before end alike.
    assert measured["fastnet"]["epochs"] == measured["MLPClassifier"]["epochs"]
    np.testing.assert_allclose(measured["fastnet"]["accuracy"], measured["MLPClassifier"]["accuracy"], atol=0.06)


def test_the_table_says_what_was_measured(measured):
    found = measured | {
        "fastnet": {"accuracy": [0.5, 0.7], "seconds": [1.0, 3.0]},
        "MLPClassifier": {"accuracy": [0.25, 0.5], "seconds": [8.0, 12.0]},
        "compilation": 7.0,
    }
    text = tables.first_try({**machine.describe("--some words", 2, "first_try"), "sets": {"iris": found}})
    # Means of accuracies, medians of seconds, median of the ratios 8 and 4.
    assert "| iris | 75 x 4 | 0.600 | 0.375 | 2.00 | 10.00 | 6.0 | 7.0 |" in text
    assert "mean of 2 splits" in text
    assert "`python -m benchmarks.first_try --some words`" in text


def test_the_sets_are_as_hard_as_they_say():
    X, y = first_try.unscaled()
    assert X.std(axis=0).max() / X.std(axis=0).min() > 1e11
    assert len(np.unique(y)) == 3
    assert 0.98 < (first_try.imbalanced()[1] == 0).mean() < 0.995
