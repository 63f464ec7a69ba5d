"""The combinations of a search: every one of a grid, or some that are drawn.

A combination's seed follows from its values and the search's seed, never from its place in the order: the same
net is trained for it whatever else is searched, in whatever order, by however many workers.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from fastnet import checks
from fastnet.models import TwoLayerNet
from fastnet.schedules import Clock
from fastnet.searching.describing import described

# Arguments of train that are the search's own affair.
OWN = ("X", "y", "X_val", "y_val", "threads", "verbose", "callback", "checkpoint", "checkpoint_every", "resume")


@dataclass(frozen=True)
class LogUniform:
    """Numbers between low and high whose logarithm is uniformly distributed: for learning rates and strengths.

    (Bergstra and Bengio, "Random search for hyper-parameter optimization", 2012, draw rates and sizes so.)

    Parameters
    ----------
    low, high : numbers, 0 < low < high
    integer : bool, default False
        Rounded to whole numbers between low and high, for sizes and counts.

    Raises
    ------
    ValueError
        For other bounds, and for those that have no whole number between them.
    """

    low: float
    high: float
    integer: bool = False

    def __post_init__(self) -> None:
        low, high = checks.positive("low", self.low), checks.positive("high", self.high)
        if not low < high:
            raise ValueError(f"low is {self.low} and high is {self.high}, expected low below high")
        object.__setattr__(self, "low", low)
        object.__setattr__(self, "high", high)
        checks.flag("integer", self.integer)
        if self.integer and math.ceil(low) > math.floor(high):
            raise ValueError(f"there is no whole number from {self.low} to {self.high}, expected bounds around one")

    def draw(self, rng: np.random.Generator) -> float | int:
        """One number."""
        number = math.exp(rng.uniform(math.log(self.low), math.log(self.high)))
        if self.integer:
            return min(max(round(number), math.ceil(self.low)), math.floor(self.high))
        return min(max(number, self.low), self.high)  # its logarithm was rounded


@dataclass(frozen=True, eq=False)
class Point:
    """One combination: its place in the order, its values by name, its identity as text, the seed of its net."""

    number: int
    values: dict[str, Any]
    identity: str
    seed: int

    @property
    def key(self) -> tuple[Any, ...]:
        """The values in the grid's order: what `results` is keyed by."""
        return tuple(self.values.values())


def make_points(choices: Mapping[str, Any], samples: Any, seed: int) -> list[Point]:
    """All combinations of a checked grid, the last name varying fastest, or `samples` different ones drawn from it."""
    drawn = [name for name, values in choices.items() if isinstance(values, LogUniform)]
    if samples is not None:
        combinations = _draw(choices, checks.whole("samples", samples, 1), seed, finite=not drawn)
    elif drawn:
        raise ValueError(f"grid draws {', '.join(drawn)} from a distribution: say with samples= how many times")
    else:
        combinations = [dict(zip(choices, values, strict=True)) for values in product(*choices.values())]
    return [_point(number, values, seed) for number, values in enumerate(combinations)]


def check_grid(grid: Any, taken: Collection[str]) -> dict[str, Any]:
    """The grid with a list or a LogUniform for each name; none of the names is one of those taken."""
    if not isinstance(grid, Mapping):
        raise ValueError(f"grid is of type {type(grid).__name__}, expected a dictionary of a list for each name")
    if not grid:
        raise ValueError("grid is empty, expected at least one name with its values")
    for name in grid:
        if name in taken:
            raise ValueError(f"grid holds {name!r}, a column of the table, expected an argument of another name")
    return {name: values if isinstance(values, LogUniform) else _listed(name, values) for name, values in grid.items()}


def _listed(name: str, values: Any) -> list[Any]:
    try:
        given = list(values) if not isinstance(values, (str, bytes)) else None
    except TypeError:
        given = None
    if given is None:
        raise ValueError(f"grid[{name!r}] is {values!r}, expected a list of values or a LogUniform")
    # NumPy's numbers as Python's: they are written to the journal, and looked up in `results`.
    items = [value.item() if isinstance(value, np.generic) else value for value in given]
    if not items:
        raise ValueError(f"grid[{name!r}] is empty, expected at least one value")
    for item in items:
        try:
            hash(item)
        except TypeError as error:
            kind = type(item).__name__
            raise ValueError(f"grid[{name!r}] holds a {kind}, expected values that can be hashed") from error
    if len(set(items)) < len(items):
        twice = next(item for item in items if items.count(item) > 1)
        raise ValueError(f"grid[{name!r}] holds {twice!r} twice, expected different values")
    return items


