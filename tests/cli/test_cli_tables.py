"""Tables on the command line: train, evaluate and predict by the names of columns and classes."""

from pathlib import Path

import numpy as np
import pytest

import fastnet

QUICK = ("--iterations", "50", "--batch-size", "20")  # of which one program is compiled


@pytest.fixture
def pets(tmp_path, rng):
    """A CSV file of two clouds, whose columns have scales of their own: 1e9 and 1e-3."""
    kinds = np.array(["cat", "dog"])[np.arange(80) % 2]
    z = rng.standard_normal((80, 2)) + np.where(kinds == "dog", 3.0, -3.0)[:, None]
    lines = [f"{1.76e9 + 10 * a},{1e-3 * b},{kind}" for (a, b), kind in zip(z, kinds, strict=True)]
    (tmp_path / "pets.csv").write_text("\n".join(["born,size,kind", *lines]) + "\n")
    return tmp_path / "pets.csv"


def test_train_evaluate_and_predict(run, pets, tmp_path):
    (result,) = run("train", "csv", "--data", pets, "--label", "kind", "--json", *QUICK).report["results"]
    assert result["path"] == "fastnet-out/pets-two-layer.npz"
    assert result["training_accuracy"] == result["validation_accuracy"] == 1.0
    model = fastnet.load(result["path"])
    assert (model.label_names, model.feature_names) == (("cat", "dog"), ("born", "size"))
    assert model.dtype == np.float32

    # Other columns besides, in another order, rows of one class alone.
    _, *rows = (line.split(",") for line in pets.read_text().splitlines())
    dogs = [",".join(["x", size, born, kind]) for born, size, kind in rows if kind == "dog"]
    Path("dogs.csv").write_text("\n".join(["note,size,born,kind", *dogs]))
    report = run("evaluate", result["path"], "--data", "dogs.csv", "--json").report
    assert (report["part"], report["accuracy"], report["confusion"]) == ("all", 1.0, [[0, 0], [0, 40]])
    assert [row["name"] for row in report["classes"]] == ["dog"]
    assert run("evaluate", result["path"], "--data", "dogs.csv").out.startswith("accuracy 1.0000 of 40 rows\n")

    lines = run("predict", result["path"], "dogs.csv").out.splitlines()
    assert [line.split("\t")[:2] for line in lines] == [["1", "dog"]] * 40
    table = [line.split("\t") for line in run("predict", result["path"], "dogs.csv", "--proba").out.splitlines()]
    assert table[0] == ["cat", "dog"]
    assert all(float(cat) + float(dog) == pytest.approx(1, abs=2e-6) for cat, dog in table[1:])
    report = run("predict", result["path"], "dogs.csv", "--proba", "--json").report
    assert report["classes"] == ["cat", "dog"]
    assert np.argmax(report["probabilities"], axis=1).tolist() == [1] * 40


def test_search(run, pets):
    report = run("search", "csv", "--data", pets, "--reg", "0", "0.1", "--json", *QUICK).report
    assert report["path"] == "fastnet-out/pets-two-layer-search.npz"
    assert report["settings"]["schedule"] == "linear"
    model = fastnet.load(report["path"])
    assert (model.label_names, model.feature_names) == (("cat", "dog"), ("born", "size"))


def test_other_columns_and_labels_are_named(run, pets):
    path = run("train", "csv", "--data", pets, "--json", *QUICK).report["results"][0]["path"]
    Path("other.csv").write_text("born,kind\n5,cat\n")
    assert "other.csv: no column 'size', expected 'born', 'size'" in run("predict", path, "other.csv").error
    Path("cows.csv").write_text("born,size,kind\n5,5,cow\n")
    assert (
        "column 'kind', row 1: label 'cow', expected one of 'cat', 'dog'"
        in run("evaluate", path, "--data", "cows.csv").error
    )
    assert "--label has no effect" in run("evaluate", path, "--data", path, "--label", "kind").error


@pytest.mark.filterwarnings("default:.*all rows are alike")
def test_a_constant_column_takes_a_line(run, pets):
    rows = pets.read_text().splitlines()
    pets.write_text("\n".join([f"one,{rows[0]}", *(f"1,{row}" for row in rows[1:])]))
    result = run("train", "csv", "--data", pets, *QUICK)
    assert result.status == 0
    assert result.err.startswith(f"fastnet: {pets}: nothing can be learned of 'one': all rows are alike\n")


@pytest.mark.parametrize(
    ("y", "complaint"),
    [
        (np.zeros(40, int), "all training labels are 0, expected at least 2 classes"),
        (np.arange(40) % 3 * 4_000_000, "3 different labels up to 8000000, expected those from 0 on, without gaps"),
    ],
)
def test_labels_that_are_none_to_train_on(run, y, complaint):
    np.savez("d.npz", X=np.ones((40, 3)), y=y)
    assert complaint in run("train", "npz", "--data", "d.npz").error


def test_a_lone_label_is_called_by_its_name(run):
    Path("cats.csv").write_text("age,kind\n1,cat\n2,cat\n")
    assert (
        "cats.csv: all training labels are 'cat', expected at least 2"
        in run("train", "csv", "--data", "cats.csv").error
    )


@pytest.mark.filterwarnings("default:.*without gaps")
def test_labels_with_wide_gaps_are_told(run):
    rng = np.random.default_rng(0)
    for step, told in ((2, False), (7, True)):  # 0, 2, 4; 0, 7, 14
        np.savez("d.npz", X=rng.standard_normal((40, 3)), y=np.arange(40) % 3 * step)
        result = run("train", "npz", "--data", "d.npz", *QUICK)
        assert result.status == 0
        assert ("expected those from 0 on, without gaps" in result.err) is told


def test_results_are_named_after_the_data(run, pets, npz, idx):
    for words in (("csv", "--data", pets), ("npz", "--data", npz), ("idx", "--data", idx, "--recipe", "lab")[:3]):
        assert run("train", *words, "--hidden", "4", *QUICK).status == 0
    found = {path.name for path in Path("fastnet-out").glob("*.npz")}
    assert found == {"pets-two-layer.npz", "clouds-two-layer.npz", "idx-two-layer.npz"}


@pytest.mark.filterwarnings("default:all training rows")
def test_a_training_that_gives_all_rows_one_class_is_told(run, pets):
    # Reg of a size that leaves the bias alone, on which rows of two classes, five to one, agree.
    text = pets.read_text().splitlines()
    pets.write_text("\n".join([text[0], *(row for k, row in enumerate(text[1:]) if "dog" in row or k % 10 == 0)]))
    options = ("--validation", "0", "--reg", "9", "--iterations", "300", "--batch-size", "20")
    result = run("train", "csv", "--data", pets, *options)
    assert result.status == 0
    assert "fastnet: all training rows are given class 1: scale the features" in result.err


def test_labels_in_the_place_of_images_are_told(run, idx):
    fastnet.TwoLayerNet(20, 3, 3).save("model.npz")
    path = idx / "train-labels-idx1-ubyte.gz"
    assert f"{path}: holds labels, expected the images" in run("predict", "model.npz", path).error


def test_a_table_may_be_called_as_a_data_set_is(run, pets):
    result = run("train", "csv", "--data", pets.rename("spiral.csv"), *QUICK)
    assert result.status == 0
    assert "loss" not in result.out.replace("-loss.png", "")
    assert result.err.startswith("iteration 5 / 50: ")
