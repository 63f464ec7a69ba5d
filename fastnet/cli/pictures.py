"""The pictures of a training. They are a bonus: without matplotlib the training still counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastnet import plots
from fastnet.files import replacing

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw(stem: Path, model: Any, history: dict[str, list[float]], X: Any, y: Any) -> list[Path]:
    """Save every picture that suits the model as `stem`-subject.png; ImportError without matplotlib."""
    paths = []
    for subject, figure in _subjects(model, history, X, y):
        path = stem.with_name(f"{stem.name}-{subject}.png")
        with replacing(path) as file:
            figure().savefig(file, format="png")
        paths.append(path)
    return paths


def _subjects(
    model: Any, history: dict[str, list[float]], X: Any, y: Any
) -> Iterator[tuple[str, Callable[[], Figure]]]:
    yield "loss", partial(plots.loss_curve, history["loss_history"])
    if history["train_acc_history"]:
        yield (
            "accuracy",
            partial(plots.accuracy_curves, history["train_acc_history"], history["val_acc_history"]),
        )
    if X.shape[1] == 2:
        yield "boundary", partial(plots.decision_boundary, model, X, y)
    if model.image_shape is not None and model.image_shape[0] in (1, 3):
        first_layer = next(iter(model.params.values()))
        yield "weights", partial(plots.weight_tiles, first_layer, model.image_shape)
