"""`fastnet train --checkpoint`, and the signals and streams that do not cost a training."""

import io
import json
import os
import signal
import sys

import numpy as np
import pytest

import fastnet
from fastnet import data, runs
from fastnet.cli import signals
from fastnet.cli.progress import Meter, TrainingProgress
from fastnet.cli.recipes import OF_A_RUN
from fastnet.training import Progress

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
LONG = ("--recipe", "lab", "--iterations", "15000", "--decay", "1", "--validation", "0", "--optimizer", "momentum")


def params(path):
    return {name: value.tobytes() for name, value in fastnet.load(path).params.items()}


def ended(process, number):
    """What a training says that a signal ends once a tenth is done."""
    assert process.stderr.readline().startswith("iteration ")
    process.send_signal(number)
    process.send_signal(number)  # the second one tears nothing
    _, err = process.communicate(timeout=120)  # which ends the input
    assert process.returncode == 128 + number
    assert "Traceback" not in err
    return err.splitlines()[-1]


@posix
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_a_checkpoint_from_which_the_training_goes_on(spawn, run, npz, tmp_path, number):
    command = ("train", "npz", "--data", npz, *LONG, "--checkpoint", "run", "--checkpoint-every", "1e6")
    assert ended(spawn(*command, waiting=True), number) == "fastnet: interrupted; saved run"
    assert not (tmp_path / "fastnet-out" / "clouds-two-layer-interrupted.npz").exists()
    with np.load(tmp_path / "run") as file:
        done = len(file["loss_history"])
    assert 1500 <= done < 15_000
    again = run(*command, "--resume", "--json", "--threads", "1")
    assert f"fastnet: run: going on after iteration {done:,}\n" in again.err
    resumed = again.report["results"][0]
    plain = run("train", "npz", "--data", npz, *LONG, "--json", "--out", "plain").report["results"][0]
    assert params(resumed["path"]) == params(plain["path"])
    assert resumed["loss"] == plain["loss"]
    over = run(*command, "--resume")  # once more, and it is over
    assert (over.status, "speed" in over.out, over.err) == (0, False, "fastnet: run: the training was over\n")


def test_a_training_that_resumes_from_nothing_says_so(run, npz):
    command = ("train", "npz", "--data", npz, "--iterations", "20", "--json", "--checkpoint", "run")
    assert run(*command, "--resume").err == "fastnet: run: nothing to go on from, the training begins\n"
    assert run(*command).err == ""


@posix
def test_without_a_checkpoint_a_signal_leaves_the_model_so_far(spawn, npz, tmp_path):
    path = "fastnet-out/clouds-two-layer-interrupted.npz"
    process = spawn("train", "npz", "--data", npz, *LONG, waiting=True)
    assert ended(process, signal.SIGTERM) == f"fastnet: interrupted; saved {path}"
    fastnet.load(tmp_path / path)


def test_another_exception_leaves_the_model_so_far(run, npz, monkeypatch):
    def fails(self, state):
        if state.iteration > 10:
            raise MemoryError("no more")

    monkeypatch.setattr(TrainingProgress, "__call__", fails)
    result = run("train", "npz", "--data", npz, "--recipe", "lab", "--decay", "1")
    path = "fastnet-out/clouds-two-layer-interrupted.npz"
    assert result.status == 1
    assert result.err.splitlines()[-2:] == [f"fastnet: the model so far is in {path}", "fastnet: error: no more"]
    fastnet.load(path)


@pytest.mark.parametrize(
    ("words", "mend"),
    [
        (("npz", "--data", "clouds.npz", "--resume"), "no effect without --checkpoint FILE"),
        (("npz", "--data", "clouds.npz", "--checkpoint-every", "3"), "no effect without --checkpoint FILE"),
        (("npz", "--data", "clouds.npz", "--checkpoint", "run", "--checkpoint-every", "-3"), "checkpoint_every is -3"),
        (("npz", "--data", "clouds.npz", "--checkpoint", "none/run"), "none"),
        (("--checkpoint", "run"), "name one with --model"),
    ],
)
def test_a_checkpoint_that_cannot_be_is_one_line(run, npz, words, mend):
    result = run("train", *words, "--iterations", "20")
    assert (result.status, result.err.count("\n")) == (1, 1)
    assert mend in result.err


