"""fastnet: the CS231n two-layer network and softmax classifier, trained on the CPU at the hardware's speed.

    net = fastnet.TwoLayerNet(3072, 80, 10, seed=0)
    net.normalization = fastnet.Normalization.fit(X_train)
    history = net.train(X_train, y_train, X_val, y_val)
    labels = net.predict(X_test)

Letters: N batch, D inputs, H hidden units, C classes.
"""

from importlib import import_module
from os import PathLike
from typing import TYPE_CHECKING, Any

from fastnet._version import __version__
from fastnet.divergence import DivergenceError
from fastnet.models import MODELS, SoftmaxClassifier, TwoLayerNet
from fastnet.normalization import Normalization
from fastnet.optimizers import SGD, Adam, Momentum
from fastnet.stopping import EarlyStopping
from fastnet.training import Progress
from fastnet.whitening import Whitening

if TYPE_CHECKING:
    from fastnet.searching import LogUniform, search

__all__ = [
    "SGD",
    "Adam",
    "DivergenceError",
    "EarlyStopping",
    "LogUniform",
    "Momentum",
    "Normalization",
    "Progress",
    "SoftmaxClassifier",
    "TwoLayerNet",
    "Whitening",
    "__version__",
    "load",
    "search",
]


def __getattr__(name: str) -> Any:
    """`fastnet.data`, `interchange`, `plots`, `recipes`, `searching` and what it exports, imported when asked for."""
    if name in ("data", "interchange", "plots", "recipes", "searching"):
        return import_module(f"fastnet.{name}")
    if name in ("search", "LogUniform"):
        return getattr(import_module("fastnet.searching"), name)
    raise AttributeError(f"module 'fastnet' has no attribute {name!r}")


def load(path: str | PathLike[str]) -> TwoLayerNet | SoftmaxClassifier:
    """The model that `save` wrote to path.

    Raises
    ------
    OSError
        Where there is no regular file that can be read.
    ValueError
        Where it is no model.
    """
    from fastnet import checkpoints  # and with it zipfile, which `import fastnet` does without

    model: Any = checkpoints.load(path, MODELS)
    found: TwoLayerNet | SoftmaxClassifier = model
    return found
