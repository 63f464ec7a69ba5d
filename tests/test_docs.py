"""The manual: its code runs, prints what its pages show, draws their pictures.  And README.ru.md follows README.md."""

import ast
import io
import json
import re
import sys
import tokenize
from pathlib import Path

import numpy as np
import pytest

from docs import run as manual

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("*.md"))
NUMBER = re.compile(r"\d+(\.\d+)?(e[-+]\d+)?")


@pytest.fixture(scope="module")
def stand_in(tmp_path_factory):
    """CIFAR-10's binary form, small and easy: ten patterns under noise.  Twenty test images have wrong labels."""
    folder = tmp_path_factory.mktemp("stand-in") / "cifar-10-batches-bin"
    folder.mkdir()
    rng = np.random.default_rng(0)
    patterns = rng.normal(128, 40, (10, 3, 8, 8)).repeat(4, axis=2).repeat(4, axis=3).reshape(10, 3072)
    for name in (*(f"data_batch_{k}" for k in range(1, 6)), "test_batch"):
        labels = np.arange(320) % 10
        pixels = patterns[labels] + rng.normal(0, 40, (320, 3072))
        labels += (name == "test_batch") * (np.arange(320) < 20)
        records = np.column_stack([labels % 10, np.clip(pixels, 0, 255)]).astype(np.uint8)
        (folder / f"{name}.bin").write_bytes(records.tobytes())
    return folder.parent


@pytest.fixture
def folder(tmp_path, stand_in, monkeypatch):
    """Where a page is run: the data is where it says, and a student's own solution of the assignment."""
    (tmp_path / "data").symlink_to(stand_in, target_is_directory=True)
    package = tmp_path / "cs231n" / "classifiers"
    package.mkdir(parents=True)
    (package / "neural_net.py").write_text("from reference import TwoLayerNet as TwoLayerNet\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("KERAS_BACKEND", "torch")  # its own default is another library, which no extra has
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.filterwarnings("ignore:.*:DeprecationWarning", "ignore:unclosed:ResourceWarning")  # of Dask
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_runs_and_shows_what_comes_out(page, folder):
    """On the stand-in other numbers come out than a page shows, and other pictures, of the same form."""
    text = page.read_text("utf-8")
    for library in re.findall(r"\b(plots|PIL)\b", text):
        pytest.importorskip({"plots": "matplotlib"}.get(library, library))
    real = "load_cifar10" not in text
    outputs = manual.run(page, folder)
    for name in manual.pictures(page):
        assert (DOCS / "pictures" / name).stat().st_size < 100_000
        shown, drawn = coarse(DOCS / "pictures" / name), coarse(folder / name)
        assert shown.shape == drawn.shape
        assert not real or abs(shown - drawn).max() < 0.1
    for block, output in zip(manual.blocks(page), outputs, strict=True):
        if output is None:  # for want of the library that it is of
            compile(block.code, page, "exec")
        elif block.language == "python" and real:
            assert output == (block.shown or "")
        elif block.language == "python":
            assert NUMBER.sub("0", output) == NUMBER.sub("0", block.shown or "")


def coarse(path):
    """A picture's means over squares of 30 pixels: fonts of another version hardly move them."""
    picture = pytest.importorskip("matplotlib.image").imread(path)
    rows, columns = (size // 30 for size in picture.shape[:2])
    return picture[: rows * 30, : columns * 30].reshape(rows, 30, columns, 30, -1).mean(axis=(1, 3))


def test_pages_are_found_with_their_code():
    found = {page.stem: manual.blocks(page) for page in PAGES}
    assert sum(len(blocks) for blocks in found.values()) > 40
    assert {block.code.splitlines()[0] for block in found["coming-from"]} >= set(manual.NEEDED)


def test_included_files_have_tests_of_their_own():
    tested = (ROOT / "tests/search/test_examples.py").read_text("utf-8")
    included = re.findall(r"\{literalinclude} examples/(\S+)", "".join(page.read_text("utf-8") for page in PAGES))
    assert sorted(included) == sorted(path.name for path in (DOCS / "examples").glob("*.py"))
    assert all(f'"{name}"' in tested for name in included)


def test_the_notebook_runs_and_shows_its_figures(folder, capsys, monkeypatch):
    pytest.importorskip("matplotlib").use("agg")
    displayed = []
    monkeypatch.setattr(sys, "displayhook", displayed.append)
    cells = json.loads((DOCS / "assignment.ipynb").read_text("utf-8"))["cells"]
    names = {}
    for cell in (cell for cell in cells if cell["cell_type"] == "code"):
        assert cell["outputs"] == []
        code = "".join(line for line in cell["source"] if not line.startswith("%"))
        for statement in ast.parse(code).body:  # "single" displays, as notebooks do
            exec(compile(ast.Interactive([statement]), cell["id"], "single"), names)
    assert "W1 max relative error" in capsys.readouterr().out
    assert names["test_acc"] > 0.5
    figures = [value for value in displayed if hasattr(value, "savefig")]
    assert len(figures) == 5
    assert all(figure.axes for figure in figures)  # notebooks show no figure without axes


def commands(readme):
    """What a reader types: the code without comments, and the commands of the table."""
    text = (ROOT / readme).read_text("utf-8")
    python = ["".join(uncommented(code)) for code in re.findall(r"^```python\n(.*?)^```$", text, re.M | re.S)]
    sh = re.findall(r"^```sh\n(.*?)^```$", text, re.M | re.S)
    windows = re.findall(r"`(py -m venv .*?)`", text)
    table = re.findall(r"^\| `(fastnet .*?)` \|", text, re.M)
    return {"python": python, "sh": sh, "windows": windows, "table": table}


def uncommented(code):
    for token in tokenize.generate_tokens(io.StringIO(code).readline):
        if token.type not in (tokenize.COMMENT, tokenize.NL):
            yield f"{token.string} "


def test_both_readmes_have_the_same_commands():
    english = commands("README.md")
    assert all(english.values())
    assert commands("README.ru.md") == english
