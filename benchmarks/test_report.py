"""Tables and picture from a result file: no number is anyone's but the file's."""

import copy
import json

import pytest

from benchmarks import compare, grid, machine, report, sweep, tables
from benchmarks.problem import synthetic
from fastnet.engine import peak

MARKED = """# title
<!-- benchmark:begin -->
old
<!-- benchmark:end -->
rest <!-- claim:begin --> old <!-- claim:end -->
"""


@pytest.fixture(scope="module")
def measured():
    """A real result, of fastnet and NumPy on a small problem."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(peak, "SECONDS", 1e-3)
        names = [name for name, c in compare.CONTESTANTS.items() if c.linear]
        patch.setattr(compare, "CONTESTANTS", {name: compare.CONTESTANTS[name] for name in names})
        patch.setattr(compare, "say", lambda text: None)
        problem = synthetic(N=8, D=20, H=5, C=3, steps=4, num_train=50, threads=1)
        head = machine.describe("--and --words", 1)
        return {**head, "images": "random", **compare.measure(problem, rounds=3)}


@pytest.fixture
def root(tmp_path, measured):
    """A repository with that result and no README."""
    folder = tmp_path / "benchmarks" / "results"
    folder.mkdir(parents=True)
    (folder / "compare.json").write_text(json.dumps(measured))
    return tmp_path


def test_result_says_what_ran_where(measured):
    assert {"command", "date", "cpu", "vector unit", "system", "threads", "versions"} <= measured.keys()
    assert {"python", "numpy", "fastnet", "numba"} <= measured["versions"].keys()
    assert json.loads(json.dumps(measured)) == measured


def test_table_stands_between_the_marks(root, measured):
    readme = root / "README.md"
    readme.write_text(MARKED)
    list(report.render("compare", root))
    text = readme.read_text()
    assert text.startswith("# title\n<!-- benchmark:begin -->\n|")
    assert "old" not in text
    assert "rest <!-- claim:begin -->\nA training step" in text
    assert "times as fast as NumPy" in text
    for name in measured["contestants"]:
        assert name in text
    assert "benchmarks.compare --and --words`" in text
    list(report.render("compare", root))
    assert readme.read_text() == text


def test_missing_files_and_marks_are_told(root):
    told = "\n".join(report.render("compare", root))
    assert "README.md, claim: is not there, nothing written" in told
    assert "sweep.json is not there yet" in "\n".join(report.render("sweep", root))
    (root / "README.md").write_text("nothing to see")
    assert "has no <!-- benchmark:begin -->" in "\n".join(report.render("compare", root))
    assert (root / "README.md").read_text() == "nothing to see"


def test_picture_is_the_same_from_the_same_numbers(root):
    pytest.importorskip("matplotlib")
    picture = root / "benchmarks" / "results" / "compare.svg"
    list(report.render("compare", root))
    first = picture.read_bytes()
    list(report.render("compare", root))
    assert picture.read_bytes() == first


def test_rows_that_are_lost_are_shown_as_lost(measured):
    result = copy.deepcopy(measured)
    result["contestants"]["NumPy float32"]["seconds"] = [1e-9] * 3
    first = tables.compare(result).splitlines()[2]
    assert first.startswith("| NumPy float32 |")
    assert "lost" in first


def test_contestants_that_could_not_run_are_named(measured):
    table = tables.compare({**measured, "missing": {"PyTorch eager": "torch is not installed"}})
    assert "Left out: PyTorch eager, torch is not installed." in table


def test_another_contestants_work_stops_the_comparison(monkeypatch):
    problem = synthetic(N=8, D=20, H=5, C=3, steps=4, num_train=50)
    own = compare.CONTESTANTS["fastnet float32"]
    idle = compare.CONTESTANTS["NumPy float32"].__class__(lambda given: lambda: [1.0] * 4, "float32")
    monkeypatch.setattr(compare, "CONTESTANTS", {"fastnet float32": own, "idle": idle})
    monkeypatch.setattr(compare, "say", lambda text: None)
    with pytest.raises(RuntimeError, match="idle does other work"):
        compare.prepare(problem)


def test_sweep_counts_what_is_lost():
    point = sweep.measure_point(synthetic(8, 20, 5, 3, steps=2, num_train=50), "float32", rounds=3)
    lost = {**point, "seconds": {"fastnet": [2.0, 2.0, 9.0], "NumPy": [1.0, 3.0, 2.0]}}
    table = tables.sweep({**machine.describe("--and --words", 1), "rounds": 3, "points": [point, lost]})
    assert "**0.50, lost**" in table
    assert table.count("lost**") in (1, 2)
    assert " of 2." in table


def test_sweep_reaches_the_ends_of_every_size():
    for sizes, low, high in zip(zip(*sweep.POINTS, strict=True), (1, 2, 0, 2), (4096, 3072, 1024, 100), strict=True):
        assert (min(sizes), max(sizes)) == (low, high)
    assert min(H for *_, H, _ in sweep.POINTS if H) == 8


@pytest.mark.filterwarnings("ignore")  # of the other libraries
def test_the_grid_of_nets_is_checked_measured_and_told():
    problem = synthetic(N=8, D=20, H=5, C=3, steps=16, num_train=50, threads=2)
    result = grid.measure(problem, rounds=1, say=lambda text: None)
    assert {"fastnet.search", "NumPy float64, converted beforehand"} <= set(result["contestants"])
    text = tables.grid({**machine.describe("--grid", 2), **result})
    assert "4 nets of the lab's size, 16 steps each.  Eight nets, 2 steps each" in text
    assert text.count("**fastnet") == 2


def test_a_grid_of_other_nets_stops_the_comparison(monkeypatch):
    problem = synthetic(N=8, D=20, H=5, C=3, steps=4, num_train=50, threads=2)
    turned = grid.Contestant(lambda problems: grid.searched(problems[::-1]), "float32")
    monkeypatch.setattr(grid, "CONTESTANTS", {"turned": turned})
    with pytest.raises(RuntimeError, match="turned does other work"):
        grid.measure(problem, rounds=1, say=lambda text: None)
