import gzip
import struct

import numpy as np
import pytest

from fastnet.data import load_idx, read_idx

CODES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}


def idx(array):
    header = bytes([0, 0, CODES[array.dtype.str[1:]], array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize("dtype", CODES)
@pytest.mark.parametrize("shape", [(5,), (2, 3), (2, 3, 4), (1, 2, 3, 4)])
def test_read_idx(tmp_path, pack, dtype, shape):
    array = (np.arange(np.prod(shape)) * 5 - 3).astype(dtype).reshape(shape)
    (tmp_path / "any.name").write_bytes(pack(idx(array)))
    found = read_idx(str(tmp_path / "any.name"))
    np.testing.assert_array_equal(found, array, strict=True)
    assert found.dtype.isnative
    assert found.flags.writeable


def test_worked_example(tmp_path):
    (tmp_path / "x").write_bytes(bytes.fromhex("00000b02 00000002 00000001 0102 fffe"))
    np.testing.assert_array_equal(read_idx(tmp_path / "x"), np.array([[258], [-2]], np.int16), strict=True)


IMAGE = idx(np.arange(12, dtype=np.uint8).reshape(3, 2, 2))
HUGE = bytes.fromhex("00000802 00100000 00100000")  # a terabyte


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", r"not an IDX file.*\(none\)"),
        (b"\0\0\x08", "not an IDX file.*00 00 08:"),
        (b"\1\0\x08\1\0\0\0\1\0", "not an IDX file.*01 00 08 01:"),
        (b"\0\1\x08\1\0\0\0\1\0", "not an IDX file.*00 01 08 01:"),
        (b"\0\0\x0a\1\0\0\0\1\0", "not an IDX file.*00 00 0a 01:"),
        (b"\0\0\x08\0\0", "not an IDX file.*00 00 08 00:"),
        (b"\0\0\x08\x41" + b"\0\0\0\1" * 65 + b"\0", "not an IDX file.*00 00 08 41:"),
        (b"\0\0\x08\2\0\0\0\1\0\0", "truncated: the header of its 2 dimensions"),
        (b"\0\0\x08\2\0\0\0\1\0\0\0\0", r"empty: .*\(1, 0\)"),
        (IMAGE[:-1], r"truncated: .*\(3, 2, 2\) uint8, 12 bytes"),
        (IMAGE[:16], "truncated"),
        (IMAGE + b"\0", "more bytes follow"),
        (HUGE + bytes(1000), "truncated: .*1,099,511,627,776 bytes"),
    ],
)
def test_bad_content(tmp_path, pack, content, complaint):
    (tmp_path / "bad").write_bytes(pack(content))
    with pytest.raises(ValueError, match=complaint) as caught:
        read_idx(tmp_path / "bad")
    assert str(tmp_path / "bad") in str(caught.value)


def test_damaged_gzip(tmp_path):
    good = gzip.compress(IMAGE, mtime=0)
    flipped_crc = good[:-8] + bytes([good[-8] ^ 1]) + good[-7:]
    for content in (good[:2], good[:15], good[:-1], flipped_crc, good[:10] + b"\xff" * 20, good + b"tail"):
        (tmp_path / "x.gz").write_bytes(content)
        with pytest.raises(ValueError, match=r"x\.gz: damaged gzip data"):
            read_idx(tmp_path / "x.gz")


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        read_idx(tmp_path / "nowhere")


RNG = np.random.default_rng(3)
FILES = {
    "train-images-idx3-ubyte": RNG.integers(0, 256, (5, 4, 3), dtype=np.uint8),
    "train-labels-idx1-ubyte": np.array([0, 4, 2, 1, 3], dtype=np.uint8),
    "t10k-images-idx3-ubyte": RNG.integers(0, 256, (2, 4, 3), dtype=np.uint8),
    "t10k-labels-idx1-ubyte": np.array([5, 1], dtype=np.uint8),
}


@pytest.fixture
def folder(tmp_path):
    for i, (name, array) in enumerate(FILES.items()):  # every second one compressed
        content = gzip.compress(idx(array)) if i % 2 else idx(array)
        (tmp_path / (name + ".gz" * (i % 2))).write_bytes(content)
    return tmp_path


def test_load_idx(folder):
    data = load_idx(folder)
    train_images, train_labels, test_images, test_labels = FILES.values()
    np.testing.assert_array_equal(data.X_train, train_images.reshape(5, 12), strict=True)
    np.testing.assert_array_equal(data.X_test, test_images.reshape(2, 12), strict=True)
    np.testing.assert_array_equal(data.y_train, train_labels.astype(np.int64), strict=True)
    np.testing.assert_array_equal(data.y_test, test_labels.astype(np.int64), strict=True)
    assert data.image_shape == (1, 4, 3)
    assert data.label_names == ()
    assert data.num_classes == 6  # a 5 occurs among the test labels alone


def test_load_idx_missing(folder):
    (folder / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(FileNotFoundError, match="neither t10k-labels-idx1-ubyte nor"):
        load_idx(folder)


@pytest.mark.parametrize(
    ("name", "array", "complaint"),
    [
        ("train-labels-idx1-ubyte", np.zeros(4, np.uint8), "train-labels.*4 labels: expected 5"),
        (
            "train-labels-idx1-ubyte",
            np.zeros((5, 1), np.uint8),
            "train-labels.*2 dimensions of uint8: expected 1",
        ),
        ("train-labels-idx1-ubyte", np.zeros(5, np.int32), "train-labels.*1 dimensions of int32"),
        ("train-images-idx3-ubyte", np.zeros(5, np.uint8), "train-images.*1 dimensions of uint8: expected 3"),
        ("train-images-idx3-ubyte", np.zeros((5, 4, 3), np.float32), "train-images.*3 dimensions of float32"),
        ("t10k-images-idx3-ubyte", np.zeros((2, 3, 4), np.uint8), r"shape \(3, 4\): expected \(4, 3\)"),
    ],
)
def test_load_idx_mismatch(folder, name, array, complaint):
    (folder / name).write_bytes(idx(array))
    with pytest.raises(ValueError, match=complaint):
        load_idx(folder)
