"""Against a server on 127.0.0.1 with small batches; the official MD5 is replaced by theirs."""

import dataclasses
import errno
import hashlib
import os
import signal
import subprocess
import sys
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from cifar_files import (
    ARCHIVES,
    FOLDERS,
    binary_batch,
    make_batches,
    python2_batch,
    write_archive,
    write_folder,
)

from fastnet.data import download_cifar10, load_cifar10
from fastnet.data.cifar10 import DISTRIBUTIONS


class Server(ThreadingHTTPServer):
    content = b""
    resumes = True  # honours Range
    breaks_after: int | None = None  # sends so many bytes of the body, then hangs up
    status: int | None = None

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.ranges = []  # the Range header of each request
        self.url = f"http://127.0.0.1:{self.server_port}/archive"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self):
        server, asked = self.server, self.headers["Range"]
        server.ranges.append(asked)
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and server.resumes else 0
        status = server.status or (206 if start else 200)
        if start >= len(server.content):
            status = 416
        body = server.content[start:] if status in (200, 206) else b""
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: server.breaks_after])

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def offer(server, monkeypatch, source, form="binary"):
    """Let the server offer a small archive, and fastnet expect it."""
    encode, suffix = {"binary": (binary_batch, ".bin"), "python": (python2_batch, "")}[form]
    folder = write_folder(source / FOLDERS[form], encode, suffix)
    server.content = write_archive(source / ARCHIVES[form], folder).read_bytes()
    md5 = hashlib.md5(server.content).hexdigest()
    monkeypatch.setitem(DISTRIBUTIONS, form, dataclasses.replace(DISTRIBUTIONS[form], md5=md5))


@pytest.fixture
def binary(server, monkeypatch, tmp_path):
    offer(server, monkeypatch, tmp_path / "source")
    return server


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "new" / "data"


PART = ARCHIVES["binary"] + ".part"
FINISHED = {ARCHIVES["binary"], FOLDERS["binary"]}


def names(folder):
    return {path.name for path in folder.iterdir()}


def assert_finished(folder):
    assert names(folder) == FINISHED
    expected = make_batches()["test_batch"][0]
    np.testing.assert_array_equal(load_cifar10(folder).X_test, expected, strict=True)


@pytest.mark.parametrize("form", ["binary", "python"])
def test_download(server, monkeypatch, tmp_path, folder, form):
    offer(server, monkeypatch, tmp_path / "source", form)
    calls = []
    found = download_cifar10(str(folder), form, url=server.url, progress=lambda *call: calls.append(call))
    assert found == folder / FOLDERS[form]
    np.testing.assert_array_equal(load_cifar10(found).y_train[:2], make_batches()["data_batch_1"][1])
    assert names(folder) == {ARCHIVES[form], FOLDERS[form]}
    assert calls[-1] == (len(server.content), len(server.content))


@pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="of Linux")
def test_what_is_unpacked_is_on_the_disk_before_its_name_is(binary, folder, monkeypatch):
    calls = []
    fsync, replace = os.fsync, os.replace

    def synced(descriptor):
        calls.append(os.path.basename(os.readlink(f"/proc/self/fd/{descriptor}")))
        fsync(descriptor)

    def replaced(old, new):
        calls.append("renamed")
        replace(old, new)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", replaced)
    unpacked = download_cifar10(folder, url=binary.url)
    assert calls[0] == "renamed"  # the archive
    assert sorted(calls[1:-3]) == sorted(names(unpacked))
    assert calls[-3:] == [FOLDERS["binary"], "renamed", folder.name]


def test_nothing_is_fetched_twice(binary, folder):
    download_cifar10(folder, url=binary.url)
    for path in (folder / FOLDERS["binary"]).iterdir():
        path.unlink()
    (folder / FOLDERS["binary"]).rmdir()
    download_cifar10(folder, url=binary.url)  # unpacks the archive that is there
    download_cifar10(folder, url=binary.url)
    assert binary.ranges == [None]
    assert_finished(folder)


def test_broken_transfer_goes_on(binary, folder):
    binary.breaks_after = 1000
    with pytest.raises(OSError, match="call again to go on"):
        download_cifar10(folder, url=binary.url)
    assert names(folder) == {PART}
    assert (folder / PART).read_bytes() == binary.content[:1000]
    binary.breaks_after = None
    calls = []
    download_cifar10(folder, url=binary.url, progress=lambda *call: calls.append(call))
    assert binary.ranges == [None, "bytes=1000-"]
    assert calls[0][0] > 1000
    assert calls[-1] == (len(binary.content), len(binary.content))
    assert_finished(folder)


