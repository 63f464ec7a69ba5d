"""`fastnet evaluate`: finds the form of the data and counts what the model gets right."""

import numpy as np
import pytest

import fastnet


@pytest.fixture
def thresholds(tmp_path):
    """Saves a model of one input that knows class 1 by x > 0."""
    model = fastnet.SoftmaxClassifier(1, 2)
    model.params["W"][:] = [[0.0, 1.0]]
    model.save(tmp_path / "model.npz")
    return tmp_path / "model.npz"


def save_test_set(path, X_test, y_test):
    X_test = np.array(X_test, dtype=np.float32)[:, np.newaxis]
    np.savez(path, X_train=X_test[:2], y_train=np.array([0, 1]), X_test=X_test, y_test=np.array(y_test))


def test_accuracy_over_all_and_for_each_class(run, thresholds):
    # Of class 0 one in three is taken for class 1; of class 1 one in two for class 0.
    save_test_set("d.npz", [-1, -2, 3, 4, -5], [0, 0, 0, 1, 1])
    report = run("evaluate", thresholds, "--data", "d.npz", "--json").report
    assert (report["part"], report["images"], report["accuracy"]) == ("test", 5, 3 / 5)
    assert report["classes"] == [
        {"label": 0, "name": None, "images": 3, "precision": 2 / 3, "recall": 2 / 3},
        {"label": 1, "name": None, "images": 2, "precision": 1 / 2, "recall": 1 / 2},
    ]
    assert report["confusion"] == [[2, 1], [1, 1]]
    lines = run("evaluate", thresholds, "--data", "d.npz").out.splitlines()
    assert lines[0] == "test accuracy 0.6000 of 5 rows"
    assert [line.split() for line in lines[1:]] == [
        ["class", "precision", "recall", "rows"],
        ["0", "0.6667", "0.6667", "3"],
        ["1", "0.5000", "0.5000", "2"],
        ["class,", "given", "as", "0", "1"],
        ["0", "2", "1"],
        ["1", "1", "1"],
    ]


def test_a_class_that_no_row_is_given_has_no_precision(run, thresholds):
    save_test_set("d.npz", [1, 2], [0, 1])
    report = run("evaluate", thresholds, "--data", "d.npz", "--json").report
    assert report["confusion"] == [[0, 1], [0, 1]]  # a row for each class, a column for each that is given
    first, second = report["classes"]
    assert (first["precision"], first["recall"]) == (None, 0.0)
    assert (second["precision"], second["recall"]) == (0.5, 1.0)
    assert run("evaluate", thresholds, "--data", "d.npz").out.splitlines()[2].split() == ["0", "-", "0.0000", "1"]


def test_an_idx_file_is_told_to_be_part_of_a_folder(run, thresholds, idx):
    result = run("evaluate", thresholds, "--data", idx / "t10k-images-idx3-ubyte")
    assert "t10k-images-idx3-ubyte: a file: expected the folder that holds it" in result.error


def test_an_archive_of_one_part_is_measured_and_said_to_be_training_data(run, thresholds):
    np.savez("d.npz", X=np.array([[1.0], [-1.0]]), y=np.array([1, 1]))
    assert run("evaluate", thresholds, "--data", "d.npz").out.startswith("training accuracy 0.5000 of 2 rows")


@pytest.mark.parametrize(
    ("form", "images", "inputs", "first"),
    [("cifar10", 20, 3072, "airplane"), ("idx", 12, 20, None), ("npz", 20, 4, None)],
)
def test_the_form_of_the_data_is_found_by_looking(run, request, tmp_path, form, images, inputs, first):
    fastnet.TwoLayerNet(inputs, 3, 10, seed=0).save(tmp_path / "model.npz")
    report = run("evaluate", "model.npz", "--data", request.getfixturevalue(form), "--json").report
    assert report["images"] == images
    assert report["classes"][0]["name"] == first


def test_the_folder_around_the_cifar_folder_will_do(run, cifar10, tmp_path):
    cifar10.rename(tmp_path / "cifar-10-batches-bin")
    fastnet.TwoLayerNet(3072, 3, 10).save(tmp_path / "model.npz")
    assert run("evaluate", "model.npz", "--data", tmp_path).status == 0


def test_data_of_another_size_is_named(run, thresholds, idx):
    result = run("evaluate", thresholds, "--data", idx)
    assert result.status == 1
    assert result.error.startswith(f"fastnet: error: {idx}: ")
    assert "20" in result.error


def test_a_folder_without_data_is_named(run, thresholds, tmp_path):
    (tmp_path / "empty").mkdir()
    result = run("evaluate", thresholds, "--data", "empty")
    assert result.status == 1
    assert result.error.startswith("fastnet: error: empty: holds neither")


def test_missing_files_are_named_with_the_mend(run, thresholds, npz):
    result = run("evaluate", "nowhere.npz", "--data", npz)
    assert result.status == 1
    assert result.error == "fastnet: error: nowhere.npz: no such file or folder; 'fastnet train' makes one"
    assert "nowhere: no such file" in run("evaluate", thresholds, "--data", "nowhere").error


def test_a_file_that_is_no_model_is_named(run, npz):
    result = run("evaluate", npz, "--data", npz)
    assert result.status == 1
    assert npz.name in result.error
