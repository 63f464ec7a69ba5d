"""Where data comes from: the data set that `train` is asked for, the one that `evaluate` finds."""

from __future__ import annotations

import argparse
import hashlib
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnet.cli.errors import CommandError
from fastnet.cli.progress import DownloadProgress, Meter

if TYPE_CHECKING:
    from fastnet.data import Dataset

MOST_CLASSES_SKIPPED = 100  # a class without a training row costs little; ids of millions are no labels


def training_data(arguments: argparse.Namespace, seed: int) -> Dataset:
    """The data set of a command line; CommandError where its labels are none to train on, a warning of wide gaps."""
    dataset = _training_data(arguments, seed)
    present = np.unique(dataset.y_train)
    if len(present) < 2:
        only = class_name(present[0], dataset.label_names) or int(present[0])
        raise CommandError(f"{arguments.data}: all training labels are {only!r}, expected at least 2 classes")
    if dataset.num_classes > 2 * len(present):
        complaint = (
            f"{arguments.data}: {len(present)} different labels up to {dataset.num_classes - 1}, expected those from 0 "
            "on, without gaps: numpy.unique(y, return_inverse=True)[1] makes them"
        )
        if dataset.num_classes > MOST_CLASSES_SKIPPED:
            raise CommandError(complaint)
        warnings.warn(complaint, stacklevel=2)
    return dataset


def _training_data(arguments: argparse.Namespace, seed: int) -> Dataset:
    from fastnet import data

    match arguments.dataset:
        case "spiral":
            return data.Dataset(*data.spiral(seed=seed))
        case "cifar10":
            return _cifar10(arguments.data, arguments.download)
        case "idx":
            return data.load_idx(existing(arguments.data, "check --data"))
        case "csv":
            return data.load_csv(existing(arguments.data, "check --data"), arguments.label)
    return data.load_npz(existing(arguments.data, "check --data"))


def _cifar10(path: Path, download: bool) -> Dataset:
    from fastnet import data

    try:
        return data.load_cifar10(existing(path, "--download fetches it"))
    except FileNotFoundError:
        if not download:
            raise
    meter = Meter(sys.stderr)
    try:
        fetched = data.download_cifar10(path, progress=DownloadProgress(meter))
    finally:
        meter.close()
    return data.load_cifar10(fetched)


def title(arguments: argparse.Namespace) -> str:
    """What a training's results are named after: the data, so that those of other data do not take their place."""
    if arguments.dataset in ("spiral", "cifar10"):
        return str(arguments.dataset)
    path: Path = arguments.data.resolve()
    return path.stem if path.is_file() else path.name


def origin(arguments: argparse.Namespace) -> str | None:
    """What tells the data that results are named after from others of that name, and nobody where they lie."""
    if arguments.dataset in ("spiral", "cifar10"):
        return None
    return hashlib.blake2b(str(arguments.data.resolve()).encode(), digest_size=8).hexdigest()


def found_data(path: Path, label: str | None, model: Any) -> Dataset:
    """Read the data set at `path`, whose form its file names tell; that of a table as the model knows its columns."""
    from fastnet import data

    existing(path, "check --data")
    if path.suffix == ".csv":
        return data.load_csv(path, label, features=model.feature_names, classes=model.label_names)
    if label is not None:
        raise CommandError(f"--label has no effect on {path}, expected a .csv file")
    if path.suffix == ".npz":
        return data.load_npz(path)
    if path.is_file() and "ubyte" not in path.name:
        return data.load_cifar10(path)
    if path.is_file():
        return data.load_idx(path)  # which says that it wants the folder
    names = [entry.name for entry in path.iterdir()]
    if any("ubyte" in name for name in names):
        return data.load_idx(path)
    if any(name.startswith(("data_batch", "test_batch", "cifar-10-")) for name in names):
        return data.load_cifar10(path)
    raise CommandError(f"{path}: holds neither CIFAR-10 batches nor IDX files; name a .npz or .csv file itself")


def existing(path: Path, mend: str) -> Path:
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file or folder; {mend}")
    return path


def saved_model(path: Path) -> Any:
    """Load a model; the missing file is told before the engine is imported."""
    existing(path, "'fastnet train' makes one")
    import fastnet

    return fastnet.load(path)


def class_name(label: int, names: Sequence[str] | None) -> str | None:
    return names[label] if names is not None and label < len(names) else None
