"""The hyper-parameters a training starts from, before the command line changes any."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from fastnet import checks, tables
from fastnet.cli.errors import CommandError
from fastnet.recipes import LAB_HIDDEN, LAB_ITERATIONS

AUTO = 0  # of a number that follows from the rows
MOST_HELD_OUT, LEAST_PARTS = 1000, 10  # rows for validation, of all


@dataclass(frozen=True)
class Recipe:
    """One training. Field names are also the names of the options, with `-` for `_`."""

    model: str = "two-layer"
    hidden: int = LAB_HIDDEN
    learning_rate: float = 1e-3
    reg: float = 0.5
    schedule: str = "decay"
    decay: float = 0.95
    warmup: float = 0.0
    iterations: int = LAB_ITERATIONS  # AUTO: as epochs says
    epochs: int = AUTO  # with iterations AUTO as well: as tables.py says
    batch_size: int | None = 200  # None: all rows at every step; AUTO: as tables.py says
    sampling: str = "replacement"
    optimizer: str = "sgd"
    momentum: float = 0.9
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    std: float | str = 1e-4
    normalize: str = "mean"
    validation: int | None = None  # None: MOST_HELD_OUT rows, at most one of LEAST_PARTS parts
    dtype: str = "float32"
    matmul_precision: str = "highest"
    seed: int = 0
    threads: int | None = None  # None: as many as the work is worth

    def held_out(self, rows: int) -> int:
        """How many of so many rows are for validation."""
        return min(MOST_HELD_OUT, rows // LEAST_PARTS) if self.validation is None else self.validation

    def for_rows(self, rows: int, held_out: int) -> Recipe:
        """The same with all numbers known: for so many training rows, beside those held out."""
        size = tables.batch_size(rows) if self.batch_size == AUTO else self.batch_size
        per_epoch = max(rows // (size or rows), 1)
        steps = self.iterations or self.epochs * per_epoch or tables.iterations(per_epoch)
        return replace(self, batch_size=size, iterations=steps, validation=held_out)


# The "Two-layer network" lab, on images whose mean is subtracted.  Its rate makes the linear classifier diverge on
# pixels from 0 to 255.
_LAB = Recipe()
PIXELS = (_LAB, replace(_LAB, model="softmax", learning_rate=1e-6))
ARRAYS = (_LAB, replace(_LAB, model="softmax"))

# The case study: full-batch descent on 300 points in the plane, the linear classifier first.
_SPIRAL = Recipe(
    hidden=100,
    learning_rate=1.0,
    reg=1e-3,
    decay=1.0,
    iterations=10_000,
    batch_size=None,
    std=0.01,
    normalize="none",
    validation=0,
)
SPIRAL = (replace(_SPIRAL, model="softmax", iterations=200), _SPIRAL)

_TABLE = Recipe(
    hidden=tables.HIDDEN,
    learning_rate=tables.LEARNING_RATE,
    reg=tables.REG,
    schedule="linear",
    warmup=tables.SCHEDULE.warmup,
    iterations=AUTO,
    batch_size=AUTO,
    sampling="shuffle",
    optimizer="nesterov",
    momentum=tables.MOMENTUM,
    std="he",
    normalize="standard",
)
TABLE = (_TABLE, replace(_TABLE, model="softmax"))

# By data set and name, the default first; one for each model.
RECIPES: dict[str, dict[str, tuple[Recipe, ...]]] = {
    "spiral": {"case study": SPIRAL},
    "cifar10": {"lab": PIXELS},
    "idx": {"lab": PIXELS},
    "npz": {"table": TABLE, "lab": ARRAYS},
    "csv": {"table": TABLE, "lab": ARRAYS},
}
BOTH = {"spiral"}  # without --model the case study trains both models, the others the first alone
MODELS = ("two-layer", "softmax")

# What `fastnet search` takes several values of, by the names of fastnet's arguments.
SEARCHED = {
    "learning_rate": "learning_rate",
    "reg": "reg",
    "hidden": "hidden_size",
    "decay": "learning_rate_decay",
    "iterations": "num_iters",
    "batch_size": "batch_size",
    "std": "std",
}


# What fastnet.runs tells a training from others by, and the options that it follows from.
OF_A_RUN = {
    "model": "--model, --hidden and --dtype",
    "seed": "--seed",
    "std": "--std",
    "matmul_precision": "--matmul-precision",
    "learning_rate": "--learning-rate",
    "reg": "--reg",
    "num_iters": "--iterations, --epochs and --batch-size",
    "batch_size": "--batch-size",
    "sampling": "--sampling",
    "optimizer": "--optimizer and its coefficients",
    "learning_rate_decay": "--decay",
    "schedule": "--schedule, --warmup and --decay",
    "X": "--data and --validation",
    "X_val": "--data and --validation",
    "the normalization's mean": "--normalize",
    "the normalization's scale": "--normalize",
}

# What an option has an effect with.
_NEEDS = {
    "hidden": ("model", {"two-layer"}),
    "decay": ("schedule", {"decay"}),
    "momentum": ("optimizer", {"momentum", "nesterov"}),
    "beta1": ("optimizer", {"adam"}),
    "beta2": ("optimizer", {"adam"}),
    "epsilon": ("optimizer", {"adam"}),
}


def default(dataset: str) -> tuple[Recipe, ...]:
    """The trainings of a data set without any option."""
    return next(iter(RECIPES[dataset].values()))


def recipes(dataset: str, changes: dict[str, object], name: str | None = None) -> tuple[Recipe, ...]:
    """The trainings of a data set: its recipe of that name with the given fields changed; `model` picks one.

    Raises CommandError for an option that none of them would heed, and for two that contradict each other.
    """
    starts = default(dataset) if name is None else RECIPES[dataset][name]
    if model := changes.get("model"):
        starts = tuple(recipe for recipe in starts if recipe.model == model)
    elif dataset not in BOTH:
        starts = starts[:1]
    if "epochs" in changes:
        if "iterations" in changes:
            raise CommandError("--epochs and --iterations both say how long to train: expected one of them")
        changes = {**changes, "iterations": AUTO}
    # The parser has given each field its own type, which its dictionary does not say.
    plan = tuple(replace(recipe, **changes) for recipe in starts)  # type: ignore[arg-type]
    for name in changes:
        if name in _NEEDS:
            field, values = _NEEDS[name]
            if not any(getattr(recipe, field) in values for recipe in plan):
                raise CommandError(f"--{name} has no effect without --{field} {' or '.join(sorted(values))}")
    for recipe in plan:
        checks.matmul_precision(recipe.matmul_precision, np.dtype(recipe.dtype))
    return plan
