"""Checkpoints of a run: what goes on from one ends as if it had never stopped, or is refused."""

import copy
import json
import os
import pickle
import shutil

import numpy as np
import pytest
from against_reference import bits, fastnet_model
from saved_models import rewritten

import fastnet
from fastnet import archive, runs, schedules, training
from fastnet.batches import Ending
from fastnet.engine import session

N, D, H, C = 15, 6, 8, 5
RNG = np.random.default_rng(3)
X, Y = RNG.standard_normal((60, D)), np.arange(60) % C
VALIDATION = {"X_val": X[:20], "y_val": Y[:20]}
# Kind, dtype, options of train: each way of drawing rows, each rule, all that remembers something.
RUNS = {
    "replacement": ("two-layer", np.float32, {}),
    "full batches": ("linear", np.float64, {"batch_size": None}),
    "replayed rows": ("linear", np.float64, {"indices": RNG.integers(0, 60, (40, N))}),
    "an ending on the first rows": ("linear", np.float64, {"sampling": Ending(rows=57, after=0.2)}),
    "shuffled, Adam, the best": (
        "two-layer",
        np.float32,
        {
            "sampling": "shuffle",
            "optimizer": fastnet.Adam(),
            "early_stopping": fastnet.EarlyStopping("loss", patience=4),
            "restore_best": "loss",
            "learning_rate": 0.3,
            **VALIDATION,
        },
    ),
    "weights, Nesterov, a schedule": (
        "two-layer",
        np.float32,
        {
            "sampling": "shuffle",
            "optimizer": fastnet.Momentum(nesterov=True),
            "sample_weight": np.arange(60) % 3,
            "class_weight": {1: 2.0},
            "schedule": lambda iterations: 0.01 / (1 + iterations),
            **VALIDATION,
        },
    ),
}


@pytest.fixture(autouse=True)
def short_stretches(monkeypatch):
    """And so, of a short run, several checkpoints."""
    monkeypatch.setattr(training, "MOST_STEPS", 3)


def new_model(run="replacement", seed=1, std=0.5):
    kind, dtype, _ = RUNS[run]
    return fastnet_model(kind, D, H, C, std=std, dtype=dtype, seed=seed)


def train(model, run="replacement", **options):
    settings = {"learning_rate": 0.1, "num_iters": 40, "batch_size": N, "checkpoint_every": 0, **RUNS[run][2]}
    if "schedule" not in settings:
        settings["learning_rate_decay"] = 1.0
    return model.train(X, Y, **settings | options)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.npz"


def copied_at(iteration, path):
    """A callback that puts the checkpoint of the stretch before aside, as a killed process would have left it."""

    def callback(progress):
        if progress.iteration >= iteration and not path.with_name("killed.npz").exists():
            shutil.copy(path, path.with_name("killed.npz"))

    return callback


@pytest.fixture
def killed(path):
    """The checkpoint of a run that was killed half-way."""
    train(new_model(), checkpoint=path, callback=copied_at(20, path))
    return path.with_name("killed.npz")


@pytest.mark.parametrize("iteration", [1, 12, 20])
@pytest.mark.parametrize("run", RUNS)
def test_what_goes_on_ends_with_the_same_bits(run, iteration, path):
    model, plain, other = (new_model(run) for _ in range(3))
    whole = train(model, run, checkpoint=path, callback=copied_at(iteration, path), threads=1)
    assert train(plain, run, callback=lambda progress: None) == whole
    assert bits(plain) == bits(model)
    killed = path.with_name("killed.npz")
    with archive.reading(killed, "a checkpoint") as file:
        assert (file.header["iteration"] == 0) == (iteration == 1)
    found = train(other, run, checkpoint=killed, resume=True, threads=3)
    assert (found, other.history) == (whole, whole)
    assert bits(other) == bits(model)
    assert other._rng.integers(1 << 40) == model._rng.integers(1 << 40)


