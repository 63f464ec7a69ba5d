"""What every loader returns."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)  # eq=False: comparing arrays gives an array, not a truth value
class Dataset:
    """A training set and, where the files hold one, a test set.

    Attributes
    ----------
    X_train : ndarray of shape (N, D), of integers, booleans or floats
    y_train : ndarray of shape (N,), int64
        Labels, all in `[0, num_classes)`.
    X_test, y_test : ndarrays of shapes (M, D) and (M,), or None
        Of the same dtypes. Both are None where there is no test set.
    label_names : tuple of str
        The name of each class; empty where the format names none.
    image_shape : (channels, rows, columns) or None
        What a row of X reshapes to; None where the rows are not known to be images.
    feature_names : tuple of str
        The name of each column of X; empty where the format names none.
    """

    X_train: NDArray[Any]
    y_train: NDArray[np.int64]
    X_test: NDArray[Any] | None = None
    y_test: NDArray[np.int64] | None = None
    label_names: tuple[str, ...] = ()
    image_shape: tuple[int, int, int] | None = None
    feature_names: tuple[str, ...] = ()

    @property
    def num_classes(self) -> int:
        """The number of named classes; without names, one more than the largest label."""
        if self.label_names:
            return len(self.label_names)
        return 1 + max(int(y.max()) for y in (self.y_train, self.y_test) if y is not None)
