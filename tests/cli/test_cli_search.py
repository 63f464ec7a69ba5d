"""`fastnet search`: its lines, its files, and how it fails."""

import csv
import re
import signal
import sys
from pathlib import Path

import numpy as np
import pytest

import fastnet
from fastnet import data
from fastnet.searching import SearchError, dask, journal

QUICK = ("--recipe", "lab", "--iterations", "20", "--validation", "20", "--std", "0.1")
GRID = ("--learning-rate", "0.001", "0.1", "--reg", "0.05", "0.25", "0.5")


def names(folder):
    return sorted(path.name for path in Path(folder).iterdir())


def test_the_labs_lines_in_the_grids_order(run, npz):
    out = run("search", "npz", "--data", npz, *GRID, *QUICK).out.splitlines()
    assert out[0] == "npz: 40 training, 20 validation, 20 test rows of 4, 2 classes"
    assert [line.split(" train")[0] for line in out[1:7]] == [
        f"lr {rate} reg {reg}" for rate in ("1.000000e-03", "1.000000e-01")
        for reg in ("5.000000e-02", "2.500000e-01", "5.000000e-01")
    ]  # fmt: skip
    accuracies = [float(line.split()[-1]) for line in out[1:7]]
    assert all("train accuracy: " in line and " val accuracy: " in line for line in out[1:7])
    assert out[7] == f"best validation accuracy achieved during cross-validation: {max(accuracies):.6f}"
    assert out[8].startswith("its accuracy on the test set: ")
    assert out[9].startswith("saved fastnet-out/clouds-two-layer-search.npz, ")


def test_model_table_and_picture_are_saved(run, npz):
    report = run("search", "npz", "--data", npz, *GRID, *QUICK, "--json").report
    assert names("fastnet-out") == [f"clouds-two-layer-search.{suffix}" for suffix in ("csv", "npz", "png")]
    test = data.load_npz(npz)
    model = fastnet.load(report["path"])
    assert np.mean(model.predict(test.X_test) == test.y_test) == report["test_accuracy"] > 0.9
    with open(report["csv"], newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["val_accuracy"]) for row in rows] == [line["val_accuracy"] for line in report["table"]]
    assert (rows[0]["learning_rate"], rows[0]["status"]) == (str(report["best"]["learning_rate"]), "done")
    assert Path(report["pictures"][0]).read_bytes().startswith(b"\x89PNG")


def test_the_best_net_is_that_of_fastnet_search(run, npz):
    report = run("search", "npz", "--data", npz, *GRID, *QUICK, "--seed", "3", "--json").report
    dataset = data.load_npz(npz)
    X, y, X_val, y_val = data.split_validation(dataset.X_train, dataset.y_train, 20, seed=3)

    def build(seed):
        net = fastnet.TwoLayerNet(4, 80, 2, std=0.1, seed=seed)
        net.normalization = fastnet.Normalization.fit(X)
        return net

    grid = {"learning_rate": [0.001, 0.1], "reg": [0.05, 0.25, 0.5]}
    found = fastnet.search(build, X, y, X_val, y_val, grid, seed=3, num_iters=20)
    np.testing.assert_array_equal(fastnet.load(report["path"]).params["W1"], found.best_net.params["W1"])


@pytest.mark.parametrize(
    ("option", "values", "name"),
    [
        ("--hidden", ("5", "7"), "hidden_size"),
        ("--decay", ("0.9", "1"), "learning_rate_decay"),
        ("--iterations", ("5", "10"), "num_iters"),
        ("--batch-size", ("5", "full"), "batch_size"),
        ("--std", ("0.1", "0.01"), "std"),
    ],
)
def test_what_else_may_have_several_values(run, npz, option, values, name):
    report = run(
        "search", "npz", "--data", npz, "--recipe", "lab", "--iterations", "5", option, *values, "--json"
    ).report
    expected = {None if value == "full" else float(value) for value in values}
    assert {line[name] for line in report["table"]} == expected


def test_iterations_that_follow_from_the_batch_size_are_each_nets_own(run, npz):
    """30 epochs, at least 1000 steps, of 40 rows."""
    command = ("search", "npz", "--data", npz, "--validation", "20", "--batch-size", "4", "1", "--json")
    report = run(*command).report
    assert {line["batch_size"]: line["iterations"] for line in report["table"]} == {1: 1200, 4: 1000}
    result = run(*command, "--halving", "2")
    assert result.status == 1
    assert "--halving shares out iterations, the same for all nets: give --iterations" in result.error
    report = run(*command, "--iterations", "10").report
    assert {line["iterations"] for line in report["table"]} == {10}


def test_one_value_is_for_all_nets(run, npz):
    report = run(
        *("search", "npz", "--data", npz, "--reg", "0.1", "0.2", "--learning-rate", "0.07", "--optimizer", "adam"),
        *("--hidden", "6", "--model", "two-layer", "--json", *QUICK),
    ).report
    assert set(report["best"]) == {"reg"}
    assert report["settings"]["learning_rate"] == 0.07
    assert fastnet.load(report["path"]).params["b1"].shape == (6,)


def test_the_other_model(run, npz):
    report = run("search", "npz", "--data", npz, "--model", "softmax", *GRID, *QUICK, "--json").report
    assert isinstance(fastnet.load(report["path"]), fastnet.SoftmaxClassifier)


