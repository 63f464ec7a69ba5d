"""PyTorch's state dict: of nn.Sequential(nn.Linear(D, H), nn.ReLU(), nn.Linear(H, C)), or of nn.Linear(D, C).

    model.load_state_dict({name: torch.from_numpy(array) for name, array in to_state_dict(net).items()})
    net = from_state_dict(model.state_dict())

A Linear holds its weight as (outputs, inputs).  The last layer gives scores, as nn.CrossEntropyLoss takes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fastnet.checks import Array
from fastnet.interchange.layers import Net, layers_of, net_of


def to_state_dict(net: Net, *, fold: bool = True) -> dict[str, Array]:
    """The parameters under PyTorch's names, as arrays of the net's dtype that torch.from_numpy takes.

    Parameters
    ----------
    net : TwoLayerNet or SoftmaxClassifier
    fold : bool, default True
        With a normalization in the first layer, so that the module takes raw rows (as floats) and gives the net's
        scores.  With fold=False the parameters are the net's own, to the last bit, and the module takes the rows that
        `net.normalization` makes.

    Returns
    -------
    dict of arrays
        Of a TwoLayerNet "0.weight" (H, D), "0.bias" (H,), "2.weight" (C, H) and "2.bias" (C,), of a SoftmaxClassifier
        "weight" (C, D) and "bias" (C,).

    Raises
    ------
    ValueError
        For what is no net, or one whose parameters are not finite.

    Notes
    -----
    Folded weights W and biases b are rounded once, which moves what a unit of the first layer is fed by at most
    ``u * (sum_p |x_p W_p| + |b|)``, u being 2**-24 in float32, 2**-53 in float64; of rows far from zero, whose sum b
    cancels, that shows.
    """
    arrays = [np.ascontiguousarray(array.T) for array in layers_of(net, fold)]
    names = ("weight", "bias") if len(arrays) == 2 else ("0.weight", "0.bias", "2.weight", "2.bias")
    return dict(zip(names, arrays, strict=True))


def from_state_dict(state: Mapping[str, Any]) -> Net:
    """The net of a state dict, in its dtype, without a normalization; to the last bit.

    Parameters
    ----------
    state : dict
        From names to tensors of one dtype, float32 or float64, in memory of the CPU, or to anything else that
        np.asarray takes: a weight (outputs, inputs) and a bias (outputs,) of each of one or two linear layers, the
        first layer first, under any prefix.

    Returns
    -------
    TwoLayerNet or SoftmaxClassifier
        The latter of one layer.

    Raises
    ------
    ValueError
        By name, for anything else.

    Notes
    -----
    What stands between the layers is not in a state dict: it must have been ReLU, or fastnet computes something else.
    """
    if not isinstance(state, Mapping):
        mend = "its state_dict()" if hasattr(state, "state_dict") else "a dictionary from names to arrays"
        raise ValueError(f"state is of type {type(state).__name__}, expected {mend}")
    prefixes = dict.fromkeys(str(name).removesuffix("weight").removesuffix("bias") for name in state)
    names = [prefix + kind for prefix in prefixes for kind in ("weight", "bias")]
    if set(state) != set(names):
        raise ValueError(
            f"the state dict holds {', '.join(map(str, state)) or 'nothing'}, expected the weight and the bias of each "
            "of one or two linear layers, as 0.weight, 0.bias, 2.weight, 2.bias"
        )
    return net_of({name: _array(name, state[name]).T for name in names})


def _array(name: str, value: Any) -> Array:
    try:
        return np.asarray(value)
    except Exception as error:  # a tensor may raise anything: of another device, of bfloat16, with a gradient
        raise ValueError(f"{name} cannot be read as an array ({error}): take value.detach().float().cpu()") from error
