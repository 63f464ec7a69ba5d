"""safetensors: all that `save` keeps, under the names that it has there, in a file that other libraries read.

The tensors are the parameters ("params.W1" (D, H), ...), "mean" and "scale" (float64, (D,)) of a normalization; the
metadata has one entry, "fastnet", JSON: what the header of a saved model says.  A PyTorch user's file holds
to_state_dict(net) instead: `safetensors.numpy.save_file(to_state_dict(net), path)`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from fastnet import archive, checkpoints
from fastnet.archive import Layout
from fastnet.checks import Array
from fastnet.files import Name, replacing
from fastnet.interchange.foreign import library, reading
from fastnet.interchange.layers import Net, checked
from fastnet.models import MODELS
from fastnet.owning import reads

EXTRA = "safetensors"
_TYPES = {"float32": "F32", "float64": "F64"}


def to_safetensors(net: Net, path: Name) -> None:
    """Write the net to path, under exactly that name.  An existing file is replaced only by a finished one.

    Raises ImportError without safetensors, ValueError for what is no net or could not be loaded again, OSError where
    path cannot be written.
    """
    data = _bytes(checked(net))
    with replacing(path) as file:
        file.write(data)


@reads
def _bytes(net: Any) -> bytes:
    header = {"format": archive.FORMAT, **checkpoints.header_of(net)}
    save = library("safetensors.numpy", EXTRA).save
    # It writes the memory of an array, whatever its strides: a net's own rows are padded.
    arrays = {name: np.ascontiguousarray(array) for name, array in checkpoints.arrays_of(net).items()}
    data: bytes = save(arrays, {"fastnet": json.dumps(header, allow_nan=False)})
    return data


def from_safetensors(path: Name) -> Net:
    """The net that to_safetensors wrote to path, whole and to the last bit.

    Of a stranger's file nothing is run, and no tensor is read before all of them are of the type and shape expected.

    Raises ImportError without safetensors, OSError where there is no regular file that can be read, ValueError where it
    holds no such net.
    """
    safe_open = library("safetensors", EXTRA).safe_open
    with reading(path, "a net in safetensors"), safe_open(path, framework="numpy") as file:
        metadata = file.metadata() or {}
        if "fastnet" not in metadata:
            raise ValueError(
                f"it holds {', '.join(sorted(file.keys()))} and nothing that says of which net: a state dict is loaded "
                "by from_state_dict(safetensors.numpy.load_file(path))"
            )
        header = json.loads(metadata["fastnet"])
        archive.format_of(header)
        net: Any = checkpoints.model_of(header, MODELS, lambda expected: _read(file, expected))
        found: Net = net
        return found


def _read(file: Any, expected: Mapping[str, Layout]) -> dict[str, Array]:
    if set(file.keys()) != set(expected):
        raise ValueError(f"it holds {', '.join(sorted(file.keys()))}, expected {', '.join(expected)}")
    for name, layout in expected.items():
        tensor = file.get_slice(name)
        found, wanted = (tensor.get_dtype(), tuple(tensor.get_shape())), (_TYPES[layout.dtype.name], layout.shape)
        if found != wanted:
            raise ValueError(f"{name} is {found[0]} of shape {found[1]}, expected {wanted[0]} of shape {wanted[1]}")
    return {name: file.get_tensor(name) for name in expected}
