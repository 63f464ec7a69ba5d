"""Settings in the words of a file's header."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import is_dataclass
from typing import Any

import numpy as np


def told(**settings: Any) -> dict[str, Any]:
    """Settings of a training in JSON's types: numbers and names as they are, rules with their numbers."""
    return {name: _word(value) for name, value in settings.items()}


def _word(value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Mapping):
        return {str(key): _word(item) for key, item in value.items()}
    return repr(value) if is_dataclass(value) else "a function"
