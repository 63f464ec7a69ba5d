"""The journal: a killed search goes on where it stood, and nothing else may go on with its file."""

import json
import os
import re
import signal
import stat
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import fastnet
from fastnet.searching import journal


@pytest.fixture
def file(tmp_path):
    return tmp_path / "search.jsonl"


def lines(file):
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_a_line_for_each_point_behind_one_for_the_search(search, file):
    found = search(journal=file)
    head, *points = lines(file)
    assert head["grid"] == {"learning_rate": [0.01, 0.1, 0.5], "reg": [0.0, 0.1]}
    told = {tuple(line["point"].values()): (line["train_accuracy"], line["val_accuracy"]) for line in points}
    assert told == found.results
    np.testing.assert_array_equal(fastnet.load(f"{file}.best.npz").params["W1"], found.best_net.params["W1"])


def test_each_line_is_on_the_disk_before_the_callback_hears_of_it(search, file, monkeypatch):
    synced = []
    sync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda descriptor: (sync(descriptor), synced.append(file.read_bytes())))
    seen = []
    search(journal=file, callback=lambda progress: seen.append(synced[-1].count(b"\n")))
    assert seen == [2, 3, 4, 5, 6, 7]


def test_a_new_journal_is_on_the_disk_with_its_name(file, monkeypatch):
    kinds = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: kinds.append(stat.S_IFMT(os.fstat(descriptor).st_mode)))
    for _ in range(2):
        journal.Journal(file, {}).close()
    assert kinds == [stat.S_IFREG, stat.S_IFDIR]


def test_two_searches_at_once_have_a_journal_each(search, file, facts):
    def another(progress):
        with pytest.raises(BlockingIOError, match=r"in use by another .* wait for its end.*search.jsonl"):
            search(journal=file)

    assert facts(search(journal=file, callback=another)) == facts(search(journal=file))


def interrupted(search, file, after):
    def stop(progress):
        if progress.done == after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        search(journal=file, callback=stop, workers=1)


@pytest.mark.parametrize("after", [1, 3, 5, 6])
def test_an_interrupted_search_trains_only_what_is_left(search, file, trained, facts, after):
    whole = facts(search())
    trained.clear()
    interrupted(search, file, after)
    before = trained[:after]
    trained.clear()
    assert facts(search(journal=file)) == whole
    assert len(trained) == 6 - after
    assert not set(before) & set(trained)


def test_a_finished_search_trains_nothing_and_has_its_net(search, file, trained, facts):
    whole = facts(search(journal=file))
    trained.clear()
    assert facts(search(journal=file)) == whole
    assert trained == []


@pytest.mark.parametrize("harm", ["gone", "another", "damaged"])
def test_a_best_net_that_is_not_beside_the_journal_is_trained_again(search, file, build, trained, facts, harm):
    whole = facts(search(journal=file))
    best = file.with_name(f"{file.name}.best.npz")
    if harm == "gone":
        best.unlink()
    elif harm == "another":
        build(seed=99).save(best)
    else:
        best.write_bytes(best.read_bytes()[:1000])
    trained.clear()
    assert facts(search(journal=file)) == whole
    assert len(trained) == 1


def test_failed_points_are_tried_again_and_diverged_ones_are_not(search, file, trained):
    grid = {"learning_rate": [0.1, 1e38], "reg": [0.1, -1.0]}
    search(grid, journal=file)
    trained.clear()
    found = search(grid, journal=file)
    assert sorted(trained) == [(0.1, -1.0), (1e38, -1.0)]
    assert [line["status"] for line in found.table].count("diverged") == 1
    trained.clear()
    search(grid, journal=file)  # whose file now has two lines for a point
    assert len(trained) == 2


def test_more_samples_go_on_with_the_journal_of_fewer(search, file, trained):
    grid = {"learning_rate": fastnet.LogUniform(1e-3, 0.5), "reg": [0.0, 0.1]}
    few = search(grid, journal=file, samples=3)
    trained.clear()
    many = search(grid, journal=file, samples=5)
    assert len(trained) == 2
    assert few.results.items() <= many.results.items()


