"""Data sets: CIFAR-10, IDX files (MNIST, Fashion-MNIST), NumPy archives, CSV files and the CS231n spiral.

Every reader checks what it reads and keeps raw pixels as uint8; none runs code found in a file.
A file with wrong content raises ValueError, a missing or unreadable one OSError; both errors name the file.
"""

from fastnet.data.cifar10 import load_cifar10
from fastnet.data.csv import load_csv, load_csv_rows
from fastnet.data.dataset import Dataset
from fastnet.data.download import download_cifar10
from fastnet.data.idx import load_idx, read_idx
from fastnet.data.npz import load_npz
from fastnet.data.spiral import spiral
from fastnet.data.splitting import split_validation

__all__ = [
    "Dataset",
    "download_cifar10",
    "load_cifar10",
    "load_csv",
    "load_csv_rows",
    "load_idx",
    "load_npz",
    "read_idx",
    "spiral",
    "split_validation",
]
