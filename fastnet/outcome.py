"""What a training that has ended is told about: that it ended where it began, or far above."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from fastnet.advice import SCALING, advise

LEAST_STEPS = 200  # fewer are a trial, of which nobody expects anything
STANDSTILL = 0.01  # of ln C: a mean loss so near to it knows next to nothing
FAR = 2.0  # times the loss of the beginning: noise of batches does not double it
MEND = "scale the features, take std='he', another learning rate or less reg"


def complaint(losses: Sequence[float], classes: int) -> str | None:
    """What is wrong with the last tenth of the losses, in the mean; None where nothing is, or of a trial.

    It may be ln C, that of giving all classes the same chance, or far above both that and the first loss.
    """
    if len(losses) < LEAST_STEPS:
        return None
    guessing, end = math.log(classes), float(np.mean(losses[-(len(losses) // 10) :]))
    if abs(end - guessing) < STANDSTILL * guessing:
        return f"after {len(losses)} iterations the loss is still ln {classes}, that of guessing: {MEND}"
    if end > FAR * max(losses[0], guessing):
        return (
            f"after {len(losses)} iterations the loss is {end:.4g}, far above the {losses[0]:.4g} that it began with: "
            f"take a smaller learning rate, or scale the features: {SCALING}"
        )
    return None


def warn_of_losses(losses: Sequence[float], classes: int) -> None:
    """Warn when a training has ended with such losses."""
    if (text := complaint(losses, classes)) is not None:
        advise(text, stacklevel=4)


def warn_of_lone_class(losses: Sequence[float], classes: int, rows: str, lone_class: int | None) -> None:
    """Warn when it has ended otherwise, but with one class for all rows of the validation, or of the training, set."""
    if lone_class is not None and len(losses) >= LEAST_STEPS and complaint(losses, classes) is None:
        advise(f"all {rows} rows are given class {lone_class}: {MEND}", stacklevel=4)