@pytest.mark.parametrize("cut", [1, 5, 60])
def test_a_torn_last_line_costs_its_point_alone(search, file, trained, facts, cut):
    whole = facts(search(journal=file))
    content = file.read_bytes()
    file.write_bytes(content[:-cut])
    trained.clear()
    assert facts(search(journal=file)) == whole
    assert len(trained) == 1
    assert len(lines(file)) == 7


@pytest.mark.parametrize("length", [0, 1, 40])
def test_a_torn_first_line_is_a_new_journal(search, file, facts, length):
    whole = facts(search(journal=file))
    file.write_bytes(file.read_bytes()[:length])
    assert facts(search(journal=file)) == whole


OTHERS = {
    "grid.learning_rate is [0.01, 0.1, 0.5], expected [0.01, 0.1]": {
        "grid": {"learning_rate": [0.01, 0.1], "reg": [0.0, 0.1]}
    },
    "grid.reg is [0.0, 0.1], expected not there": {"grid": {"learning_rate": [0.01, 0.1, 0.5]}},
    "settings.batch_size is 20, expected 21": {"batch_size": 21},
    "settings.optimizer is not there, expected [": {"optimizer": fastnet.Momentum()},
    "settings.class_weight is not there, expected null": {"class_weight": None},
    "seed is 0, expected 1": {"seed": 1},
    'metric is "val_accuracy", expected "val_loss"': {"metric": "val_loss"},
    "halving is null, expected [2, 6]": {"halving": 2},
    "drawn is false, expected true": {"samples": 6},
}


@pytest.mark.parametrize("name", OTHERS)
def test_the_journal_of_another_search_is_refused(search, file, trained, name):
    search(journal=file)
    before = file.read_bytes()
    with pytest.raises(ValueError, match=re.escape(f"search.jsonl: the journal of another search, its {name}")):
        search(journal=file, **OTHERS[name])
    assert file.read_bytes() == before


@pytest.mark.parametrize("part", range(4))
def test_the_journal_of_other_data_is_refused(search, file, clouds, part):
    search(journal=file)
    other = [array.copy() for array in clouds]
    other[part][7] = other[part][8]
    with pytest.raises(ValueError, match="the journal of another search, its data is"):
        search(journal=file, data=other)


@pytest.mark.parametrize(
    "other",
    [
        partial(fastnet.TwoLayerNet, 2, 9, 3, std=0.1),
        partial(fastnet.TwoLayerNet, 2, 8, 3, std=0.2),
        partial(fastnet.TwoLayerNet, 2, 8, 3, std=0.1, dtype=np.float64),
        partial(fastnet.TwoLayerNet, 2, 8, 3, std=0.1, matmul_precision="medium"),
        partial(fastnet.SoftmaxClassifier, 2, 3, std=0.1),
        lambda seed: normalized(fastnet.TwoLayerNet(2, 8, 3, std=0.1, seed=seed)),
        lambda: fastnet.TwoLayerNet(2, 8, 3, std=0.1),
    ],
    ids=["hidden", "std", "dtype", "matmul_precision", "model", "normalization", "unseeded"],
)
def test_the_journal_of_another_build_is_refused(search, file, other):
    search(journal=file)
    with pytest.raises(ValueError, match=r"build made another net for .'learning_rate': 0.01, 'reg': 0.0."):
        search(journal=file, build=other)


def test_builds_that_differ_in_their_batches_alone_are_told_apart(search, file):
    def build(own_seed):
        net = fastnet.TwoLayerNet(2, 8, 3, seed=own_seed)
        net.params["W1"], net.params["W2"] = np.ones((2, 8)), np.ones((8, 3))
        return net

    search(journal=file, build=partial(build, 1))
    with pytest.raises(ValueError, match="build made another net"):
        search(journal=file, build=partial(build, 2))


def normalized(net):
    net.normalization = fastnet.Normalization(np.ones(2))
    return net


def test_the_journal_of_another_version_is_refused(search, file, monkeypatch):
    search(journal=file)
    monkeypatch.setattr(fastnet, "__version__", "9.9")
    with pytest.raises(ValueError, match=r"its fastnet is .*, expected .9\.9"):
        search(journal=file)


@pytest.mark.parametrize("content", ["notes\n", "half a note", '{"a": 1}\n', "[]\n", "\n"])
def test_a_file_that_is_no_journal_is_refused_and_left_alone(search, file, content):
    file.write_text(content)
    with pytest.raises(ValueError, match=r"search.jsonl: not a journal of this version of fastnet"):
        search(journal=file)
    assert file.read_text() == content


