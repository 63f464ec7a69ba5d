"""Callbacks and loss lines: what they are told, and what remains when one of them ends the run."""

import io

import numpy as np
import pytest
from against_reference import KINDS, bits, fastnet_model

import fastnet
from fastnet import training

D, H, C = 6, 5, 3
X = np.random.default_rng(0).standard_normal((20, D)).astype(np.float32)
Y = np.random.default_rng(1).integers(0, C, 20)
OPTIONS = {"learning_rate": 0.1, "learning_rate_decay": 1.0, "reg": 0.0, "batch_size": 5}  # 4 iterations an epoch


def small_model(kind="two-layer"):
    return fastnet_model(kind, D, H, C, std=0.1, seed=0)


@pytest.mark.parametrize("kind", KINDS)
def test_the_validation_is_compiled_before_the_first_step(kind):
    model, ready = small_model(kind), []
    model.train(X, Y, X, Y, num_iters=3, callback=lambda progress: ready.append(len(model._scorers)), **OPTIONS)
    assert ready[0] == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_punctual_callback_is_called_at_its_iterations_and_changes_no_bit(kind):
    class At:
        wanted = (1, 700, 701, 5000)

        def __init__(self):
            self.seen = []

        def __call__(self, progress):
            self.seen.append(progress.iteration)

        def steps_to_call(self, done):
            return next((k - done for k in self.wanted if k > done), 10_000)

    model, plain, at = small_model(kind), small_model(kind), At()
    model.train(X, Y, num_iters=6000, callback=at, **OPTIONS)
    plain.train(X, Y, num_iters=6000, **OPTIONS)
    assert {*At.wanted, 6000} <= set(at.seen)
    assert bits(model) == bits(plain)


@pytest.mark.parametrize("kind", KINDS)
def test_progress_with_a_validation_set(kind, monkeypatch):
    monkeypatch.setattr(training, "MOST_STEPS", 3)  # calls between the epochs' ends too
    seen = []
    history = small_model(kind).train(X, Y, X, Y, num_iters=18, callback=seen.append, **OPTIONS)
    assert all(type(progress) is fastnet.Progress for progress in seen)
    iterations = [progress.iteration for progress in seen]
    assert iterations == sorted(set(iterations))
    assert iterations[-1] == 18
    assert set(iterations) >= {4, 8, 12, 16}  # the end of each epoch
    assert set(iterations) & {3, 7, 11, 15}
    for progress in seen:
        assert progress.num_iters == 18
        assert progress.epoch == progress.iteration // 4
        assert progress.loss == history["loss_history"][progress.iteration - 1]
        epoch = progress.epoch
        assert progress.val_accuracy == (history["val_acc_history"][epoch - 1] if epoch else None)
    seconds = [progress.seconds for progress in seen]
    assert seconds == sorted(seconds)
    assert seconds[0] >= 0


def test_progress_without_a_validation_set():
    seen = []
    history = small_model().train(X, Y, num_iters=18, callback=seen.append, **OPTIONS)
    assert seen[-1].iteration == 18
    assert {progress.val_accuracy for progress in seen} == {None}
    assert [p.loss for p in seen] == [history["loss_history"][p.iteration - 1] for p in seen]
    assert history["val_acc_history"] == []
    assert len(history["train_acc_history"]) == 4


def test_no_iterations_call_nothing():
    small_model().train(X, Y, num_iters=0, callback=pytest.fail, **OPTIONS)


def test_a_callback_changes_nothing():
    silent, watched = small_model(), small_model()
    history = silent.train(X, Y, num_iters=50, **OPTIONS)
    watched_history = watched.train(X, Y, num_iters=50, callback=lambda progress: None, **OPTIONS)
    assert bits(watched, watched_history) == bits(silent, history)


def test_a_callback_may_look_at_the_model():
    model = small_model()
    seen = []
    model.train(X, Y, num_iters=18, callback=lambda p: seen.append(model.loss(X, Y)[0]), **OPTIONS)
    assert seen[-1] == model.loss(X, Y)[0]


def test_a_callback_may_change_parameters():
    model = small_model()

    def forget(progress):
        for value in model.params.values():
            value[:] = 0

    history = model.train(X, Y, X, Y, num_iters=5, callback=forget, **OPTIONS)
    # Iteration 5 begins a stretch of its own, after the epoch's end at 4: from zeros its loss is log C.
    assert history["loss_history"][4] == pytest.approx(np.log(C), rel=1e-6)


