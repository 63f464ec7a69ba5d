"""Standard output and standard error, which a service or a program with windows may be without."""

from __future__ import annotations

from typing import TextIO


def there(stream: TextIO | None) -> bool:
    """Whether the stream can be written to: Python has None in the place of one that was closed when it started."""
    return stream is not None and not stream.closed


def write(stream: TextIO | None, text: str) -> None:
    """Write at once; to nobody where there is no stream."""
    if stream is not None and there(stream):
        stream.write(text)
        stream.flush()


def show(stream: TextIO | None, text: str) -> bool:
    """Write what nothing depends on; whether that could be done, as the stream may be full, or its reader gone."""
    try:
        write(stream, text)
    except (OSError, ValueError):
        return False
    return there(stream)
