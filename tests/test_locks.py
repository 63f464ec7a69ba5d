"""Files that one block at a time has: on this system, and by the calls that Windows has for it."""

import errno
import os
import signal
import subprocess
import sys
from types import SimpleNamespace

import pytest

from fastnet import locks
from fastnet.searching.journal import Journal

OUTLIVED = """
import os, signal, sys
from fastnet import locks
reading, writing = os.pipe()
with locks.locked(sys.argv[1]):
    if os.fork() == 0:
        os.write(writing, b".")
        os.read(0, 1)
        os._exit(0)
    os.read(reading, 1)
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="of POSIX systems")
def test_a_lock_goes_with_its_process_though_a_child_of_that_lives_on(tmp_path):
    path = tmp_path / "file"
    with subprocess.Popen([sys.executable, "-c", OUTLIVED, path], stdin=subprocess.PIPE) as process:
        assert process.wait(120) == -signal.SIGKILL
        with locks.locked(path), pytest.raises(BlockingIOError, match="in use by another process or thread"):
            locks.locked(path).__enter__()
        with locks.locked(path):  # what was refused took nothing away
            pass


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
