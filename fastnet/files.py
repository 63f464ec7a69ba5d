"""Files that are whole under their name, and only regular ones.

A file is written under another name beside its own, synced, and renamed: a process that fails, is killed or loses its
power leaves the old file or the new one, never a torn one.  What it may leave beside them, the next one to write
into the folder removes.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import BinaryIO

try:
    import fcntl
except ImportError:  # Windows, where nobody could tell whose process is dead: leftovers stay
    fcntl = None  # type: ignore[assignment]  # a module elsewhere

Name = str | PathLike[str]

# Short, whatever the file's own name: that one may be as long as the file system allows.
_BEGINS, _ENDS = ".fastnet-", ".part"
# Bytes of a replaced file from which on it is let go of beside the program.
_LARGE = 1 << 20
_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}


@contextmanager
def replacing(path: Name) -> Iterator[BinaryIO]:
    """A file to write to; it becomes `path` if the block ends well, and goes if it does not.

    A link stays a link, an existing file's permissions and owner stay, as far as this user may give them; a new file
    has those of any other new one.  Raises OSError where path is no regular file, and where it cannot be written,
    ValueError where it is no name.
    """
    old = regular_or_new(path)
    target = Path(os.path.realpath(path))
    _remove_leftovers(target.parent)
    temporary, descriptor, lock = _temporary(target.parent, 0o666 if old is None else 0o600)
    try:
        with naming(path), open(descriptor, "wb") as file:
            yield file
            file.flush()
            if old is not None:
                _make_like(descriptor, old)
            os.fsync(descriptor)
        with _freed_beside(target, old):
            os.replace(temporary, target)
            sync(target.parent)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        if lock is not None:
            os.close(lock)


def named(path: Name) -> Path:
    """What path names, a folder or a file.

    Raises ValueError for a number, which is to the system the file that is open under it, for other types, and for a
    zero byte, where names end to the system.
    """
    if not (isinstance(path, (str, PathLike)) and isinstance(os.fspath(path), str)):
        raise ValueError(f"{path!r} is no name of a file or a folder, expected a str or a Path")
    if "\0" in os.fspath(path):
        raise ValueError(f"{os.fspath(path)!r} is no name of a file or a folder, expected one without a zero byte")
    return Path(path)


def _require_name(path: Name) -> None:
    """Raise ValueError for what names no file; a path that ends with its folder does not."""
    named(path)
    if not os.path.basename(path):
        raise ValueError(f"{path!r} is no name of a file, expected one behind its folder")


def regular_or_new(path: Name) -> os.stat_result | None:
    """The facts of the regular file at path, None where there is none yet.

    Raises OSError for what else it may name, and where there is no folder for it, ValueError where it is no name.
    """
    _require_name(path)
    try:
        found = os.stat(path)
    except FileNotFoundError:
        folder = Path(os.path.realpath(path)).parent
        if not folder.is_dir():
            raise FileNotFoundError(errno.ENOENT, "no such folder", str(folder)) from None
        return None
    _require_regular(found, path)
    return found


def open_regular(path: Name) -> io.BufferedReader:
    """The regular file at path, open for reading.

    Raises OSError for anything else, which may never end, ValueError for what is no name.
    """
    _require_name(path)
    _require_regular(os.stat(path), path)  # before it is opened: to some devices that alone does something
    flags = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0)
    file = open(os.open(path, flags), "rb")  # noqa: SIM115  # closed by the caller
    try:
        _require_regular(os.fstat(file.fileno()), path)  # another one may have taken its place
    except BaseException:
        file.close()
        raise
    return file


@contextmanager
def naming(path: Name) -> Iterator[None]:
    """An OSError that names no file, as that of a full disk, names this one."""
    try:
        yield
    except OSError as error:
        if error.errno is not None and error.filename is None:
            error.filename = os.fspath(path)
        raise


@contextmanager
def memory_told(path: Name) -> Iterator[None]:
    """A file that memory is too small for is an OSError, which names it."""
    try:
        yield
    except MemoryError as error:
        raise OSError(errno.ENOMEM, "not enough memory to read it", os.fspath(path)) from error


@contextmanager
def damage_told(path: Name, what: str) -> Iterator[None]:
    """What is raised in the block, and the disk did not raise, is a ValueError: the file is not `what` was expected.

    The readers of a damaged file may raise anything at all, OSError too: without a number, or for an offset that is
    none (EINVAL).
    """
    try:
        with memory_told(path):
            yield
    except Exception as error:
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise
        raise ValueError(f"{path}: not {what} ({' '.join(str(error).split())})") from error


def _require_regular(found: os.stat_result, path: Name) -> None:
    kind = stat.S_IFMT(found.st_mode)
    if kind == stat.S_IFDIR:
        raise IsADirectoryError(errno.EISDIR, "a folder, expected a regular file", os.fspath(path))
    if kind != stat.S_IFREG:
        what = _KINDS.get(kind, "no file")
        raise OSError(errno.EINVAL, f"{what}, expected a regular file", os.fspath(path))


def _temporary(folder: Path, mode: int) -> tuple[str, int, int | None]:
    """A new file in the folder: its name, a descriptor, and another that holds its lock."""
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
    while True:
        name = os.path.join(folder, f"{_BEGINS}{os.urandom(8).hex()}{_ENDS}")
        descriptor = os.open(name, flags, mode)
        if fcntl is None:
            return name, descriptor, None
        lock = os.dup(descriptor)
        with contextlib.suppress(OSError):  # a file system without locks: others cannot take it either
            fcntl.flock(lock, fcntl.LOCK_EX)
        if os.path.exists(name):
            return name, descriptor, lock
        # Before it was locked, another process took it for a leftover.
        os.close(descriptor)
        os.close(lock)


def _remove_leftovers(folder: Path) -> None:
    """Unlink the temporary files of processes that have died: those whose lock is free."""
    if fcntl is None:
        return
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(_BEGINS) and entry.name.endswith(_ENDS) and entry.is_file(follow_symlinks=False):
                with contextlib.suppress(OSError):  # in use, just gone, or another user's
                    descriptor = os.open(entry.path, os.O_RDWR | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
                    try:
                        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                        os.unlink(entry.path)
                    finally:
                        os.close(descriptor)


def _make_like(descriptor: int, old: os.stat_result) -> None:
    """Give a file the owner, as far as this user may, and the permissions of another."""
    if hasattr(os, "fchown"):
        with contextlib.suppress(OSError):
            os.fchown(descriptor, old.st_uid, old.st_gid)
    if hasattr(os, "fchmod"):
        os.fchmod(descriptor, stat.S_IMODE(old.st_mode))


@contextmanager
def _freed_beside(path: Path, old: os.stat_result | None) -> Iterator[None]:
    """Have another thread free the blocks of a large file that is replaced in this block.

    The last to let go of it waits for the disk: 40 ms of 30 MB, where a disk is told (discard).
    """
    held = None
    if fcntl is not None and old is not None and old.st_size >= _LARGE:
        with contextlib.suppress(OSError):  # not to be read by its owner
            held = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        yield
    finally:
        if held is not None:
            try:
                threading.Thread(target=os.close, args=(held,), name="fastnet frees a file").start()
            except RuntimeError:  # no more threads
                os.close(held)


def sync(path: Path) -> None:
    """Have the disk remember what a folder, or a file, holds by now, where it can be asked to."""
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
