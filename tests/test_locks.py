"""Files that one block at a time has: on this system, and by the calls that Windows has for it."""

import errno
import os
import signal
import subprocess
import sys
from types import SimpleNamespace

import pytest

from fastnet import files, locks
from fastnet.searching.journal import Journal

OUTLIVED = """
import os, signal, sys
from fastnet import locks
reading, writing = os.pipe()
with getattr(locks, sys.argv[2])(sys.argv[1]):
    if os.fork() == 0:
        os.write(writing, b".")
        os.read(0, 1)
        os._exit(0)
    os.read(reading, 1)
    os.kill(os.getpid(), signal.SIGKILL)
"""


LEFT = """
import os, sys
from fastnet import locks
with locks.locked_while_replaced(sys.argv[1]):
    parent = os.fork()
    if parent:
        os.waitpid(parent, 0)
        print("left", flush=True)
        sys.stdin.read()
"""

KINDS = {"locked": locks.locked, "locked_while_replaced": locks.locked_while_replaced}
forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="of POSIX systems")


def require_refused(path, locked):
    with pytest.raises(BlockingIOError, match=f"in use by another process or thread.*{path}"):
        locked(path).__enter__()


@forks
@pytest.mark.parametrize("kind", KINDS)
def test_a_lock_goes_with_its_process_though_a_child_of_that_lives_on(tmp_path, kind):
    path, locked = tmp_path / "file", KINDS[kind]
    with subprocess.Popen([sys.executable, "-c", OUTLIVED, path, kind], stdin=subprocess.PIPE) as process:
        assert process.wait(120) == -signal.SIGKILL
        with locked(path):
            require_refused(path, locked)
        with locked(path):  # what was refused took nothing away
            pass
    assert os.listdir(tmp_path) == (["file"] if kind == "locked" else [])


def test_a_file_that_is_replaced_stays_locked_and_nothing_stays_beside_it(tmp_path):
    path = tmp_path / ("n" * 255)
    for _ in range(2):
        with locks.locked_while_replaced(path):
            assert not path.exists() or path.read_bytes() == b"new"
            for _ in range(2):
                with files.replacing(path) as file:
                    file.write(b"new")
                require_refused(path, locks.locked_while_replaced)
            with locks.locked_while_replaced(tmp_path / "other"):
                pass
        assert os.listdir(tmp_path) == [path.name]
    with pytest.raises(KeyError), locks.locked_while_replaced(path):
        raise KeyError
    assert os.listdir(tmp_path) == [path.name]


def test_two_links_to_a_file_have_one_lock(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "file")
    with locks.locked_while_replaced(tmp_path / "link"):
        require_refused(tmp_path / "file", locks.locked_while_replaced)


@pytest.mark.skipif(sys.platform == "win32", reason="of POSIX systems")
def test_a_lock_on_what_another_block_has_just_removed_is_none(tmp_path, monkeypatch):
    path, take, removed = tmp_path / "file", locks._take, []

    def too_late(descriptor):
        if not removed:
            removed.extend(tmp_path.iterdir())
            removed[0].unlink()
        return take(descriptor)

    monkeypatch.setattr(locks, "_take", too_late)
    with locks.locked_while_replaced(path):
        require_refused(path, locks.locked_while_replaced)
        assert list(tmp_path.iterdir()) == removed
    assert len(removed) == 1


@forks
def test_a_child_that_leaves_the_block_takes_no_lock_away(tmp_path):
    path = tmp_path / "file"
    with subprocess.Popen([sys.executable, "-c", LEFT, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"left\n"
        require_refused(path, locks.locked_while_replaced)


class Msvcrt:
    """Windows' module of this name, as far as its documentation says what it does: a lock is a descriptor's."""

    LK_UNLCK, LK_NBLCK = 0, 2

    def __init__(self):
        self.held = {}

    def locking(self, descriptor, mode, count):
        facts, place = os.fstat(descriptor), os.lseek(descriptor, 0, os.SEEK_CUR)
        assert count == 1
        assert facts.st_size <= place < 2**31
        where = facts.st_ino, place
        if mode == self.LK_UNLCK:
            assert self.held.pop(where) == descriptor
        elif where in self.held:
            raise PermissionError(errno.EACCES, "Permission denied")
        else:
            self.held[where] = descriptor


@pytest.fixture
def msvcrt(monkeypatch):
    monkeypatch.setattr(locks, "sys", SimpleNamespace(platform="win32"))
    monkeypatch.setitem(sys.modules, "msvcrt", Msvcrt())
    return sys.modules["msvcrt"]


def test_windows_gives_a_file_to_one_block_and_has_it_back_before_it_is_closed(msvcrt, tmp_path):
    path, other = tmp_path / "file", tmp_path / "other"
    for _ in range(2):
        with locks.locked(path):
            with pytest.raises(BlockingIOError, match=r"in use by another process or thread.*file"):
                locks.locked(path).__enter__()
            with locks.locked(other):
                assert len(msvcrt.held) == 2
        assert msvcrt.held == {}
    with pytest.raises(KeyError), locks.locked(path):
        raise KeyError
    assert msvcrt.held == {}


def test_windows_removes_the_file_of_a_lock_that_it_has_closed(msvcrt, tmp_path, monkeypatch):
    unlink, path = os.unlink, tmp_path / "file"

    def closed(name):
        if locks._held:
            raise PermissionError(errno.EACCES, "The process cannot access the file")
        unlink(name)

    monkeypatch.setattr(os, "unlink", closed)
    for _ in range(2):
        with locks.locked_while_replaced(path):
            require_refused(path, locks.locked_while_replaced)
        assert (msvcrt.held, os.listdir(tmp_path)) == ({}, [])


def test_windows_without_locks_on_a_file_system_goes_without(msvcrt, tmp_path, monkeypatch):
    def refuse(self, *given):
        raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(Msvcrt, "locking", refuse)
    with locks.locked(tmp_path / "file"), locks.locked(tmp_path / "file"):
        pass


def test_windows_keeps_a_journal_for_one_search(msvcrt, tmp_path):
    kept = Journal(tmp_path / "journal", {"seed": 0})
    with pytest.raises(BlockingIOError, match="in use by another"):
        Journal(tmp_path / "journal", {"seed": 0})
    kept.close()
    with pytest.raises(ValueError, match="its seed is 0, expected 1"):
        Journal(tmp_path / "journal", {"seed": 1})
    assert msvcrt.held == {}
