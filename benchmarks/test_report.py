"""Tables and picture from a result file: no number is anyone's but the file's."""

import copy
import json
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from benchmarks import checked, compare, grid, machine, report, sweep, tables
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
        names = [name for name in compare.CONTESTANTS if name.startswith(("fastnet", "NumPy"))]
        patch.setattr(compare, "CONTESTANTS", {name: compare.CONTESTANTS[name] for name in names})
        patch.setattr(compare, "say", lambda text: None)
        problem = synthetic(N=8, D=20, H=5, C=3, steps=4, num_train=50, threads=1)
        head = machine.describe("--and --words", 1)
        return {**head, "images": "random", **compare.measure(problem, rounds=3)}


@pytest.fixture
def root(tmp_path, measured):
    """A repository with that result and no README."""
    report.save("compare", measured, tmp_path)
    return tmp_path


def test_result_says_what_ran_where(measured):
    assert {"command", "date", "cpu", "vector unit", "blas", "system", "threads", "versions"} <= measured.keys()
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
    assert "no sweep.json is there yet" in "\n".join(report.render("sweep", root))
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


def test_another_contestants_work_stops_the_comparison():
    problem = synthetic(N=8, D=20, H=5, C=3, steps=4, num_train=50)
    own = compare.CONTESTANTS["fastnet float32"]
    idle = compare.CONTESTANTS["NumPy float32"].__class__(lambda given: lambda: np.ones(4), "float32")
    with pytest.raises(RuntimeError, match="idle does other work"):
        checked.prepare(problem, {"fastnet float32": own, "idle": idle}, lambda text: None)


def test_kinds_of_machine_stand_side_by_side(root, measured):
    """The newest counts where there is room for one."""
    other = {**measured, "vector unit": "another", "date": "1999-12-31", "cpu": "Old CPU"}
    report.save("compare", other, root)
    (root / "README.md").write_text(MARKED)
    (root / "benchmarks" / "README.md").write_text("<!-- compare:begin --><!-- compare:end -->")
    list(report.render("compare", root))
    assert "Old CPU" not in (root / "README.md").read_text()
    both = (root / "benchmarks" / "README.md").read_text()
    assert 0 < both.index(f"**{measured['vector unit']}**") < both.index("**another**") < both.index("Old CPU")
    assert measured["time"] < "99:99"
    report.save("compare", {**other, "date": measured["date"], "time": "99:99"}, root)
    list(report.render("compare", root))
    assert "Old CPU" in (root / "README.md").read_text()
    report.save("compare", {**measured, "date": "2999-12-31"}, root)
    list(report.render("compare", root))
    assert "Old CPU" not in (root / "README.md").read_text()
    report.save("compare", {**other, "date": "2999-12-31", "time": "99:99"}, root)
    list(report.render("compare", root))
    assert "Old CPU" in (root / "README.md").read_text()


def test_the_claim_is_about_no_less_than_float32(measured):
    row = {**measured["contestants"]["NumPy float32"], "dtype": "bfloat16", "seconds": [1e-9] * 3}
    result = {**measured, "contestants": {**measured["contestants"], "PyTorch bfloat16": row}}
    assert "PyTorch" not in tables.claim(result)
    assert tables.compare(result).splitlines()[2].startswith("| PyTorch bfloat16 |")


def test_the_blas_is_told_and_its_settings_are_cleared():
    """A setting for another CPU's kernels would handicap NumPy."""
    pytest.importorskip("threadpoolctl")
    code = "from benchmarks import machine; print(machine.blas())"

    def told(**more):
        environment = {**os.environ, "PYTHONPATH": str(report.ROOT), **more}
        return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True).stdout

    assert told() == told(OPENBLAS_CORETYPE="Prescott") != b"\n"


def test_sweep_counts_what_is_lost(monkeypatch):
    monkeypatch.setattr(sweep, "OTHERS", {"NumPy": sweep.OTHERS["NumPy"]})
    problem = replace(synthetic(8, 20, 5, 3, steps=2, num_train=50), rule="momentum")
    point = sweep.measure_point(problem, "float32", 3, lambda text: None)
    own, medium, numpy, half = sweep.OWN, sweep.MEDIUM, tables.OTHERS["NumPy"], tables.OTHERS["bfloat16"]
    won = {**point, "seconds": {own: [1.0] * 3, medium: [0.2] * 3, numpy: [2.0] * 3, half: [0.25] * 3}}
    lost = {**point, "seconds": {own: [2.0, 2.0, 9.0], numpy: [1.0, 3.0, 2.0]}}
    result = {**machine.describe("--and --words", 1), "rounds": 3, "points": [won, lost, won], "points64": []}
    table = tables.sweep(result)
    assert table.count("**0.50, lost**") == 1
    assert table.count("**0.25, lost**") == 2
    assert table.count("| 0.20 |") == 2  # our own, which cannot lose to ourselves
    assert "| momentum |" in table
    assert 'Lost to another in the same type: 1 of 3; to PyTorch\'s bfloat16: 2, "medium" 0.' in table
    assert {own, medium, numpy} == point["seconds"].keys()


def test_sweep_reaches_the_ends_of_every_size():
    two_layer = [sizes for sizes in sweep.POINTS if sizes[2]]
    for at, wanted in enumerate([{1, 32, 200, 400, 4096}, {50, 300, 784, 3072}, {16, 80, 256, 768, 1024, 2048}]):
        assert {sizes[at] for sizes in two_layer} == wanted
    for points in (two_layer, [sizes for sizes in sweep.POINTS if not sizes[2]]):
        assert {rule for *_, rule in points} == {"sgd", "momentum", "adam"}


def test_a_turn_of_the_sweep_takes_about_as_long_at_every_size():
    assert sweep.problem_of(200, 3072, 80, 10).steps == 50
    assert sweep.problem_of(1, 50, 16, 2).steps == sweep.MOST_STEPS
    assert sweep.problem_of(4096, 784, 0, 100, "adam").rule == "adam"


@pytest.mark.filterwarnings("ignore")  # of the other libraries
def test_the_grid_of_nets_is_checked_measured_and_told():
    problem = synthetic(N=8, D=20, H=5, C=3, steps=16, num_train=50, threads=2)
    result = grid.measure(problem, rounds=1, say=lambda text: None)
    assert {"fastnet.search", "NumPy float64, converted beforehand"} <= set(result["contestants"])
    text = tables.grid({**machine.describe("--grid", 2), **result})
    assert "4 nets of the lab's size, 16 steps each.  Eight nets, 16 steps each" in text
    assert text.count("**fastnet") == 2


def test_a_grid_of_other_nets_stops_the_comparison(monkeypatch):
    problem = synthetic(N=8, D=20, H=5, C=3, steps=4, num_train=50, threads=2)
    turned = grid.Contestant(lambda problems: grid.searched(problems[::-1]), "float32")
    monkeypatch.setattr(grid, "CONTESTANTS", {"turned": turned})
    with pytest.raises(RuntimeError, match="turned does other work"):
        grid.measure(problem, rounds=1, say=lambda text: None)
