"""`fastnet train`: what it prints, what it leaves behind, and how it fails."""

import shutil
import signal
import sys
from pathlib import Path

import numpy as np
import pytest

import fastnet
from fastnet import data
from fastnet.cli import train

QUICK = ("--iterations", "20")
LAB = ("--recipe", "lab")
PNG = b"\x89PNG\r\n\x1a\n"


def names(folder):
    return sorted(path.name for path in Path(folder).iterdir())


@pytest.fixture
def settings(monkeypatch):
    """The keyword arguments of every call of `train`, which does nothing else."""
    calls = []

    def pretend(self, *rows, **keywords):
        calls.append({"model": self, "rows": rows, **keywords})
        keywords["callback"](fastnet.Progress(1, 1, 0, 1.0, 0.1, None))
        return {"loss_history": [1.0], "train_acc_history": [], "val_acc_history": []}

    monkeypatch.setattr(fastnet.TwoLayerNet, "train", pretend)
    monkeypatch.setattr(fastnet.SoftmaxClassifier, "train", pretend)
    return calls


def test_without_arguments_both_models_learn_the_spiral(spawn, tmp_path):
    process = spawn("train")
    out, err = process.communicate()
    assert (process.returncode, err) == (0, "")
    linear, two_layer = (float(line.split()[-1]) for line in out.splitlines() if "training accuracy" in line)
    assert 0.45 < linear < 0.6
    assert two_layer >= 0.98
    losses = [line for line in out.splitlines() if line.startswith("iteration ")]
    assert losses[0].startswith("iteration 0: loss 1.09")  # log 3, the loss of knowing nothing
    assert losses[19].startswith("iteration 190: loss 0.7")
    assert losses[-1].startswith("iteration 9000: loss 0.2")
    for model in ("softmax", "two-layer"):
        for file in (f"{model}.npz", f"{model}-boundary.png", f"{model}-loss.png"):
            assert f"fastnet-out/spiral-{file}" in out
            assert (tmp_path / "fastnet-out" / f"spiral-{file}").is_file()


def test_the_saved_model_is_the_one_that_was_measured(run):
    report = run("train", "--json", *QUICK).report
    X, y = data.spiral(seed=0)
    for result in report["results"]:
        model = fastnet.load(result["path"])
        assert np.mean(model.predict(X) == y) == result["training_accuracy"]


def test_json_is_the_whole_output_and_holds_the_settings(run, npz):
    whole = run("train", "npz", "--data", npz, "--json", "--hidden", "3", *LAB, *QUICK)
    assert whole.err == ""
    report = whole.report
    (result,) = report["results"]
    assert report["dataset"] == "npz"
    assert result["settings"]["validation"] == 6
    assert len(result["history"]["loss_history"]) == 20
    assert result["history"]["val_accuracy"] == result["validation_accuracy"]
    assert result["settings"]["hidden"] == 3
    assert result["settings"]["learning_rate"] == 1e-3
    assert result["model"] == "two-layer"
    assert result["seconds"] > 0
    assert 0 < result["startup_seconds"] <= result["seconds"]
    assert result["images_per_second"] >= 20 * 200 / result["seconds"]


def test_cifar10_leaves_a_model_with_names_and_pictures(run, cifar10):
    result = run("train", "cifar10", "--data", cifar10, "--out", "out", *QUICK)
    assert result.status == 0
    about = "cifar10: 90 training, 10 validation, 20 test images of 3 x 32 x 32, 10 classes"
    assert result.out.splitlines()[0] == about
    for part in ("training", "validation", "test"):
        assert f"\n{part} accuracy " in result.out
    assert names("out") == [
        "cifar10-two-layer-accuracy.png",
        "cifar10-two-layer-loss.png",
        "cifar10-two-layer-weights.png",
        "cifar10-two-layer.npz",
    ]
    assert all(path.read_bytes().startswith(PNG) for path in Path("out").glob("*.png"))
    model = fastnet.load("out/cifar10-two-layer.npz")
    assert model.label_names[6] == "frog"
    assert tuple(model.image_shape) == (3, 32, 32)


def test_idx_images_give_grey_weights_also_for_the_linear_model(run, idx):
    report = run("train", "idx", "--data", idx, "--model", "softmax", "--json", *QUICK).report
    (result,) = report["results"]
    assert result["path"] == "fastnet-out/idx-softmax.npz"
    assert "fastnet-out/idx-softmax-weights.png" in result["pictures"]


def test_npz_learns_what_can_be_learned(run, npz):
    report = run("train", "npz", "--data", npz, "--json", "--epochs", "30").report
    (result,) = report["results"]
    assert result["test_accuracy"] == 1.0
    assert result["loss"] < 0.2
    assert not any("weights" in picture for picture in result["pictures"])


