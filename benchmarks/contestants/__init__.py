"""Everyone who trains the network, in one table that tests and benchmarks share.

A contestant's setup(problem) returns train(), which takes problem.steps steps from where it stands and
returns their losses.  All do the same work, each in the way natural and fastest in its library: gather
the rows of a mini-batch from uint8 images, convert them, subtract the mean; loss with L2, gradients, update;
loss history.  What is not the same is said in the name.  dtype is that of the products: of the first layer's,
where fastnet's matmul_precision has it in fixed point.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.contestants import jax_scan, lab, ours, pytorch, scikit_learn
from benchmarks.contestants.library import Unavailable
from benchmarks.problem import Problem

__all__ = ["BASE", "CONTESTANTS", "MEDIUM", "Contestant", "Train", "Unavailable"]

Train = Callable[[], Sequence[float]]


@dataclass(frozen=True)
class Contestant:
    """setup raises Unavailable, with the reason, where a library or compiler is missing."""

    setup: Callable[[Problem], Train]
    dtype: str
    linear: bool = False  # whether it can train the linear classifier, too


BASE, MEDIUM = "fastnet float32", "fastnet medium"  # the first is the one that all are compared with

CONTESTANTS = {
    "fastnet float32": Contestant(ours.float32, "float32", linear=True),
    "fastnet float64": Contestant(ours.float64, "float64", linear=True),
    "fastnet high": Contestant(ours.high, "24 bits", linear=True),
    "fastnet medium": Contestant(ours.medium, "16 bits", linear=True),
    "NumPy float32": Contestant(lab.float32, "float32", linear=True),
    "NumPy float32, converted beforehand": Contestant(lab.float32_beforehand, "float32", linear=True),
    "NumPy float64": Contestant(lab.float64, "float64", linear=True),
    "NumPy float64, converted beforehand": Contestant(lab.float64_beforehand, "float64", linear=True),
    "PyTorch eager": Contestant(pytorch.eager, "float32", linear=True),
    "PyTorch compiled": Contestant(pytorch.compiled, "float32", linear=True),
    "PyTorch eager, bfloat16": Contestant(pytorch.eager_bfloat16, "bfloat16", linear=True),
    "PyTorch compiled, bfloat16": Contestant(pytorch.compiled_bfloat16, "bfloat16", linear=True),
    "JAX jit + scan": Contestant(jax_scan.plain, "float32", linear=True),
    "JAX jit + scan, W1 transposed": Contestant(jax_scan.transposed, "float32", linear=True),
    "scikit-learn MLPClassifier": Contestant(scikit_learn.partial_fit, "float32"),
}
