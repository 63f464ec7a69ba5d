"""What a recipe for images consists of: the views, the whitening, the net and its training."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fastnet import checks, images
from fastnet.batches import Ending
from fastnet.images import Shift
from fastnet.schedules import Clock, Constant, Cosine


@dataclass(frozen=True)
class Settings:
    """What a recipe consists of.  Raises ValueError for what cannot be.

    Parameters
    ----------
    hidden_size, batch_size, learning_rate, reg : as for TwoLayerNet and its train
    epochs : int
        How many times as many images are seen as there are in X, views counted like images.
    shifts, mirrored : the views to train on, see fastnet.images.views; the first shift is that of images to come
    components, epsilon : see Whitening.fit
        Of smaller images, and fewer of them, so many components as there are.
    momentum : float, of Nesterov's
    schedule : of fastnet.schedules
    ending : float in [0, 1)
        The last part of the training, which sees the first of the shifts alone: the others show a net more than there
        is, also what no image to come will look like (He et al. 2019, arXiv:1909.09148).
    """

    hidden_size: int
    batch_size: int
    learning_rate: float
    reg: float
    epochs: int
    shifts: tuple[Shift, ...] = ((0, 0),)
    mirrored: bool = True
    components: int = 300
    epsilon: float = 1.0
    momentum: float = 0.9
    schedule: Constant = field(default=Cosine(warmup=0.05))
    ending: float = 0.1

    def __post_init__(self) -> None:
        checked: dict[str, Any] = {"mirrored": checks.flag("mirrored", self.mirrored)}
        for name in ("hidden_size", "batch_size", "epochs", "components"):
            checked[name] = checks.count(name, getattr(self, name), 1)
        for name in ("learning_rate", "reg", "epsilon"):
            checked[name] = checks.non_negative(name, getattr(self, name), np.float32)
        for name in ("momentum", "ending"):
            checked[name] = checks.open_unit(name, getattr(self, name))
        checked["shifts"] = tuple((view.down, view.right) for view in images.views(self.shifts, mirrored=False))
        if not checked["shifts"]:
            raise ValueError("shifts is empty, expected at least one (down, right)")
        if not isinstance(self.schedule, Constant):
            raise ValueError(f"schedule is {self.schedule!r}, expected one of fastnet.schedules but its Clock")
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    def sampling(self, rows: int, clock: Clock | None = None) -> str | Ending:
        """How batches are drawn from the views of so many images, by `TwoLayerNet.train`."""
        if 1 - self.ending == 1:  # so short an ending has no step
            return "shuffle"
        return Ending((1 + self.mirrored) * rows, 1 - self.ending, clock)
