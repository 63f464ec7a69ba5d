"""What a training that has ended is told about: that it ended where it began."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence

import numpy as np

LEAST_STEPS = 200  # fewer are a trial, of which nobody expects anything
STANDSTILL = 0.01  # of ln C: a mean loss so near to it knows next to nothing
MEND = "scale the features, take std='he', another learning rate or less reg"


def warn_of_standstill(losses: Sequence[float], classes: int, lone_class: int | None) -> None:
    """Warn when the last tenth of the losses is, in the mean, ln C, or when all rows of a validation set got one class.

    lone_class is that class, None where there are several.
    """
    if len(losses) < LEAST_STEPS:
        return
    guessing = math.log(classes)
    if abs(float(np.mean(losses[-(len(losses) // 10) :])) - guessing) < STANDSTILL * guessing:
        found = f"after {len(losses)} iterations the loss is still ln {classes}, that of guessing"
    elif lone_class is not None:
        found = f"all rows of the validation set are given class {lone_class}"
    else:
        return
    warnings.warn(f"{found}: {MEND}", stacklevel=3)
