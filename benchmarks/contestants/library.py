"""Libraries that need not be there."""

from __future__ import annotations

from importlib import import_module
from typing import Any


class Unavailable(Exception):
    """A contestant cannot run here; the message says what is missing."""


def library(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise Unavailable(f"{name.partition('.')[0]} is not installed (extra `bench`)") from error
