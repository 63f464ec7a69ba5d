"""The benchmark of accuracy, small: everyone learns the same images; tables and picture say what was measured."""

import json
import sys
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

import fastnet
from benchmarks import accuracy, machine, picture, report, tables
from benchmarks.contestants import Unavailable, recipe, recipe_jax, recipe_pytorch
from fastnet.recipes import Settings
from fastnet.schedules import Constant

SHAPE = (1, 8, 8)
TINY = Settings(
    hidden_size=16, batch_size=40, learning_rate=0.05, reg=1e-3, epochs=20, shifts=((0, 0), (1, 0)), components=20
)


def bars(rows, seed):
    """A bright bar, flat or upright by its label, somewhere on noise."""
    rng = np.random.default_rng(seed)
    X = rng.integers(0, 120, (rows, *SHAPE), dtype=np.uint8)
    y = rng.integers(0, 2, rows)
    for image, label, place in zip(X, y, rng.integers(1, 7, rows), strict=True):
        bar = image[0] if label else image[0].T
        bar[place, 1:7] += 120
    return X.reshape(rows, -1), y


@pytest.fixture(scope="module")
def data():
    return recipe.Images(*bars(600, 0), *bars(300, 1), SHAPE, 2)


def runs():
    return {
        "fastnet": lambda *given: accuracy.fastnet(TINY, *given),
        "PyTorch float32": lambda *given: recipe_pytorch.float32(TINY, *given),
        "PyTorch bfloat16": lambda *given: recipe_pytorch.bfloat16(TINY, *given),
        "JAX": lambda *given: recipe_jax.run(TINY, *given),
    }


@pytest.mark.parametrize("name", runs())
def test_every_library_learns_the_same(name, data):
    try:
        found = runs()[name](data, 0, 1)
    except Unavailable as reason:
        pytest.skip(str(reason))
    assert found.accuracy > 0.94
    assert found.seconds > 0


def test_the_other_libraries_do_the_same_work(data):
    """After a few steps from the same weights they are right and wrong about the same images.

    At a constant rate: when it changes, PyTorch's velocities change with it, JAX's here and fastnet's do not.
    """
    early, right = replace(TINY, epochs=2, schedule=Constant()), []
    for run in (recipe_pytorch.float32, recipe_jax.run):
        try:
            right.append(run(early, data, 0, 1).right)
        except Unavailable as reason:
            pytest.skip(str(reason))
    assert 0.5 < right[0].mean() < 1
    assert np.mean(right[0] != right[1]) < 0.01


