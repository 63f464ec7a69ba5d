"""safetensors: all that `save` keeps, under the names that it has there, in a file that other libraries read.

The tensors are the parameters ("params.W1" (D, H), ...), "mean" and "scale" (float64, (D,)) of a normalization; the
metadata has one entry, "fastnet", JSON: what the header of a saved model says.  A PyTorch user's file holds
to_state_dict(net) instead: `safetensors.numpy.save_file(to_state_dict(net), path)`.
"""

from __future__ import annotations

import json
import math
import os
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
MOST_HEADER = archive.MOST_HEADER // 4  # bytes: as many letters as in an archive; each may become 30 bytes of lists
_TYPES = {"float32": "F32", "float64": "F64"}


def to_safetensors(net: Net, path: Name) -> None:
    """Write the net to path, under exactly that name.  An existing file is replaced only by a finished one.

    Parameters
    ----------
    net : TwoLayerNet or SoftmaxClassifier
    path : of the file

    Raises
    ------
    ImportError
        Without safetensors.
    ValueError
        For what is no net or could not be loaded again.
    OSError
        Where path cannot be written.
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
    _header_size(data)
    return data


def from_safetensors(path: Name) -> Net:
    """The net that to_safetensors wrote to path, whole and to the last bit.

    Of a stranger's file nothing is run, and no array is made before all tensors are of the dtype and shape expected.

    Parameters
    ----------
    path : of the file
        Its header is read, and the rest once its size is that of the tensors expected.

    Returns
    -------
    TwoLayerNet or SoftmaxClassifier
        With all that `save` keeps; parameters of the file's dtype, float32 or float64.

    Raises
    ------
    ImportError
        Without safetensors.
    OSError
        Where there is no regular file that can be read.
    ValueError
        Where it holds no such net.
    """
    load = library("safetensors.numpy", EXTRA).load
    with reading(path, "a net in safetensors") as file:
        size = _header_size(file.read(8))
        tensors = json.loads(file.read(size))
        metadata = tensors.pop("__metadata__", {})
        if "fastnet" not in metadata:
            raise ValueError(
                f"it holds {', '.join(sorted(tensors))} and nothing that says of which net: a state dict is loaded "
                "by from_state_dict(safetensors.numpy.load_file(path))"
            )
        header = json.loads(metadata["fastnet"])
        archive.format_of(header)

        def read(expected: Mapping[str, Layout]) -> dict[str, Array]:
            _require(tensors, expected)
            whole = 8 + size + sum(math.prod(shape) * dtype.itemsize for dtype, shape in expected.values())
            found = os.fstat(file.fileno()).st_size
            if found != whole:
                raise ValueError(f"it has {found} bytes, expected {whole}")
            file.seek(0)
            arrays: dict[str, Array] = load(file.read(whole))
            return arrays

        net: Any = checkpoints.model_of(header, MODELS, read)
        found: Net = net
        return found


def _header_size(data: bytes) -> int:
    """The bytes of what a file says of its tensors: JSON, behind its length in the first 8."""
    size = int.from_bytes(data[:8], "little")
    if size > MOST_HEADER:
        raise ValueError(f"the header has {size} bytes, expected {MOST_HEADER} at most: shorten the names")
    return size


def _require(tensors: Mapping[str, Any], expected: Mapping[str, Layout]) -> None:
    """Raise ValueError for tensors of other names, dtypes or shapes."""
    if set(tensors) != set(expected):
        raise ValueError(f"it holds {', '.join(sorted(tensors))}, expected {', '.join(expected)}")
    for name, layout in expected.items():
        found = tensors[name]["dtype"], tuple(tensors[name]["shape"])
        wanted = _TYPES[layout.dtype.name], layout.shape
        if found != wanted:
            raise ValueError(f"{name} is {found[0]} of shape {found[1]}, expected {wanted[0]} of shape {wanted[1]}")
