"""`fastnet train cifar10 | idx --recipe fast | best`: an image set, by fastnet.recipes."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from fastnet.cli.console import Report
from fastnet.cli.errors import CommandError
from fastnet.cli.evaluate import accuracy
from fastnet.cli.progress import Meter, TrainingProgress

if TYPE_CHECKING:
    from fastnet.cli.recipes import Recipe
    from fastnet.cli.train import History, Rows
    from fastnet.data import Dataset
    from fastnet.models import TwoLayerNet

HEEDED = ("seed", "threads", "validation")  # of the lab's options


@dataclass(frozen=True)
class ImageRecipe:
    """A recipe that the command line asks for, and how long to train: epochs or seconds, not both, or its own."""

    name: str
    length: dict[str, Any]

    def train(self, dataset: Dataset, rows: Rows, options: Recipe) -> tuple[TwoLayerNet, History, Report]:
        """The net on raw pixels, what training returned, and what there is to report of both."""
        from fastnet import recipes

        settings = {"fast": recipes.FAST, "best": recipes.BEST}[self.name]
        assert dataset.image_shape is not None  # cifar10 and idx have one
        meter = Meter(sys.stderr)
        try:
            found = recipes.train(
                *(rows.X, rows.y, dataset.image_shape, rows.X_val, rows.y_val),
                settings=settings,
                num_classes=dataset.num_classes,
                seed=options.seed,
                threads=options.threads,
                callback=TrainingProgress(meter),
                **self.length,
            )
        finally:
            meter.close()
        net, losses = found.net, found.history["loss_history"]
        net.label_names = dataset.label_names or None
        report = {
            "model": "two-layer",
            "recipe": self.name,
            "settings": asdict(settings) | {name: getattr(options, name) for name in HEEDED} | self.length,
            "loss": losses[-1],
            "training_accuracy": None,  # to measure it on raw rows takes as long as `fast` does
            "validation_accuracy": accuracy(net, rows.X_val, rows.y_val),
            "test_accuracy": accuracy(net, dataset.X_test, dataset.y_test),
            "seconds": found.total,
            "startup_seconds": found.total - found.seconds["training"],
            "seconds_of": found.seconds,
            "images_per_second": len(losses) * settings.batch_size / found.seconds["training"],
        }
        return net, found.history, report


def chosen(arguments: argparse.Namespace, changes: dict[str, object]) -> ImageRecipe | None:
    """What --recipe asks for; None is the lab's.  Raises CommandError for options that it would not heed."""
    length = {name: getattr(arguments, name) for name in ("epochs", "seconds") if hasattr(arguments, name)}
    if arguments.recipe not in ("fast", "best"):
        if "seconds" in length:
            raise CommandError("--seconds has no effect without --recipe fast or best")
        return None
    if len(length) > 1:
        raise CommandError("--epochs and --seconds both say how long to train: expected one of them")
    for name in changes:
        if name not in (*HEEDED, "epochs"):
            raise CommandError(f"--{name.replace('_', '-')} has no effect with --recipe {arguments.recipe}")
    return ImageRecipe(arguments.recipe, length)
