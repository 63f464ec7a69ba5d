import zipfile
from contextlib import suppress

import numpy as np
import pytest

from fastnet.data import load_npz

RNG = np.random.default_rng(5)
X = RNG.integers(0, 256, (6, 4), dtype=np.uint8)
y = np.array([0, 1, 2, 0, 1, 2], dtype=np.uint8)
FULL = {"X_train": X[:4], "y_train": y[:4], "X_test": X[4:], "y_test": y[4:]}


@pytest.fixture
def file(tmp_path):
    return tmp_path / "data.npz"


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64, np.int64, np.bool])
@pytest.mark.parametrize("label_dtype", [np.uint8, np.int32, np.int64])
def test_full(file, save, dtype, label_dtype):
    arrays = {name: a.astype(dtype if name[0] == "X" else label_dtype) for name, a in FULL.items()}
    save(file, **arrays, other=np.array([None]))  # an object, which would be refused if it was read
    data = load_npz(str(file))
    for name, array in arrays.items():
        expected = array if name[0] == "X" else array.astype(np.int64)
        np.testing.assert_array_equal(getattr(data, name), expected, strict=True)
    assert data.num_classes == 3
    assert data.image_shape is None


@pytest.mark.parametrize("names", [("X", "y"), ("X_train", "y_train")])
def test_without_test_set(file, names):
    np.savez(file, **dict(zip(names, (X, y), strict=True)))
    data = load_npz(file)
    np.testing.assert_array_equal(data.X_train, X, strict=True)
    np.testing.assert_array_equal(data.y_train, y.astype(np.int64), strict=True)
    assert data.X_test is None
    assert data.y_test is None
    assert data.num_classes == 3


def test_train_is_preferred(file):
    np.savez(file, X=X[:1], y=y[:1], **FULL)
    assert len(load_npz(file).X_train) == 4


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"X_train": None}, "no array X_train"),
        ({"y_train": None}, r"no array y_train \(it holds 'X_train', 'X_test', 'y_test'\)"),
        ({"y_test": None}, "no array y_test"),
        ({"X_test": None}, "no array X_test"),
        ({"X_train": X[:4].reshape(4, 2, 2, 1)}, r"X_train is uint8 of shape \(4, 2, 2, 1\).*flatten"),
        ({"X_train": X[0]}, r"X_train is uint8 of shape \(4,\)"),
        ({"X_train": X[:0], "y_train": y[:0]}, r"X_train is uint8 of shape \(0, 4\).*not empty"),
        ({"X_train": X[:4, :0]}, r"X_train is uint8 of shape \(4, 0\)"),
        ({"X_train": X[:4].astype(complex)}, "X_train is complex128"),
        ({"X_test": np.where(X[4:] == X[5, 2], np.nan, 1.0)}, r"X_test\[1, 2\] is nan, expected finite numbers"),
        ({"X_test": X[4:, :3]}, "X_test has 3 columns: expected 4, as in X_train"),
        (
            {"y_train": y[:3]},
            r"y_train is uint8 of shape \(3,\): expected \(4,\), one whole number for each .* X_train$",
        ),
        ({"y_train": np.eye(3)[y[:4]]}, r"y_train is float64 of shape \(4, 3\).*; y.argmax\(axis=1\) makes them"),
        ({"y_train": y[:4].astype(float)}, r"y_train is float64.*; numpy.unique\(y, return_inverse=True\)"),
        ({"y_train": y[:4] > 0}, "y_train is bool"),
        ({"y_train": np.array(list("abcd"))}, "y_train is <U1"),
        ({"y_test": np.array([0, -1])}, "label -1 in y_test"),
        ({"y_train": np.array([0, None, 1, 2])}, "not a readable npz archive.*[Oo]bject"),
    ],
)
def test_bad_arrays(file, changes, complaint):
    np.savez(file, **{name: array for name, array in (FULL | changes).items() if array is not None})
    with pytest.raises(ValueError, match=complaint) as caught:
        load_npz(file)
    assert str(file) in str(caught.value)


def test_nothing_expected_in_it(file):
    np.savez(file, images=X)
    with pytest.raises(ValueError, match=r"no array X_train \(it holds 'images'\)"):
        load_npz(file)


@pytest.mark.parametrize(
    "names",
    [("x_train", "y_train", "x_test", "y_test"), ("train_images", "train_labels", "test_images", "test_labels")],
)
def test_usual_spellings_grey_images_and_labels_in_a_column(file, names):
    arrays = dict(zip(names, FULL.values(), strict=True))
    np.savez(file, **{n: a.reshape(-1, 2, 2) if a.ndim == 2 else a[:, None] for n, a in arrays.items()})
    data = load_npz(file)
    np.testing.assert_array_equal(data.X_test, FULL["X_test"], strict=True)
    np.testing.assert_array_equal(data.y_train, FULL["y_train"].astype(np.int64), strict=True)
    assert data.image_shape == (1, 2, 2)


def test_no_npz(file):
    with pytest.raises(FileNotFoundError):
        load_npz(file)
    np.save(file.with_suffix(".npy"), X)
    file.with_suffix(".npy").rename(file)
    with pytest.raises(ValueError, match=r"data\.npz: not a readable npz archive \(a single array"):
        load_npz(file)
    for content in (b"", b"a,b,label\n", b"PK\x03\x04", b"\x80\x02}q\x00."):
        file.write_bytes(content)
        with pytest.raises(ValueError, match=r"data\.npz: not a readable npz archive") as caught:
            load_npz(file)
        assert repr(content) in str(caught.value)
        assert ("it begins as one, and has no end: copy or download it again" in str(caught.value)) == (
            b"PK" in content
        )
        assert "pickle" not in str(caught.value)


def test_header_of_an_impossible_size(file):
    header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (1000000000000000, 4)}"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("X.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)
        archive.writestr("y.npy", b"")
    with pytest.raises(ValueError, match=r"not a readable npz archive \(X.npy has 0 bytes, expected those of"):
        load_npz(file)


def test_damage_gives_only_value_errors(file):
    np.savez_compressed(file, **FULL)
    good = file.read_bytes()
    for length in range(0, len(good), 7):
        file.write_bytes(good[:length])
        with pytest.raises(ValueError, match=r"data\.npz"):
            load_npz(file)
    for position in range(0, len(good), 3):
        damaged = bytearray(good)
        damaged[position] ^= 1 << position % 8
        file.write_bytes(damaged)
        with suppress(ValueError):
            load_npz(file)


def test_no_flipped_bit_gives_other_data(file):
    """Even where the damaged header asks for less of the array than there is."""
    X, y = RNG.integers(0, 256, (200, 99), dtype=np.uint8), np.arange(200)  # more than is read at once
    np.savez(file, X=X, y=y)
    good = file.read_bytes()
    wrong = []
    for bit in range(8 * good.index(X.tobytes())):  # all in front of the numbers
        damaged = bytearray(good)
        damaged[bit // 8] ^= 1 << bit % 8
        file.write_bytes(damaged)
        with suppress(ValueError):
            data = load_npz(file)
            if data.X_train.dtype != X.dtype or not np.array_equal(data.X_train, X):
                wrong.append(bit)
    assert wrong == []


def test_nothing_stands_behind_an_array(file):
    np.savez(file, X=X, y=y)
    with zipfile.ZipFile(file) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content + b"\0")
    with pytest.raises(ValueError, match=r"X\.npy has 25 bytes, expected those of shape \(6, 4\)"):
        load_npz(file)
