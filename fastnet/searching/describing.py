"""What a value is, as JSON: the same text in every process, another for another value.

A journal is compared by these texts, and seeds are derived from them.
"""

from __future__ import annotations

import functools
import hashlib
import math
import pickle
import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from fastnet.digests import digest

_PLAIN = (bool, int, float, str, np.generic, np.ndarray)


def described(value: Any) -> Any:
    """The value in JSON's types.  Large ones stand as digests, objects as their types and fields.

    Raises ValueError for an object that has no lasting description.
    """
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, list | tuple):
        return [described(item) for item in value]
    if isinstance(value, Mapping):
        return {str(name): described(item) for name, item in value.items()}
    if isinstance(value, np.ndarray):
        return ["array", str(value.dtype), list(value.shape), digest(value)]
    if isinstance(value, functools.partial):
        return ["partial", described(value.func), described(value.args), described(value.keywords)]
    if isinstance(value, type):
        return f"{value.__module__}.{value.__qualname__}"
    if isinstance(value, types.FunctionType):
        return _function(value)
    if is_dataclass(value):
        told = {field.name: described(getattr(value, field.name)) for field in fields(value) if field.init}
        return [described(type(value)), told]
    try:
        return [described(type(value)), hashlib.blake2b(pickle.dumps(value, 4), digest_size=16).hexdigest()]
    except Exception as error:  # pickling runs the object's own code, which may raise anything
        raise ValueError(
            f"{value!r} cannot be told from others ({error}), expected a value that can be pickled"
        ) from error


def _function(function: types.FunctionType) -> list[Any]:
    """A function by its code, which two of one name may not share, and by what it has been given beforehand.

    So are the numbers, texts and arrays of its module that it names, and the code of the functions there.
    """
    cells = [cell.cell_contents for cell in function.__closure__ or ()]
    name = f"{function.__module__}.{function.__qualname__}"
    known = {word: function.__globals__.get(word) for word in _names(function.__code__)}
    values = {word: value for word, value in known.items() if isinstance(value, _PLAIN)}
    codes = {word: _code(value.__code__) for word, value in known.items() if isinstance(value, types.FunctionType)}
    told = described([cells, function.__defaults__, function.__kwdefaults__, values, codes])
    return [name, _code(function.__code__), told]


def _names(code: types.CodeType) -> list[str]:
    """What the code names outside of itself: globals, and attributes."""
    inner = [name for constant in code.co_consts if isinstance(constant, types.CodeType) for name in _names(constant)]
    return sorted({*code.co_names, *inner})


def _code(code: types.CodeType) -> str:
    # Not marshal: its bytes depend on who else holds the constants at the time.
    constants = [_code(c) if isinstance(c, types.CodeType) else _constant(c) for c in code.co_consts]
    return hashlib.blake2b(repr((code.co_code, code.co_names, constants)).encode(), digest_size=16).hexdigest()


def _constant(constant: Any) -> str:
    return repr(sorted(map(repr, constant)) if isinstance(constant, frozenset) else constant)
