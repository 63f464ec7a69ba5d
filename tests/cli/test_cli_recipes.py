"""`fastnet train cifar10 | idx --recipe ...`: small image sets, and options that a recipe does not heed."""

from dataclasses import replace

import numpy as np
import pytest

import fastnet
from fastnet import data, recipes
from fastnet.cli import images


@pytest.fixture
def small(monkeypatch):
    """The recipes' settings, but of a few small steps."""
    for name in ("FAST", "BEST"):
        few = replace(getattr(recipes, name), hidden_size=8, batch_size=10, epochs=2)
        monkeypatch.setattr(recipes, name, few)


def test_best_saves_a_plain_net_and_tells_its_accuracies(run, idx, small):
    result = run("train", "idx", "--data", idx, "--recipe", "best", "--validation", "6", "--out", "out", "--seed", "3")
    assert result.status == 0
    lines = result.out.splitlines()
    assert lines[0] == "idx: 24 training, 6 validation, 12 test images of 1 x 4 x 5, 3 classes"
    assert "best: 20 -> 8 -> 3, float32" in lines
    net = fastnet.load("out/idx-best.npz")
    test = data.load_idx(idx)
    accuracy = np.mean(net.predict(test.X_test) == test.y_test)
    assert f"test accuracy       {accuracy:.4f}" in lines
    assert sum(line.startswith("validation accuracy") for line in lines) == 1
    assert net.image_shape == (1, 4, 5)


@pytest.mark.filterwarnings("ignore:after", "ignore:all validation rows")  # there is nothing to learn from these images
def test_the_report_holds_settings_and_seconds(run, cifar10, small):
    words = ("--recipe", "fast", "--seconds", "0.5", "--json")
    (result,) = run("train", "cifar10", "--data", cifar10, *words).report["results"]
    assert result["path"] == "fastnet-out/cifar10-fast.npz"
    assert result["recipe"] == "fast"
    assert result["settings"]["seconds"] == 0.5
    assert result["settings"]["components"] == 300
    assert result["seconds"] > 0.25
    assert set(result["seconds_of"]) == {"compilation", "whitening", "projection", "training", "folding"}
    assert fastnet.load(result["path"]).label_names[6] == "frog"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--recipe", "best", "--learning-rate", "1"), "--learning-rate has no effect with --recipe best"),
        (("--recipe", "fast", "--model", "softmax"), "--model has no effect with --recipe fast"),
        (("--recipe", "lab", "--seconds", "3"), "--seconds has no effect without --recipe fast or best"),
        (("--recipe", "fast", "--seconds", "1e-9"), "a step alone takes"),
        (("--recipe", "fast", "--seconds", "nan"), "seconds is nan"),
    ],
)
def test_what_a_recipe_does_not_heed_is_told(run, idx, small, words, message):
    result = run("train", "idx", "--data", idx, "--json", *words)
    assert result.status == 1
    assert message in result.error


def test_what_an_interrupted_recipe_came_to_is_saved(run, idx, small, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(images.TrainingProgress, "__call__", interrupt)
    result = run("train", "idx", "--data", idx, "--recipe", "fast", "--out", "out", "--json")
    assert result.status == 130
    assert result.err == "fastnet: interrupted; saved out/idx-fast-interrupted.npz\n"
    net = fastnet.load("out/idx-fast-interrupted.npz")
    assert net.input_size == 20
    assert np.abs(net.params["W1"]).max() > 0


def test_epochs_and_seconds_exclude_each_other(run, idx):
    result = run("train", "idx", "--data", idx, "--recipe", "best", "--epochs", "3", "--seconds", "3")
    assert result.status == 1
    assert "--epochs and --seconds both say how long to train" in result.err