@pytest.mark.parametrize("error", [RuntimeError("enough"), KeyboardInterrupt()], ids=repr)
@pytest.mark.parametrize("kind", KINDS)
def test_an_exception_leaves_the_last_finished_iteration(kind, error, monkeypatch):
    monkeypatch.setattr(training, "MOST_STEPS", 3)
    model, stopped_at = small_model(kind), []

    def stop(progress):
        if progress.iteration >= 10:
            stopped_at.append(progress.iteration)
            raise error

    with pytest.raises(type(error)) as caught:
        model.train(X, Y, num_iters=30, callback=stop, threads=2, **OPTIONS)
    assert caught.value is error
    assert len(stopped_at) == 1

    same = small_model(kind)
    same.train(X, Y, num_iters=stopped_at[0], **OPTIONS)
    assert bits(model) == bits(same)
    # Nothing was drawn in vain: what follows is what would have followed.
    rest = 30 - stopped_at[0]
    whole = small_model(kind)
    losses = whole.train(X, Y, num_iters=30, **OPTIONS)["loss_history"]
    assert model.train(X, Y, num_iters=rest, **OPTIONS)["loss_history"] == losses[-rest:]
    assert bits(model) == bits(whole)


def test_verbose_writes_loss_lines(capsys, monkeypatch):
    monkeypatch.setattr(training, "MOST_STEPS", 30)
    history = small_model().train(X, Y, num_iters=250, verbose=True, **OPTIONS)
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == f"iteration 250 / 250: loss {history['loss_history'][-1]:.6f}"
    numbers = [int(line.split()[1]) for line in lines]
    assert numbers == [1, 100, 200, 250]  # whatever stretches a hurried machine takes
    for number, line in zip(numbers, lines, strict=True):
        assert line == f"iteration {number} / 250: loss {history['loss_history'][number - 1]:.6f}"


@pytest.mark.parametrize("closed", [False, True])
def test_verbose_needs_no_standard_output(monkeypatch, closed):
    stream = io.StringIO() if closed else None
    if stream is not None:
        stream.close()
    monkeypatch.setattr("sys.stdout", stream)
    assert len(small_model().train(X, Y, num_iters=5, verbose=True, **OPTIONS)["loss_history"]) == 5


def test_nothing_is_written_unasked(capsys):
    small_model().train(X, Y, X, Y, num_iters=50, **OPTIONS)
    captured = capsys.readouterr()
    assert captured.out + captured.err == ""


def test_a_callback_that_reshapes_the_data_changes_nothing():
    data, expected = X.copy(), small_model().train(X, Y, num_iters=60, **OPTIONS)

    def reshape(progress):
        data.shape = (1, data.size)

    assert small_model().train(data, Y, num_iters=60, callback=reshape, **OPTIONS) == expected


@pytest.mark.parametrize("iterations", [3, 10, 12])  # less than an epoch, within one, at the end of one
def test_the_validation_of_the_end_stands_in_the_history(iterations):
    model = small_model()
    history = model.train(X, Y, X, Y, num_iters=iterations, **OPTIONS)
    assert history["val_accuracy"] == (model.predict(X) == Y).mean()
    assert history["val_loss"] == pytest.approx(model.loss(X, Y)[0], rel=1e-5)
    assert len(history["val_acc_history"]) == iterations // 4


def test_of_the_best_parameters_where_these_are_restored():
    model = small_model()
    history = model.train(X, Y, X, Y, num_iters=40, restore_best="loss", **OPTIONS | {"learning_rate": 3.0})
    assert history["val_loss"] == min(history["val_loss_history"]) < history["val_loss_history"][-1]


def test_without_a_validation_set_there_is_none():
    assert small_model().train(X, Y, num_iters=3, **OPTIONS)["val_accuracy"] is None


def test_a_callback_that_asks_for_no_step_is_refused():
    class Never:
        def __call__(self, progress):
            pass

        def steps_to_call(self, done):
            return 0

    with pytest.raises(ValueError, match="steps_to_call returned 0 after iteration 0, expected at least 1"):
        small_model().train(X, Y, num_iters=3, callback=Never(), **OPTIONS)