def test_an_archive_without_a_test_part_has_no_test_accuracy(run, tmp_path, rng):
    np.savez(tmp_path / "d.npz", X=rng.standard_normal((30, 3)), y=np.arange(30) % 2)
    report = run("train", "npz", "--data", "d.npz", "--validation", "0", "--json", *QUICK).report
    (result,) = report["results"]
    assert result["test_accuracy"] is None
    assert result["validation_accuracy"] is None


def test_options_reach_the_model(run, npz, settings):
    options = {
        "learning_rate": ("--learning-rate", 0.5, 0.5),
        "learning_rate_decay": ("--decay", 0.75, 0.75),
        "reg": ("--reg", 0.25, 0.25),
        "num_iters": ("--iterations", 3, 3),
        "batch_size": ("--batch-size", "full", None),
        "sampling": ("--sampling", "shuffle", "shuffle"),
        "threads": ("--threads", 1, 1),
    }
    words = [*LAB]
    words += [word for option, text, _ in options.values() for word in (option, text)]
    build = ("--hidden", 7, "--dtype", "float64", "--std", 2, "--validation", 11, "--normalize", "standard")
    assert run("train", "npz", "--data", npz, *words, *build).status == 0
    (call,) = settings
    assert {name: call[name] for name in options} == {name: value for name, (_, _, value) in options.items()}
    W1 = call["model"].params["W1"]
    assert (W1.shape, W1.dtype) == ((4, 7), np.float64)
    assert 1.0 < W1.std() < 3.0
    assert [len(rows) for rows in call["rows"]] == [49, 49, 11, 11]


@pytest.mark.parametrize(
    ("words", "optimizer"),
    [
        ([], fastnet.SGD()),
        (["momentum", "--momentum", "0.5"], fastnet.Momentum(0.5)),
        (["nesterov"], fastnet.Momentum(0.9, nesterov=True)),
        (["adam", "--beta1", "0.5", "--beta2", "0.6", "--epsilon", "1e-3"], fastnet.Adam(0.5, 0.6, 1e-3)),
    ],
)
def test_the_optimizer_is_made_as_asked(run, npz, settings, words, optimizer):
    run("train", "npz", "--data", npz, *LAB, *(["--optimizer", *words] if words else []))
    assert settings[0]["optimizer"] == optimizer


@pytest.mark.parametrize(("normalize", "value"), [("none", -3.0), ("mean", -4.0), ("standard", -2.0)])
def test_features_are_normalized_as_asked(run, settings, normalize, value):
    # Mean 1, deviation 2: -3 is 4 below the mean, 2 deviations.
    np.savez("d.npz", X=np.array([[-1.0], [3.0]] * 20, dtype=np.float32), y=np.arange(40) % 2)
    run("train", "npz", "--data", "d.npz", "--validation", "0", "--normalize", normalize, "--std", "0")
    model = settings[0]["model"]
    model.params["W1"][:, 0] = model.params["W2"][0, 1] = -1.0  # scores 0 and, where x is negative, x
    odds = model.predict_proba(np.array([[-3.0]], dtype=np.float32))
    np.testing.assert_allclose(np.log(odds[0, 1] / odds[0, 0]), value, rtol=1e-4)


@pytest.mark.parametrize("seeds", [(0, 0), (0, 1)])
def test_the_seed_decides_weights_and_batches(run, npz, seeds):
    command = ("train", "npz", "--data", npz, "--validation", "0", "--json", *LAB, *QUICK)
    first, second = (run(*command, "--seed", seed).report["results"][0]["loss"] for seed in seeds)
    assert (first == second) == (seeds[0] == seeds[1])


@pytest.mark.parametrize("seeds", [(0, 0), (0, 1)])
def test_the_seed_decides_the_split(run, npz, settings, seeds):
    for seed in seeds:
        run("train", "npz", "--data", npz, "--seed", seed)
    first, second = (call["rows"][2] for call in settings)
    assert np.array_equal(first, second) == (seeds[0] == seeds[1])


def test_quiet_lines_on_standard_error_show_progress(run, npz):
    result = run("train", "npz", "--data", npz, "--iterations", "50", *LAB)
    assert result.err.splitlines()[-1].startswith("iteration 50 / 50: loss ")


