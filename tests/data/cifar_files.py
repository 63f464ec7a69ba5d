"""Small CIFAR-10 batches, and their files in every form that is about."""

import pickle
import struct
import tarfile
from pathlib import Path

import numpy as np

BATCHES = ("data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch")
FOLDERS = {"binary": "cifar-10-batches-bin", "python": "cifar-10-batches-py"}
ARCHIVES = {"binary": "cifar-10-binary.tar.gz", "python": "cifar-10-python.tar.gz"}


def make_batches():
    """{name: (pixels, labels)} with 2, 3, ... 7 records; no trucks, whose label is 9."""
    rng = np.random.default_rng(7)
    return {
        name: (rng.integers(0, 256, (n, 3072), dtype=np.uint8), rng.integers(0, 9, n))
        for n, name in enumerate(BATCHES, start=2)
    }


def binary_batch(pixels, labels):
    return np.column_stack([labels.astype(np.uint8), pixels]).tobytes()


def python3_batch(pixels, labels, protocol=2):
    batch = {b"batch_label": b"", b"labels": labels.tolist(), b"data": pixels}
    return pickle.dumps(batch | {b"filenames": [b"%d.png" % i for i in range(len(labels))]}, protocol)


def python2_batch(pixels, labels):
    """What Python 2's cPickle and its NumPy write in protocol 2, as in the official batches."""
    parts = [
        b"\x80\x02}q\x01(U\x0bbatch_labelq\x02U\x15training batch 1 of 5q\x03U\x06labelsq\x04]q\x05(",
        *(b"K" + bytes([label]) for label in labels.tolist()),
        b"eU\x04dataq\x06cnumpy.core.multiarray\n_reconstruct\nq\x07cnumpy\nndarray\nq\x08K\x00\x85U\x01b\x87Rq\t",
        b"(K\x01K" + bytes([len(labels)]) + b"M\x00\x0c\x86",
        b"cnumpy\ndtype\nq\nU\x02u1K\x00K\x01\x87Rq\x0b(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89",
        b"T" + struct.pack("<I", pixels.size) + pixels.tobytes(),
        b"tbU\tfilenamesq\x0c]q\r(",
        *(b"U\x05%d.png" % (i % 10) for i in range(len(labels))),
        b"eu.",
    ]
    return b"".join(parts)


def write_folder(folder: Path, encode, suffix=""):
    folder.mkdir(parents=True)
    for name, (pixels, labels) in make_batches().items():
        (folder / (name + suffix)).write_bytes(encode(pixels, labels))
    return folder


def write_archive(path: Path, folder: Path, **options):
    with tarfile.open(path, "w:gz", **options) as archive:
        archive.add(folder, folder.name)
    return path