@pytest.mark.parametrize("run", ["replacement", "shuffled, Adam, the best"])
def test_a_run_that_is_over_is_not_trained_any_more(run, path, monkeypatch):
    model, other = new_model(run), new_model(run, seed=1)
    whole = train(model, run, checkpoint=path)
    assert (len(whole["loss_history"]) < 40) == (run != "replacement")  # stopped early
    monkeypatch.setattr(session.Trainer, "run", None)
    assert train(other, run, checkpoint=path, resume=True) == whole
    assert bits(other) == bits(model)


def test_without_a_file_a_run_begins_and_a_run_that_does_not_resume_begins_anew(path):
    first, second = new_model(), new_model()
    history = train(first, checkpoint=path, resume=True)
    assert train(second, checkpoint=path) == history
    assert bits(first) == bits(second)
    assert os.listdir(path.parent) == [path.name]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
def test_an_exception_of_a_callback_leaves_the_checkpoint_of_its_iteration(path, error):
    model, other, plain = new_model(), new_model(), new_model()

    def end(progress):
        if progress.iteration >= 20:
            raise error

    with pytest.raises(error) as caught:
        train(model, checkpoint=path, checkpoint_every=1e6, callback=end)
    assert caught.value.history == model.history
    with archive.reading(path, "a checkpoint") as file:
        assert file.header["iteration"] == len(model.history["loss_history"]) >= 20
    # In the model that was interrupted, too, and in a new one.
    found = [train(net, checkpoint=path, resume=True) for net in (model, other)]
    assert found == [train(plain, callback=lambda progress: None)] * 2
    assert bits(model) == bits(other) == bits(plain)


@pytest.mark.parametrize("seed", [1, None])
def test_a_loaded_copy_of_an_interrupted_model_goes_on(path, seed):
    model, file = new_model(seed=seed), path.with_name("model.npz")

    def end(progress):
        if progress.iteration >= 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(model, checkpoint=path, callback=end)
    model.save(file)
    interrupted = path.read_bytes()
    whole, loaded = train(model, checkpoint=path, resume=True), fastnet.load(file)
    path.write_bytes(interrupted)
    assert train(loaded, checkpoint=path, resume=True) == whole
    assert bits(loaded) == bits(model)
    rewritten(file, {"began_with": "another"})
    with pytest.raises(ValueError, match="it is of other data: the model's initial parameters"):
        train(fastnet.load(file), checkpoint=path, resume=True)


def test_a_callback_that_ends_a_run_does_not_end_it_for_good(path):
    model, plain = new_model(), new_model()
    train(model, checkpoint=path, callback=lambda progress: progress.iteration > 10)
    assert len(train(model, checkpoint=path, resume=True)["loss_history"]) == 40
    train(plain)
    assert bits(model) == bits(plain)


OTHERS = {
    "learning_rate": ({"learning_rate": 0.2}, "its learning_rate is 0.1, expected 0.2"),
    "reg": ({"reg": 0.25}, "its reg is 0.5, expected 0.25"),
    "num_iters": ({"num_iters": 41}, "its num_iters is 40, expected 41"),
    "batch_size": ({"batch_size": 20}, "its batch_size is 15"),
    "sampling": ({"sampling": "shuffle"}, "its sampling is 'replacement'"),
    "optimizer": ({"optimizer": fastnet.Momentum()}, r"its optimizer is 'SGD\(\)', expected 'Momentum\("),
    "schedule": ({"schedule": schedules.Cosine()}, "its schedule is None"),
    "class_weight": ({"class_weight": {0: 2.0}}, "its class_weight is None"),
    "a validation set": (VALIDATION, "of other data: X_val, y_val"),
    "weights": ({"sample_weight": np.ones(60)}, "of other data: weights"),
    "a seed": ({}, "its seed is 1, expected 2"),
    "std": ({}, "its std is 0.5, expected 0.1"),
    "a normalization": ({}, "of other data: the normalization's mean"),
}


