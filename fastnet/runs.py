"""Checkpoints of a run: all that a training needs to go on where it was killed, as if it never had been.

Parameters, the update rule's state, the random state, rows that have been drawn and wait, histories, and what early
stopping and the keeping of the best know: in one archive, which says of what data and settings it is.
"""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnet import archive, checkpoints, checks, drawing, files, locks
from fastnet._version import __version__
from fastnet.archive import Layout
from fastnet.batches import Ending, Resumable
from fastnet.checks import Array
from fastnet.digests import digest
from fastnet.divergence import Steps
from fastnet.files import Name
from fastnet.schedules import Clock, Rates
from fastnet.stopping import Best, Patience
from fastnet.training import History

if TYPE_CHECKING:
    from fastnet.classifier import Classifier

RUN = "checkpoint of a run"  # the kind of archive
PARAMETERS = "the model's initial parameters"  # among the data of a run
_HISTORIES = [field.name for field in fields(History) if field.name.endswith("_history")]


class AnotherRun(ValueError):
    """A file is that of another run.

    names : of its settings or data that are others
    """

    def __init__(self, message: str, names: list[str]) -> None:
        super().__init__(message)
        self.names = names


@dataclass(frozen=True, eq=False)
class Run:
    """The parts of a training that change, and what tells it from others.

    settings : name -> value, in JSON's types
    data : name -> digest
    """

    model: Classifier
    steps: Steps
    batches: Resumable
    history: History
    best: Best | None
    patience: Patience | None
    num_iters: int
    per_epoch: int
    settings: dict[str, Any]
    data: dict[str, str]


def identity(model: Classifier, settings: Mapping[str, Any], **arrays: Any) -> dict[str, dict[str, Any]]:
    """The settings and the data of a Run: those of train, with what of the model has a part in the result."""
    normalization = model.normalization
    if normalization is not None:
        arrays |= {"the normalization's mean": normalization.mean, "the normalization's scale": normalization.scale}
    kind = {"model": repr(model), "seed": model._seed, "std": model._std, "matmul_precision": model.matmul_precision}
    # What is drawn without a seed is drawn anew in every process, and cannot be compared.
    drawn = model._seed is None and drawing.as_drawn(model._layers, model._std, model._rng)
    parameters = "drawn without a seed" if drawn else digest(*model.params.values())
    versions = {"fastnet": __version__, "numpy": np.__version__}  # which draws the numbers
    return {
        "settings": {**versions, **kind, **settings},
        "data": {PARAMETERS: parameters}
        | {name: digest(np.asarray(array)) for name, array in arrays.items() if array is not None},
    }


def table(schedule: Any, sampling: Any, rates: Rates, num_iters: int) -> Array | None:
    """The rates of a schedule that is a function, which tell it from others.

    Raises ValueError for a Clock, the schedule or that of an Ending.
    """
    if isinstance(schedule, Clock):
        raise ValueError("a Clock follows the seconds of one process, expected another schedule with checkpoint")
    if isinstance(sampling, Ending) and sampling.clock is not None:
        raise ValueError(
            "sampling has a Clock, which follows the seconds of one process, expected none with checkpoint"
        )
    return rates(np.arange(num_iters)) if callable(schedule) else None