def test_diverged_and_failed_nets_are_lines(run, npz):
    result = run("search", "npz", "--data", npz, "--learning-rate", "0.1", "1e38", "1e39", *QUICK)
    assert result.status == 0
    lines = result.out.splitlines()
    assert re.fullmatch(r"lr 1.000000e\+38 diverged: iteration \d+ left the finite numbers", lines[2])
    assert lines[3].startswith("lr 1.000000e+39 failed: ValueError: learning_rate is 1e+39, expected")


def test_halving_says_who_was_stopped(run, npz):
    out = run("search", "npz", "--data", npz, *GRID, *QUICK, "--halving", "2").out
    assert out.count("(stopped after 5 iterations)") == 3
    assert out.count("(stopped after 10 iterations)") == 2


def test_progress_has_the_time_left_on_standard_error(run, npz):
    lines = run("search", "npz", "--data", npz, *GRID, *QUICK).err.splitlines()
    assert lines[0].startswith("1/6 nets  best validation ")
    assert lines[0].endswith(" left")
    assert lines[-1].startswith("6/6 nets")


def test_a_journal_resumes(run, npz):
    command = ("search", "npz", "--data", npz, *GRID, *QUICK, "--journal", "j.jsonl", "--json")
    first, second = run(*command), run(*command)
    assert second.out == first.out  # its seconds as well: nothing was done twice
    assert second.err == ""
    other = run(*command, "--reg", "0.05", "0.1")
    assert other.status == 1
    assert (
        "j.jsonl: the journal of another search, its grid.reg is [0.05, 0.25, 0.5], expected [0.05, 0.1]" in other.error
    )


def test_a_dask_cluster_gives_the_same(run, npz):
    distributed = pytest.importorskip("distributed")
    command = ("search", "npz", "--data", npz, *GRID, *QUICK)
    expected = run(*command).out
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        result = run(*command, "--dask", cluster.scheduler_address)
    assert (result.status, result.out) == (0, expected)


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--dask", "tcp://127.0.0.1:1"), "no Dask scheduler answers at tcp://127.0.0.1:1"),
        (("--validation", "0"), "--validation is 0, expected rows to choose by"),
        (("--journal", "nowhere/j.jsonl"), "nowhere: no such folder"),
        (("--journal", "."), "a folder, expected a regular file"),
        (("--learning-rate", "1e38", "1e37"), "no combination was trained to its end: 6 diverged"),
    ],
)
def test_what_cannot_be_is_one_line(run, npz, words, complaint, monkeypatch):
    monkeypatch.setattr(dask, "CONNECT_SECONDS", 0.5)
    result = run("search", "npz", "--data", npz, *GRID, *QUICK, *words)
    assert result.status == 1
    assert complaint in result.err.splitlines()[-1]
    assert "Traceback" not in result.err
    assert names("fastnet-out") == []


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), SearchError("the executor is broken")])
def test_what_ends_a_search_leaves_the_best_net_so_far(run, npz, monkeypatch, error):
    append = journal.Journal.append

    def fails(self, point, *others):
        if point.number == 2:
            raise error
        append(self, point, *others)

    monkeypatch.setattr(journal.Journal, "append", fails)
    result = run("search", "npz", "--data", npz, *GRID, *QUICK, "--workers", "1", "--journal", "j.jsonl")
    assert result.status == 1
    *_, told, complaint = result.err.splitlines()
    assert told == "fastnet: the best net so far is in fastnet-out/clouds-two-layer-search-interrupted.npz"
    assert str(error) in complaint
    fastnet.load("fastnet-out/clouds-two-layer-search-interrupted.npz")


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--learning-rate", "0.1"), "give several values to any of --learning-rate, --reg"),
        ((*GRID, "--recipe", "lab", "--momentum", "0.5"), "--momentum has no effect without --optimizer"),
        ((*GRID, "--model", "softmax", "--hidden", "5", "7"), "--hidden has no effect without --model two-layer"),
    ],
)
def test_options_that_do_not_go_together(run, npz, words, complaint):
    result = run("search", "npz", "--data", npz, *words)
    assert result.status == 1
    assert complaint in result.error


def test_a_missing_matplotlib_costs_the_picture_alone(run, npz, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    result = run("search", "npz", "--data", npz, *GRID, *QUICK)
    assert result.status == 0
    assert 'pictures skipped: pictures need matplotlib: pip install "fastnet-cpu[plot]"' in result.err
    assert names("fastnet-out") == ["clouds-two-layer-search.csv", "clouds-two-layer-search.npz"]


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_ctrl_c_in_a_real_process_names_what_is_saved(spawn, npz, tmp_path):
    iterations = ("--iterations", "20", "1000000000", "--decay", "1", "--workers", "2")
    process = spawn("search", "npz", "--data", npz, "--recipe", "lab", *iterations, "--journal", "j.jsonl")
    assert process.stderr.readline().startswith("1/2 nets")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)  # only so that a hang fails
    assert process.returncode == 130
    assert "best" not in out
    assert err.endswith("interrupted; saved j.jsonl, fastnet-out/clouds-two-layer-search-interrupted.npz\n")
    fastnet.load(tmp_path / "fastnet-out" / "clouds-two-layer-search-interrupted.npz")
    assert len((tmp_path / "j.jsonl").read_text().splitlines()) == 2