@pytest.mark.parametrize("what", OTHERS)
def test_other_data_and_settings_are_refused_by_name(what, killed):
    options, message = OTHERS[what]
    model = new_model(seed=2 if what == "a seed" else 1, std=0.1 if what == "std" else 0.5)
    model.history = {"kept": []}
    if what == "a normalization":
        model.normalization = fastnet.Normalization(np.ones(D))
    before, file = bits(model), killed.read_bytes()
    with pytest.raises(ValueError, match=f"{killed}: not a checkpoint of this run .*{message}"):
        train(model, checkpoint=killed, resume=True, **options)
    assert (bits(model), killed.read_bytes(), model.history) == (before, file, {"kept": []})


def test_other_rows_and_another_function_are_other_data(killed, path):
    with pytest.raises(ValueError, match="of other data: X, y"):
        new_model().train(X[:40], Y[:40], learning_rate=0.1, learning_rate_decay=1.0, num_iters=40, batch_size=N,
            checkpoint=killed, resume=True)  # fmt: skip
    run = "weights, Nesterov, a schedule"
    train(new_model(run), run, checkpoint=path)
    with pytest.raises(ValueError, match=r"of other data: schedule\)"):
        train(new_model(run), run, checkpoint=path, resume=True, schedule=lambda k: 0.02 / (1 + k))


def test_a_run_of_another_model_is_refused(path):
    models = [path.with_name(name) for name in "ab"]
    for seed, saved in enumerate(models):
        new_model(seed=seed).save(saved)
    whole = train(fastnet.load(models[0]), checkpoint=path)
    assert train(fastnet.load(models[0]), checkpoint=path, resume=True) == whole
    trained = fastnet.load(models[0])
    train(trained)
    for model, message in (
        (fastnet.load(models[1]), "its seed is 0, expected 1"),
        (new_model(seed=None), "its seed is 0, expected None"),
        (trained, "it is of other data: the model's initial parameters"),
    ):
        before = bits(model)
        with pytest.raises(ValueError, match=message):
            train(model, checkpoint=path, resume=True)
        assert bits(model) == before


def test_models_without_a_seed_are_alike_until_their_parameters_are_set(path):
    first, second, changed = (new_model(seed=None) for _ in range(3))
    whole = train(first, checkpoint=path)
    changed.params["b1"][:] = 1
    with pytest.raises(ValueError, match="of other data: the model's initial parameters"):
        train(changed, checkpoint=path, resume=True)
    for net in (second, copy.deepcopy(first), pickle.loads(pickle.dumps(new_model(seed=None)))):
        assert train(net, checkpoint=path, resume=True) == whole
        assert bits(net) == bits(first)


def test_a_file_that_does_not_tell_what_its_run_began_with_is_gone_on_with(killed):
    header = json_header(killed)
    del header["data"][runs.PARAMETERS]
    rewritten(killed, {"data": header["data"]})
    assert len(train(new_model(), checkpoint=killed, resume=True)["loss_history"]) == 40


FALSE = {
    "iteration": {"iteration": 41},
    "an older version": {"format": 2},
    "no iteration": {"iteration": -1},
    "epochs": {"validations": 3},
    "rows that wait": {"waiting": 1},
    "a model": {"kind": "model"},
    "a generator": {"random_state": {"bit_generator": "PCG64", "state": "x"}},
    "nan": {"params__W2": np.full((H, C), np.nan, np.float32)},
    "another rule": {"rule__0": np.zeros((D, 16), np.float32)},
}


@pytest.mark.parametrize("what", FALSE)
def test_a_false_checkpoint_is_refused(what, killed):
    message = "an older version of fastnet wrote it, in format 2" if what == "an older version" else ""
    model = new_model()
    before = bits(model)
    header = {name: value for name, value in FALSE[what].items() if not isinstance(value, np.ndarray)}
    rewritten(killed, header, **{name: value for name, value in FALSE[what].items() if name not in header})
    with pytest.raises(ValueError, match=f"not a checkpoint of this run .*{message}"):
        train(model, checkpoint=killed, resume=True)
    assert bits(model) == before


