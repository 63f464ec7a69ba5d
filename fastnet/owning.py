"""A model that is trained belongs to the thread that trains it: others would see, or make, half-changed parameters."""

from __future__ import annotations

import functools
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Concatenate, ParamSpec, TypeVar

OWNER = "_trained_by"  # the attribute that says who trains a model; without it, nobody does
READERS = "_read_by"  # the attribute that lists who reads it, once for each reading that has begun
MOST_WAIT = 10.0  # seconds, for readings that have begun: one of them may wait for what is to follow the training
NAP = 0.0005  # seconds

_process = os.getpid()  # kept, as the system takes longer to say it than all else that a reading is preceded by

Model = TypeVar("Model")
P = ParamSpec("P")
R = TypeVar("R")


def _note_process() -> None:
    """A forked child has its models to itself: the threads that train or read them are its parent's."""
    global _process
    _process = os.getpid()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_note_process)


# No lock, which a child forked in that moment would keep for good: setdefault, append and remove are single operations.
# A training says that it owns the model before it looks for readers, and a reader that it reads before it looks for an
# owner: of two that begin at once, one sees the other.
@contextmanager
def training(model: Any) -> Iterator[None]:
    """Own a model while the block lasts, which begins when what other threads were reading has been read.

    Raises RuntimeError where the model is being trained already, and where another thread still reads it after
    MOST_WAIT seconds: so two that wait for each other do not do so for good.  This thread's own readings do not count.
    """
    me = here()
    try:
        owner = vars(model).setdefault(OWNER, me)  # a single operation: of two threads one is the first
        if owner[0] != me[0]:  # a forked child's copy of a model in training, whose thread it does not have
            vars(model)[OWNER] = owner = me
        if owner is not me:
            raise RuntimeError(
                "this model is being trained already: wait until that has ended, or train a copy.deepcopy of it"
            )
        _await_readers(model, me)
        yield
    finally:
        if vars(model).get(OWNER) is me:
            del vars(model)[OWNER]


def _await_readers(model: Any, me: tuple[int, int]) -> None:
    due = time.monotonic() + MOST_WAIT
    while any(process == me[0] and thread != me[1] for process, thread in list(vars(model).get(READERS, ()))):
        if time.monotonic() > due:
            raise RuntimeError(
                f"another thread has been reading this model for {MOST_WAIT:g} seconds: wait until that has ended, or "
                "train a copy.deepcopy of it"
            )
        time.sleep(NAP)


def refuse_others(model: Any, me: tuple[int, int]) -> None:
    """Raise RuntimeError where another thread of the process is training the model."""
    owner = vars(model).get(OWNER)
    if owner is not None and owner[0] == me[0] and owner[1] != me[1]:
        raise RuntimeError(
            "another thread is training this model: its parameters are in the midst of a step; wait until that has "
            "ended, or do this in a callback of the training"
        )


def here() -> tuple[int, int]:
    """This process and thread."""
    return _process, threading.get_ident()


def trains(method: Callable[Concatenate[Model, P], R]) -> Callable[Concatenate[Model, P], R]:
    """A method that changes the parameters."""

    @functools.wraps(method)
    def alone(self: Model, /, *args: P.args, **kwargs: P.kwargs) -> R:
        with training(self):
            return method(self, *args, **kwargs)

    return alone


def reads(method: Callable[Concatenate[Model, P], R]) -> Callable[Concatenate[Model, P], R]:
    """A method that needs all parameters to be of one iteration, or sets them.

    It is refused to all threads but the one that trains, and a training of another thread begins after it.
    """

    @functools.wraps(method)
    def whole(self: Model, /, *args: P.args, **kwargs: P.kwargs) -> R:
        me = here()
        readers = vars(self).setdefault(READERS, [])
        try:
            readers.append(me)
            refuse_others(self, me)
            return method(self, *args, **kwargs)
        finally:
            readers.remove(me)

    return whole
