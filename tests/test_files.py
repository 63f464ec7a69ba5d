"""Files that are whole or not there; only regular ones."""

import contextlib
import errno
import os
import re
import socket
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from fastnet import files

posix = pytest.mark.skipif(sys.platform == "win32", reason="of POSIX systems")


def write(path, data=b"new"):
    with files.replacing(path) as file:
        file.write(data)


def test_a_file_is_replaced_when_it_is_whole(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with files.replacing(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize("error", [OSError("No space left on device"), KeyboardInterrupt()])
def test_a_failure_leaves_the_old_file_and_no_trace(tmp_path, error):
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def write_half():
        with files.replacing(path) as file:
            file.write(b"half")
            raise error

    with pytest.raises(type(error)):
        write_half()
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_an_error_without_a_name_gets_that_of_the_file(tmp_path):
    path = tmp_path / "file"
    for found, named in (
        (OSError(errno.ENOSPC, "No space left on device"), path),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), path),
        (FileNotFoundError(errno.ENOENT, "No such file", "another"), "another"),
    ):
        with pytest.raises(OSError, match=f"{re.escape(found.strerror)}: '{named}'"), files.replacing(path):
            raise found
    with pytest.raises(OSError, match=r"^nobody's$"), files.replacing(path):
        raise OSError("nobody's")


def test_what_is_written_is_on_the_disk_before_its_name_is(tmp_path, monkeypatch):
    calls = []
    fsync, replace = os.fsync, os.replace

    def synced(descriptor):
        what = os.fstat(descriptor)
        calls.append("folder" if stat.S_ISDIR(what.st_mode) else f"{what.st_size} bytes")
        fsync(descriptor)

    def replaced(old, new):
        assert Path(old).parent == Path(new).parent == tmp_path  # elsewhere it could not be renamed
        calls.append("renamed")
        replace(old, new)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", replaced)
    write(tmp_path / "file", b"12345")
    assert calls == ["5 bytes", "renamed", "folder"]


@posix
def test_a_large_file_that_is_replaced_is_let_go_of_by_another_thread(tmp_path, monkeypatch):
    """After all that must be on the disk is there."""
    path, calls = tmp_path / "file", []
    path.write_bytes(bytes(files._LARGE))
    old = path.stat().st_ino

    class Thread(threading.Thread):
        def start(self):
            (held,) = self._args
            calls.append("let go of" if os.fstat(held).st_ino == old else "another")
            super().start()
            self.join()
            with pytest.raises(OSError, match="Bad file descriptor"):
                os.fstat(held)

    monkeypatch.setattr(threading, "Thread", Thread)
    monkeypatch.setattr(files, "sync", lambda folder: calls.append("folder"))
    write(path)
    assert calls == ["folder", "let go of"]
    write(path)  # over a small one
    assert calls == ["folder", "let go of", "folder"]


def test_a_name_may_be_as_long_as_names_may_be(tmp_path):
    write(tmp_path / ("n" * 255))
    assert os.listdir(tmp_path) == ["n" * 255]


@posix
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o444])
def test_permissions_of_an_existing_file_stay(tmp_path, mode):
    path = tmp_path / "file"
    path.touch()
    path.chmod(mode)
    with files.replacing(path) as file:
        file.write(b"secret")
        (temporary,) = (name for name in tmp_path.iterdir() if name != path)
        assert stat.S_IMODE(temporary.stat().st_mode) == 0o600  # nobody else's, before it is finished either
    assert stat.S_IMODE(path.stat().st_mode) == mode


@posix
def test_a_new_file_is_as_readable_as_any_other_and_the_umask_is_left_alone(tmp_path, monkeypatch):
    (tmp_path / "other").touch()
    monkeypatch.setattr(os, "umask", None)  # for a moment it would be that of all threads
    write(tmp_path / "file")
    assert (tmp_path / "file").stat().st_mode == (tmp_path / "other").stat().st_mode


@posix
def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("folder/file")
    for data in (b"first", b"second"):
        write(tmp_path / "link", data)
        assert (tmp_path / "link").is_symlink()
        assert (tmp_path / "folder" / "file").read_bytes() == data


def make_socket(path, stack):
    stack.enter_context(socket.socket(socket.AF_UNIX)).bind(str(path))


def make_pipe(path, stack):
    os.mkfifo(path)
    stack.callback(os.close, os.open(path, os.O_RDWR))  # else who opens it would wait for the other end


def make_device(path, stack):
    try:
        os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 5))  # /dev/zero
    except PermissionError:
        pytest.skip("this user may make no device")


SPECIAL = {"a folder": lambda path, stack: path.mkdir()}
if sys.platform != "win32":
    SPECIAL |= {"a named pipe": make_pipe, "a socket": make_socket, "a device": make_device}


@pytest.mark.parametrize("kind", SPECIAL)
def test_what_is_no_file_is_neither_written_nor_read(tmp_path, monkeypatch, kind):
    monkeypatch.chdir(tmp_path)  # a socket's path has to be short
    path = Path("special")
    with contextlib.ExitStack() as stack:
        SPECIAL[kind](path, stack)
        before = path.stat()
        with pytest.raises(OSError, match=f"{kind}, expected a regular file: 'special'"):
            write(path)
        with pytest.raises(OSError, match=f"{kind}, expected a regular file: 'special'"):
            files.open_regular(path)
        assert (path.stat().st_mode, path.stat().st_ino) == (before.st_mode, before.st_ino)
        assert os.listdir() == ["special"]


@pytest.mark.parametrize("name", [None, 3, True, b"file", "", "folder/", "zero\0byte"])
def test_what_is_no_name_is_refused(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    for call in (write, files.open_regular):
        with pytest.raises(ValueError, match=re.escape(f"{name!r} is no name of a file")):
            call(name)
    assert os.listdir(tmp_path) == []


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no such folder: .*nowhere'"):
        write(tmp_path / "nowhere" / "file")


HALFWAY = """
import sys
import threading
from fastnet import files
with files.replacing("killed") as file:
    file.write(b"half")
    print("writing", flush=True)
    sys.stdin.read()
"""


@posix
def test_the_next_file_removes_what_killed_processes_left_and_nothing_else(tmp_path):
    names = {"data.part", ".fastnet-notes", "file"}
    for name in names:
        (tmp_path / name).touch()
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    command = [sys.executable, "-c", HALFWAY]
    with subprocess.Popen(command, cwd=tmp_path, env=environment, **pipes) as process:
        assert process.stdout.readline() == b"writing\n"
        (temporary,) = set(os.listdir(tmp_path)) - names
        write(tmp_path / "file")
        assert temporary in os.listdir(tmp_path)  # its process lives
        process.kill()
    assert set(os.listdir(tmp_path)) == {*names, temporary}
    write(tmp_path / "file")
    assert set(os.listdir(tmp_path)) == names


@posix
def test_a_file_taken_for_a_leftover_before_it_was_locked_is_made_anew(tmp_path, monkeypatch):
    flock, taken = files.fcntl.flock, []

    def too_late(descriptor, operation):
        if not taken:
            taken.extend(tmp_path.iterdir())
            taken[0].unlink()
        flock(descriptor, operation)

    monkeypatch.setattr(files.fcntl, "flock", too_late)
    write(tmp_path / "file")
    assert len(taken) == 1
    assert (tmp_path / "file").read_bytes() == b"new"