def _draw(choices: Mapping[str, Any], samples: int, seed: int, finite: bool) -> list[dict[str, Any]]:
    """The first `samples` different combinations of one sequence: more samples go on where fewer ended."""
    if finite and samples > (most := math.prod(map(len, choices.values()))):
        raise ValueError(f"samples is {samples}, but grid has only {most} combinations: leave samples away")
    rng = np.random.default_rng(seed)
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    misses = 0
    while len(found) < samples:
        values = {
            name: choice.draw(rng) if isinstance(choice, LogUniform) else choice[rng.integers(len(choice))]
            for name, choice in choices.items()
        }
        if found.setdefault(tuple(values.values()), values) is not values:
            misses += 1
            if misses > 1000 * samples:
                raise ValueError(f"samples is {samples}, but grid yields hardly more than {len(found)} combinations")
    return list(found.values())


def _point(number: int, values: dict[str, Any], seed: int) -> Point:
    identity = json.dumps(described(values), sort_keys=True)
    digest = hashlib.blake2b(f"{seed} {identity}".encode(), digest_size=8).digest()
    return Point(number, values, identity, int.from_bytes(digest, "big"))


def takes_seed(build: Callable[..., Any]) -> bool:
    """Whether build can be given a seed, and has not been given one by functools.partial."""
    names, anything = _arguments(build)
    return ("seed" in names or anything) and "seed" not in getattr(build, "keywords", {})


def names_for_build(build: Callable[..., Any], grid: Mapping[str, Any], settings: Mapping[str, Any]) -> frozenset[str]:
    """Which names of the grid go to build; the others go to train.

    Raises ValueError for a name that neither has, that both have, or that stands in grid and settings both, and for a
    Clock, by which a net's bits would depend on the machine and on the nets beside it.
    """
    names, anything = _arguments(build)
    trains = set(train_arguments())
    for name in settings:
        if name in OWN:
            raise ValueError(f"{name} is the search's own affair in train, expected it not to be given")
        if name not in trains:
            raise ValueError(f"train has no argument {name!r}, expected one of {', '.join(sorted(trains))}")
    schedules = grid.get("schedule", [settings.get("schedule")])
    for schedule in schedules if isinstance(schedules, list) else []:
        if isinstance(schedule, Clock):
            raise ValueError(
                f"schedule is {schedule!r}, which ends all nets at one moment, wherever they are: give num_iters, and "
                "another schedule, as 'cosine'"
            )
    to_build = set()
    for name in grid:
        if name in settings:
            raise ValueError(f"{name} is given in grid and beside it, expected it in one place")
        if name in OWN:
            raise ValueError(f"grid holds {name!r}, which is the search's own affair")
        if name in names and name in trains:
            raise ValueError(f"grid holds {name!r}, an argument of build and of train both: rename that of build")
        if name in names or (anything and name not in trains):
            to_build.add(name)
        elif name not in trains:
            known = ", ".join(sorted(names | trains))
            raise ValueError(f"grid holds {name!r}, which neither build nor train has, expected one of {known}")
    return frozenset(to_build)


def train_arguments() -> dict[str, Any]:
    """The arguments of train that a search may set, with their defaults."""
    parameters = inspect.signature(TwoLayerNet.train).parameters.values()
    return {p.name: p.default for p in parameters if p.name not in ("self", *OWN)}


def _arguments(build: Callable[..., Any]) -> tuple[set[str], bool]:
    """The names that build can be called with, and whether it takes any other as well."""
    parameters = inspect.signature(build).parameters.values()
    by_name = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    names = {p.name for p in parameters if p.kind in by_name and p.name not in OWN}
    return names, any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters)