def test_a_missing_matplotlib_costs_the_pictures_alone(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    result = run("train", *QUICK)
    assert result.status == 0
    assert result.err.count("\n") == 1  # said once, though two trainings went without
    assert 'pictures skipped: pictures need matplotlib: pip install "fastnet-cpu[plot]"' in result.err
    assert names("fastnet-out") == ["spiral-softmax.npz", "spiral-two-layer.npz"]


@pytest.mark.parametrize(
    ("words", "mend"),
    [
        (["cifar10", "--data", "nowhere"], "--download"),
        (["idx", "--data", "nowhere"], "--data"),
        (["npz", "--data", "nowhere"], "--data"),
    ],
)
def test_missing_data_is_named_with_the_mend(run, words, mend):
    result = run("train", *words)
    assert result.status == 1
    assert result.error.startswith("fastnet: error: nowhere: no such file")
    assert mend in result.error


def test_damaged_data_is_one_line_that_names_the_file(run, cifar10):
    (cifar10 / "data_batch_3.bin").write_bytes(b"short")
    result = run("train", "cifar10", "--data", cifar10)
    assert result.status == 1
    assert "data_batch_3.bin" in result.error


@pytest.mark.parametrize(
    "words",
    [
        ("--learning-rate", "1e39"),
        ("--matmul-precision", "high", "--dtype", "float64"),
        ("--validation", "60"),
    ],
)
def test_a_value_that_the_models_refuse_is_one_line_and_leaves_no_file(run, npz, words):
    result = run("train", "npz", "--data", npz, *words)
    assert result.status == 1
    assert result.err.count("\n") == 1
    assert "Traceback" not in result.err
    assert not list(Path().rglob("*two-layer*"))


def test_too_many_rows_for_validation_names_the_option(run, npz):
    assert (
        "--validation is 60, expected fewer than the 60 training rows"
        in run("train", "npz", "--data", npz, "--validation", "60").error
    )


def test_a_diverged_training_fails_and_leaves_the_earlier_model(run, npz):
    assert run("train", "npz", "--data", npz, *LAB, *QUICK).status == 0
    before = Path("fastnet-out/clouds-two-layer.npz").read_bytes()
    result = run("train", "npz", "--data", npz, *LAB, "--learning-rate", "1e30", "--std", "1", *QUICK)
    assert result.status == 1
    assert "error: training diverged: iteration " in result.err
    unfinished = fastnet.load("fastnet-out/clouds-two-layer-interrupted.npz")  # with the last finite parameters
    assert np.isfinite(unfinished.params["W1"]).all()
    assert Path("fastnet-out/clouds-two-layer.npz").read_bytes() == before


def test_an_output_folder_that_cannot_be_is_found_out_before_training(run, npz, settings):
    Path("taken").touch()
    result = run("train", "npz", "--data", npz, "--out", "taken")
    assert result.status == 1
    assert "taken" in result.error
    assert "--out" in result.error
    assert settings == []


def test_download_is_asked_for_only_if_the_data_is_not_there(run, cifar10, monkeypatch, tmp_path):
    fetched = []

    def download(folder, progress):
        fetched.append(folder)
        return Path(shutil.copytree(cifar10, folder / "cifar-10-batches-bin"))

    monkeypatch.setattr(data, "download_cifar10", download)
    assert run("train", "cifar10", "--data", cifar10, "--download", *QUICK).status == 0
    assert fetched == []
    (tmp_path / "new").mkdir()
    shutil.copy(cifar10 / "data_batch_1.bin", tmp_path / "new")  # a part of the data is not the data
    assert run("train", "cifar10", "--data", tmp_path / "new", "--download", *QUICK).status == 0
    assert fetched == [tmp_path / "new"]


def test_interrupted_training_saves_the_model_beside_the_finished_one(run, npz, monkeypatch):
    command = ("train", "npz", "--data", npz, "--out", "out", *LAB)
    assert run(*command, *QUICK).status == 0
    before = Path("out/clouds-two-layer.npz").read_bytes()

    def interrupt(self, state):
        if state.iteration > 10:
            raise KeyboardInterrupt

    monkeypatch.setattr(train.TrainingProgress, "__call__", interrupt)
    result = run(*command, "--iterations", "1000000", "--decay", "1", "--learning-rate", "0.1", "--std", "0.1")
    assert result.status == 130
    assert result.err == "fastnet: interrupted; saved out/clouds-two-layer-interrupted.npz\n"
    assert Path("out/clouds-two-layer.npz").read_bytes() == before
    dataset = data.load_npz(npz)
    model = fastnet.load("out/clouds-two-layer-interrupted.npz")
    assert np.mean(model.predict(dataset.X_test) == dataset.y_test) > 0.9
    assert not [name for name in names("out") if name.startswith(".")]


@pytest.mark.filterwarnings("default:a decay of", "default:after 400 iterations the loss is still ln 2")
def test_a_warning_takes_a_line(run, npz):
    result = run("train", "npz", "--data", npz, *LAB, "--iterations", "400")
    assert result.status == 0
    (line,) = [line for line in result.err.splitlines() if "a decay of" in line]
    assert line.startswith("fastnet: a decay of 0.95 after each of 400 epochs")


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_ctrl_c_in_a_real_process(spawn, npz, tmp_path):
    options = (*LAB, "--iterations", "20000", "--decay", "1", "--validation", "0")
    process = spawn("train", "npz", "--data", npz, *options, waiting=True)
    assert process.stderr.readline().startswith("iteration ")  # a tenth is done: nine tenths are to come
    process.send_signal(signal.SIGINT)
    out, err = process.communicate()
    assert process.returncode == 130
    assert "accuracy" not in out
    assert err.endswith("interrupted; saved fastnet-out/clouds-two-layer-interrupted.npz\n")
    fastnet.load(tmp_path / "fastnet-out" / "clouds-two-layer-interrupted.npz")
