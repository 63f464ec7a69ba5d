"""The spiral of the case study (cs231n.github.io/neural-networks-case-study), and mini-batches."""

import numpy as np

from reference.layers import Array, Labels


def spiral(points_per_class: int = 100, classes: int = 3, seed: int = 0) -> tuple[Array, Labels]:
    """One spiral arm per class: points X (points_per_class * classes, 2), arm by arm, and their labels y."""
    rng = np.random.RandomState(seed)  # the case study's generator: no other gives its points
    radius = np.linspace(0.0, 1.0, points_per_class)
    arms = []
    for j in range(classes):
        noise = 0.2 * rng.randn(points_per_class)
        theta = np.linspace(4.0 * j, 4.0 * (j + 1), points_per_class) + noise  # radians
        arms.append(np.column_stack([radius * np.sin(theta), radius * np.cos(theta)]))
    return np.concatenate(arms), np.repeat(np.arange(classes, dtype=np.int64), points_per_class)


def draw_indices(
    rng: np.random.Generator, num_train: int, num_iters: int, batch_size: int | None, sampling: str
) -> Labels:
    """The row numbers of every mini-batch of a run, (num_iters, batch_size); for None all rows, in order."""
    if batch_size is None:
        return np.broadcast_to(np.arange(num_train), (num_iters, num_train))
    if sampling == "replacement":
        return rng.integers(0, num_train, size=(num_iters, batch_size))
    if sampling != "shuffle" or batch_size > num_train:
        raise ValueError(f"no batches of {batch_size} from {num_train} rows with sampling={sampling!r}")
    batches_per_epoch = num_train // batch_size  # an incomplete one at the end is dropped
    epochs = -(-num_iters // batches_per_epoch)
    rows = [rng.permutation(num_train)[: batches_per_epoch * batch_size] for _ in range(epochs)]
    return np.array(rows).reshape(-1, batch_size)[:num_iters]
