"""Reading the samples that `fastnet predict` is given, as rows of the kind that a model was trained on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnet import archive
from fastnet.cli.errors import CommandError
from fastnet.data import npy
from fastnet.data.compressed import MAX_EXPANSION
from fastnet.data.csv import load_csv_rows
from fastnet.data.npz import members_of, spelt
from fastnet.files import damage_told, open_regular

SAMPLES = ("X", "X_test", "test_images", "X_train", "train_images", "data")
PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp")
Shape = tuple[int, int, int]  # channels, rows, columns


def read_samples(
    path: Path, inputs: int, image_shape: Shape | None, feature_names: Sequence[str] | None
) -> NDArray[Any]:
    """Rows of shape (N, inputs), read in the way that the file's name asks for."""
    if path.suffix == ".csv":
        return load_csv_rows(path, feature_names)
    if path.suffix in (".npy", ".npz"):
        samples = _numpy(path)
        if samples.ndim == 1 and len(samples) != inputs:
            raise CommandError(
                f"{path}: holds {len(samples)} numbers in a row, as labels do, expected samples of {inputs} features"
            )
        return _rows(samples, image_shape)
    if path.suffix.lower() in PICTURES:
        return _picture(path, image_shape)
    if path.name.startswith(("data_batch", "test_batch")) or path.suffix == ".bin":
        from fastnet.data.cifar10 import PARSERS, read_batch

        pixels, _ = PARSERS[path.suffix](read_batch(path), str(path))
        return pixels
    if "ubyte" in path.name:
        from fastnet.data import read_idx

        images = read_idx(path)
        if images.ndim == 1:
            raise CommandError(f"{path}: holds labels, expected the images (a name with 'images')")
        return _rows(images, image_shape)
    raise CommandError(
        f"{path}: not a form that is known by its name: .npy, .npz, .csv, *_batch* (CIFAR-10), *ubyte* (IDX), "
        f"{', '.join(PICTURES)}"
    )


def _numpy(path: Path) -> NDArray[Any]:
    what = "a readable NumPy file, as numpy.save writes it"
    if path.suffix == ".npy":
        with damage_told(path, what):
            return npy.alone(path).read()
    with archive.unzipped(path, what) as file:
        members = members_of(file)
        found = spelt(SAMPLES, list(members))
        if not found:
            names = ", ".join(map(repr, members)) or "nothing"
            raise CommandError(f"{path}: no array X, X_test or X_train (it holds {names})")
        with damage_told(path, what):
            name = members[next(iter(found.values()))]
            return npy.member(file, name, MAX_EXPANSION * path.stat().st_size).read()


def _rows(samples: NDArray[Any], image_shape: Shape | None) -> NDArray[Any]:
    """One sample or many, flat or as images, channels first or last -> (N, D) with channels first."""
    if image_shape is not None:
        channels, rows, columns = image_shape
        if samples.shape[-3:] == (rows, columns, channels):
            samples = np.moveaxis(samples, -1, -3)
        if samples.shape == image_shape:
            samples = samples[np.newaxis]
    return samples[np.newaxis] if samples.ndim == 1 else samples.reshape(len(samples), -1)


def _picture(path: Path, image_shape: Shape | None) -> NDArray[Any]:
    if image_shape is None or image_shape[0] not in (1, 3):
        raise CommandError(f"{path}: the model was not trained on grey or colour images; give its rows as .npy")
    try:
        from PIL import Image
    except ImportError as error:
        raise CommandError(f"{path}: reading pictures needs pillow: pip install pillow") from error
    channels, rows, columns = image_shape
    with open_regular(path) as file:
        try:
            with Image.open(file) as image:
                pixels = np.asarray(image.convert("L" if channels == 1 else "RGB").resize((columns, rows)))
        # Pillow's formats raise OSError, ValueError, SyntaxError and others, most without the name of the file.
        except Exception as error:
            raise CommandError(f"{path}: not a readable picture ({error})") from error
    return _rows(pixels.reshape(rows, columns, channels), image_shape)