def test_rows_that_would_be_read_outside_the_data_are_refused(path):
    run = "shuffled, Adam, the best"
    train(new_model(run), run, checkpoint=path, callback=copied_at(20, path))
    killed = path.with_name("killed.npz")
    with np.load(killed) as file:
        waiting = file["waiting"]
    assert len(waiting) == json_header(killed)["waiting"] > 0
    rewritten(killed, waiting=np.full_like(waiting, 60))
    with pytest.raises(ValueError, match="waiting holds 60, expected row numbers from 0 to 59"):
        train(new_model(run), run, checkpoint=killed, resume=True)


def json_header(path):
    with np.load(path) as file:
        return json.loads(str(file["header"]))


def test_a_damaged_checkpoint_is_refused_and_a_checkpoint_is_no_model(killed):
    with pytest.raises(ValueError, match="it is a checkpoint of a run"):
        fastnet.load(killed)
    data = killed.read_bytes()
    for damaged in (data[:-1], data[: len(data) // 2], b""):
        killed.write_bytes(damaged)
        with pytest.raises(ValueError, match="not a checkpoint of this run"):
            train(new_model(), checkpoint=killed, resume=True)


def test_a_disk_that_is_full_for_a_while_costs_a_checkpoint_and_not_the_run(path, monkeypatch):
    model, plain = new_model(), new_model()
    write, calls = archive.write, []

    def full(*arguments):
        calls.append(arguments)
        if 2 <= len(calls) < 5:
            raise OSError(28, "No space left on device")
        write(*arguments)

    monkeypatch.setattr(archive, "write", full)
    with pytest.warns(UserWarning, match="no checkpoint after iteration .* No space left") as caught:
        train(model, checkpoint=path)
    assert len(caught) == 3
    train(plain)
    assert bits(model) == bits(plain)
    assert json_header(path)["iteration"] == 40


def test_where_no_checkpoint_can_be_nothing_is_trained(tmp_path):
    model = new_model()
    before = bits(model)
    with pytest.raises(FileNotFoundError, match="no such folder"):
        train(model, checkpoint=tmp_path / "none" / "run")
    with pytest.raises(IsADirectoryError):
        train(model, checkpoint=tmp_path, resume=True)
    with pytest.raises(ValueError, match="without a file to go on from"):
        train(model, resume=True)
    with pytest.raises(ValueError, match="checkpoint_every is -1"):
        train(model, checkpoint=tmp_path / "run", checkpoint_every=-1)
    assert (bits(model), os.listdir(tmp_path)) == (before, [])


def test_a_clock_follows_one_process_and_has_no_checkpoint(path):
    model = new_model()
    with pytest.raises(ValueError, match="a Clock follows the seconds of one process"):
        model.train(X, Y, schedule=schedules.Clock(1), checkpoint=path)
    with pytest.raises(ValueError, match="sampling has a Clock"):
        model.train(X, Y, batch_size=5, sampling=Ending(20, 0.5, schedules.Clock(1)), checkpoint=path)
    assert not path.exists()


def test_a_seed_of_numpys_will_do(path):
    model = fastnet.SoftmaxClassifier(D, C, seed=np.random.default_rng(0).integers(9))
    model.train(X, Y, num_iters=3, batch_size=N, checkpoint=path)
    assert path.exists()


def test_only_a_checkpoint_is_written_over(path):
    model = new_model()
    model.save(path.with_name("model.npz"))
    np.savez(path.with_name("data.npz"), X=X, y=Y)
    path.with_name("notes.txt").write_text("not yours")
    for name in ("model.npz", "data.npz", "notes.txt"):
        mine = path.with_name(name).read_bytes()
        with pytest.raises(ValueError, match=f"{name}: not a checkpoint, and nothing else is written over"):
            train(model, checkpoint=path.with_name(name))
        assert path.with_name(name).read_bytes() == mine
    path.touch()  # nothing to lose
    train(model, checkpoint=path)
    other = new_model(seed=2)
    train(other, checkpoint=path, num_iters=1)  # another run's, without resume
    with archive.reading(path, "a checkpoint") as file:
        assert file.header["iteration"] == 1
