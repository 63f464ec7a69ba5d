"""Copies and pickles of a model: parameters and settings, without what belongs to this process."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnet.engine.step.memory import Layer
from fastnet.owning import OWNER, READERS, reads
from fastnet.parameters import Parameters

# What every model has: a pickle that lacks one of these, of a class that has changed since, is no model.
KEPT = ("dtype", "matmul_precision", "normalization", "threads", "trained_with", "_rng", "_seed", "_std")
# Attributes that are not pickled as they are.
_OF_THE_PROCESS = ("_layers", "_params", "_scorers", "history", OWNER, READERS)


class Copied:
    """A model that can be copied and pickled."""

    _params: Parameters
    _scorers: dict[Any, Any]
    history: dict[str, Any]

    @reads
    def __getstate__(self) -> dict[str, Any]:
        params = {name: np.array(value) for name, value in self._params.items()}
        own = vars(self).copy()  # in one go: other threads that read, or ask to train, add attributes meanwhile
        return {name: value for name, value in own.items() if name not in _OF_THE_PROCESS} | {"params": params}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Be the pickled model.  Raises ValueError for one of another version, whose models had less."""
        missing = [name for name in (*KEPT, "params") if name not in state]
        if missing:
            raise ValueError(
                f"this {type(self).__name__} was pickled by another version of fastnet, without {', '.join(missing)}: "
                "save it there, and fastnet.load it here"
            )
        params = state.pop("params")
        self._scorers, self.history = {}, {}
        sizes = [value.shape for value in params.values() if value.ndim == 2]
        self._layers = tuple(Layer.zeros(i, o, state["dtype"]) for i, o in sizes)
        arrays = (array for layer in self._layers for array in (layer.W, layer.b))
        self._params = Parameters(zip(params, arrays, strict=True))
        vars(self).update(state)
        self._params.update(params)
