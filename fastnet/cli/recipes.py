"""The hyper-parameters a training starts from, before the command line changes any."""

from __future__ import annotations

from dataclasses import dataclass, replace

from fastnet.cli.errors import CommandError


@dataclass(frozen=True)
class Recipe:
    """One training. Field names are also the names of the options, with `-` for `_`."""

    model: str = "two-layer"
    hidden: int = 80
    learning_rate: float = 1e-3
    reg: float = 0.5
    decay: float = 0.95
    iterations: int = 4000
    batch_size: int | None = 200  # None: all rows at every step
    sampling: str = "replacement"
    optimizer: str = "sgd"
    momentum: float = 0.9
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    std: float = 1e-4
    normalize: str = "mean"
    validation: int | None = None  # None: 1000 rows, at most a tenth
    dtype: str = "float32"
    matmul_precision: str = "highest"
    seed: int = 0
    threads: int | None = None  # None: as many as the work is worth


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

# One for each model.
RECIPES: dict[str, tuple[Recipe, ...]] = {"spiral": SPIRAL, "cifar10": PIXELS, "idx": PIXELS, "npz": ARRAYS}
BOTH = {"spiral"}  # without --model the case study trains both models, the lab the first alone
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


# What an option has an effect with.
_NEEDS = {
    "hidden": ("model", {"two-layer"}),
    "momentum": ("optimizer", {"momentum", "nesterov"}),
    "beta1": ("optimizer", {"adam"}),
    "beta2": ("optimizer", {"adam"}),
    "epsilon": ("optimizer", {"adam"}),
}


def recipes(dataset: str, changes: dict[str, object]) -> tuple[Recipe, ...]:
    """The trainings of a data set: its defaults with the given fields changed; `model` picks one.

    Raises CommandError for an option that none of them would heed.
    """
    starts = RECIPES[dataset]
    if model := changes.get("model"):
        starts = tuple(recipe for recipe in starts if recipe.model == model)
    elif dataset not in BOTH:
        starts = starts[:1]
    # The parser has given each field its own type, which its dictionary does not say.
    plan = tuple(replace(recipe, **changes) for recipe in starts)  # type: ignore[arg-type]
    for name in changes:
        if name in _NEEDS:
            field, values = _NEEDS[name]
            if not any(getattr(recipe, field) in values for recipe in plan):
                raise CommandError(f"--{name} has no effect without --{field} {' or '.join(sorted(values))}")
    return plan
