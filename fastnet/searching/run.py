"""The search itself: what it is given is checked here, once, and its parts put together."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from concurrent.futures import Executor
from contextlib import ExitStack, closing
from os import PathLike
from typing import Any

import numpy as np

import fastnet
from fastnet import checks
from fastnet.digests import digest
from fastnet.searching.crews import crew_of
from fastnet.searching.describing import described
from fastnet.searching.finding import Callback, Finding
from fastnet.searching.grid import Point, check_grid, make_points, names_for_build, takes_seed, train_arguments
from fastnet.searching.halving import Rungs, halved
from fastnet.searching.journal import Journal
from fastnet.searching.results import COLUMNS, Clock, Search
from fastnet.searching.running import side_by_side
from fastnet.searching.trial import METRICS, Outcome, Plan, Rows

# Arguments of train that are about X alone, or that need a validation set.
OF_TWO_SETS = ("early_stopping", "indices", "restore_best", "sample_weight", "sample_weight_val")


def search(
    build: Callable[..., Any],
    X: Any,
    y: Any,
    X_val: Any,
    y_val: Any,
    grid: Mapping[str, Any],
    *,
    samples: int | None = None,
    seed: int = 0,
    workers: int | None = None,
    executor: Executor | None = None,
    journal: str | PathLike[str] | None = None,
    refit: bool = False,
    callback: Callback | None = None,
    halving: int | None = None,
    metric: str = "val_accuracy",
    **train_settings: Any,
) -> Search:
    """Train a net for each combination of hyper-parameters, side by side, and keep the best.

    Parameters
    ----------
    build : function of keyword arguments that returns an untrained model, a new one each time
        functools.partial(fastnet.TwoLayerNet, 3072, 80, 10), or a function that sets `normalization` as well.  It is
        given `seed=`, derived from the combination and the search's seed, if it takes one that is not in grid and not
        yet given by a partial.
    X, X_val : arrays (num, D) of uint8, float32 or float64, as for train
        All nets read the same copy.
    y, y_val : integer arrays (num,)
    grid : dict
        Each name is an argument of build or of train, whichever has it, each value a list, or a LogUniform to draw
        from.
    samples : int, or None (default) for all combinations
        Train so many different ones, drawn from grid.  More samples go on where fewer ended.
    seed : int, default 0, of the nets and of the drawing
    workers : int, nets that train at once, one worker each; default as many as there are cores
    executor : a concurrent.futures.Executor to train on instead; of Dask, distributed.Client(...).get_executor()
    journal : path of a file that keeps each finished combination
        The same search with it resumes where another ended.  A combination that failed (not: diverged) is tried again
        then.  The best net is beside it, FILE.best.npz.
    refit : bool, default False
        Train the best combination anew, from the beginning, on X and X_val together (a copy of both), with all threads;
        best_net and best_stats are then of that.  Refused with early_stopping, restore_best, and indices or weights of
        rows, which are of one of the two sets.
    callback : called with a SearchProgress whenever a combination has finished
    halving : int from 2 on, or None (default)
        Successive halving by this factor: all start, of n the best n // halving go on.  Nets that wait for their
        turn stay in memory.
    metric : what the best is best in, "val_accuracy" (default) or "val_loss" (cross-entropy, without the L2 term)
    **train_settings : other arguments of train, the same for all nets
        num_iters may be a function of a combination's values, a dictionary by name.  A Clock is refused: by it the bits
        would depend on the machine.

    Returns
    -------
    Search
        results[(lr, reg)] = (train_accuracy, val_accuracy), table, best_net, best_stats, best_val.  The bits of all
        these do not depend on the order, the workers or the executor, except for the seconds.

    Raises
    ------
    ValueError
        For input that does not fit, and for a journal of something else.
    OSError
        For a journal that cannot be written, or that another search has open.
    SearchError
        (A RuntimeError.)  For an executor that is shut down or broken, and where no net got trained.  Any exception
        once training has begun, Ctrl-C included, has what had finished as its attribute `search`.
    """
    if not callable(build):
        raise ValueError(f"build is {build!r}, expected a function of keyword arguments that returns a model")
    if metric not in METRICS:
        raise ValueError(f"metric is {metric!r}, expected {' or '.join(map(repr, METRICS))}")
    if callback is not None and not callable(callback):
        raise ValueError(f"callback is {callback!r}, expected a function of one argument, a SearchProgress")
    choices = check_grid(grid, COLUMNS)
    to_build = names_for_build(build, choices, train_settings)
    plan = Plan(build, to_build, takes_seed(build), train_settings, metric)
    points = make_points(choices, samples, checks.whole("seed", seed, 0))
    rows = _rows(X, y, X_val, y_val)
    workers = _workers(workers, executor, len(points))
    rungs = None if halving is None else _rungs(halving, plan, points, executor)
    if refit:
        _refuse_for_refit(plan, choices)
    with ExitStack() as stack:
        kept = None
        if journal is not None:
            told = {"seed": seed, "metric": metric, "halving": None if halving is None else [halving, len(points)]}
            kept = stack.enter_context(closing(Journal(journal, _identity(plan, rows, choices, samples, told))))
        finding = Finding(plan, points, kept, callback)
        with finding.carried_by_exceptions():
            if rungs is not None:
                outcomes = halved(plan, rows, points, rungs, workers, dict(finding.rows), finding.clock)
            else:
                left = [point for point in points if point.number not in finding.rows]
                outcomes = _on_crew(plan, rows, left, workers, executor, finding.clock)
            with closing(outcomes):
                for point, outcome in outcomes:
                    finding.add(point, outcome)
            finding.find_net(rows)
            if refit:
                finding.refit(rows)
    return finding.search()


def _on_crew(
    plan: Plan, rows: Rows, points: list[Point], workers: int, executor: Executor | None, clock: Clock
) -> Generator[tuple[Point, Outcome]]:
    if points:
        with (
            crew_of(executor, workers, plan, rows) as crew,
            closing(side_by_side(crew, points, clock)) as outcomes,
        ):
            yield from outcomes


def _rows(X: Any, y: Any, X_val: Any, y_val: Any) -> Rows:
    """The data in a form that every train takes as it is; what a model may still refuse are sizes and labels."""
    any_label = np.iinfo(np.int64).max
    columns = np.shape(X)[1] if np.ndim(X) == 2 else 0
    data = checks.features("X", X, columns, np.dtype(np.float64))
    labels = checks.labels("y", y, len(data), any_label)
    data_val = checks.features("X_val", X_val, columns, np.dtype(np.float64))
    return Rows(data, labels, data_val, checks.labels("y_val", y_val, len(data_val), any_label))


def _workers(workers: Any, executor: Any, points: int) -> int:
    if executor is not None:
        if not isinstance(executor, Executor):
            mend = "its get_executor()" if hasattr(executor, "get_executor") else "a concurrent.futures.Executor"
            raise ValueError(f"executor is of type {type(executor).__name__}, expected {mend}")
        if workers is not None:
            raise ValueError("workers and executor are both given, expected one: an executor has workers of its own")
        return 1
    from fastnet.engine.compilation.cpu import usable_cores  # imports Numba

    most = checks.threads(None) or usable_cores() if workers is None else checks.whole("workers", workers, 1)
    return min(most, points)


def _rungs(halving: Any, plan: Plan, points: list[Point], executor: Any) -> Rungs:
    factor = checks.whole("halving", halving, 2)
    if executor is not None:
        raise ValueError("halving keeps nets in the memory of this process: leave executor away")
    varied = [name for name in ("num_iters", "indices") if name in points[0].values]
    num_iters = (train_arguments() | plan.settings)["num_iters"]
    if varied or plan.settings.get("indices") is not None or callable(num_iters):
        raise ValueError("halving shares out num_iters, the same for all nets: give one number, and no indices")
    return Rungs.of(len(points), factor, checks.whole("num_iters", num_iters, 1))


def _refuse_for_refit(plan: Plan, choices: Mapping[str, Any]) -> None:
    found = [name for name in OF_TWO_SETS if name in choices or plan.settings.get(name) is not None]
    if found:
        raise ValueError(
            f"refit trains on X and X_val together, for which {', '.join(found)} cannot be meant: leave refit "
            "away, and train the best combination by hand"
        )


def _identity(
    plan: Plan, rows: Rows, choices: Mapping[str, Any], samples: int | None, told: Mapping[str, Any]
) -> dict[str, Any]:
    """What makes a search this one.  How many samples does not: more of them are the same search going on."""
    return {
        "fastnet": fastnet.__version__,
        "numpy": np.__version__,  # it draws the numbers
        "data": digest(*vars(rows).values()),
        "grid": described(choices),
        "drawn": samples is not None,
        "settings": described(plan.settings),
        **told,
    }
