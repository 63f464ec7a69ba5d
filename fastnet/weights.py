"""What rows count for: class weights, and weights as parts of a mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnet import checks
from fastnet.batches import Weights


def shares(weights: Weights) -> Weights:
    """The weights (N,) as parts (1, N) of their sum."""
    return np.reshape(weights / weights.sum(), (1, -1))


def class_factors(
    class_weight: Mapping[Any, Any] | str, labels: NDArray[np.int64], classes: int, weights: Weights | None
) -> Weights:
    """The weights of rows, multiplied by those of their classes.

    class_weight maps labels to factors, 1 for those it leaves out.  "balanced" gives all classes that have a row
    of some weight the same sum, and leaves the sum over all of them alone.  Raises ValueError for anything else, and
    where no row is left.
    """
    weights = np.ones(len(labels)) if weights is None else weights
    factors = np.ones(classes)
    if isinstance(class_weight, str) and class_weight == "balanced":
        sums = np.bincount(labels, weights, classes)
        present = sums > 0
        factors[present] = sums.sum() / (present.sum() * sums[present])
    elif isinstance(class_weight, Mapping):
        for label, factor in class_weight.items():
            index = checks.whole("a label of class_weight", label, 0)
            if index >= classes:
                raise ValueError(f"class_weight has the label {label!r}, expected labels from 0 to {classes - 1}")
            factors[index] = checks.non_negative(f"class_weight[{label!r}]", factor, np.float32)
    else:
        raise ValueError(
            f"class_weight is {class_weight!r}, expected a dictionary from labels to weights, or 'balanced'"
        )
    product = weights * factors[labels]
    if not product.any():
        raise ValueError("class_weight and sample_weight leave no row with a weight above 0")
    return np.asarray(product)