def test_image_recipes_have_no_checkpoints(run):
    command = ("train", "idx", "--data", "none", "--recipe", "fast", "--checkpoint", "run")
    assert "--checkpoint has no effect with --recipe fast: leave it out, or take --recipe lab" in run(*command).error


def test_a_checkpoint_of_another_training_is_refused_by_name(run, npz):
    command = ("train", "npz", "--data", npz, "--iterations", "20", "--checkpoint", "run", "--resume")
    assert run(*command).status == 0
    for words, message in (
        (("--seed", "1", "--validation", "6"), "its seed is 0, expected 1): see --seed"),
        (("--reg", "0.25"), "its reg is 0.001, expected 0.25): see --reg"),
        (("--iterations", "21"), "its num_iters is 20, expected 21): see --iterations, --epochs and --batch-size"),
        (("--normalize", "none"), "mean, the normalization's scale): see --normalize"),
    ):
        assert run(*command, *words).err.endswith(f"{message}\n")


@pytest.mark.parametrize("schedule", ["decay", "linear"])
def test_each_setting_that_is_compared_leads_to_the_options_of_it(run, npz, schedule):
    command = ("train", "npz", "--data", npz, "--iterations", "20", "--schedule", schedule, "--checkpoint", "run")
    assert run(*command).status == 0
    with np.load("run") as file:
        names = json.loads(str(file["header"]))["settings"].keys()
    without = {"fastnet", "numpy", "class_weight", "early_stopping", "restore_best"}  # which no option sets
    assert without < names
    assert names - without <= OF_A_RUN.keys()


# --- signals ---


def interrupted(work):
    """The signal that ends work(), and what it said it had reached."""
    reached = []
    with pytest.raises(signals.Signalled) as caught, signals.raised():
        work(reached.append)
    return caught.value.number, reached


class Finalized:
    """What has a signal come while Python runs code whose exceptions are lost; so do the callbacks of LLVM."""

    def __del__(self):
        signal.raise_signal(signal.SIGTERM)


@pytest.fixture
def _losses_untold(monkeypatch):
    """pytest would keep the exceptions, to tell them."""
    monkeypatch.setattr(sys, "unraisablehook", lambda lost: None)


@posix
def test_the_first_signal_is_raised_and_the_next_ones_wait():
    def work(reach):
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            signal.raise_signal(signal.SIGINT)
            reach("saved")

    assert interrupted(work) == (signal.SIGTERM, ["saved"])


@posix
def test_held_signals_are_raised_where_they_are_asked_for():
    def work(reach):
        signals.check(hold=True)
        try:
            signal.raise_signal(signal.SIGHUP)
            signal.raise_signal(signal.SIGTERM)
            reach("the end of a stretch")
            signals.check(hold=True)
        finally:
            signal.raise_signal(signal.SIGTERM)
            reach("saved")

    assert interrupted(work) == (signal.SIGHUP, ["the end of a stretch", "saved"])


@posix
def test_signals_are_held_no_longer_than_asked():
    def work(reach):
        signals.check(hold=True)
        signals.check()
        signal.raise_signal(signal.SIGHUP)
        reach("nothing")

    assert interrupted(work) == (signal.SIGHUP, [])


@posix
@pytest.mark.usefixtures("_losses_untold")
@pytest.mark.parametrize(
    "again", [signals.check, lambda: signals.check(hold=True), lambda: signal.raise_signal(signal.SIGINT)]
)
def test_a_signal_whose_exception_was_lost_is_raised_again(again):
    def work(reach):
        for _ in range(2):
            Finalized()
            reach("lost")
        try:
            again()
        finally:
            signal.raise_signal(signal.SIGHUP)
            reach("saved")

    assert interrupted(work) == (signal.SIGTERM, ["lost", "lost", "saved"])


