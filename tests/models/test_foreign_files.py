"""What is no model, or a damaged one, is refused: nothing in it is run, and no more of it read than a model has."""

import io
import json
import os
import pickle
import re
import sys
import zipfile

import numpy as np
import pytest
from against_reference import bits
from saved_models import C, D, H, refused, rewritten, small_model

import fastnet
from fastnet import archive


def test_a_missing_file_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.npz"):
        fastnet.load(tmp_path / "none.npz")
    with pytest.raises(OSError, match=tmp_path.name):
        fastnet.load(tmp_path)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no such folder: .*nowhere'"):
        fastnet.TwoLayerNet(2, 3, 4).save(tmp_path / "nowhere" / "model.npz")


def test_what_is_in_the_file_instead_is_told(tmp_path):
    path = tmp_path / "other.npz"
    path.write_bytes(b"\x89PNG")
    assert "no .npz archive" in refused(path)
    np.savez(path, X_train=np.zeros(3))
    assert "it holds X_train, expected a header" in refused(path)


def test_a_truncated_file_is_refused(saved):
    data = saved.read_bytes()
    for length in [*range(0, len(data), 37), len(data) - 1]:
        saved.write_bytes(data[:length])
        refused(saved)


@pytest.mark.parametrize("which", ["saved", "format_1"])
def test_a_flipped_bit_is_found_or_harmless(request, which):
    path = request.getfixturevalue(which)
    data, expected = path.read_bytes(), fastnet.load(path)
    heads = [
        position
        for found in re.finditer(b"PK\x03\x04|\x93NUMPY", data)
        for position in range(found.start(), found.end() + 90)
    ]
    positions = [*range(0, len(data) - 900, 13), *heads[::2], *range(len(data) - 900, len(data), 2)]
    found = 0
    for bit, position in enumerate(positions):
        damaged = bytearray(data)
        damaged[position] ^= 1 << bit % 8
        path.write_bytes(damaged)
        try:
            loaded = fastnet.load(path)
        except ValueError as error:
            found += str(path) in str(error)
            continue
        # A date, a permission: nothing of the model.
        assert bits(loaded) == bits(expected)
        assert loaded.normalization.mean.tobytes() == expected.normalization.mean.tobytes()
        assert loaded.normalization.scale.tobytes() == expected.normalization.scale.tobytes()
        assert (loaded.label_names, loaded.image_shape) == (expected.label_names, expected.image_shape)
    assert found > len(positions) / 2


def test_a_member_is_read_to_its_end_and_compared_with_the_header(saved, monkeypatch):
    """Each alone finds other numbers: the archive's check sum, and the header's."""
    data = saved.read_bytes()
    at = data.index(fastnet.load(saved).params["W1"].tobytes()) + 5
    saved.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
    assert "CRC" in refused(saved)
    monkeypatch.setattr(zipfile.ZipExtFile, "_update_crc", lambda *_: None)
    assert "params.W1 is not what the header says" in refused(saved)


@pytest.fixture
def bytes_read(monkeypatch):
    """How much of a file each read takes."""
    taken = []
    read = archive._Sips.read

    def counted(self, size=-1):
        data = read(self, size)
        taken.append(len(data))
        return data

    monkeypatch.setattr(archive._Sips, "read", counted)
    return taken


BIG = 3 << 20


def bomb(path, **compression):
    with zipfile.ZipFile(path, "a") as file:
        file.writestr("more.npy", bytes(BIG), **compression)


def many_members(path):
    with zipfile.ZipFile(path, "w") as file:
        for number in range(20_000):
            file.writestr(f"{number:060}.npy", b"")


def longer_array(path):
    with zipfile.ZipFile(path) as file:
        members = {info.filename: file.read(info) for info in file.infolist()}
    with zipfile.ZipFile(path, "w") as file:
        for name, data in members.items():
            file.writestr(name, data + bytes(BIG) if "W2" in name else data)


HOSTILE = {
    "an unknown member": bomb,
    "a compressed member": lambda path: bomb(path, compress_type=zipfile.ZIP_DEFLATED),
    "a large array": lambda path: rewritten(path, params__W1=np.zeros((1000, 1000), np.float32)),
    "an array with more behind it": longer_array,
    "a large header": lambda path: np.savez(path, header=np.array("a" * BIG)),
    "sizes that fit no memory": lambda path: rewritten(path, {"arguments": {**SIZES, "input_size": 10**15}}),
    "a large directory": many_members,
}


