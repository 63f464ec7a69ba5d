"""What may be typed, and what becomes of it."""

import subprocess
import sys
from dataclasses import fields, replace

import pytest

from fastnet.cli.errors import CommandError
from fastnet.cli.parser import parse
from fastnet.cli.recipes import Recipe, recipes


def changes(*arguments):
    """The hyper-parameters that a command line sets."""
    names = {field.name for field in fields(Recipe)}
    return {name: value for name, value in vars(parse(arguments)).items() if name in names}


@pytest.mark.parametrize(
    ("arguments", "culprit"),
    [
        ([], "COMMAND"),
        (["teach"], "teach"),
        (["train", "mnist"], "there is no 'mnist'; did you mean 'idx'?"),
        (["train", "cifar-10", "--data", "x"], "there is no 'cifar-10'; did you mean 'cifar10'?"),
        (["train", "--seed", "1", "cifar-10", "--data", "x"], "there is no 'cifar-10'"),
        (["train", "--data", "x"], "--data goes behind cifar10, idx, npz or csv"),
        (["train", "npz", "--data", "x", "--lr", "1"], "--lr is unknown here; did you mean --learning-rate?"),
        (["train", "npz", "--data", "x", "--learning_rate=1"], "did you mean --learning-rate? (see fastnet train npz "),
        (["train", "--epoch", "1"], "--epoch is unknown here; did you mean --epochs?"),
        (["train", "--num-iters", "1"], "--num-iters is unknown here; did you mean --iterations?"),
        (["search", "npz", "--data", "x", "--hidden_size", "1"], "did you mean --hidden? (see fastnet search npz "),
        (["train", "--reg", "nan"], "argument --reg: it is nan, expected a finite number of at least 0"),
        (["train", "--learning-rate", "fast"], "'fast', expected a number"),
        (["train", "--momentum", "1"], r"expected a number in [0, 1)"),
        (["train", "--std", "she"], "'she', expected a number, or 'he'"),
        (["train", "cifar10", "--data", "x", "--recipe", "table"], "--recipe"),
        (["train", "--download", "cifar10", "--data", "x"], "--download goes behind cifar10 "),
        (["--seed", "1", "train"], "--seed goes behind train "),
        (["train", "--speed", "1"], "--speed is unknown here"),
        (["train", "cifar10"], "--data"),
        (["train", "idx", "--data", "x", "--download"], "--download"),
        (["train", "--hidden", "many"], "many"),
        (["train", "--batch-size", "half"], "half"),
        (["train", "--iterations", "0"], "'0', expected a whole number from 1 on"),
        (["train", "--hidden", "2.5"], "'2.5', expected a whole number from 1 on"),
        (["train", "--threads", "0"], "'0', expected a whole number from 1 on"),
        (["train", "--seed", "-1"], "'-1', expected a whole number from 0 on"),
        (["train", "--batch-size", "x"], "'x', expected a whole number from 1 on, or 'full'"),
        (["train", "--optimizer", "lbfgs"], "lbfgs"),
        (["train", "--iter", "5"], "--iter"),
        (["train", "npz", "--data", "x", "--iter", "5"], "--iter"),
        (["search"], "DATASET"),
        (["search", "spiral"], "spiral"),
        (["search", "--reg", "1"], "--reg goes behind cifar10, idx, npz or csv"),
        (["search", "npz", "--data", "x", "--threads", "1"], "--threads"),
        (["search", "npz", "--data", "x", "--halving", "1"], "'1', expected a whole number from 2 on"),
        (["search", "npz", "--data", "x", "--workers", "0"], "'0', expected a whole number from 1 on"),
        (["evaluate", "model.npz"], "--data"),
        (["predict", "model.npz"], "FILE"),
    ],
)
def test_misuse_is_status_2_and_one_line_that_shows_the_culprit(run, arguments, culprit):
    result = run(*arguments)
    assert result.status == 2
    assert culprit in result.error
    assert "--help" in result.error


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["train", "--help"], ["search", "npz", "--help"], ["info", "--help"]]
)
def test_help_is_not_an_error(run, arguments):
    result = run(*arguments)
    assert (result.status, result.err) == (0, "")
    assert "fastnet" in result.out


def test_help_and_errors_load_neither_numba_nor_matplotlib():
    program = """
import sys
from fastnet.cli import main
assert main(["train", "--help"]) == 0
assert main(["train", "--hidden", "x"]) == 2
assert main(["evaluate", "missing.npz", "--data", "missing"]) == 1
assert main(["predict", "missing.npz", "missing.npy"]) == 1
heavy = {"numba", "llvmlite", "matplotlib"} & set(sys.modules)
assert not heavy, heavy
"""
    subprocess.run([sys.executable, "-c", program], check=True, stdout=subprocess.PIPE)


