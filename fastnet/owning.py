"""A model that is trained belongs to the thread that trains it: others would see, or make, half-changed parameters."""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Concatenate, ParamSpec, TypeVar

OWNER = "_trained_by"  # the attribute that says who trains a model; without it, nobody does

Model = TypeVar("Model")
P = ParamSpec("P")
R = TypeVar("R")


@contextmanager
def training(model: Any) -> Iterator[None]:
    """Own a model while the block lasts.  Raises RuntimeError where it is being trained already."""
    me = os.getpid(), threading.get_ident()
    try:
        owner = vars(model).setdefault(OWNER, me)  # a single operation: of two threads one is the first
        if owner[0] != me[0]:  # a forked child's copy of a model in training, whose thread it does not have
            vars(model)[OWNER] = owner = me
        if owner is not me:
            raise RuntimeError(
                "this model is being trained already: wait until that has ended, or train a copy.deepcopy of it"
            )
        yield
    finally:
        if vars(model).get(OWNER) is me:
            del vars(model)[OWNER]


def trains(method: Callable[Concatenate[Model, P], R]) -> Callable[Concatenate[Model, P], R]:
    """A method that changes the parameters."""

    @functools.wraps(method)
    def alone(self: Model, /, *args: P.args, **kwargs: P.kwargs) -> R:
        with training(self):
            return method(self, *args, **kwargs)

    return alone


def reads(method: Callable[Concatenate[Model, P], R]) -> Callable[Concatenate[Model, P], R]:
    """A method that needs all parameters to be of one iteration: refused to all threads but the one that trains."""

    @functools.wraps(method)
    def whole(self: Model, /, *args: P.args, **kwargs: P.kwargs) -> R:
        owner = vars(self).get(OWNER)
        if owner is not None and owner[0] == os.getpid() and owner[1] != threading.get_ident():
            raise RuntimeError(
                "another thread is training this model: its parameters are in the midst of a step; wait until that has "
                "ended, or do this in a callback of the training"
            )
        return method(self, *args, **kwargs)

    return whole