class Checkpoint:
    """The file of a run, written every so many seconds.

    done, over : how many of its iterations are done, and whether a judge has ended it, as the file says
    """

    def __init__(self, path: Name, every: float, run: Run) -> None:
        self._path, self._every, self._run = path, every, run
        self._due = 0.0
        self.done, self.over = 0, False

    @contextmanager
    def begun(self, resume: bool) -> Iterator[Checkpoint]:
        """Write the file, which is this block's alone; with resume put the run where it says it was, if there is one.

        Raises OSError where it cannot be read or written, or is in use by another run, ValueError where it is that of
        another run, or no checkpoint: nothing else is written over.  In each case the run, and the file, are as they
        were.
        """
        files.regular_or_new(self._path)  # a lock beside what is no file would be in vain
        with locks.locked_while_replaced(self._path):
            self._begin(resume)
            yield self

    def _begin(self, resume: bool) -> None:
        found = files.regular_or_new(self._path)
        if resume and found is not None:
            with archive.reading(self._path, "a checkpoint of this run") as file:
                self.done, self.over = self._restore(file)
            self._set_due()
        else:
            self._begin_anew(found)
        self._run.model._began_with = self._run.data[PARAMETERS]

    def _begin_anew(self, found: os.stat_result | None) -> None:
        if found is not None and found.st_size:
            with archive.reading(self._path, "a checkpoint, and nothing else is written over") as file:
                _require_run(file.header)
        self._write(0, False)

    def keep_if_due(self, done: int, over: bool) -> None:
        """Write the file if it is time to."""
        if time.perf_counter() >= self._due:
            self.keep(done, over)

    def keep(self, done: int, over: bool) -> None:
        """Write the file; a warning, and no end of the training, where that fails."""
        try:
            self._write(done, over)
        except OSError as error:
            self._set_due()
            warnings.warn(f"no checkpoint after iteration {done}, the last one stays: {error}", stacklevel=4)

    def _set_due(self) -> None:
        self._due = time.perf_counter() + self._every

    def _write(self, done: int, over: bool) -> None:
        run = self._run
        header = {
            "kind": RUN,
            **checkpoints.header_of(run.model),
            "settings": run.settings,
            "data": run.data,
            "iteration": done,
            "over": over,
            "validations": len(run.history.val_loss_history),
            "waiting": len(run.batches.waiting),
            "waited": 0 if run.patience is None else run.patience.waited,
            "best": run.best is not None and run.best.kept is not None,
        }
        lowest = [np.inf if part is None else part.lowest for part in (run.patience, run.best)]
        arrays = checkpoints.arrays_of(run.model)
        arrays |= {f"rule.{number}": array for number, array in enumerate(self._rule)}
        arrays |= {name: np.array(getattr(run.history, name), np.float64) for name in _HISTORIES}
        arrays |= {"waiting": run.batches.waiting, "lowest": np.array(lowest)}
        if run.best is not None and run.best.kept is not None:
            arrays |= {f"best.{name}": a for name, a in zip(run.model.params, run.best.kept, strict=True)}
        archive.write(self._path, header, arrays)
        self._set_due()

    @property
    def _rule(self) -> list[Array]:
        """What the update rule keeps."""
        steps = self._run.steps
        return steps.state[len(steps.parameters) :]

    def _restore(self, file: archive.Archive) -> tuple[int, bool]:
        run, header = self._run, file.header
        _require_run(header)
        _require_same(header, run)
        done, waiting = (checks.whole(name, header[name], 0) for name in ("iteration", "waiting"))
        waited, validations = (checks.whole(name, header[name], 0) for name in ("waited", "validations"))
        if done > run.num_iters:
            raise ValueError(f"it is of iteration {done} of {run.num_iters}")
        arrays = file.read(self._layouts(header, done, waiting, validations))
        params = {name: arrays[f"params.{name}"] for name in run.model.params}
        checks.finite_params(params)
        random = type(run.model._rng.bit_generator)()
        random.state = header["random_state"]
        run.batches.go_on(done, arrays["waiting"])
        # Nothing is left that could be wrong.
        run.data.update(header["data"])
        run.model.params = params
        run.model._rng.bit_generator.state = random.state
        for own, array in zip(self._rule, (arrays[f"rule.{n}"] for n in range(len(self._rule))), strict=True):
            own[...] = array
        for name in _HISTORIES:
            getattr(run.history, name)[:] = arrays[name].tolist()
        if run.patience is not None:
            run.patience.lowest, run.patience.waited = float(arrays["lowest"][0]), waited
        if run.best is not None and header["best"]:
            run.best.lowest = float(arrays["lowest"][1])
            run.best.kept = [arrays[f"best.{name}"] for name in params]
        return done, header["over"] is True

    def _layouts(self, header: dict[str, Any], done: int, waiting: int, validations: int) -> dict[str, Layout]:
        run = self._run
        real, params = np.dtype(np.float64), run.model.params
        layouts = checkpoints.layouts_of(type(run.model), header)
        layouts |= {f"rule.{number}": Layout(array.dtype, array.shape) for number, array in enumerate(self._rule)}
        epochs = done // run.per_epoch
        lengths = dict(zip(_HISTORIES, (done, epochs, validations, validations), strict=True))
        layouts |= {name: Layout(real, (length,)) for name, length in lengths.items()}
        layouts |= {"lowest": Layout(real, (2,)), "waiting": Layout(np.dtype(np.int64), (waiting, run.batches.size))}
        if header["best"] is True:
            layouts |= {f"best.{name}": Layout(value.dtype, value.shape) for name, value in params.items()}
        return layouts


def _require_run(header: Mapping[str, Any]) -> None:
    """Raise ValueError where a file is a model."""
    if header.get("kind") != RUN:
        raise ValueError("it is a model, expected what train(checkpoint=...) wrote")


def _require_same(header: Mapping[str, Any], run: Run) -> None:
    """Raise ValueError, AnotherRun of other data or settings, which says what differs."""
    if header["format"] != archive.FORMAT:
        raise ValueError(
            f"an older version of fastnet wrote it, in format {header['format']}, expected {archive.FORMAT}: a run "
            "goes on with the version that began it"
        )
    for name, value in run.settings.items():
        if header["settings"].get(name) != value:
            raise AnotherRun(f"its {name} is {header['settings'].get(name)!r}, expected {value!r}", [name])
    data = {PARAMETERS: run.data[PARAMETERS], **header["data"]}  # older files of this format do not have them
    as_left = {**run.data, PARAMETERS: run.model._began_with}  # by an interruption: the very model of that run
    if data not in (run.data, as_left):
        names = sorted(name for name in {*data, *run.data} if data.get(name) != run.data.get(name))
        raise AnotherRun(f"it is of other data: {', '.join(names)}", names)