@posix
@pytest.mark.usefixtures("_losses_untold")
@pytest.mark.parametrize(
    ("command", "saved"),
    [
        (("train", *LONG), "fastnet-out/clouds-two-layer-interrupted.npz"),
        (("train", *LONG, "--checkpoint", "run"), "run"),
        (("search", "--iterations", "2", "3"), "fastnet-out/clouds-two-layer-search-interrupted.npz"),
    ],
)
def test_a_command_ends_at_its_first_return_where_a_signals_exception_was_lost(run, npz, monkeypatch, command, saved):
    announce = Meter.announce
    monkeypatch.setattr(Meter, "announce", lambda *text: (Finalized(), announce(*text)))
    result = run(command[0], "npz", "--data", npz, *command[1:])
    assert result.status == 128 + signal.SIGTERM
    assert result.err.splitlines()[-1] == f"fastnet: interrupted; saved {saved}"


@posix
def test_a_signal_while_the_last_checkpoint_is_written_is_told(run, npz, monkeypatch):
    keep = runs.Checkpoint.keep
    monkeypatch.setattr(runs.Checkpoint, "keep", lambda *done: (signal.raise_signal(signal.SIGTERM), keep(*done)))
    result = run("train", "npz", "--data", npz, "--iterations", "20", "--checkpoint", "run")
    assert (result.status, result.err.splitlines()[-1]) == (143, "fastnet: interrupted; saved run")
    with np.load("run") as file:
        assert len(file["loss_history"]) == 20


@posix
def test_a_command_leaves_the_signals_as_they_were_unless_one_has_ended_it():
    ending = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
    before = [signal.getsignal(number) for number in ending]
    with signals.raised():
        pass
    assert [signal.getsignal(number) for number in ending] == before
    interrupted(lambda reach: signal.raise_signal(signal.SIGTERM))
    # Else the next one would take the place of the exit status.
    assert [signal.getsignal(number) for number in ending] == [signal.SIG_IGN] * 3
    signals.check()  # of the next command nothing is known


@posix
def test_a_signal_that_is_ignored_stays_so():
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with signals.raised():
        signal.raise_signal(signal.SIGHUP)
        signals.check()


# --- streams ---


class Full(io.StringIO):
    """A disk that is full, or a terminal that is gone."""

    def __init__(self, moving):
        super().__init__()
        self.isatty = lambda: moving

    def write(self, text):
        raise OSError(28, "No space left on device")


def closed():
    stream = io.StringIO()
    stream.close()
    return stream


@pytest.mark.parametrize(
    "stream", [Full(True), Full(False), closed(), None], ids=["terminal", "file", "closed", "none"]
)
def test_a_stream_that_fails_costs_the_progress_alone(run, npz, monkeypatch, stream):
    monkeypatch.setattr(sys, "stderr", stream)
    result = run("train", "npz", "--data", npz, "--iterations", "20")
    assert result.status == 0
    assert "validation accuracy" in result.out
    TrainingProgress(Meter(stream))(Progress(10, 10, 1, 1.0, 1.0, None))


@pytest.mark.parametrize("stream", [Full(False), closed(), None], ids=["full", "closed", "none"])
def test_loss_lines_that_fail_do_not_end_a_training(npz, monkeypatch, stream):
    dataset = data.load_npz(npz)
    model = fastnet.SoftmaxClassifier(4, 2)
    monkeypatch.setattr(sys, "stdout", stream)
    history = model.train(dataset.X_train, dataset.y_train, num_iters=5, batch_size=10, verbose=True)
    assert len(history["loss_history"]) == 5


def test_an_output_folder_that_is_removed_meanwhile_is_made_again(run, npz, monkeypatch):
    def remove(self, state):
        if os.path.isdir("fastnet-out"):
            os.rmdir("fastnet-out")

    monkeypatch.setattr(TrainingProgress, "__call__", remove)
    assert run("train", "npz", "--data", npz, "--iterations", "20").status == 0
    fastnet.load("fastnet-out/clouds-two-layer.npz")
