"""What a training that has ended is told about: that it ended where it began."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence

import numpy as np

LEAST_STEPS = 200  # fewer are a trial, of which nobody expects anything
STANDSTILL = 0.01  # of ln C: a mean loss so near to it knows next to nothing
MEND = "scale the features, take std='he', another learning rate or less reg"


def guesses(losses: Sequence[float], classes: int) -> bool:
    """Whether the last tenth of the losses is, in the mean, ln C, that of giving all classes the same chance."""
    guessing = math.log(classes)
    return (
        len(losses) >= LEAST_STEPS
        and abs(float(np.mean(losses[-(len(losses) // 10) :])) - guessing) < STANDSTILL * guessing
    )


def warn_of_guesses(losses: Sequence[float], classes: int) -> None:
    """Warn when a training has ended so."""
    if guesses(losses, classes):
        text = f"after {len(losses)} iterations the loss is still ln {classes}, that of guessing: {MEND}"
        warnings.warn(text, stacklevel=4)


def warn_of_lone_class(losses: Sequence[float], classes: int, rows: str, lone_class: int | None) -> None:
    """Warn when it has ended otherwise, but with one class for all rows of the validation, or of the training, set."""
    if lone_class is not None and len(losses) >= LEAST_STEPS and not guesses(losses, classes):
        warnings.warn(f"all {rows} rows are given class {lone_class}: {MEND}", stacklevel=4)
