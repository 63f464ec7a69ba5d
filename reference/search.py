"""The grid search of the CS231n assignment "Two-layer neural network"."""

from collections.abc import Callable, Mapping, Sequence
from itertools import product
from typing import Any

from reference.layers import Array, Labels
from reference.models import Classifier


def grid_search(
    train_model: Callable[..., Classifier], grid: Mapping[str, Sequence[Any]], X_val: Array, y_val: Labels
) -> tuple[Classifier | None, float, list[tuple[dict[str, Any], float]]]:
    """Call `train_model(**combination)` for each; return the best network, its accuracy, all accuracies."""
    best_model, best_accuracy, results = None, -1.0, []
    for values in product(*grid.values()):
        combination = dict(zip(grid, values, strict=True))
        model = train_model(**combination)
        accuracy = model.accuracy(X_val, y_val)
        results.append((combination, accuracy))
        if accuracy > best_accuracy:  # the first of equals stays
            best_model, best_accuracy = model, accuracy
    return best_model, best_accuracy, results
