import gzip
import pickle
import shutil
import tarfile
from functools import partial

import numpy as np
import pytest
from cifar_files import (
    ARCHIVES,
    BATCHES,
    FOLDERS,
    binary_batch,
    make_batches,
    python2_batch,
    python3_batch,
    write_archive,
    write_folder,
)

from fastnet.data import load_cifar10

ENCODERS = {
    "binary": (binary_batch, ".bin"),
    "python2": (python2_batch, ""),
    **{f"python3-{protocol}": (partial(python3_batch, protocol=protocol), "") for protocol in (2, 3, 4, 5)},
}


def assert_complete(data):
    batches = make_batches()
    pixels, labels = zip(*batches.values(), strict=True)
    for X, expected in ((data.X_train, np.concatenate(pixels[:5])), (data.X_test, pixels[5])):
        np.testing.assert_array_equal(X, expected, strict=True)
        assert X.flags.c_contiguous
        assert X.flags.writeable
    np.testing.assert_array_equal(data.y_train, np.concatenate(labels[:5]), strict=True)
    np.testing.assert_array_equal(data.y_test, labels[5], strict=True)
    assert data.label_names[0] == "airplane"
    assert data.label_names[9] == "truck"
    assert data.num_classes == 10
    assert data.image_shape == (3, 32, 32)


@pytest.fixture
def binary(tmp_path):
    return write_folder(tmp_path / FOLDERS["binary"], *ENCODERS["binary"])


@pytest.mark.parametrize("form", ENCODERS)
def test_every_form_gives_the_same_arrays(tmp_path, form):
    assert_complete(load_cifar10(write_folder(tmp_path / "any name", *ENCODERS[form])))


@pytest.mark.parametrize(("form", "encoder"), [("binary", "binary"), ("python", "python2")])
def test_found_in_parent_folder_and_in_archive(tmp_path, form, encoder):
    folder = write_folder(tmp_path / "a" / FOLDERS[form], *ENCODERS[encoder])
    assert_complete(load_cifar10(str(tmp_path / "a")))
    (tmp_path / "b").mkdir()
    archive = write_archive(tmp_path / "b" / ARCHIVES[form], folder)
    assert_complete(load_cifar10(archive))
    assert_complete(load_cifar10(tmp_path / "b"))
    assert [path.name for path in (tmp_path / "b").iterdir()] == [ARCHIVES[form]]


def test_archive_is_told_by_content(tmp_path, binary):
    with tarfile.open(tmp_path / "renamed.zip", "w") as archive:
        archive.add(binary, "elsewhere")
    assert_complete(load_cifar10(tmp_path / "renamed.zip"))


def test_binary_form_is_preferred(tmp_path, binary):
    for name in BATCHES:
        (binary / name).write_bytes(b"not a pickle")
    shutil.copytree(binary, tmp_path / FOLDERS["python"])
    assert_complete(load_cifar10(tmp_path))
    assert_complete(load_cifar10(binary))


def test_missing_batch_is_named(tmp_path, binary):
    (binary / "data_batch_4.bin").unlink()
    archive = write_archive(tmp_path / "x.tar.gz", binary)
    for path in (tmp_path, binary, archive):
        with pytest.raises(FileNotFoundError, match=r"data_batch_4\.bin") as caught:
            load_cifar10(path)
        assert "data_batch_3" not in str(caught.value)


def test_nothing_there(tmp_path):
    for path in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(FileNotFoundError, match=f"{path.name}: no CIFAR-10 here.*download_cifar10 fetches it"):
            load_cifar10(path)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "0 bytes"),
        (bytes(3072), "3,072 bytes: expected records of 3073"),
        (bytes(3074), "3,074 bytes: expected records of 3073"),
        (bytes(3073) + b"\x0a" + bytes(3072), "label 10 in record 1"),
    ],
)
def test_bad_binary_batch(binary, content, complaint):
    (binary / "data_batch_2.bin").write_bytes(content)
    with pytest.raises(ValueError, match=complaint) as caught:
        load_cifar10(binary)
    assert str(binary / "data_batch_2.bin") in str(caught.value)


GOOD = {"data": np.zeros((2, 3072), np.uint8), "labels": [0, 9]}