def test_every_hyper_parameter_is_an_option():
    values = {
        "model": "softmax",
        "hidden": 7,
        "learning_rate": 0.5,
        "reg": 0.25,
        "schedule": "decay",
        "decay": 0.75,
        "warmup": 0.1,
        "iterations": 3,
        "batch_size": 9,
        "sampling": "shuffle",
        "optimizer": "adam",
        "momentum": 0.1,
        "beta1": 0.2,
        "beta2": 0.3,
        "epsilon": 1e-3,
        "std": 0.125,
        "normalize": "standard",
        "validation": 11,
        "dtype": "float64",
        "seed": 5,
        "threads": 2,
    }
    words = [word for name, value in values.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    for command in (["train"], ["train", "npz", "--data", "x"]):
        assert changes(*command, *words) == values
    heeded = {name: value for name, value in values.items() if name not in ("hidden", "momentum")}
    assert recipes("npz", heeded, "lab") == (Recipe(**heeded),)
    assert changes("train", "--epochs", "4") == {"epochs": 4}


@pytest.mark.parametrize(
    ("changes", "needs"),
    [
        ({"momentum": 0.5}, "--momentum has no effect without --optimizer momentum or nesterov"),
        ({"beta1": 0.5, "optimizer": "nesterov"}, "--beta1 has no effect without --optimizer adam"),
        ({"hidden": 5, "model": "softmax"}, "--hidden has no effect without --model two-layer"),
        ({"decay": 0.5, "schedule": "linear"}, "--decay has no effect without --schedule decay"),
        ({"epochs": 5, "iterations": 5}, "--epochs and --iterations both say how long"),
    ],
)
def test_an_option_that_nothing_heeds_is_refused(changes, needs):
    with pytest.raises(CommandError, match=needs):
        recipes("cifar10", changes)


def test_an_option_that_one_of_two_models_heeds_is_taken():
    assert [recipe.hidden for recipe in recipes("spiral", {"hidden": 5})] == [5, 5]
    assert recipes("npz", {"optimizer": "nesterov", "momentum": 0.5})[0].momentum == 0.5


def test_an_option_that_is_not_given_leaves_the_recipe_alone():
    assert changes("train") == changes("train", "cifar10", "--data", "x") == {}


def test_options_count_before_and_after_the_data_set():
    arguments = parse(["train", "--json", "--out", "there", "--reg", "2", "npz", "--data", "x", "--hidden", "3"])
    assert (arguments.json, str(arguments.out), arguments.reg, arguments.hidden) == (True, "there", 2.0, 3)
    assert arguments.dataset == "npz"


def test_batch_size_full_is_all_rows():
    assert changes("train", "--batch-size", "full") == {"batch_size": None}


def test_images_start_from_the_lab():
    (lab,) = recipes("cifar10", {})
    assert (lab.model, lab.hidden, lab.std, lab.normalize) == ("two-layer", 80, 1e-4, "mean")
    assert (lab.learning_rate, lab.reg, lab.decay) == (1e-3, 0.5, 0.95)
    assert (lab.iterations, lab.batch_size, lab.sampling) == (4000, 200, "replacement")
    assert recipes("idx", {}) == recipes("npz", {}, "lab") == recipes("csv", {}, "lab") == (lab,)


def test_tables_start_from_the_recipe_for_tables():
    (recipe,) = recipes("csv", {})
    assert recipes("npz", {}) == (recipe,)
    assert (recipe.schedule, recipe.normalize, recipe.std) == ("linear", "standard", "he")
    large, small = recipe.for_rows(45_000, 1000), recipe.for_rows(90, 10)
    assert (large.batch_size, large.iterations, large.validation) == (200, 30 * 225, 1000)
    assert (small.batch_size, small.iterations, small.validation) == (4, 1000, 10)


def test_epochs_are_counted_in_steps_of_the_batches():
    (recipe,) = recipes("cifar10", {"epochs": 3})
    assert recipe.for_rows(45_100, 0).iterations == 3 * 225
    (full,) = recipes("npz", {"epochs": 3, "batch_size": None})
    assert full.for_rows(45_100, 0).iterations == 3


def test_the_spiral_starts_from_the_case_study():
    linear, two_layer = recipes("spiral", {})
    assert (linear.model, linear.iterations) == ("softmax", 200)
    assert (two_layer.model, two_layer.iterations, two_layer.hidden) == ("two-layer", 10_000, 100)
    for recipe in (linear, two_layer):
        assert (recipe.learning_rate, recipe.reg, recipe.decay, recipe.std) == (1.0, 1e-3, 1.0, 0.01)
        assert (recipe.batch_size, recipe.validation, recipe.normalize) == (None, 0, "none")


def test_a_model_picks_among_the_recipes_or_changes_the_only_one():
    assert [recipe.iterations for recipe in recipes("spiral", {"model": "softmax"})] == [200]
    assert recipes("npz", {"model": "softmax"}, "lab") == (replace(Recipe(), model="softmax"),)
    assert recipes("idx", {"model": "softmax"}) == (replace(Recipe(), model="softmax", learning_rate=1e-6),)


@pytest.mark.parametrize("dataset", ["spiral", "cifar10"])
def test_help_tells_the_defaults_in_force(run, dataset):
    data = [] if dataset == "spiral" else [dataset]
    text = " ".join(run("train", *data, "--help").out.split())
    for recipe in recipes(dataset, {}):
        assert f"{recipe.iterations}" in text
        assert f"(default {recipe.reg})" in text
