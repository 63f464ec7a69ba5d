"""A small file of every format that fastnet reads, and what reads it.

A reader is told of the whole file.  Where a check sum keeps damage from going deep, there is a second entry whose
damage is done before the file is wrapped up: to the contents of a gzip file, to an array or the header of an archive.
"""

from __future__ import annotations

import functools
import gzip
import io
import json
import pickle
import struct
import tarfile
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import numpy as np

import fastnet
from fastnet import data, interchange
from fastnet.data.csv import load_csv_rows
from fastnet.searching.grid import Point
from fastnet.searching.journal import Journal
from fastnet.searching.trial import DONE, Row

RNG = np.random.default_rng(0)
PIXELS, LABELS = RNG.integers(0, 256, (2, 3072), dtype=np.uint8), [3, 9]
ROWS, CLASSES = RNG.integers(0, 256, (12, 4), dtype=np.uint8), np.arange(12, dtype=np.int64) % 3
BATCHES = [f"data_batch_{number}" for number in range(1, 6)] + ["test_batch"]


class Format(NamedTuple):
    """content is damaged, wrapped, written to a file, and read."""

    content: bytes
    read: Callable[[Path], object]
    wrap: Callable[[bytes], bytes] = bytes
    name: str = "file"


def pickled(protocol):
    return pickle.dumps({b"labels": LABELS, b"data": PIXELS, b"batch_label": b"one of five"}, protocol)


def binary():
    return np.column_stack([np.array(LABELS, np.uint8), PIXELS]).tobytes()


def tar(batch, suffix, **options):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", **options) as archive:
        for name in BATCHES:
            member = tarfile.TarInfo(f"batches/{name}{suffix}")
            member.size, member.mtime = len(batch), 0.5  # no whole second: an extended header says so
            archive.addfile(member, io.BytesIO(batch))
    return file.getvalue()


def read_batch(suffix, path):
    """One batch of six is damaged."""
    for name in BATCHES[1:]:
        whole = path.with_name(name + suffix)
        if not whole.exists():
            whole.write_bytes(binary() if suffix else pickled(2))
    return data.load_cifar10(path.parent)


def idx():
    return bytes([0, 0, 8, 2]) + struct.pack(">2I", *ROWS.shape) + ROWS.tobytes()


def saved(write):
    file = io.BytesIO()
    write(file)
    return file.getvalue()


def npz(save):
    return saved(lambda file: save(file, X_train=ROWS, y_train=CLASSES, X_test=ROWS, y_test=CLASSES))


def with_X(content):
    """An archive around the file of its rows."""

    def write(file):
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("X.npy", content)
            archive.writestr("y.npy", saved(lambda file: np.save(file, CLASSES)))

    return saved(write)


def header_of(content):
    """The header of a model or a checkpoint, as it stands in the archive."""
    with np.load(io.BytesIO(content)) as archive:
        return str(archive["header"]).encode()


def with_header(content, header):
    """The same archive around another header, whose check sum fits."""
    with np.load(io.BytesIO(content)) as archive:
        members = dict(archive)
    members["header"] = np.array(header.decode("utf-8", "replace"))
    return saved(lambda file: np.savez(file, **members))


def table():
    return b"one,two,label\n" + b"".join(b"%d,%.3f,%s\n" % (n, n / 7, b"abc"[n % 3 : n % 3 + 1]) for n in range(12))


def read_table(path):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*nothing can be learned", UserWarning)
        return data.load_csv(path), load_csv_rows(path, ["one", "two"])


def model():
    net = fastnet.TwoLayerNet(4, 5, 3, std=0.1, seed=0)
    net.normalization = fastnet.Normalization.fit(ROWS, scale=True)
    net.label_names = ("a", "b", "c")
    return net


@functools.cache
def whole(folder: Path) -> dict[str, bytes]:
    """The files that fastnet writes itself."""
    model().save(folder / "model")
    train(folder / "run")
    journal(folder / "journal")
    interchange.to_onnx(model(), folder / "onnx")
    interchange.to_safetensors(model(), folder / "safetensors")
    return {name: (folder / name).read_bytes() for name in ("model", "run", "journal", "onnx", "safetensors")}


def train(path):
    settings = {"num_iters": 4, "batch_size": 5, "sampling": "shuffle", "optimizer": fastnet.Momentum()}
    return model().train(
        ROWS, CLASSES, ROWS, CLASSES, learning_rate=1e-3, checkpoint=path, checkpoint_every=1e6, resume=True,
        restore_best="loss", early_stopping=fastnet.EarlyStopping(patience=9), threads=1, **settings,
    )  # fmt: skip


POINTS = [Point(n, {"reg": n / 10}, json.dumps({"reg": n / 10}), n) for n in range(3)]


def journal(path):
    kept = Journal(path, {"seed": 0, "metric": "val_accuracy"})
    try:
        found = [kept.row(point) for point in POINTS]
        for point, row in zip(POINTS, found, strict=True):
            if row is None:
                kept.append(point, Row(DONE, 0.5, 0.4, 0.3, float("nan"), 7, 0.1, scores=(0.5,)), None, {"a": [0.5]})
            else:
                asdict(row[0])
    finally:
        kept.close()


def headed(content, read):
    return Format(header_of(content), read, functools.partial(with_header, content))


def formats(folder: Path) -> dict[str, Format]:
    """All of them by name."""
    own = whole(folder)
    return {
        "CIFAR-10 binary batch": Format(binary(), functools.partial(read_batch, ".bin"), name="data_batch_1.bin"),
        "CIFAR-10 pickle, protocol 2": Format(pickled(2), functools.partial(read_batch, ""), name="data_batch_1"),
        "CIFAR-10 pickle, protocol 5": Format(pickled(5), functools.partial(read_batch, ""), name="data_batch_1"),
        "CIFAR-10 tar": Format(tar(binary(), ".bin"), data.load_cifar10),
        "CIFAR-10 tar, inside gzip": Format(
            tar(pickled(2), "", format=tarfile.GNU_FORMAT),
            data.load_cifar10,
            functools.partial(gzip.compress, compresslevel=1),
        ),
        "gzip": Format(gzip.compress(idx(), mtime=0), data.read_idx),
        "IDX": Format(idx(), data.read_idx),
        "IDX, inside gzip": Format(idx(), data.read_idx, gzip.compress),
        ".npz": Format(npz(np.savez), data.load_npz),
        ".npz, compressed": Format(npz(np.savez_compressed), data.load_npz),
        ".npz, an array": Format(saved(lambda file: np.save(file, ROWS)), data.load_npz, with_X),
        "CSV": Format(table(), read_table),
        "journal": Format(own["journal"], journal),
        "model": Format(own["model"], fastnet.load),
        "model, its header": headed(own["model"], fastnet.load),
        "checkpoint": Format(own["run"], train),
        "checkpoint, its header": headed(own["run"], train),
        "ONNX": Format(own["onnx"], interchange.from_onnx),
        "safetensors": Format(own["safetensors"], interchange.from_safetensors),
    }
