"""Setting rows aside for validation."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnet import checks


def split_validation(
    X: NDArray[Any], y: NDArray[Any], count: int, seed: int | None = None
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Set `count` rows aside: `X_train, y_train, X_val, y_val = split_validation(X, y, count)`.

    Parameters
    ----------
    X : ndarray of shape (N, D)
    y : ndarray of shape (N,)
    count : int, from 1 to N - 1
    seed : int, optional
        Without a seed the last `count` rows are taken, and all four results are views. With one a random
        subset is taken, and they are copies; both parts keep the order of the rows.

    Returns
    -------
    X_train, y_train, X_val, y_val : ndarrays of N - count and of count rows

    Raises
    ------
    ValueError
        If X and y differ in rows, or count is not a whole number from 1 to N - 1.
    """
    try:
        found = len(X), len(y)
    except TypeError as error:
        raise ValueError(f"X is a {type(X).__name__}, y a {type(y).__name__}: expected arrays of rows") from error
    if found[0] != found[1]:
        raise ValueError(f"X has {len(X)} rows and y has {len(y)}: expected one label for each row")
    count = checks.whole("count", count, 1)
    if count >= len(X):
        raise ValueError(f"count is {count}, expected a whole number of rows from 1 to {len(X) - 1}")
    if seed is None:
        return X[:-count], y[:-count], X[-count:], y[-count:]
    chosen = np.zeros(len(X), dtype=bool)
    chosen[np.random.default_rng(checks.whole("seed", seed, 0)).choice(len(X), size=count, replace=False)] = True
    return X[~chosen], y[~chosen], X[chosen], y[chosen]
