"""Files that one block has for itself, of all processes and threads.

The lock is the system's and goes with the process, however that ends.  It keeps out those that ask for it, not readers.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from fastnet.files import Name

_held: set[int] = set()  # descriptors
# Of the byte that Windows locks: nobody else may read that one, so it is behind all content.  C's long must hold it.
_PLACE = 1 << 30


@contextmanager
def locked(path: Name) -> Iterator[None]:
    """The regular file at path, made where there is none, for this block alone.

    Raises BlockingIOError where another block has it, OSError where path cannot be written.
    """
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
    descriptor = os.open(path, flags, 0o666)
    _held.add(descriptor)
    try:
        if not _take(descriptor):
            told = "in use by another process or thread: wait for its end, or name another file"
            raise BlockingIOError(errno.EAGAIN, told, os.fspath(path))
        try:
            yield
        finally:
            _give_back(descriptor)
    finally:
        if descriptor in _held:  # else this process was forked in the block, and has closed it
            _held.remove(descriptor)
            os.close(descriptor)


def _take(descriptor: int) -> bool:
    """Whether the lock of a file was free, and is now ours; or there are none on that file system."""
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(descriptor, _PLACE, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):  # the former of POSIX, the latter of Windows
        return False
    except OSError:
        pass
    return True


def _give_back(descriptor: int) -> None:
    """Unlock a file that is about to be closed: Windows would do it some time after that."""
    if sys.platform == "win32":
        import msvcrt

        os.lseek(descriptor, _PLACE, os.SEEK_SET)
        with suppress(OSError):  # there are no locks on that file system
            msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)


def _leave_to_parent() -> None:
    """A process that was forked holds no lock of its parent's, which it may outlive."""
    while _held:
        os.close(_held.pop())


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_to_parent)
