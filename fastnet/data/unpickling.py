"""A reader of pickles that can build NumPy arrays and plain values, and nothing else.

A pickle is a program for a small stack machine; `pickletools` documents the instructions and decodes them
without running any. The machine here carries out those of protocols 2 to 5 that make plain values, and knows
the few names that arrays and bytes are pickled under. It imports nothing and calls only its own functions.

Why not `pickle.Unpickler` with a restricted `find_class`, as Python's documentation has it? That keeps
foreign names out, but the rest of the file still reaches C code that trusts it. A tuple nested 200,000 deep
as a dictionary key overflows the stack; one flipped bit in a memo index makes a table of gigabytes; and, with
NumPy's own names alone, a void dtype whose state lists an object field but not the flag for objects makes an
array of pointers out of bytes of the file (each was tried, with Python 3.11 and NumPy 2.4). Here arrays come
from `np.frombuffer` and checked parts. The price is time: 1.7 s for all of CIFAR-10, not 0.7 s, where Python
3 wrote the batches in protocol 2, which takes the most instructions.
"""

import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

LITERALS = {
    *("BININT", "BININT1", "BININT2", "LONG1", "LONG4", "BINFLOAT"),
    *("BINSTRING", "SHORT_BINSTRING", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
    *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"),
}
NEW_VALUES: dict[str, Callable[[], Any]] = {
    "EMPTY_DICT": dict,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
}
TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
MARK = object()
# Instructions, of a byte or two, may each make a value of a hundred.  A batch of CIFAR-10 takes some six a record.
MOST_INSTRUCTIONS, BYTES_AN_INSTRUCTION = 300_000, 100


def unpickle_dict(data: bytes, source: str) -> dict[str, Any]:
    """Read a pickled dictionary of NumPy arrays, numbers, text, lists, tuples and dictionaries.

    Parameters
    ----------
    data : bytes
        The pickle, of protocol 2 to 5, written by Python 2 or 3 and by NumPy 1 or 2.
    source : str
        What errors call it.

    Returns
    -------
    dict
        Keys are str, also where the file has bytes. The strings of Python 2, and the bytes that Python 3
        writes in protocol 2, come back as str, one character a byte.

    Raises
    ------
    ValueError
        If the pickle is damaged, is no dictionary, or asks for anything else, which the error names.
    """
    import pickletools

    machine = _Machine(room=len(data))
    most = MOST_INSTRUCTIONS + len(data) // BYTES_AN_INSTRUCTION
    try:
        for done, (opcode, argument, _) in enumerate(pickletools.genops(data)):
            if done == most:
                raise ValueError(f"it has over {most:,} instructions for {len(data):,} bytes")
            machine.run(opcode.name, argument)
        result = machine.stack.pop()
        if not isinstance(result, dict):
            raise ValueError(f"it holds a {type(result).__name__}: expected a dict")
        return {_text(key): value.array if isinstance(value, _Array) else value for key, value in result.items()}
    except (ValueError, TypeError, IndexError, KeyError, Warning) as error:
        # A warning, where the caller has them raised: of escapes in strings of protocol 0, which no machine here runs.
        reason = error if isinstance(error, ValueError) else f"it is damaged ({error!r})"
        # Cut: pickletools quotes what it cannot read, whole.
        raise ValueError(f"{source}: not a readable pickle of arrays: {reason!s:.300}") from error


class _Machine:
    """The stack, the memo and the instructions of a pickle: `pickletools` says what each of these does.

    room : bytes that arrays may still take, at first those of the pickle; one text may be made an array time and again
    """

    def __init__(self, room: int) -> None:
        self.room = room
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def run(self, name: str, argument: Any) -> None:
        stack, memo = self.stack, self.memo
        if name in LITERALS:
            stack.append(argument)
        elif name in NEW_VALUES:
            stack.append(NEW_VALUES[name]())
        elif name in TUPLES:
            stack.append(tuple(self.pop(TUPLES[name])))
        else:
            match name:
                case "BINPUT" | "LONG_BINPUT":
                    memo[argument] = stack[-1]
                case "MEMOIZE":
                    memo[len(memo)] = stack[-1]
                case "BINGET" | "LONG_BINGET":
                    stack.append(memo[argument])
                case "MARK":
                    stack.append(MARK)
                case "TUPLE":
                    stack.append(tuple(self.pop_to_mark()))
                case "APPEND":
                    _extend(stack[-2], self.pop(1))
                case "APPENDS":
                    items = self.pop_to_mark()
                    _extend(stack[-1], items)
                case "SETITEM":
                    _update(stack[-3], self.pop(2))
                case "SETITEMS":
                    items = self.pop_to_mark()
                    _update(stack[-1], items)
                case "GLOBAL":
                    stack.append(_global(*argument.split(" ", 1)))
                case "STACK_GLOBAL":
                    stack.append(_global(*self.pop(2)))
                case "REDUCE":
                    function, arguments = self.pop(2)
                    stack.append(function(*arguments))  # nothing is callable here but what GLOBALS holds
                    self.take_room(stack[-1])
                case "BUILD":
                    (state,) = self.pop(1)
                    made = _stand_in(stack[-1])
                    made.set_state(*state)
                    self.take_room(made.array if isinstance(made, _Array) else made)
                case "PROTO" | "FRAME" | "STOP":
                    pass
                case _:
                    raise ValueError(f"it asks for the instruction {name} {argument!r:.80}")

    def take_room(self, made: Any) -> None:
        if isinstance(made, np.ndarray):
            self.room -= made.nbytes
            if self.room < 0:
                raise ValueError("its arrays have more bytes than it has itself")

    def pop(self, count: int) -> list[Any]:
        if len(self.stack) < count:
            raise ValueError("its stack runs empty")
        items = self.stack[-count:]
        del self.stack[-count:]
        return items

    def pop_to_mark(self) -> list[Any]:
        items = []
        while (item := self.stack.pop()) is not MARK:
            items.append(item)
        return items[::-1]


def _extend(target: Any, items: list[Any]) -> None:
    if type(target) is not list:
        raise ValueError(f"it appends to a {type(target).__name__}")
    target.extend(items)


def _update(target: Any, items: list[Any]) -> None:
    keys, values = items[::2], items[1::2]
    # Text and numbers only: hashing a deeply nested tuple overflows the C stack.
    if type(target) is not dict or not all(isinstance(key, str | bytes | int) for key in keys):
        raise ValueError("it sets an item of what is no dict, or under a key that is neither text nor number")
    target.update(zip(keys, values, strict=True))


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if not isinstance(value, str):
        raise ValueError(f"it holds a {type(value).__name__} where text belongs")
    return value


class _Dtype:
    """Stands in for `numpy.dtype(code, align, copy)`; its state names the byte order."""

    def __init__(self, code: str | bytes, *_: object) -> None:
        self.code = _text(code)
        self.order = "="
        if not re.fullmatch("[iu][1248]|f[248]|b1", self.code):
            raise ValueError(f"it asks for an array of dtype {self.code!r:.80}: expected plain numbers")

    def set_state(self, version: int, order: str | bytes, *_: object) -> None:
        self.order = _text(order)
        if self.order not in ("<", ">", "|", "="):
            raise ValueError(f"it asks for the byte order {self.order!r:.80}")


class _Array:
    """Stands in for the empty array of `_reconstruct(ndarray, (0,), b"b")`; its state is the real one."""

    def __init__(self, *_: object) -> None:
        self.array: NDArray[Any] | None = None

    def set_state(self, version: int, shape: tuple[int, ...], dtype: _Dtype, fortran: bool, raw: str | bytes) -> None:
        self.array = _from_buffer(raw, dtype, shape, "F" if fortran else "C")


def _from_buffer(raw: str | bytes | bytearray, dtype: _Dtype, shape: tuple[int, ...], order: str) -> NDArray[Any]:
    """`numpy._core.numeric._frombuffer`, with its arguments checked."""
    if isinstance(raw, str):
        raw = raw.encode("latin-1")
    if not (
        isinstance(raw, bytes | bytearray)
        and isinstance(dtype, _Dtype)
        and isinstance(shape, tuple)
        and all(type(size) is int and size >= 0 for size in shape)
        and order in ("C", "F")
    ):
        raise ValueError("the description of an array is damaged")
    plain = np.dtype(dtype.order + dtype.code)
    if len(raw) != math.prod(shape) * plain.itemsize:
        raise ValueError(f"an array of {len(raw):,} bytes does not fit its shape {shape!s:.80} of {plain}")
    return np.frombuffer(raw, plain).reshape(shape, order="F" if order == "F" else "C")


def _stand_in(target: Any) -> _Dtype | _Array:
    if not isinstance(target, _Dtype | _Array):
        raise ValueError(f"it sets the state of a {type(target).__name__}")
    return target


def _encode(text: str, encoding: str) -> str:
    """`_codecs.encode`, which protocol 2 writes bytes with; left as text, like the strings of Python 2."""
    if encoding != "latin1":
        raise ValueError(f"it asks for the encoding {encoding!r:.80}")
    return text


GLOBALS: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): "numpy.ndarray",  # only an argument of _reconstruct: it need not be callable
    ("numpy", "dtype"): _Dtype,
    ("numpy.core.multiarray", "_reconstruct"): _Array,
    ("numpy.core.numeric", "_frombuffer"): _from_buffer,
    ("_codecs", "encode"): _encode,
    ("__builtin__", "bytes"): lambda: b"",  # empty bytes in protocol 2
}


def _global(module: Any, name: Any) -> Any:
    """What stands in for a name that a file asks for. NumPy 2 renamed `numpy.core` to `numpy._core`."""
    module, name = _text(module), _text(name)
    if "\r" in module + name:
        raise ValueError("its line breaks were changed, as by a copy in text mode: get a new copy of the file")
    known = (module.replace("numpy._core.", "numpy.core.", 1), name)
    if known not in GLOBALS:
        raise ValueError(f"it asks for {f'{module}.{name}'!r:.80}: only NumPy arrays and plain values are allowed")
    return GLOBALS[known]
