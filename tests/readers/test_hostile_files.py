"""Files that ask for more than they may rightly have: memory, time, a reader that waits for ever."""

import errno
import gzip
import io
import json
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

import fastnet
import fastnet.searching.journal
from fastnet import data, files, interchange, searching
from tests.readers import formats, test_mutations

ROOM = 64 << 20  # bytes that a reader may take beside what a file rightly holds: here hardly anything
BOMB = 150 << 20
linux = pytest.mark.skipif(sys.platform != "linux", reason="by Linux's limit on the address space")


def gzip_bomb(path, before=b"", size=BOMB):
    """So many zeros in a small file: a member of gzip's for each megabyte."""
    path.write_bytes(gzip.compress(before) + gzip.compress(bytes(1 << 20)) * (size >> 20))


def tar_header(name, size, kind=tarfile.REGTYPE):
    member = tarfile.TarInfo(name)
    member.size, member.type = size, kind
    return member.tobuf(tarfile.GNU_FORMAT)


def zip_bomb(path, preamble, name="X.npy"):
    """An array whose header says what it likes of zeros that are there."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        with archive.open(name, "w") as file:
            file.write(preamble)
            for _ in range(BOMB >> 20):
                file.write(bytes(1 << 20))
        archive.writestr("y.npy", formats.saved(lambda file: np.save(file, formats.CLASSES)))


def npy_header(shape, dtype="|u1"):
    text = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}".encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


def long_directory(path):
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(30_000):
            archive.writestr(f"{number:0200}", b"")


def sparse(path, size, before=b""):
    """A file that is large and takes no room on the disk."""
    with open(path, "wb") as file:
        file.write(before)
        file.truncate(size)


def counted(number, content):
    """A field of protocol buffers: its number, and its content or how long that would be."""
    size, begin = (len(content), content) if isinstance(content, bytes) else (content, b"")
    digits = bytearray()
    while size > 127:
        digits.append(size & 127 | 128)
        size >>= 7
    return bytes([8 * number + 2, *digits, size]) + begin


# Name -> what reads it, and what writes it.
HOSTILE = {
    "zeros behind an IDX": (data.read_idx, lambda path: gzip_bomb(path, formats.idx())),
    "an IDX of four gigabytes": (
        data.read_idx,
        lambda path: path.write_bytes(b"\0\0\x08\1\xff\xff\xff\xff" + bytes(99)),
    ),
    "an IDX that is not there": (
        data.read_idx,
        lambda path: path.write_bytes(gzip.compress(b"\0\0\x08\1" + BOMB.to_bytes(4) + bytes(9)) + bytes(BOMB >> 10)),
    ),
    "zeros in gzip": (data.load_cifar10, gzip_bomb),
    "a large batch in gzip": (data.load_cifar10, lambda path: gzip_bomb(path, tar_header("data_batch_1.bin", BOMB))),
    "another large member": (data.load_cifar10, lambda path: gzip_bomb(path, tar_header("readme.html", 8 << 30))),
    "a large extended header": (
        data.load_cifar10,
        lambda path: gzip_bomb(path, tar_header("pax", BOMB, tarfile.XHDTYPE)),
    ),
    "a chain of extended headers": (
        data.load_cifar10,
        lambda path: path.write_bytes(tar_header("pax", 0, tarfile.XHDTYPE) * 20_000 + bytes(1024)),
    ),
    "a large array": (data.load_npz, lambda path: zip_bomb(path, npy_header((BOMB // 99, 9)))),
    "an array with more behind it": (data.load_npz, lambda path: zip_bomb(path, npy_header((12, 4)))),
    "a long header of an array": (
        data.load_npz,
        lambda path: zip_bomb(path, b"\x93NUMPY\x02\x00" + BOMB.to_bytes(4, "little")),
    ),
    "an array of objects": (data.load_npz, lambda path: zip_bomb(path, npy_header((BOMB // 8 // 4, 4), "|O"))),
    "a long directory": (data.load_npz, long_directory),
    "a model with a long directory": (fastnet.load, long_directory),
    "a model that unpacks": (fastnet.load, lambda path: zip_bomb(path, npy_header((BOMB,)), "header.npy")),
    "a large file as a model": (fastnet.load, lambda path: sparse(path, 1 << 40)),
    "a large batch": (lambda path: data.cifar10.read_batch(path), lambda path: sparse(path, 1 << 40)),
    "a large table": (data.load_csv, lambda path: sparse(path, 1 << 40)),
    "a long first line": (data.load_csv, lambda path: path.write_bytes(b"a," * (10 << 20))),
    "a large journal": (formats.journal, lambda path: sparse(path, 1 << 40, b'{"fastnet search journal": 1}\n')),
    "nested lists in a journal": (
        formats.journal,
        lambda path: path.write_bytes(b'{"fastnet search journal": 1, "seed": ' + b"[" * 100_000 + b"\n"),
    ),
    "lists in a journal": (
        formats.journal,
        lambda path: path.write_bytes(b'{"fastnet search journal": 1, "seed": [' + b"[]," * (2 << 20) + b"0]}\n"),
    ),
    "texts in a journal": (
        formats.journal,
        lambda path: path.write_bytes(b'{"fastnet search journal": 1, "seed": [' + b'"ab",' * (2 << 20) + b"0]}\n"),
    ),
    "a large graph": (interchange.from_onnx, lambda path: sparse(path, 1 << 40)),
    "a graph of a large tensor": (
        interchange.from_onnx,
        lambda path: sparse(
            path, 1 << 40, counted(7, (1 << 40) - 7) + counted(5, (1 << 40) - 14) + counted(9, (1 << 40) - 21)
        ),
    ),
    "a graph of empty nodes": (
        interchange.from_onnx,
        lambda path: path.write_bytes(counted(7, b"\x0a\0" * (10 << 20))),
    ),
    "a node of empty attributes": (
        interchange.from_onnx,
        lambda path: path.write_bytes(counted(7, counted(1, b"\x2a\0" * (10 << 20)))),
    ),
    "a large net in safetensors": (interchange.from_safetensors, lambda path: sparse(path, 1 << 40)),
    "lists in safetensors": (
        interchange.from_safetensors,
        lambda path: path.write_bytes((15 << 20).to_bytes(8, "little") + b'{"a":[' + b"[]," * (5 << 20)),
    ),
    "a long header of safetensors": (
        interchange.from_safetensors,
        lambda path: path.write_bytes((10 << 20).to_bytes(8, "little") + b"[" * (10 << 20)),
    ),
    "a pickle of lists": (
        lambda path: data.cifar10.PARSERS[""](path.read_bytes(), str(path)),
        lambda path: path.write_bytes(b"\x80\x02" + b"]\x94" * (2 << 20) + b"."),
    ),
}

# Rightly, for all that a reader can know: memory is too small for it.
LARGE = {"a large batch", "a large journal", "a graph of a large tensor"}

# Reads all of them with so much more memory than it has before, and tells what came of each.
READ = """
import json, resource, sys
from pathlib import Path
from tests.readers import formats, test_hostile_files as files

