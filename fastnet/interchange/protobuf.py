"""Protocol buffers, looked over before they are parsed: how much a message holds beside its bulk.

Of two bytes protobuf makes an empty message of two hundred; arrays take no more than in the file.  A message is a row
of fields: a key, which is 8 times the field's number and its kind, and what the kind says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

_VARINT, _EIGHT_BYTES, _COUNTED, _FOUR_BYTES = 0, 1, 2, 5  # kinds of fields
_SIZES = {_VARINT: 0, _EIGHT_BYTES: 8, _FOUR_BYTES: 4}  # of a field, behind its key and its varint

Bulk = Mapping[int, Any]  # numbers of fields: of bulk with an empty mapping, of messages that have some with another


def require_small(file: BinaryIO, size: int, bulk: Bulk, most: int) -> None:
    """Raise ValueError where the message of so many bytes that a file holds has more than `most` beside its bulk.

    The bulk is not read, nor what follows those.
    """
    left = most
    for taken in _beside(file, size, bulk):
        left -= taken
        if left < 0:
            raise ValueError(f"it has over {most:,} bytes beside its parameters: shorten the names")


def _beside(file: BinaryIO, end: int, bulk: Bulk) -> Iterator[int]:
    """Bytes of a message beside its bulk, a field at a time, from the file's place to the message's end."""
    while (start := file.tell()) < end:
        number, kind = divmod(_varint(file), 8)
        if kind not in (*_SIZES, _COUNTED):
            raise ValueError(f"it has a field of the kind {kind}, which protocol buffers do not know")
        value = _varint(file) if kind in (_VARINT, _COUNTED) else 0
        size = _SIZES.get(kind, value)
        content = file.tell()
        if content + size > end:
            raise ValueError("a field of it ends behind its end")
        yield content - start
        inside = bulk.get(number) if kind == _COUNTED else None
        if inside is None:
            yield size
        elif inside:
            yield from _beside(file, content + size, inside)
        file.seek(content + size)


def _varint(file: BinaryIO) -> int:
    """A number below 2^70, 7 bits a byte, the lowest first; the last byte has no eighth."""
    number = 0
    for place in range(0, 70, 7):
        (byte,) = file.read(1) or (0,)  # behind the file's end, which whoever asked will find
        number |= (byte & 127) << place
        if byte < 128:
            return number
    raise ValueError("it has a number of over ten bytes")
