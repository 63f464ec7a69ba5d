"""Tar archives, read front to back, and no more of them than they may rightly hold.

A header that only says more of the next one (pax, GNU) is passed over: what it could add are names of more than 255
letters and sizes of more than 8 GB.  The standard library's reader follows such headers from one to the next, and
reads as much for each as it says that it has.  Format: POSIX.1-1988, ustar.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from typing import BinaryIO

PIECE = 1 << 20  # bytes that are read at a time where nothing is kept


class _Front:
    """A stream that is read front to back, and so many bytes of it at most."""

    def __init__(self, stream: BinaryIO, most: int) -> None:
        self._stream, self._most, self._left = stream, most, most

    def take(self, size: int) -> bytes:
        """The next bytes, so many where there are."""
        self._left -= size
        if self._left < 0:
            raise ValueError(f"it goes on behind {self._most:,} bytes")
        return self._stream.read(size)

    def skip(self, size: int) -> None:
        """Go on behind the next bytes."""
        for done in range(0, size, PIECE):
            self.take(min(PIECE, size - done))


def files_in(stream: BinaryIO, names: Container[str], most_each: int, most: int) -> Iterator[tuple[str, bytes]]:
    """The path and the content of the regular files of such names, in whatever folder.

    The stream is read to its end, where gzip checks its CRC.  Raises ValueError, or tarfile.TarError, where it is no
    tar archive, or a damaged one, where one of these files has more than most_each bytes, and where the archive goes
    on behind `most`.
    """
    import tarfile

    empty = (tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE)
    front = _Front(stream, most)
    header = front.take(tarfile.BLOCKSIZE)
    if not header:
        raise ValueError("it is empty")
    while any(header):
        member = tarfile.TarInfo.frombuf(header, "utf-8", "surrogateescape")
        size = 0 if member.type in empty else member.size
        if size < 0:
            raise ValueError(f"{member.name} has {size} bytes")
        padding = -size % tarfile.BLOCKSIZE
        if member.type in (tarfile.REGTYPE, tarfile.AREGTYPE) and member.name.rpartition("/")[2] in names:
            if size > most_each:
                raise ValueError(f"{member.name} has {size:,} bytes, expected {most_each:,} at most")
            data = front.take(size)
            if len(data) < size:
                raise ValueError(f"{member.name} ends after {len(data):,} of {size:,} bytes")
            yield member.name, data
            front.skip(padding)
        else:
            front.skip(size + padding)
        header = front.take(tarfile.BLOCKSIZE)
    while front.take(PIECE):
        pass
