"""Models of fastnet beside the same ones of `reference`, and how far apart their answers are.

Letters: N rows, D inputs, H hidden units, C classes.

A program is compiled for each pair of types and each shape of register tile, for seconds; after that sizes
cost nothing.  So where a test is not about types or rows, its rows are a multiple of 5, which on most CPUs
gives the same tiles as the lab's 200, and its types are those of the tests beside it.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

import fastnet
import reference

KINDS = ["two-layer", "linear"]
DTYPES = [np.float32, np.float64]
TOLERANCE = {np.float32: 1e-5, np.float64: 1e-10}  # of loss, scores and gradients, by `error`

# In float32 a unit this close to the kink of max(x, 0) may fall on its other side: another function.
KINK = 1e-5


def fastnet_model(kind, D, H, C, **options):
    if kind == "two-layer":
        return fastnet.TwoLayerNet(D, H, C, **options)
    return fastnet.SoftmaxClassifier(D, C, **options)


def reference_model(kind, D, H, C, **options):
    if kind == "two-layer":
        return reference.TwoLayerNet(D, H, C, **options)
    return reference.SoftmaxClassifier(D, C, **options)


def in_reference(model):
    """The model of `reference` with the parameters of a model of fastnet, as they are, in float64."""
    if isinstance(model, fastnet.TwoLayerNet):
        (D, H), C = model.params["W1"].shape, model.output_size
        twin = reference.TwoLayerNet(D, H, C)
    else:
        twin = reference.SoftmaxClassifier(*model.params["W"].shape)
    for name, value in model.params.items():
        twin.params[name][:] = value
    return twin


@dataclass
class Case:
    """A model, its twin in `reference`, and data for both: X64 is X in float64."""

    model: Any
    reference: Any
    X: Any
    X64: Any
    y: Any


def draw_case(kind, N, D, H, C, dtype):
    """Parameters and data of order 1, biases too, no hidden unit within KINK of its kink for any row."""
    rng = np.random.default_rng([N, D, H, C])
    while True:
        model = fastnet_model(kind, D, H, C, dtype=dtype, seed=0)
        for name, value in model.params.items():
            fan_in = len(value) if name.startswith("W") else 1
            value[:] = rng.standard_normal(value.shape) / np.sqrt(fan_in)
        X = rng.standard_normal((N, D)).astype(dtype)
        X64 = X.astype(np.float64)
        twin = in_reference(model)
        if kind == "two-layer":
            pre = X64 @ twin.params["W1"] + twin.params["b1"]
            if np.abs(pre).min() < KINK or not (pre > 0).any():
                continue
        return Case(model, twin, X, X64, rng.integers(0, C, N))


def error(found, expected):
    """The largest difference, relative to the largest element."""
    found, expected = np.asarray(found, np.float64), np.asarray(expected, np.float64)
    assert found.shape == expected.shape
    return np.abs(found - expected).max() / np.abs(expected).max()


def worst_error(found, expected):
    """The largest error of any array of two dictionaries: gradients, or parameters."""
    assert list(found) == list(expected)
    return np.max([error(found[name], expected[name]) for name in expected])  # nan if any is


def bits(model, history=None):
    """The parameters, and with a history of training that too, as bytes."""
    parts = [value.tobytes() for value in model.params.values()]
    if history is not None:
        parts += [np.array(values, np.float64).tobytes() for values in history.values()]
    return b"".join(parts)