folder = Path(sys.argv[1])
for form in formats.formats(folder / "whole").values():  # whatever is imported or compiled is there
    (folder / "whole" / form.name).write_bytes(form.wrap(form.content))
    form.read(folder / "whole" / form.name)
pages = int(Path("/proc/self/statm").read_text().split()[0])
most = pages * resource.getpagesize() + files.ROOM
resource.setrlimit(resource.RLIMIT_AS, (most, resource.RLIM_INFINITY))
found = {}
for name, (read, _) in files.HOSTILE.items():
    try:
        read(folder / name)
        found[name] = "read"
    except BaseException as error:
        found[name] = [type(error).__name__, str(error)]
print(json.dumps(found))
"""


@linux
def test_none_takes_more_memory_than_it_may(tmp_path):
    (tmp_path / "whole").mkdir()
    for name, (_, write) in HOSTILE.items():
        write(tmp_path / name)
    root = Path(__file__).parents[2]
    environment = os.environ | {"PYTHONPATH": str(root), "MALLOC_ARENA_MAX": "1"}
    out = subprocess.run(
        [sys.executable, "-c", READ, str(tmp_path)], env=environment, cwd=root, capture_output=True, text=True
    )
    assert out.returncode == 0, out.stderr
    found = json.loads(out.stdout)
    assert found.keys() == HOSTILE.keys()
    for name, what in found.items():
        assert what[0] in (["OSError"] if name in LARGE else ["ValueError", "FileNotFoundError"]), (name, what)
        assert name in what[1]  # the file's name


READERS = {
    "IDX": data.read_idx,
    "CIFAR-10": data.load_cifar10,
    ".npz": data.load_npz,
    "CSV": data.load_csv,
    "model": fastnet.load,
    "checkpoint": formats.train,
    "journal": formats.journal,
    "ONNX": interchange.from_onnx,
    "safetensors": interchange.from_safetensors,
}


@pytest.mark.skipif(sys.platform == "win32", reason="of POSIX systems")
@pytest.mark.parametrize("name", READERS)
def test_what_never_ends_is_refused_at_once(name, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path, kind in ((tmp_path / "pipe", "a named pipe"), (Path("/dev/zero"), "a device")):
        with pytest.raises(OSError, match=f"{kind}, expected a regular file"):
            READERS[name](path)


class Failing(io.FileIO):
    """A file of which so many reads succeed."""

    reads = 0

    def readinto(self, buffer):
        if self.reads == 0:
            raise OSError(errno.EIO, "Input/output error")
        self.reads -= 1
        return super().readinto(buffer)

    def readall(self):
        return b"".join(iter(lambda: self.read(io.DEFAULT_BUFFER_SIZE), b""))

    def read(self, size=-1):
        if size < 0:
            return self.readall()
        buffer = bytearray(size)
        return bytes(buffer[: self.readinto(buffer)])


@pytest.mark.parametrize("name", [name for name in test_mutations.NAMES if "inside" not in name])
def test_errors_of_the_disk_stay_what_they_are(name, tmp_path, monkeypatch):
    """The file is not damaged, and nobody should throw it away."""
    form = formats.formats(tmp_path)[name]
    (tmp_path / "disk").mkdir()
    path = tmp_path / "disk" / form.name
    path.write_bytes(form.wrap(form.content))
    form.read(path)
    numbers = []
    for reads in range(4):

        def opened(file, mode, reads=reads):
            raw = Failing(file, "r" if "r" in mode else "a+")
            raw.reads = reads
            return (io.BufferedReader if "r" in mode else io.BufferedRandom)(raw)

        for module in (files, searching.journal):
            monkeypatch.setattr(module, "open", opened, raising=False)
        try:
            form.read(path)
        except OSError as error:
            numbers.append(error.errno)
    assert numbers
    assert set(numbers) == {errno.EIO}