@pytest.mark.parametrize("damage", ["{", "{}", "[]", '{"point": {"learning_rate": 0.1}}'])
def test_a_damaged_line_in_the_middle_is_named(search, file, damage):
    search(journal=file)
    content = file.read_text().splitlines()
    content[3] = damage
    file.write_text("\n".join(content) + "\n")
    with pytest.raises(ValueError, match=r"search.jsonl, line 4: damaged; take the line out"):
        search(journal=file)


def test_a_journal_that_cannot_be_written_is_told_before_any_training(search, tmp_path, trained):
    for path, name in ((tmp_path, tmp_path.name), (tmp_path / "nowhere" / "search.jsonl", "no such folder.*nowhere")):
        with pytest.raises(OSError, match=name):
            search(journal=path)
    for name in (3, b"search.jsonl", ""):
        with pytest.raises(ValueError, match=f"{name!r} is no name of a file"):
            search(journal=name)
    assert trained == []


def test_a_full_disk_ends_the_search_and_what_had_finished_is_kept(search, file, monkeypatch):
    append = journal.Journal.append

    def full(self, point, *others):
        if point.number == 2:
            raise OSError(28, "No space left on device", str(file))
        append(self, point, *others)

    monkeypatch.setattr(journal.Journal, "append", full)
    with pytest.raises(OSError, match="No space left") as caught:
        search(journal=file, workers=1)
    assert len(caught.value.search.results) == 2
    assert len(lines(file)) == 3


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_a_disk_that_is_full_tells_so_once(search, file):
    search(journal=file, workers=1)
    kept = journal.Journal(file, json.loads(file.read_text().splitlines()[0]))
    with open("/dev/full", "wb") as full:
        os.dup2(full.fileno(), kept._file.fileno())
    with pytest.raises(OSError, match=f"No space left on device: '{file}'"):
        kept._write({})
    kept.close()


def test_a_search_killed_between_its_files_loses_neither(search, file, facts, monkeypatch):
    """The net is written before its line: a search killed between them has a net beside it that no line knows."""
    whole = facts(search())
    monkeypatch.setattr(journal.Journal, "_write", kill := KillAfter(journal.Journal._write, 4))
    with pytest.raises(Killed):
        search(journal=file, workers=1)
    monkeypatch.undo()
    assert kill.calls == 4
    assert facts(search(journal=file)) == whole


class Killed(BaseException):
    pass


class KillAfter:
    """A method that ends all instead of its last call."""

    def __init__(self, method, calls):
        self.method, self.most, self.calls = method, calls, 0

    def __get__(self, owner, _):
        return partial(self, owner)

    def __call__(self, *arguments):
        self.calls += 1
        if self.calls == self.most:
            raise Killed
        self.method(*arguments)


PROGRAM = """
import sys, time, numpy as np, fastnet
from functools import partial
X = np.random.default_rng(0).standard_normal((200, 4)).astype(np.float32)
y = (X[:, 0] > 0).astype(int)
def pause(progress):
    print(progress.done, flush=True)
    if len(sys.argv) > 2 and progress.done == 3:
        time.sleep(600)
found = fastnet.search(partial(fastnet.TwoLayerNet, 4, 8, 2, std=0.1), X, y, X, y,
    {"learning_rate": [0.01, 0.1, 0.5], "reg": [0.0, 0.1]}, num_iters=50, journal=sys.argv[1], callback=pause)
print(found.results, found.best_net.params["W1"].sum())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_a_search_whose_process_is_killed_resumes_in_another(tmp_path, file):
    def run(*arguments):
        command = [sys.executable, "-c", PROGRAM, *map(str, arguments)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    with run(file, "pause") as process:
        assert [process.stdout.readline() for _ in range(3)] == ["1\n", "2\n", "3\n"]
        with pytest.raises(BlockingIOError):
            journal.Journal(file, {})
        process.send_signal(signal.SIGKILL)
    with run(file) as process:
        *told, result = process.communicate(timeout=120)[0].splitlines()
    assert told == ["4", "5", "6"]
    with run(tmp_path / "other.jsonl") as process:
        assert process.communicate(timeout=120)[0].splitlines()[-1] == result
