"""fastnet: the CS231n two-layer network and softmax classifier, trained on the CPU at the hardware's speed.

    net = fastnet.TwoLayerNet(3072, 80, 10, seed=0)
    net.normalization = fastnet.Normalization.fit(X_train)
    history = net.train(X_train, y_train, X_val, y_val)
    labels = net.predict(X_test)

Letters: N batch, D inputs, H hidden units, C classes.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from os import PathLike
from typing import TYPE_CHECKING, Any

from fastnet._version import __version__

if TYPE_CHECKING:
    from fastnet.divergence import DivergenceError
    from fastnet.models import SoftmaxClassifier, TwoLayerNet
    from fastnet.normalization import Normalization
    from fastnet.optimizers import SGD, Adam, Momentum
    from fastnet.searching import LogUniform, search
    from fastnet.stopping import EarlyStopping
    from fastnet.training import Progress
    from fastnet.whitening import Whitening

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


_MODULES = {
    "DivergenceError": "divergence",
    "SoftmaxClassifier": "models",
    "TwoLayerNet": "models",
    "Normalization": "normalization",
    "SGD": "optimizers",
    "Adam": "optimizers",
    "Momentum": "optimizers",
    "LogUniform": "searching",
    "search": "searching",
    "EarlyStopping": "stopping",
    "Progress": "training",
    "Whitening": "whitening",
}


def __getattr__(name: str) -> Any:
    """What is exported, and the modules, imported when first asked for.

    So `import fastnet` takes a millisecond, not NumPy's hundred, in which the command line could not yet handle Ctrl-C.
    """
    if name in _MODULES:
        return getattr(import_module(f"fastnet.{_MODULES[name]}"), name)
    if not name.startswith("_") and find_spec(f"fastnet.{name}"):
        return import_module(f"fastnet.{name}")
    raise AttributeError(f"module 'fastnet' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)


def load(path: str | PathLike[str]) -> TwoLayerNet | SoftmaxClassifier:
    """The model that `save` wrote to path.

    Parameters
    ----------
    path : of the file

    Returns
    -------
    TwoLayerNet or SoftmaxClassifier

    Raises
    ------
    OSError
        Where there is no regular file that can be read.
    ValueError
        Where it is no model.
    """
    from fastnet import checkpoints
    from fastnet.models import MODELS

    model: Any = checkpoints.load(path, MODELS)
    found: TwoLayerNet | SoftmaxClassifier = model
    return found
