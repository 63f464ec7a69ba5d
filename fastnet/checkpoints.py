"""Models on disk: one .npz file, nothing in it pickled."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import tempfile
import zipfile
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from fastnet import checks
from fastnet.classifier import Classifier
from fastnet.models import MODELS
from fastnet.normalization import Normalization

FORMAT = 1


def save(model: Classifier, path: str | PathLike[str]) -> None:
    """Write model to path, under exactly that name.  An existing file is replaced only by a finished one."""
    arrays: dict[str, Any] = {f"params.{name}": value for name, value in model.params.items()}
    if model.normalization is not None:
        arrays["mean"] = model.normalization.mean
        if model.normalization.scale is not None:
            arrays["scale"] = model.normalization.scale
    header = {
        "format": FORMAT,
        "model": type(model).__name__,
        "arguments": model._arguments(),
        "dtype": str(model.dtype),
        "matmul_precision": model.matmul_precision,
        "arrays": list(arrays),
        "label_names": model.label_names,
        "image_shape": model.image_shape,
        "feature_names": model.feature_names,
    }
    target = Path(os.path.realpath(path))  # a link stays a link
    if not target.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, "no such folder", str(target.parent))
    descriptor, temporary = tempfile.mkstemp(dir=target.parent, prefix=target.name, suffix=".part")
    try:
        with open(descriptor, "wb") as file:
            np.savez(file, header=np.array(json.dumps(header)), **arrays)
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def load(path: str | PathLike[str]) -> Any:
    """The model that save wrote: a TwoLayerNet or a SoftmaxClassifier.

    Raises OSError where the file cannot be read, ValueError where it is no model.
    """
    with open(path, "rb") as raw:
        try:
            if not zipfile.is_zipfile(raw):
                raise ValueError("it is no .npz archive")
            raw.seek(0)
            with np.load(raw, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            if "header" not in arrays:
                raise ValueError(f"it holds {', '.join(arrays)}, expected a header and parameters")
            header = json.loads(str(arrays.pop("header")))
            if header["format"] != FORMAT:
                raise ValueError(f"its format is {header['format']}, this version reads {FORMAT}")
            return _restore(header, arrays)
        except Exception as error:  # the readers of a damaged archive may raise anything at all
            raise ValueError(f"{path}: not a model saved by fastnet ({error})") from error


def _restore(header: dict[str, Any], arrays: dict[str, Any]) -> Classifier:
    if set(arrays) != set(header["arrays"]):
        raise ValueError(f"it holds {', '.join(arrays)}, expected {', '.join(header['arrays'])}")
    kinds: dict[str, Any] = {kind.__name__: kind for kind in MODELS}
    model: Classifier = kinds[header["model"]](**header["arguments"], dtype=header["dtype"])
    model.matmul_precision = checks.matmul_precision(header.get("matmul_precision", "highest"), model.dtype)
    model.params = {name.removeprefix("params."): a for name, a in arrays.items() if name.startswith("params.")}
    if "mean" in arrays:
        model.normalization = Normalization(arrays["mean"], arrays.get("scale"))
        model._mean_and_scale()  # raises if they do not fit the model
    model.label_names = _tuple(header["label_names"])
    model.image_shape = _tuple(header["image_shape"])
    model.feature_names = _tuple(header.get("feature_names"))
    return model


def _tuple(values: list[Any] | None) -> tuple[Any, ...] | None:
    return None if values is None else tuple(values)


def _umask() -> int:
    """The permissions that new files of this process do without (it can only be read by setting it)."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
