"""The toy data of the CS231n case study: a linear classifier fails on it, a two-layer network does not."""

import numpy as np
from numpy.typing import NDArray

from fastnet import checks


def spiral(
    points_per_class: int = 100, classes: int = 3, seed: int = 0
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Interleaved spiral arms around the origin, one arm a class.

    Arm `j` has radius `r` from 0 to 1 and angle `t` from `4j` to `4(j + 1)` radians plus noise of standard
    deviation 0.2; its points are `(r sin t, r cos t)`: https://cs231n.github.io/neural-networks-case-study/

    Parameters
    ----------
    points_per_class : int, at least 1
    classes : int, at least 1
    seed : int from 0 to 2**32 - 1
        Seed of `numpy.random.RandomState`; 0, the default, gives the case study's own points.

    Returns
    -------
    X : ndarray of shape (classes * points_per_class, 2), float64
    y : ndarray of shape (classes * points_per_class,), int64
        Labels, in order: all of class 0, then all of class 1, ...

    Raises
    ------
    ValueError
        If a count is below 1, or the seed out of range.
    """
    points_per_class = checks.count("points_per_class", points_per_class, 1)
    classes = checks.count("classes", classes, 1)
    rng = np.random.RandomState(checks.whole("seed", seed, 0))  # the case study's generator: no other gives its points
    radius = np.linspace(0.0, 1.0, points_per_class)
    arms = []
    for j in range(classes):
        angle = np.linspace(4.0 * j, 4.0 * (j + 1), points_per_class)
        angle += 0.2 * rng.randn(points_per_class)
        arms.append(np.column_stack([radius * np.sin(angle), radius * np.cos(angle)]))
    return np.concatenate(arms), np.repeat(np.arange(classes, dtype=np.int64), points_per_class)