@pytest.mark.parametrize(
    ("batch", "complaint"),
    [
        ({"data": GOOD["data"]}, "no 'labels'.*found a dict of 'data'"),
        ({"labels": [1]}, "no 'data'"),
        ({}, "found a dict of nothing"),
        ([1, 2], "holds a list: expected a dict"),
        (GOOD | {"data": [0]}, "'data' is a list of 1"),
        (GOOD | {"data": np.zeros((2, 3072))}, r"'data' is float64 of shape \(2, 3072\)"),
        (GOOD | {"data": np.zeros((2, 3071), np.uint8)}, r"uint8 of shape \(2, 3071\)"),
        (GOOD | {"data": np.zeros((2, 3, 1024), np.uint8)}, r"uint8 of shape \(2, 3, 1024\)"),
        (GOOD | {"data": np.array(7, np.uint8)}, r"uint8 of shape \(\)"),
        ({"data": np.zeros((0, 3072), np.uint8), "labels": []}, "at least one"),
        (GOOD | {"labels": [1]}, "'labels' is a list of 1"),
        (GOOD | {"labels": (1, 2)}, "'labels' is a tuple"),
        (GOOD | {"labels": np.zeros(3, np.int8)}, r"'labels' is int8 of shape \(3,\)"),
        (GOOD | {"labels": np.array(3)}, r"'labels' is int64 of shape \(\)"),
        (GOOD | {"labels": [0, 10]}, "label 10 in record 1"),
        (GOOD | {"labels": [-1, 0]}, "label -1 in record 0"),
        (GOOD | {"labels": [0, "3"]}, "label a str in record 1"),
        (GOOD | {"labels": [0, 1.0]}, "label a float in record 1"),
        (GOOD | {"labels": np.array([0.0, 1.0])}, "label a float in record 0"),
    ],
)
def test_bad_python_batch(tmp_path, batch, complaint):
    folder = write_folder(tmp_path / "py", python2_batch)
    (folder / "data_batch_2").write_bytes(pickle.dumps(batch))
    with pytest.raises(ValueError, match=complaint) as caught:
        load_cifar10(folder)
    assert str(folder / "data_batch_2") in str(caught.value)


def test_labels_may_be_an_array(tmp_path):
    folder = write_folder(tmp_path / "py", python2_batch)
    (folder / "test_batch").write_bytes(pickle.dumps(GOOD | {"labels": np.array([3, 9])}))
    np.testing.assert_array_equal(load_cifar10(folder).y_test, [3, 9])


def test_pickle_that_asks_for_more_is_refused(tmp_path):
    folder = write_folder(tmp_path / "py", python2_batch)
    (folder / "test_batch").write_bytes(b"cos\nsystem\n(U\x04exittR.")
    with pytest.raises(ValueError, match=r"test_batch: .*os\.system"):
        load_cifar10(folder)


def test_damaged_archive(tmp_path, binary):
    # Stored, not compressed: a flipped pixel then decompresses well, and only the CRC at the end shows it.
    good = write_archive(tmp_path / "x.tar.gz", binary, compresslevel=0).read_bytes()
    assert_complete(load_cifar10(tmp_path / "x.tar.gz"))
    pixel = good.index(make_batches()["data_batch_3"][0][1].tobytes()) + 1000
    flipped = good[:pixel] + bytes([good[pixel] ^ 1]) + good[pixel + 1 :]
    contents = {
        "flipped.tar.gz": flipped,
        "cut.tar.gz": good[: len(good) // 2],
        "headless.tar.gz": good[:5],
        "text.tar.gz": b"404 not found" * 100,
        "empty.tar.gz": b"",
        "no_tar.gz": gzip.compress(b"404 not found" * 100),
        "data_batch_1.bin": (binary / "data_batch_1.bin").read_bytes(),
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=name):
            load_cifar10(tmp_path / name)


def test_cut_plain_archive(tmp_path, binary):
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        archive.add(binary, binary.name)
    content = (tmp_path / "x.tar").read_bytes()
    (tmp_path / "x.tar").write_bytes(content[: content.index(b"test_batch.bin") + 2000])
    with pytest.raises(ValueError, match=r"x\.tar"):
        load_cifar10(tmp_path / "x.tar")
