"""A small model that carries all a model can, and files of it that are not as they should be."""

import json
import zlib

import numpy as np
import pytest
from against_reference import fastnet_model

import fastnet
from fastnet.digests import digest

D, H, C = 7, 9, 4
X = np.random.default_rng(0).integers(0, 256, (20, D), dtype=np.uint8)


def small_model(kind="two-layer", dtype=np.float32):
    model = fastnet_model(kind, D, H, C, std=0.1, dtype=dtype, seed=0)
    for value in model.params.values():
        value += 0.1
    return model


def refused(path):
    """The message of the ValueError, which names the file."""
    with pytest.raises(ValueError, match="not a model saved by fastnet") as caught:
        fastnet.load(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


def rewritten(path, header=None, **arrays):
    """The saved model with entries of the header, or arrays, replaced; None removes one."""
    with np.load(path) as file:
        content = dict(file)
    changed = {name.replace("__", "."): array for name, array in arrays.items()}
    content = {name: array for name, array in {**content, **changed}.items() if array is not None}
    told = json.loads(str(content.pop("header")))
    if told["format"] != 1:
        checksum = digest if told["format"] == 2 else lambda array: zlib.crc32(array.tobytes())
        told["arrays"] = {name: [a.dtype.str, list(a.shape), checksum(a)] for name, a in content.items()}
    np.savez(path, header=np.array(json.dumps({**told, **(header or {})})), **content)
    return path
