"""Files that one block has for itself, of all processes and threads.

The lock is the system's and goes with the process, however that ends.  It keeps out those that ask for it, not readers.
"""

from __future__ import annotations

import errno
import hashlib
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
    with _locked(os.fspath(path), path):
        yield


@contextmanager
def locked_while_replaced(path: Name) -> Iterator[None]:
    """The file or folder at path for this block alone, which may replace it, or make it.

    A lock is on a file and not on its name, and Windows replaces none that is open: it is on an empty one beside it,
    which goes with the block, and that of a process that was killed with the next one.  Raises as locked does.
    """
    folder, name = os.path.split(os.path.realpath(path))
    # Short, whatever the name: that may be as long as the file system allows.
    digest = hashlib.blake2b(os.fsencode(os.path.normcase(name)), digest_size=8).hexdigest()
    lock = os.path.join(folder, f".fastnet-{digest}.lock")
    while True:
        with _locked(lock, path) as descriptor:
            if not _is_at(lock, descriptor):  # who had it has just removed it
                continue
            try:
                yield
            finally:
                if descriptor in _held:
                    _remove(lock)
        if sys.platform == "win32":
            _remove(lock)  # which it does only if nobody else has opened it by now
        return


@contextmanager
def _locked(name: str, told: Name) -> Iterator[int]:
    """The descriptor of the file of that name, which nobody else has locked; an error tells of another one."""
    descriptor = _open(name)
    _held.add(descriptor)
    try:
        if not _take(descriptor):
            what = "in use by another process or thread: wait for its end, or name another file"
            raise BlockingIOError(errno.EAGAIN, what, os.fspath(told))
        try:
            yield descriptor
        finally:
            _give_back(descriptor)
    finally:
        if descriptor in _held:  # else this process was forked in the block, and has closed it
            _held.remove(descriptor)
            os.close(descriptor)


def _open(name: str) -> int:
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
    return os.open(name, flags, 0o666)


def _is_at(name: str, descriptor: int) -> bool:
    """Whether a file that is open is still the one of that name; on Windows it is."""
    if sys.platform == "win32":
        return True
    try:
        return os.path.samestat(os.stat(name), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _remove(name: str) -> None:
    with suppress(OSError):  # Windows, as long as it is open; a folder where it is another user's
        os.unlink(name)


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