@pytest.mark.parametrize("what", HOSTILE)
def test_what_is_not_expected_is_refused_unread(saved, what, bytes_read, monkeypatch):
    HOSTILE[what](saved)
    monkeypatch.setattr(fastnet.TwoLayerNet, "__init__", None)  # no model is made of it, either
    refused(saved)
    assert max(bytes_read) <= archive.MOST_READ
    assert sum(bytes_read) < (BIG if what == "a large directory" else 100_000)


@pytest.mark.skipif(sys.platform == "win32", reason="of POSIX systems")
def test_a_named_pipe_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    keep = os.open(tmp_path / "pipe", os.O_RDWR)  # else a reader would wait for a writer
    for call in (fastnet.load, small_model().save):
        with pytest.raises(OSError, match="a named pipe, expected a regular file"):
            call(tmp_path / "pipe")
    os.close(keep)


class _Exploit:
    def __reduce__(self):
        return os.mkdir, ("exploited",)


def array_file():
    file = io.BytesIO()
    np.save(file, np.zeros(3))
    return file.getvalue()


FOREIGN = {
    "nothing": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("not a model"),
    "a pickle": lambda path: path.write_bytes(pickle.dumps(_Exploit())),
    "an array": lambda path: path.write_bytes(array_file()),
    "other arrays": lambda path: np.savez(path, X=np.zeros(3)),
    "a pickled array": lambda path: np.savez(path, header=np.array([_Exploit()], dtype=object)),
    "a zip archive": lambda path: zipfile.ZipFile(path, "w").close(),
}


@pytest.mark.parametrize("what", FOREIGN)
def test_foreign_files_are_refused(what, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "foreign.npz"
    FOREIGN[what](path)
    refused(path)
    assert os.listdir(tmp_path) == ["foreign.npz"]  # no code in them was run


def test_rewriting_alone_is_not_refused(saved):
    expected = fastnet.load(saved)
    assert bits(fastnet.load(rewritten(saved))) == bits(expected)


SIZES = {"input_size": D, "hidden_size": H, "output_size": C}
WRONG_HEADERS = [
    {"format": 4},
    {"format": None},
    {"kind": "run"},
    {"model": "Classifier"},
    {"model": "os.system"},
    {"dtype": "float16"},
    {"dtype": "object"},
    {"arguments": {**SIZES, "input_size": D + 1}},
    {"arguments": {**SIZES, "input_size": -1}},
    {"arguments": {**SIZES, "input_size": 10**15}},
    {"arguments": {"input_size": D, "output_size": C}},
    {"arguments": {**SIZES, "seed": "x"}},
    {"arguments": [D, H, C]},
    {"arguments": {**SIZES, "hidden_size": True}},
    {"arguments": {"hidden_size": H, "input_size": D, "output_size": C}},
    {"label_names": 3},
    {"label_names": "cat"},
    {"label_names": [1]},
    {"image_shape": [0]},
    {"normalization": None},
    {"normalization": "mean"},
    {"normalization": "other"},
    {"random_state": {"bit_generator": "MT19937"}},
    {"seed": -1},
    {"std": "she"},
    {"arrays": ["params.W1"]},
    {"arrays": {}},
]


@pytest.mark.parametrize("header", WRONG_HEADERS, ids=json.dumps)
def test_a_wrong_header_is_refused(saved, header):
    refused(rewritten(saved, header))


@pytest.mark.parametrize(
    "arrays",
    [
        {"params__W1": None},
        {"mean": None},  # with a scale
        {"scale": None},
        {"params__W3": np.zeros(3)},
        {"params__W1": np.zeros((H, D))},
        {"params__W1": np.full((D, H), "a")},
        {"params__W1": np.ones((D, H), bool)},
        {"params__W1": np.ones((D, H), np.complex64)},
        {"params__W1": np.ones((D, H), np.float64)},
        {"params__W1": np.ones((1, H), np.float32)},
        {"params__W1": np.ones((D, H), ">f4")},
        {"params__W1": np.asfortranarray(np.ones((D, H), np.float32))},
        {"params__b1": np.full(H, np.inf, np.float32)},
        {"mean": np.zeros(D + 1), "scale": np.ones(D + 1)},
        {"mean": np.full(D, np.nan)},
    ],
    ids=lambda arrays: ", ".join(f"{name} {getattr(value, 'dtype', 'gone')}" for name, value in arrays.items()),
)
def test_wrong_arrays_are_refused(saved, arrays):
    refused(rewritten(saved, **arrays))
