"""Views of images: moved by some pixels, mirrored, as rows of a data set. ::

    views = fastnet.images.views(fastnet.images.NINE_SHIFTS)
    X_more = fastnet.images.copies(X_train, (3, 32, 32), views)
    labels = net.predict(X_test, views=fastnet.images.views(fastnet.images.FIVE_SHIFTS))

An image is a row of channels * rows * columns numbers, channel by channel, row by row.  A view only takes each of its
pixels from another place, so one array of column numbers (`pixels`) says all of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastnet import checks
from fastnet.checks import Array

BLOCK_ROWS = 1024  # images that are copied, or looked at, together
Shift = tuple[int, int]


class View(NamedTuple):
    """An image moved by so many pixels, then mirrored left to right.

    Parameters
    ----------
    down, right : int, default 0
        Negative ones move up and left.  What comes in at the border is the image reflected at its outermost pixels,
        which are not repeated (numpy.pad's "reflect").
    mirrored : bool, default False
        Whether left and right change places.
    """

    down: int = 0
    right: int = 0
    mirrored: bool = False


FIVE_SHIFTS: tuple[Shift, ...] = ((0, 0), (-2, 0), (2, 0), (0, -2), (0, 2))
NINE_SHIFTS: tuple[Shift, ...] = (*FIVE_SHIFTS, (-1, -1), (-1, 1), (1, -1), (1, 1))


def views(shifts: Iterable[Shift] = ((0, 0),), mirrored: bool = True) -> tuple[View, ...]:
    """A view for each shift and, with `mirrored`, its mirror image after it.

    Parameters
    ----------
    shifts : pairs (down, right) of pixels, default no shift alone
    mirrored : bool, default True

    Returns
    -------
    tuple of Views

    Raises
    ------
    ValueError
        For what are no pairs, and a mirrored that is neither True nor False.
    """
    both = (False, True)[: 1 + checks.flag("mirrored", mirrored)]
    try:
        return tuple(View(down, right, mirror) for down, right in shifts for mirror in both)
    except (TypeError, ValueError) as error:
        raise ValueError(f"shifts is {shifts!r}, expected pairs (down, right) of pixels") from error


def shape_of_images(image_shape: Any, features: int) -> tuple[int, int, int]:
    """image_shape as (channels, rows, columns), all at least 1, for rows of so many features.

    Raises ValueError for anything else.
    """
    if not isinstance(image_shape, Sequence) or isinstance(image_shape, str) or len(image_shape) != 3:
        raise ValueError(f"image_shape is {image_shape!r}, expected (channels, rows, columns)")
    channels, rows, columns = (checks.whole("a size of image_shape", size, 1) for size in image_shape)
    if channels * rows * columns != features:
        raise ValueError(f"image_shape is {tuple(image_shape)}, expected a product of {features}, the columns of X")
    return channels, rows, columns


def pixels(image_shape: Sequence[int], view: View) -> NDArray[np.intp]:
    """The column numbers (D,) for which X[:, pixels] is the view of every row of X.

    Raises ValueError for shifts that are no whole numbers, or as large as the image.
    """
    channels, rows, columns = image_shape
    down, right, mirrored = view
    from_rows, from_columns = _moved("down", down, rows), _moved("right", right, columns)
    if checks.flag("mirrored", mirrored):
        from_columns = from_columns[::-1]
    places = np.arange(channels * rows * columns).reshape(channels, rows, columns)
    return places[:, from_rows[:, np.newaxis], from_columns].reshape(-1)


def _moved(name: str, by: Any, size: int) -> NDArray[np.intp]:
    """Where each of so many lines of pixels comes from."""
    whole = isinstance(by, (int, np.integer)) and not isinstance(by, (bool, np.timedelta64))
    if not whole or not -size < by < size:
        raise ValueError(f"a shift {name} is {by!r}, expected a whole number of pixels from {1 - size} to {size - 1}")
    places = np.abs(np.arange(size) - by)
    return np.asarray(np.minimum(places, 2 * (size - 1) - places))


def copies(X: Any, image_shape: Sequence[int], views: Iterable[View]) -> NDArray[np.uint8]:
    """The views of all images, one view of all of them after another.

    Parameters
    ----------
    X : uint8 array (N, D)
        The labels that go with the copies are np.tile(y, number of views).
    image_shape : (channels, rows, columns)
    views : Views

    Returns
    -------
    uint8 array (number of views * N, D)

    Raises
    ------
    ValueError
        For rows that are not uint8, images of another shape, and views that do not fit.
    """
    rows, shape = uint8_images(X, image_shape)
    sources = sources_of(views, shape)
    result = np.empty((len(sources), *rows.shape), np.uint8)
    for first in range(0, len(rows), BLOCK_ROWS):
        block = rows[first : first + BLOCK_ROWS]
        for view, source in zip(result, sources, strict=True):
            np.take(block, source, axis=1, out=view[first : first + BLOCK_ROWS], mode="clip")  # "raise" buffers
    return result.reshape(-1, rows.shape[1])


def uint8_images(X: Any, image_shape: Any, name: str = "X") -> tuple[NDArray[np.uint8], tuple[int, int, int]]:
    """X as uint8 rows, and the shape of their images.  Raises ValueError for anything else."""
    array = checks.array(name, X)
    if array.dtype != np.uint8 or array.ndim != 2:
        raise ValueError(
            f"{name} is {array.dtype} of shape {array.shape}, expected images: uint8 rows (N, D), pixels from 0 to 255"
        )
    shape = shape_of_images(image_shape, array.shape[1])
    return checks.features(name, array, array.shape[1], np.dtype(np.float32)), shape


def sources_of(views: Iterable[View], image_shape: Sequence[int]) -> list[NDArray[np.intp]]:
    """The pixels of each view.  Raises ValueError where there is none, or one that does not fit."""
    try:
        given = [View(*view) for view in views]
    except TypeError as error:
        raise ValueError(f"views is {views!r}, expected several fastnet.images.View") from error
    found = [pixels(image_shape, view) for view in given]
    if not found:
        raise ValueError("views is empty, expected at least one fastnet.images.View")
    return found


def averaged(predict: Callable[[Array], Array], X: Array, image_shape: Any, views: Iterable[View]) -> Array:
    """The mean of predict(a view of X) over the views, (N, C); blocks of rows at a time."""
    if image_shape is None:
        raise ValueError("views are of images, expected the model's image_shape: (channels, rows, columns)")
    sources = sources_of(views, shape_of_images(image_shape, X.shape[1]))
    means = []
    for first in range(0, len(X), BLOCK_ROWS):
        block = X[first : first + BLOCK_ROWS]
        means.append(sum(predict(block.take(source, axis=1)) for source in sources) / len(sources))
    return np.concatenate(means)
