"""`fastnet predict`: every form of samples gives the rows that the model was trained on."""

import io
import os
import sys
import zipfile

import numpy as np
import pytest

import fastnet

SHAPE = (3, 4, 5)  # channels, rows, columns: all different, so that no mix-up goes unseen


@pytest.fixture
def model(tmp_path):
    """A model of small colour images, saved as model.npz, whose classes have names."""
    model = fastnet.TwoLayerNet(60, 8, 3, std=0.1, seed=1)
    model.image_shape = SHAPE
    model.label_names = ("cat", "dog", "sea lion")
    model.save(tmp_path / "model.npz")
    return model


@pytest.fixture
def images(rng):
    return rng.integers(0, 256, size=(6, *SHAPE), dtype=np.uint8)


def predicted(run, file):
    return [found["label"] for found in run("predict", "model.npz", file, "--json").report["predictions"]]


@pytest.mark.parametrize(
    "form",
    [
        lambda images: images,
        lambda images: images.reshape(6, 60),
        lambda images: images.transpose(0, 2, 3, 1),
    ],
    ids=["channels first", "flat", "channels last"],
)
def test_arrays_of_many_samples(run, model, images, form):
    expected = model.predict(images.reshape(6, 60)).tolist()
    assert len(set(expected)) > 1
    np.save("x.npy", form(images))
    assert predicted(run, "x.npy") == expected
    np.savez("x.npz", X_test=form(images))
    assert predicted(run, "x.npz") == expected


@pytest.mark.parametrize("k", range(6))
def test_arrays_of_one_sample(run, model, images, k):
    expected = model.predict(images[k].reshape(1, 60)).tolist()
    for sample in (images[k], images[k].ravel(), images[k].transpose(1, 2, 0)):
        np.save("x.npy", sample)
        assert predicted(run, "x.npy") == expected


def test_a_line_has_label_name_and_probability(run, model, images):
    np.save("x.npy", images)
    lines = run("predict", "model.npz", "x.npy").out.splitlines()
    probabilities = model.predict_proba(images.reshape(6, 60))
    for line, row in zip(lines, probabilities, strict=True):
        label, name, probability = line.split("\t")
        assert int(label) == row.argmax()
        assert name == model.label_names[row.argmax()]
        assert float(probability) == pytest.approx(row.max(), abs=1e-4)


def test_without_names_a_line_has_label_and_probability(run, images, tmp_path):
    fastnet.TwoLayerNet(60, 8, 3).save(tmp_path / "model.npz")
    np.save("x.npy", images.reshape(6, 60))
    assert all(len(line.split("\t")) == 2 for line in run("predict", "model.npz", "x.npy").out.splitlines())


def test_a_picture(run, model, images):
    image = pytest.importorskip("PIL.Image")
    for k, pixels in enumerate(images):
        image.fromarray(pixels.transpose(1, 2, 0)).save("x.png")
        assert predicted(run, "x.png") == model.predict(images[k].reshape(1, 60)).tolist()


def test_a_picture_of_another_size_and_mode_is_fitted(run, model):
    image = pytest.importorskip("PIL.Image")
    image.new("L", (50, 40), 200).save("x.png")
    same = np.full((1, 60), 200, dtype=np.uint8)
    assert predicted(run, "x.png") == model.predict(same).tolist()


def test_cifar_batches_and_idx_images(run, cifar10, idx, tmp_path):
    batch, images = cifar10 / "test_batch.bin", idx / "t10k-images-idx3-ubyte"
    records = np.frombuffer(batch.read_bytes(), np.uint8).reshape(20, 3073)
    after_header = np.frombuffer(images.read_bytes()[16:], np.uint8).reshape(12, 20)
    for file, X in ((batch, records[:, 1:]), (images, after_header)):
        model = fastnet.TwoLayerNet(X.shape[1], 8, 10, std=0.1, seed=0)
        model.save(tmp_path / "model.npz")
        assert predicted(run, file) == model.predict(X).tolist()


@pytest.mark.parametrize("name", ["x.npy", "x.npz", "x.png", "x.bin", "x-ubyte", "x-ubyte.gz", "x.txt"])
@pytest.mark.parametrize(
    "content", [b"", b"damaged", b"\x93NUMPY\x01\x00", b"\x89PNG\r\n\x1a\n\x00", b"PK\x03\x04junk"]
)
def test_damaged_files_are_one_line_that_names_them(run, model, tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    result = run("predict", "model.npz", name)
    assert result.status == 1
    assert name in result.error


class Payload:
    """Makes a folder when it is unpickled."""

    def __reduce__(self):
        return os.mkdir, ("trace",)


def test_pickled_objects_are_not_opened(run, model, tmp_path):
    np.save("x.npy", np.array([Payload()], dtype=object))
    result = run("predict", "model.npz", "x.npy")
    assert result.status == 1
    assert "x.npy" in result.error
    assert not (tmp_path / "trace").exists()


def test_an_array_that_asks_for_less_than_there_is_is_damaged(run, model):
    rows = io.BytesIO()
    np.save(rows, np.zeros((2, 60), np.uint8))
    with zipfile.ZipFile("damaged.npz", "w") as archive:
        archive.writestr("X.npy", rows.getvalue() + b"more")
    assert "X.npy has 124 bytes, expected those of shape (2, 60)" in run("predict", "model.npz", "damaged.npz").error


def test_an_archive_without_samples_is_told_which_names_count(run, model):
    np.savez("x.npz", images=np.zeros(3))
    assert "X_test" in run("predict", "model.npz", "x.npz").error


def test_samples_of_another_size_name_the_file(run, model):
    np.save("x.npy", np.zeros((2, 7), np.float32))
    assert run("predict", "model.npz", "x.npy").error.startswith("fastnet: error: x.npy: ")


def test_a_picture_needs_a_model_of_images(run, tmp_path):
    fastnet.SoftmaxClassifier(4, 2).save(tmp_path / "model.npz")
    (tmp_path / "x.png").touch()
    assert "x.png: the model was not trained on" in run("predict", "model.npz", "x.png").error


def test_without_pillow_a_picture_is_refused_with_the_mend(run, model, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    (tmp_path / "x.png").touch()
    assert "pip install pillow" in run("predict", "model.npz", "x.png").error


def test_missing_files_are_named(run, model):
    assert "nowhere.npy: no such file" in run("predict", "model.npz", "nowhere.npy").error
    assert "nowhere.npz: no such file" in run("predict", "nowhere.npz", "model.npz").error


def test_labels_are_no_samples(run, model):
    np.save("y.npy", np.arange(100))
    result = run("predict", "model.npz", "y.npy")
    assert result.status == 1
    assert result.error == (
        "fastnet: error: y.npy: holds 100 numbers in a row, as labels do, expected samples of 60 features"
    )
