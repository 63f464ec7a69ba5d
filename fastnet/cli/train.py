"""`fastnet train`: from a data set to saved models, their accuracies and their pictures."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict, dataclass, fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnet import outcome, runs
from fastnet.cli import images, pictures, signals, summary
from fastnet.cli.console import Console, Report
from fastnet.cli.errors import CommandError, Interrupted, Misplaced
from fastnet.cli.evaluate import accuracy
from fastnet.cli.files import model_file, output_folder, require_same_origin, save
from fastnet.cli.networks import Facts, network
from fastnet.cli.progress import Meter, TrainingProgress
from fastnet.cli.recipes import OF_A_RUN, Recipe, recipes
from fastnet.cli.sources import origin, title, training_data
from fastnet.evaluation import lone_class

if TYPE_CHECKING:
    from fastnet.classifier import Classifier
    from fastnet.data import Dataset
    from fastnet.optimizers import Optimizer
    from fastnet.schedules import Schedule

History = dict[str, Any]
Kept = dict[str, Any]


def run(arguments: argparse.Namespace, console: Console) -> Report:
    names = {field.name for field in fields(Recipe)}
    changes = {name: value for name, value in vars(arguments).items() if name in names}
    image_recipe = images.chosen(arguments, changes)
    plan = recipes(arguments.dataset, changes, None if image_recipe else arguments.recipe)
    kept = _kept(arguments, len(plan))
    if kept and image_recipe is not None:
        raise CommandError(
            f"--checkpoint has no effect with --recipe {arguments.recipe}: leave it out, or take --recipe lab"
        )
    out = output_folder(arguments.out)
    dataset = training_data(arguments, plan[0].seed)
    rows = divide(dataset, plan[0])
    plan = tuple(recipe.for_rows(len(rows.X), len(dataset.X_train) - len(rows.X)) for recipe in plan)
    losses = arguments.dataset == "spiral"
    trainer = Trainer(title(arguments), origin(arguments), dataset, rows, out, kept, console, losses)
    try:
        if image_recipe is not None:
            return {"dataset": arguments.dataset, "results": [trainer.train_images(image_recipe, plan[0])]}
        return {"dataset": arguments.dataset, "results": [trainer.train(recipe) for recipe in plan]}
    except KeyboardInterrupt as interrupt:
        raise Interrupted(trainer.saved, interrupt) from interrupt


def _kept(arguments: argparse.Namespace, trainings: int) -> Kept:
    """The arguments of train that say where to keep the run; none where nowhere."""
    if arguments.checkpoint is None:
        if arguments.resume or arguments.checkpoint_every is not None:
            raise CommandError("--resume and --checkpoint-every have no effect without --checkpoint FILE")
        return {}
    if trainings > 1:
        raise CommandError(f"--checkpoint keeps one training, found {trainings}: name one with --model")
    every = {} if arguments.checkpoint_every is None else {"checkpoint_every": arguments.checkpoint_every}
    return {"checkpoint": arguments.checkpoint, "resume": arguments.resume, **every}


@dataclass(frozen=True)
class Rows:
    """The training part of a data set, divided."""

    X: Any
    y: Any
    X_val: Any = None
    y_val: Any = None


def divide(dataset: Dataset, recipe: Recipe) -> Rows:
    """The training part, the validation rows that the recipe asks for taken out."""
    from fastnet.data import split_validation

    X, y = dataset.X_train, dataset.y_train
    count = recipe.held_out(len(X))
    if count >= len(X):
        raise CommandError(f"--validation is {count}, expected fewer than the {len(X)} training rows")
    return Rows(*split_validation(X, y, count, seed=recipe.seed)) if count else Rows(X, y)


class Trainer:
    """Trains one recipe after another on one data set, and knows what it has saved.

    losses asks for the case study's lines of losses, which take the place of those of progress.
    """

    def __init__(
        self,
        name: str,
        origin: str | None,
        dataset: Dataset,
        rows: Rows,
        out: Path,
        kept: Kept,
        console: Console,
        losses: bool = False,
    ) -> None:
        self.name = name
        self.origin = origin
        self.dataset = dataset
        self.rows = rows
        self.out = out
        self.kept = kept
        self.console = console
        self.losses = losses
        self.saved: list[Path] = []
        self._draws = True
        parts = {"training": rows.X, "validation": rows.X_val, "test": dataset.X_test}
        console.line(summary.data_line(name, parts, dataset.image_shape, dataset.num_classes))

    def train(self, recipe: Recipe) -> Report:
        stem = self._stem(recipe.model)
        rows = self.rows
        model = self._build(recipe)
        self.console.lines(["", summary.model_line(recipe.model, model.params, recipe.dtype)])
        history, progress = self._fit(model, recipe, stem)
        self._save(model, stem)
        if self.losses:
            self.console.lines(summary.loss_lines(history["loss_history"]))
        given = model.predict(rows.X)
        if rows.X_val is None:  # of the validation set the model has spoken
            alone = lone_class(given, rows.y)
            outcome.warn_of_lone_class(history["loss_history"], model.output_size, "training", alone)
        report = {
            "model": recipe.model,
            "settings": asdict(recipe),
            "loss": history["loss_history"][-1],
            "training_accuracy": float(np.mean(given == rows.y)),
            "validation_accuracy": accuracy(model, rows.X_val, rows.y_val),
            "test_accuracy": accuracy(model, self.dataset.X_test, self.dataset.y_test),
            "seconds": progress.seconds,
            "startup_seconds": progress.startup_seconds,
            "images_per_second": progress.iterations_per_second * (recipe.batch_size or len(rows.X)),
            "path": str(self.saved[-1]),
            "pictures": [str(path) for path in self._draw(stem, model, history)],
            "history": history,
        }
        self.console.lines(summary.result_lines(report))
        return report

    def train_images(self, recipe: images.ImageRecipe, options: Recipe) -> Report:
        stem = self._stem(recipe.name)
        try:
            model, history, report = recipe.train(self.dataset, self.rows, options)
        except BaseException as error:
            if hasattr(error, "net"):
                self._save_unfinished(error.net, stem, error)
            raise
        self._save(model, stem)
        self.console.lines(["", summary.model_line(recipe.name, model.params, str(model.dtype))])
        report |= {
            "path": str(self.saved[-1]),
            "pictures": [str(path) for path in self._draw(stem, model, history)],
        }
        self.console.lines(summary.result_lines(report))
        return report

    def _stem(self, model: str) -> Path:
        """The results' path, but for their endings, where they write over no others."""
        stem = self.out / f"{self.name}-{model}"
        require_same_origin(model_file(stem), self.origin)
        return stem

    def _build(self, recipe: Recipe) -> Classifier:
        facts = Facts.of(self.dataset, self.rows.X, recipe.normalize)
        return network(
            facts, recipe.model, recipe.dtype, recipe.matmul_precision, recipe.hidden, recipe.std, recipe.seed
        )

    def _fit(self, model: Classifier, recipe: Recipe, stem: Path) -> tuple[History, TrainingProgress]:
        meter = Meter(sys.stderr, lines=not (self.losses or self.console.json))  # JSON has the whole history
        try:
            progress = TrainingProgress(meter, partial(signals.check, hold=bool(self.kept)), self._tell_start)
            history = model.train(
                *(self.rows.X, self.rows.y, self.rows.X_val, self.rows.y_val),
                learning_rate=recipe.learning_rate,
                learning_rate_decay=recipe.decay,
                schedule=schedule_of(recipe),
                reg=recipe.reg,
                num_iters=recipe.iterations,
                batch_size=recipe.batch_size,
                sampling=recipe.sampling,
                optimizer=optimizer_of(recipe),
                threads=recipe.threads,
                callback=progress,
                **self.kept,
            )
            progress.end()
            signals.check()  # what came after the last callback
        except BaseException as error:
            if model.history.get("loss_history"):
                self._save_unfinished(model, stem, error)
            if isinstance(error.__cause__, runs.AnotherRun):
                options = dict.fromkeys(OF_A_RUN[name] for name in error.__cause__.names if name in OF_A_RUN)
                raise CommandError(f"{error}: see {', '.join(options)}" if options else str(error)) from error
            raise
        finally:
            meter.close()
        return history, progress

    def _tell_start(self, text: str) -> None:
        if self.kept.get("resume"):
            self.console.complain(f"{self.kept['checkpoint']}: {text}")

    def _save(self, model: Classifier, stem: Path) -> None:
        path = model_file(stem)
        save(model, path, self.origin)
        self.saved.append(path)

    def _save_unfinished(self, model: Classifier, stem: Path, error: BaseException) -> None:
        """What there is of a training that something ended: its checkpoint, or else the model so far."""
        if "checkpoint" in self.kept and isinstance(error, signals.Signalled):
            self.saved.append(self.kept["checkpoint"])
            return
        # Under a name of its own: the model of an earlier, finished training stays.
        try:
            self._save(model, stem.with_name(f"{stem.name}-interrupted"))
        except Misplaced as misplaced:
            self.console.complain(str(misplaced))
            self.saved.append(misplaced.path)
            return
        if isinstance(error, Exception):
            self.console.complain(f"the model so far is in {self.saved[-1]}")

    def _draw(self, stem: Path, model: Classifier, history: History) -> list[Path]:
        if not self._draws:
            return []
        try:
            return pictures.draw(stem, model, history, self.rows.X, self.rows.y)
        except ImportError as error:
            self._draws = False
            self.console.complain(f"pictures skipped: {error}")
            return []


def schedule_of(recipe: Recipe) -> Schedule | None:
    """The schedule of a recipe; None is the decay that train knows by itself."""
    from fastnet.schedules import NAMES, EpochDecay

    if recipe.schedule != "decay":
        return NAMES[recipe.schedule](recipe.warmup)
    return EpochDecay(recipe.warmup, recipe.decay) if recipe.warmup else None


def optimizer_of(recipe: Recipe) -> Optimizer:
    """The update rule of a recipe, with its coefficients."""
    import fastnet

    match recipe.optimizer:
        case "adam":
            return fastnet.Adam(beta1=recipe.beta1, beta2=recipe.beta2, epsilon=recipe.epsilon)
        case "momentum" | "nesterov":
            return fastnet.Momentum(recipe.momentum, nesterov=recipe.optimizer == "nesterov")
    return fastnet.SGD()
