"""The two models.

Letters: N rows of X, D inputs, H hidden units, C classes.

    loss = mean_i( -log softmax(scores_i)[y_i] ) + 0.5 * reg * (sum of the squared weights)

Biases are not regularised; the gradient of max(x, 0) at 0 is 0.  (CS231n, "Putting it together: Minimal Neural
Network Case Study"; the 0.5 makes the gradient of the L2 term reg * W.)
"""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike

from fastnet import checks
from fastnet.classifier import Classifier


class TwoLayerNet(Classifier):
    """affine -> ReLU -> affine -> softmax cross-entropy, with L2 on both weight matrices.

    Parameters
    ----------
    input_size, hidden_size, output_size : int
        D, H and C.  Where memory is too small for them a MemoryError says how many bytes they take.
    std : float, default 1e-4, or "he"
        Standard deviation of the initial weights; "he" is sqrt(2 / inputs of the layer), for data of deviation 1 (He et
        al. 2015, arXiv:1502.01852).  Biases begin at zero.
    dtype : float32 (default) or float64
    seed : int, or None
        Of the initial weights and of the mini-batches; None draws one from the system.
    threads : int, or None
        Default number of workers, see train.
    matmul_precision : "highest" (default), "high" or "medium"
        How the first layer's products are computed, by train, loss and predict on uint8 X in float32 models: "highest"
        in float32; "high" and "medium" with integers of 24 and 16 bits for the weights and their gradient, which is
        faster and, in itself, exact.  Rounding moves a hidden unit's input by at most
        `2**(1 - bits) * max_p |V_p| * sum_p |x_p - mean_p|`, V_p being its weights times the normalisation's scale
        (a hundredth more where the largest comes within 1/128 of a power of two).  "medium" takes 24 bits, and both
        float32, where the features' scales differ so much that the bound says little.  Float X, batches of fewer
        than 32 rows, and a normalisation whose mean is none of pixels run at "highest".  float64 models have
        "highest" alone.

    Attributes
    ----------
    normalization : a Normalization applied to every X, or None

    Notes
    -----
    `params` is {"W1": (D, H), "b1": (H,), "W2": (H, C), "b2": (C,)}.  `describe(data)` takes label_names, feature_names
    and image_shape from a data set of fastnet.data; they are saved with the model.
    """

    _widths = ("input_size", "hidden_size", "output_size")
    _names = (("W1", "b1"), ("W2", "b2"))

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        output_size: int,
        std: float | str = 1e-4,
        dtype: DTypeLike = np.float32,
        seed: int | None = None,
        threads: int | None = None,
        matmul_precision: str = "highest",
    ) -> None:
        sizes = (
            checks.count("input_size", input_size, 1),
            checks.count("hidden_size", hidden_size, 1),
            checks.count("output_size", output_size, 2),
        )
        super().__init__(sizes, std, dtype, seed, threads, matmul_precision)

    @property
    def hidden_size(self) -> int:
        """H, the number of hidden units."""
        return self._layers[0].outputs


class SoftmaxClassifier(Classifier):
    """affine -> softmax cross-entropy, with L2 on the weight matrix.

    Parameters
    ----------
    input_size, output_size : int
        D and C.  The other arguments, and the methods, are TwoLayerNet's.

    Notes
    -----
    `params` is {"W": (D, C), "b": (C,)}.
    """

    _widths = ("input_size", "output_size")
    _names = (("W", "b"),)

    def __init__(
        self,
        input_size: int,
        output_size: int,
        std: float | str = 1e-4,
        dtype: DTypeLike = np.float32,
        seed: int | None = None,
        threads: int | None = None,
        matmul_precision: str = "highest",
    ) -> None:
        sizes = (checks.count("input_size", input_size, 1), checks.count("output_size", output_size, 2))
        super().__init__(sizes, std, dtype, seed, threads, matmul_precision)


MODELS: dict[str, type[Classifier]] = {kind.__name__: kind for kind in (TwoLayerNet, SoftmaxClassifier)}
