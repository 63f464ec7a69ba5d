"""The package as a whole: its version, its names, what importing it costs, and what README.md says of it."""

import contextlib
import io
import re
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

import fastnet

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")

PUBLIC = {
    "TwoLayerNet",
    "SoftmaxClassifier",
    "load",
    "Normalization",
    "Whitening",
    "SGD",
    "Momentum",
    "Adam",
    "DivergenceError",
    "Progress",
    "EarlyStopping",
    "search",
    "LogUniform",
}


def test_version_is_the_changelogs_newest():
    newest = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert newest[1] == fastnet.__version__


def test_public_names():
    assert set(fastnet.__all__) == PUBLIC | {"__version__"}
    for name in PUBLIC:
        assert getattr(fastnet, name).__module__.partition(".")[0] == "fastnet"


def test_import_loads_nothing_heavy():
    heavy = ["numba", "llvmlite", "matplotlib", "urllib.request", "tarfile", "fastnet.searching", "fastnet.interchange"]
    code = f"import sys, fastnet, fastnet.data; print([name for name in {heavy} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=120)
    assert (result.stdout.strip(), result.stderr) == ("[]", "")


@pytest.mark.parametrize("name", ["data", "interchange", "plots", "recipes", "searching"])
def test_folders_of_the_package_are_there_without_an_import_of_their_own(name):
    code = f"import sys, fastnet; print('fastnet.{name}' in sys.modules, fastnet.{name}.__name__)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=120)
    assert (result.stdout.split(), result.stderr) == (["False", f"fastnet.{name}"], "")


def test_a_name_that_is_not_there():
    with pytest.raises(AttributeError, match="'fastnet' has no attribute 'dta'"):
        fastnet.dta  # noqa: B018  # looking it up is the test


def test_readme_sets_up_with_two_commands():
    """The form in which `.ci/run` looks for them, and runs them."""
    commands = re.findall(r"^```sh\n(.*)\n```$", README, re.MULTILINE)
    assert len(commands) == 2
    assert commands == re.findall(r"^python3 -m venv .*", README, re.MULTILINE)
    train, test = commands
    assert train.endswith("fastnet train")
    assert test.endswith("pytest")
    for command in commands:  # the Windows form says the same
        windows = command.replace("python3", "py").replace(".venv/bin/", ".venv\\Scripts\\")
        assert f"`{windows}`" in README


def test_files_that_are_named_exist():
    pages = README + (ROOT / "docs/how-it-works.md").read_text("utf-8") + (ROOT / "docs/limits.md").read_text("utf-8")
    named = re.findall(r"(?:`|\()((?:fastnet|reference|tests|benchmarks|docs)/[\w./-]*)[`)]", pages)
    missing = [name for name in named if not (ROOT / name).exists()]
    assert len(named) > 15
    assert missing == []


@pytest.fixture
def small_cifar10(tmp_path, monkeypatch):
    """Where the README's example looks for CIFAR-10, so that nothing is fetched."""
    folder = tmp_path / "data" / "cifar-10-batches-bin"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name in (
        "data_batch_1",
        "data_batch_2",
        "data_batch_3",
        "data_batch_4",
        "data_batch_5",
        "test_batch",
    ):
        records = rng.integers(0, 256, (250, 3073), dtype=np.uint8)
        records[:, 0] %= 10
        (folder / f"{name}.bin").write_bytes(records.tobytes())
    monkeypatch.chdir(tmp_path)
    return tmp_path


EXAMPLES = re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def test_readme_example_of_own_arrays_runs():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 4))
    y = np.where(X[:, 0] > 0, "right", "left")
    names = {"X_train": X, "y_train": y, "X_test": X, "y_test": y}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the loss still falls after so many epochs of few rows
        exec(compile(EXAMPLES[0], "README.md", "exec"), names)
    assert names["model"].score(X, y) > 0.9


def test_readme_example_of_the_lab_runs(small_cifar10):
    _, example = EXAMPLES
    steps = "num_iters=4000"
    assert steps in example
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        exec(compile(example.replace(steps, "num_iters=30"), "README.md", "exec"), {})
    *losses, accuracies = output.getvalue().splitlines()
    assert re.fullmatch(r"iteration 30 / 30: loss \d\.\d+", losses[-1])
    assert all(0 <= float(word) <= 1 for word in accuracies.split())
    assert fastnet.load(small_cifar10 / "net.npz").input_size == 3072
