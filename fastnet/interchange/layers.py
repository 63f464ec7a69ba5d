"""A net as its layers, for formats that have weights and biases and nothing else.

Arrays stand in the order of the layers, a weight (inputs, outputs) and a bias (outputs,) in turn.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fastnet import checks
from fastnet.checks import Array
from fastnet.classifier import Classifier
from fastnet.models import SoftmaxClassifier, TwoLayerNet
from fastnet.owning import reads

Net = TwoLayerNet | SoftmaxClassifier


def checked(net: Net) -> Classifier:
    """The net, if it is one.  Raises ValueError for anything else, and for parameters that are not finite."""
    if not isinstance(net, Classifier):
        mend = "its network_" if hasattr(net, "network_") else "a TwoLayerNet or a SoftmaxClassifier"
        raise ValueError(f"net is of type {type(net).__name__}, expected {mend}")
    checks.finite_params(net.params)
    return net


def layers_of(net: Net, fold: bool) -> list[Array]:
    """Copies of a net's weights and biases, in its dtype.

    fold : with the normalisation in the first of them: (x - mean) * scale @ W + b is
        x @ (scale W) + (b - mean @ (scale W)), computed in float64 and rounded once

    Raises ValueError for no net, and for a normalisation that does not fit it.
    """
    arrays = _copies(checked(net))
    if fold and net.normalization is not None:
        mean, scale = net._mean_and_scale()
        weight = scale.T * arrays[0]
        with np.errstate(over="ignore"):  # said below
            arrays[:2] = [array.astype(net.dtype) for array in (weight, arrays[1] - (mean @ weight)[0])]
        if not all(np.isfinite(array).all() for array in arrays[:2]):
            raise ValueError(f"the first layer with the normalization in it leaves {net.dtype}, expected fold=False")
    return arrays


@reads
def _copies(net: Classifier) -> list[Array]:
    return [np.array(value) for value in net.params.values()]


def net_of(arrays: Mapping[str, Array]) -> Net:
    """The net of these weights and biases, a SoftmaxClassifier of one pair, a TwoLayerNet of two.

    Raises ValueError, by the arrays' names, for those that no such net has.
    """
    names = list(arrays)
    if len(names) not in (2, 4):
        raise ValueError(f"there are {len(names) // 2} layers, expected 1 or 2: of {', '.join(names) or 'nothing'}")
    dtype = arrays[names[0]].dtype
    for name, array in arrays.items():
        if array.dtype not in (np.float32, np.float64) or array.dtype != dtype:
            raise ValueError(f"{name} is {array.dtype}, expected float32 or float64, as all the others")
    sizes: list[int] = []
    for weight, bias in zip(names[::2], names[1::2], strict=True):
        if arrays[weight].ndim != 2:
            raise ValueError(f"{weight} has {arrays[weight].ndim} dimensions, expected 2")
        inputs, outputs = arrays[weight].shape
        if sizes and inputs != sizes[-1]:
            raise ValueError(f"{weight} takes {inputs} inputs, expected the {sizes[-1]} outputs of {names[0]}")
        if arrays[bias].shape != (outputs,):
            raise ValueError(f"{bias} has shape {arrays[bias].shape}, expected ({outputs},), the outputs of {weight}")
        sizes += [outputs] if sizes else [inputs, outputs]
    checks.finite_params(arrays)
    kind: Any = SoftmaxClassifier if len(sizes) == 2 else TwoLayerNet
    net: Net = kind(*sizes, std=0.0, dtype=dtype)
    net.params = dict(zip(net.params, arrays.values(), strict=True))
    return net