def test_plans_are_whole_epochs_of_all_views(data):
    plan = recipe.Plan.of(TINY, data, 20, seed=0)
    assert plan.indices.shape == (20 * 600 // 40, 40)
    assert len(np.unique(plan.indices[:60])) == 2400  # each of the four views of each image once
    assert plan.rates[0] < plan.rates[15] == pytest.approx(0.05)
    assert plan.rates[-1] < 1e-4


@pytest.fixture
def counted():
    """Three contestants of which the last is missing, and whose turns there were."""
    turns = []

    def run(name, data, seed, threads):
        turns.append((name, seed))
        if name == "c":
            raise Unavailable("it is not there")
        return recipe.Found(2.0 + seed, np.array([True, False]))

    return {name: accuracy.Contestant(partial(run, name), f"of {name}") for name in "abc"}, turns


def test_all_are_measured_in_turn_and_who_is_missing_is_named(data, counted):
    named, turns = counted
    *_, result = accuracy.measure(named, data, seeds=2, threads=1)
    assert [name for name, _ in turns] == ["a", "b", "c", "b", "a"]
    assert {name: own["seconds"] for name, own in result["contestants"].items()} == {
        "a": [2.0, 3.0],
        "b": [2.0, 3.0],
        "c": [],
    }
    assert result["missing"] == {"c": "it is not there"}


def test_what_is_measured_already_is_kept_and_what_is_missing_follows(data, counted):
    named, turns = counted
    parts = accuracy.measure(named, data, seeds=2, threads=1)
    found = json.loads(json.dumps(next(parts)))  # cut off after the first training
    assert found["contestants"]["a"] == {"settings": "of a", "seconds": [2.0], "accuracy": [0.5]}
    turns.clear()
    *_, found = accuracy.measure(named, data, 3, 1, only=["a"], found=found)
    assert turns == [("a", 1), ("a", 2)]
    turns.clear()
    *_, found = accuracy.measure(named, data, 1, 1, found=found)
    assert turns == [("b", 0), ("c", 0)]
    assert accuracy.command({"Fashion-MNIST": found}) == "--seeds 3 --fashion DIR"
    turns.clear()
    named["a"] = replace(named["a"], settings="others")
    *_, found = accuracy.measure(named, data, 1, 1, ["b"], found)
    assert (turns, found["contestants"]["a"]["seconds"]) == ([], [])  # of settings that are no more
    *_, found = accuracy.measure(named, replace(data, y=data.y[1:], X=data.X[1:]), 1, 1, ["b"], found)
    assert turns == [("b", 0)]


def test_results_of_another_machine_are_not_added_to(tmp_path):
    head = machine.describe("", 2, "accuracy")
    assert report.begun("accuracy", head, tmp_path) == head
    report.save("accuracy", {**head, "date": "long ago", "sets": {"a": 1}}, tmp_path)
    assert report.begun("accuracy", head, tmp_path) == {**head, "sets": {"a": 1}}
    for change in ({"threads": 3}, {"cpu": "another"}, {"versions": {**head["versions"], "numpy": "1"}}):
        assert report.begun("accuracy", head | change, tmp_path) == head | change


def test_the_command_line_writes_down_each_training(data, counted, tmp_path, monkeypatch, capsys):
    named, turns = counted
    monkeypatch.setattr(accuracy, "contestants", lambda: named)
    monkeypatch.setattr(accuracy, "image_sets", lambda _: iter([("CIFAR-10", data), ("Fashion-MNIST", data)]))
    for name in ("begun", "save", "render"):
        monkeypatch.setattr(report, name, partial(getattr(report, name), root=tmp_path))
    (tmp_path / "README.md").write_text("<!-- accuracy:begin --><!-- accuracy:end -->")
    for only in ("a", "b"):
        words = ["accuracy", "--cifar10", "D", "--fashion", "D", "--seeds", "1", "--only", only]
        monkeypatch.setattr(sys, "argv", words)
        accuracy.main()
    assert turns == [("a", 0), ("a", 0), ("b", 0), ("b", 0)]
    text = (tmp_path / "README.md").read_text()
    for title in ("CIFAR-10", "Fashion-MNIST"):
        assert f"| {title} | seconds" in text
    assert text.count("| a | 2.0 |") == text.count("| b | 2.0 |") == 2
    assert "accuracy --seeds 1 --cifar10 DIR --fashion DIR`" in text
    assert "600 training and 300 test images: the copy measured has no more, the official one 60,000" in text
    assert "README.md, accuracy: written" in capsys.readouterr().out


def test_the_lab_and_the_linear_classifier_are_measured(data, monkeypatch):
    monkeypatch.setattr(accuracy, "LAB_EPOCHS", 1)
    monkeypatch.setitem(accuracy.LINEAR, "epochs", 1)
    for contestant in (accuracy.lab, accuracy.linear):
        found = contestant(data, 0, 1)
        assert 0 < found.accuracy <= 1
        assert found.seconds > 0


def test_gains_are_of_each_ingredient(data, monkeypatch):
    few = {name: accuracy.INGREDIENTS[name] for name in ("all", "no shifts", "no L2")}
    monkeypatch.setattr(accuracy, "INGREDIENTS", few)
    settings = replace(TINY, epochs=2)
    first = json.loads(json.dumps(next(accuracy.gains(data, settings, seeds=1, threads=1))))
    assert [len(own["accuracy"]) for own in first.values()] == [1, 0, 0, 0, 1]  # cut off after the first training
    *_, found = accuracy.gains(data, settings, 1, 1, first)
    assert list(found) == [*few, accuracy.PLAIN, accuracy.AVERAGED]
    assert found["all"] == first["all"]
    assert all(len(own["accuracy"]) == 1 and 0 < own["accuracy"][0] <= 1 for own in found.values())


def test_plain_components_keep_their_variances(data):
    whitening = fastnet.Whitening.fit(data.X, 20)
    plain = accuracy.plain(whitening)
    Z = (data.X - plain.mean) @ plain.matrix
    np.testing.assert_allclose(Z.std(axis=0), plain.deviations, rtol=1e-3)
    assert np.mean(Z.var(axis=0)) == pytest.approx(1, rel=1e-3)
    assert plain.deviations[0] / plain.deviations[-1] > 1.2 * whitening.deviations[0] / whitening.deviations[-1]


def test_the_tables_and_the_picture_say_what_was_measured(tmp_path):
    head = machine.describe("--some words", 2, "accuracy")
    contestants = {
        "fastnet, fast": {"seconds": [4.0, 6.0, 5.0], "accuracy": [0.61, 0.62, 0.66]},
        "JAX, fast": {"seconds": [3.0], "accuracy": [0.6]},
        "JAX, best": {"seconds": [], "accuracy": []},
    }
    one = {"train": 50000, "test": 10000, "contestants": contestants, "missing": {"PyTorch": "it is not there"}}
    result = {**head, "sets": {"CIFAR-10": one}}
    text = tables.accuracy(result)
    assert (
        "| JAX, fast | 3.0 | 0.6000 | 0.6000 to 0.6000 | 1 |\n"
        "| **fastnet, fast** | 5.0 | 0.6300 | 0.6100 to 0.6600 | 3 |" in text
    )
    assert "50,000 training and 10,000 test images." in text
    assert "Not measured: JAX, best." in text
    assert "Left out: PyTorch, it is not there." in text
    assert "`python -m benchmarks.accuracy --some words`" in text
    values = {"all": {"accuracy": [0.6, 0.62]}, "no shifts": {"accuracy": [0.57, 0.58]}, "no L2": {"accuracy": []}}
    sizes = {"train": 45000, "held_out": 5000, "hidden_size": 1024, "epochs": 40}
    text = tables.gains({**head, **sizes, "ingredients": values})
    assert "| all | 0.6100 |  | 0.6000 to 0.6200 | 2 |\n| no shifts | 0.5750 | -3.5 | 0.5700 to 0.5800 | 2 |" in text
    assert "1,024 hidden units, 40 epochs of 45,000 images; 5,000 held-out images, means of all seeds" in text
    if picture.write_accuracies(result, tmp_path / "a.svg") == "a.svg: drawn":
        drawn = (tmp_path / "a.svg").read_text()
        assert all(f">{word}</text>" in drawn for word in ("fastnet", "JAX", "  fast"))
