"""What a model knows of its data: the normalisation, names of classes and features, the shape of images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import DTypeLike

from fastnet import checks
from fastnet.checks import Array
from fastnet.normalization import Normalization
from fastnet.owning import here, refuse_others

if TYPE_CHECKING:
    from fastnet.data import Dataset


class Described:
    """A model of so many inputs and classes, which may have names."""

    normalization: Normalization | None
    _label_names: tuple[str, ...] | None = None
    _image_shape: tuple[int, ...] | None = None
    _feature_names: tuple[str, ...] | None = None

    @property
    def input_size(self) -> int:
        """D, the number of inputs."""
        raise NotImplementedError

    @property
    def output_size(self) -> int:
        """C, the number of classes."""
        raise NotImplementedError

    @property
    def label_names(self) -> tuple[str, ...] | None:
        """A name for each class, or None: saved with the model, written by `fastnet predict`."""
        return self._label_names

    @label_names.setter
    def label_names(self, values: Any) -> None:
        self._label_names = _names("label_names", values, self.output_size)

    @property
    def feature_names(self) -> tuple[str, ...] | None:
        """A name for each input, or None: `fastnet predict` finds the columns of a CSV file by them."""
        return self._feature_names

    @feature_names.setter
    def feature_names(self, values: Any) -> None:
        self._feature_names = _names("feature_names", values, self.input_size)

    @property
    def image_shape(self) -> tuple[int, ...] | None:
        """(channels, rows, columns) of the images that rows are, or None: `fastnet predict` reads pictures by it."""
        return self._image_shape

    @image_shape.setter
    def image_shape(self, values: Any) -> None:
        self._image_shape = _shape(values, self.input_size)

    def describe(self, data: Dataset) -> None:
        """Take label_names, feature_names and image_shape from a data set of fastnet.data, to be saved with the model.

        Parameters
        ----------
        data : Dataset

        Raises
        ------
        ValueError
            With all three as they were, where they do not fit the model.
        """
        if not hasattr(data, "label_names"):
            raise ValueError(f"data is of type {type(data).__name__}, expected a Dataset of fastnet.data")
        labels = _names("label_names", data.label_names or None, self.output_size)
        features = _names("feature_names", data.feature_names or None, self.input_size)
        self.image_shape = data.image_shape
        self._label_names, self._feature_names = labels, features

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an attribute: one of the model's, or one of the caller's own unless it looks like a slip of the pen.

        Raises RuntimeError while another thread trains the model, which would go on with it half changed.
        """
        if not name.startswith("_"):
            refuse_others(self, here())
        if not (name.startswith("_") or hasattr(self, name)):
            import difflib

            known = [word for word in dir(self) if not word.startswith("_")]
            for near in difflib.get_close_matches(name, known, n=1, cutoff=0.8):
                raise AttributeError(f"{type(self).__name__} has no attribute {name!r}; did you mean {near!r}?")
        object.__setattr__(self, name, value)

    def _mean_and_scale(self, dtype: DTypeLike = np.float64) -> tuple[Array, Array]:
        """The normalisation in the type in which rows are normalised."""
        if self.normalization is None:
            return np.zeros((1, self.input_size), dtype), np.ones((1, self.input_size), dtype)
        if not isinstance(self.normalization, Normalization):
            found = type(self.normalization).__name__
            raise ValueError(f"normalization is of type {found}, expected a Normalization or None")
        features = len(self.normalization.mean)
        if features != self.input_size:
            raise ValueError(f"the normalization has {features} features, expected the model's {self.input_size}")
        return self.normalization.mean_and_scale(np.dtype(dtype))


def _names(what: str, values: Any, count: int) -> tuple[str, ...] | None:
    if values is None:
        return None
    try:
        names = (values,) if isinstance(values, (str, bytes)) else tuple(values)
    except TypeError:
        names = (values,)
    if len(names) != count or not all(isinstance(name, str) for name in names):
        owner = "classes" if what == "label_names" else "inputs"
        raise ValueError(f"{what} are {values!r}, expected a text for each of the {count} {owner}, or None")
    return tuple(str(name) for name in names)  # NumPy's own strings are not written as text


def _shape(values: Any, inputs: int) -> tuple[int, ...] | None:
    if values is None:
        return None
    if not isinstance(values, Sequence) or isinstance(values, (str, bytes)):
        raise ValueError(f"image_shape is {values!r}, expected (channels, rows, columns), or None")
    shape = tuple(checks.whole("a size of image_shape", size, 1) for size in values)
    if math.prod(shape) != inputs:
        raise ValueError(f"image_shape is {shape}, {math.prod(shape)} numbers, expected the model's {inputs} inputs")
    return shape
