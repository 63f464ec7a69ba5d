"""A model's parameters under their names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fastnet.checks import Array, numbers


class Parameters(dict[str, Array]):
    """A model's parameters by name: live arrays, the ones that training changes.

    `params["W1"][:] = ...` and `params["W1"] = ...` both write into the model; the second checks the shape.
    """

    def __setitem__(self, name: str, value: Any) -> None:
        self[name][...] = self._checked(name, value)

    def _checked(self, name: str, value: Any) -> Array:
        if name not in self:
            raise ValueError(f"no parameter {name!r}, expected one of {', '.join(self)}")
        given = numbers(name, value)
        with np.errstate(all="ignore"):
            array = given.astype(self[name].dtype, copy=False)
        if array.shape != self[name].shape:
            raise ValueError(f"{name} has shape {array.shape}, expected {self[name].shape}")
        if not np.array_equal(np.isfinite(array), np.isfinite(given)):
            raise ValueError(f"{name} holds numbers that are too large for {array.dtype}")
        return array

    def update(self, *others: Any, **named: Any) -> None:
        """Write several parameters, as `params[name] = value` does each: all of them or, where one is wrong, none."""
        values = {name: self._checked(name, value) for name, value in dict(*others, **named).items()}
        for name, array in values.items():
            self[name][...] = array

    def replace(self, values: Any) -> None:
        """Write all parameters; ValueError, with all as they were, where one is missing, strange or wrong."""
        found = list(values) if isinstance(values, Mapping) else [type(values).__name__]
        if set(found) != set(self):
            raise ValueError(f"params are {', '.join(map(str, found))}, expected {', '.join(self)}")
        self.update(values)

    # A dictionary's own |= is declared for dictionaries of one type alone; this one takes what update takes.
    def __ior__(self, values: Any) -> Parameters:  # type: ignore[override,misc]
        self.update(values)
        return self

    def _refuse(self, *_: Any) -> Any:
        raise ValueError(f"the parameters {', '.join(self)} are the model's: none can be removed or added")

    __delitem__ = pop = popitem = clear = setdefault = _refuse

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (dict(self),)  # copied or pickled without its model it is a plain dictionary
