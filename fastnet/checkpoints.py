"""Models on disk: the archive that `save` writes and `fastnet.load` reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnet import archive, checks
from fastnet.archive import Layout
from fastnet.checks import Array
from fastnet.files import Name
from fastnet.normalization import Normalization

if TYPE_CHECKING:
    from fastnet.classifier import Classifier

MODEL = "model"  # the kinds of archive
_DTYPES = ("float32", "float64")


def save(model: Classifier, path: Name) -> None:
    """Write model to path, under exactly that name.  An existing file is replaced only by a finished one.

    Raises ValueError for a model that could not be loaded again, OSError where path cannot be written or names
    anything but a regular file; in either case what was there stays.
    """
    checks.finite_params(model.params)
    archive.write(path, {"kind": MODEL, **header_of(model)}, arrays_of(model))


def load(path: Name, kinds: Mapping[str, type[Classifier]]) -> Classifier:
    """The model that save wrote, of one of these kinds.

    Raises OSError where there is no regular file that can be read, ValueError where it is no model.
    """
    with archive.reading(path, "a model saved by fastnet") as file:
        header = file.header
        if header.get("kind", MODEL) != MODEL:
            raise ValueError(f"it is a {header['kind']}, with which train(..., resume=True) goes on, expected a model")
        return model_of(header, kinds, file.read)


def model_of(
    header: Mapping[str, Any],
    kinds: Mapping[str, type[Classifier]],
    read: Callable[[Mapping[str, Layout]], dict[str, Array]],
) -> Classifier:
    """The model that a header tells of, with the arrays that `read` finds to be as told; made after they are read."""
    kind = kinds[header["model"]]
    arrays = read(layouts_of(kind, header))
    model = kind(**header["arguments"], dtype=header["dtype"])
    restore(model, header, arrays)
    return model


def header_of(model: Classifier) -> dict[str, Any]:
    """What a file says of a model, beside its arrays."""
    model._mean_and_scale()  # raises where the normalisation does not fit the model
    normalization = model.normalization
    return {
        "model": type(model).__name__,
        "arguments": model._arguments(),
        "dtype": str(model.dtype),
        "normalization": None if normalization is None else "mean" if normalization.scale is None else "standard",
        "matmul_precision": model._precision(),
        "label_names": model.label_names,
        "image_shape": model.image_shape,
        "feature_names": model.feature_names,
        "random_state": model._rng.bit_generator.state,
        "trained_with": model.trained_with,
        # By these a checkpoint knows the model that it is of.
        "seed": model._seed,
        "std": model._std,
        "began_with": model._began_with,
    }


def arrays_of(model: Classifier) -> dict[str, Array]:
    """A model's arrays under their names in a file.

    Raises ValueError for parameters whose shape or dtype was changed in place: no file of them would load.
    """
    for name, shape in model._shapes(model._arguments()).items():
        found = model.params[name]
        if (found.dtype, found.shape) != (model.dtype, shape):
            raise ValueError(f"{name} is {found.dtype} of shape {found.shape}, expected {model.dtype} of shape {shape}")
    arrays = {f"params.{name}": value for name, value in model.params.items()}
    if model.normalization is not None:
        arrays["mean"] = model.normalization.mean
        if model.normalization.scale is not None:
            arrays["scale"] = model.normalization.scale
    return arrays


def layouts_of(kind: type[Classifier], header: Mapping[str, Any]) -> dict[str, Layout]:
    """What those arrays must be, by a model's kind and its header; ValueError where that says nothing sensible."""
    arguments, name = header["arguments"], header["dtype"]
    if not isinstance(arguments, dict) or tuple(arguments) != kind._widths:
        raise ValueError(f"its sizes are {arguments}, expected {', '.join(kind._widths)}")
    for size in kind._widths:
        checks.whole(size, arguments[size], 1)
    if name not in _DTYPES:
        raise ValueError(f"its dtype is {name}, expected {' or '.join(_DTYPES)}")
    layouts = {f"params.{p}": Layout(np.dtype(name), shape) for p, shape in kind._shapes(arguments).items()}
    if header["format"] == 1:  # whose list of arrays says how rows are normalised
        features = [array for array in ("mean", "scale") if array in header["arrays"]]
    else:
        features = {None: [], "mean": ["mean"], "standard": ["mean", "scale"]}[header["normalization"]]
    return layouts | dict.fromkeys(features, Layout(np.dtype(np.float64), (arguments["input_size"],)))


def restore(model: Classifier, header: Mapping[str, Any], arrays: Mapping[str, Array]) -> None:
    """Make a model the one that these tell of.  Raises ValueError for what none could be."""
    params = {name.removeprefix("params."): a for name, a in arrays.items() if name.startswith("params.")}
    checks.finite_params(params)
    model.matmul_precision = checks.matmul_precision(header.get("matmul_precision", "highest"), model.dtype)
    model.params = params
    if "mean" in arrays:
        model.normalization = Normalization(arrays["mean"], arrays.get("scale"))
        model._mean_and_scale()  # raises if they do not fit the model
    model.label_names = header["label_names"]
    model.image_shape = header["image_shape"]
    model.feature_names = header.get("feature_names")
    if "random_state" in header:
        model._rng.bit_generator.state = header["random_state"]
    model.trained_with = header.get("trained_with")
    if "began_with" in header:  # older files of this format do not say
        model._seed = None if header["seed"] is None else checks.whole("seed", header["seed"], 0)
        model._std = checks.deviation(header["std"])
        model._began_with = header["began_with"]