def test_server_that_cannot_resume(binary, folder):
    folder.mkdir(parents=True)
    (folder / PART).write_bytes(binary.content[:1000])
    binary.resumes = False
    download_cifar10(folder, url=binary.url)
    assert binary.ranges == ["bytes=1000-"]
    assert_finished(folder)


@pytest.mark.parametrize("length", [1000, 10_000_000])
def test_foreign_part_is_replaced(binary, folder, length):
    folder.mkdir(parents=True)
    (folder / PART).write_bytes(bytes(length))
    download_cifar10(folder, url=binary.url)
    assert binary.ranges == [f"bytes={length}-", None]
    assert_finished(folder)


def test_complete_part_is_used(binary, folder):
    folder.mkdir(parents=True)
    (folder / PART).write_bytes(binary.content)
    download_cifar10(folder, url=binary.url)
    assert binary.ranges == [f"bytes={len(binary.content)}-"]
    assert_finished(folder)


def test_wrong_archive_there_is_replaced(binary, folder):
    folder.mkdir(parents=True)
    (folder / ARCHIVES["binary"]).write_bytes(b"half of it")
    download_cifar10(folder, url=binary.url)
    assert_finished(folder)


def test_wrong_md5(binary, folder):
    expected = DISTRIBUTIONS["binary"].md5
    binary.content += b"\0"
    with pytest.raises(ValueError, match=f"expected {expected}"):
        download_cifar10(folder, url=binary.url)
    assert binary.ranges == [None]
    assert names(folder) == set()


@pytest.mark.parametrize("status", [404, 416, 503])
def test_server_error(binary, folder, status):
    binary.status = status
    with pytest.raises(OSError, match=f"{binary.url}: HTTP Error {status}"):
        download_cifar10(folder, url=binary.url)
    assert names(folder) == set()


def test_no_server(binary, folder):
    binary.shutdown()
    binary.server_close()
    with pytest.raises(OSError, match=binary.url):
        download_cifar10(folder, url=binary.url)
    assert names(folder) == set()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device of Linux")
def test_a_full_disk_is_told_with_the_file(binary, folder):
    folder.mkdir(parents=True)
    (folder / PART).symlink_to("/dev/full")
    with pytest.raises(OSError, match=f"{binary.url}: .*No space left on device: '{folder / PART}'; what has arrived"):
        download_cifar10(folder, url=binary.url)


def test_a_disk_that_is_full_while_unpacking_is_told_with_the_folder(binary, folder, monkeypatch):
    def full(*_, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tarfile.TarFile, "extractall", full)
    with pytest.raises(OSError, match=f"No space left on device: '{folder / FOLDERS['binary']}'"):
        download_cifar10(folder, url=binary.url)


KILLED = """
import os, signal, sys
from fastnet.data import download
download.sync = lambda path: os.kill(os.getpid(), signal.SIGKILL)
download._unpack(download.Path(sys.argv[1]), download.Path(sys.argv[2]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_what_a_killed_download_left_the_next_one_removes(binary, folder):
    folder.mkdir(parents=True)
    archive, unpacked = folder / ARCHIVES["binary"], folder / FOLDERS["binary"]
    archive.write_bytes(binary.content)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    killed = subprocess.run([sys.executable, "-c", KILLED, archive, unpacked], env=environment, timeout=120)
    assert killed.returncode == -signal.SIGKILL
    (left,) = names(folder) - {archive.name}
    (half,) = {path.parent for path in (folder / left).rglob("*.bin")}
    (half / "of another archive").touch()
    assert names(download_cifar10(folder, url=binary.url)).isdisjoint({"of another archive"})
    assert_finished(folder)


def test_two_downloads_at_once_do_not_disturb_each_other(binary, folder):
    def another(*_):
        with pytest.raises(BlockingIOError, match="in use by another process or thread"):
            download_cifar10(folder, url=binary.url)

    download_cifar10(folder, url=binary.url, progress=another)
    assert_finished(folder)


def test_failed_unpacking_leaves_nothing(binary, folder, monkeypatch):
    import os

    replace = os.replace

    def fail_on_folder(source, target):
        if str(target).endswith(FOLDERS["binary"]):
            raise OSError("no space left")
        replace(source, target)

    monkeypatch.setattr(os, "replace", fail_on_folder)
    with pytest.raises(OSError, match="no space left"):
        download_cifar10(folder, url=binary.url)
    assert names(folder) == {ARCHIVES["binary"]}


def test_unknown_form(folder):
    with pytest.raises(ValueError, match="form is 'matlab', expected one of binary, python"):
        download_cifar10(folder, "matlab")
    assert not folder.exists()


def test_official_md5():
    assert DISTRIBUTIONS["binary"].md5 == "c32a1d4ab5d03f1284b67883e8d87530"
    assert DISTRIBUTIONS["python"].md5 == "c58f30108f718f92721af3b95e74349a"
