"""Validation loss, early stopping, best parameters, callbacks that stop; what is left of the histories."""

import copy
import pickle

import numpy as np
import pytest
from against_reference import KINDS, bits, fastnet_model, reference_model, worst_error

import fastnet
import reference
from fastnet import evaluation, training
from fastnet.stopping import Best, Patience, Scored

D, H, C = 30, 20, 5
OPTIONS = {"learning_rate": 0.3, "learning_rate_decay": 1.0, "reg": 0.0, "batch_size": 20, "num_iters": 400}


def rows(num, seed):
    """Classes that overlap, so that a network that learns them by heart gets worse."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, C, num)
    return rng.standard_normal((num, D)) + 0.8 * np.eye(C, D)[y], y


X, Y = rows(80, 1)  # 4 iterations an epoch
X_VAL, Y_VAL = rows(200, 2)


def new_model(kind="two-layer", **options):
    return fastnet_model(kind, D, H, C, **{"std": 0.1, "dtype": np.float64, "seed": 1, **options})


def outcome_of_both(kind, ours, theirs):
    model, expected = new_model(kind), reference_model(kind, D, H, C, std=0.1, seed=1)
    history = model.train(X, Y, X_VAL, Y_VAL, **ours, **OPTIONS)
    expected_history = expected.train(X, Y, X_VAL, Y_VAL, **theirs, **OPTIONS)
    for name, values in expected_history.items():
        np.testing.assert_allclose(history[name], values, rtol=1e-9)
    assert worst_error(model.params, expected.params) < 1e-9
    return model, history


@pytest.mark.parametrize(("patience", "min_delta"), [(1, 0.0), (5, 0.0), (5, 1e-2)])
@pytest.mark.parametrize("monitor", ["loss", "accuracy"])
@pytest.mark.parametrize("kind", KINDS)
def test_early_stopping_is_the_references(kind, monitor, patience, min_delta):
    ours = {"early_stopping": fastnet.EarlyStopping(monitor, patience, min_delta)}
    _, history = outcome_of_both(kind, ours, {"stop": reference.Best(monitor, patience, min_delta)})
    assert 4 < len(history["loss_history"]) < 400
    assert len(history["val_loss_history"]) * 4 == len(history["loss_history"])


@pytest.mark.parametrize("monitor", ["loss", "accuracy"])
@pytest.mark.parametrize("kind", KINDS)
def test_best_parameters_are_the_references(kind, monitor):
    model, history = outcome_of_both(kind, {"restore_best": monitor}, {"best": reference.Best(monitor)})
    assert len(history["loss_history"]) == 400
    losses, accuracies = history["val_loss_history"], history["val_acc_history"]
    epoch = np.argmin(losses) if monitor == "loss" else np.argmax(accuracies)
    assert 0 < epoch < 99  # the first of equals, and not the last: there was something to restore
    assert (model.predict(X_VAL) == Y_VAL).mean() == accuracies[epoch]
    same = new_model(kind)
    same.train(X, Y, **OPTIONS | {"num_iters": 4 * (int(epoch) + 1)})
    assert bits(same) == bits(model)


def test_both_at_once():
    model = new_model()
    history = model.train(
        X, Y, X_VAL, Y_VAL, early_stopping=fastnet.EarlyStopping(patience=3), restore_best="loss", **OPTIONS
    )
    losses = history["val_loss_history"]
    assert np.argmin(losses) == len(losses) - 4
    again = model.train(X, Y, X_VAL, Y_VAL, **OPTIONS | {"num_iters": 4, "learning_rate": 0})
    assert again["val_loss_history"] == [pytest.approx(min(losses), rel=1e-12)]


def test_neither_unless_asked_for():
    models = [new_model() for _ in range(2)]
    history = models[0].train(X, Y, X_VAL, Y_VAL, **OPTIONS)
    models[1].train(X, Y, **OPTIONS)
    assert min(history["val_loss_history"]) < history["val_loss_history"][-1]
    assert bits(models[0]) == bits(models[1])


def test_validation_loss_is_without_l2():
    model = new_model()
    history = model.train(X, Y, X_VAL, Y_VAL, **OPTIONS | {"num_iters": 4, "reg": 5.0})
    assert history["val_loss_history"] == [pytest.approx(model.loss(X_VAL, Y_VAL)[0], rel=1e-12)]


def test_mean_loss_of_many_rows_and_huge_scores(monkeypatch):
    rng = np.random.default_rng(0)
    scores, labels, weights = 400 * rng.standard_normal((50, C)), rng.integers(0, C, 50), rng.uniform(0, 1, 50)
    expected, _ = reference.softmax_loss(scores, labels, weights)
    for block in (1, 7, 50):
        monkeypatch.setattr(evaluation, "_BLOCK", block)
        assert evaluation.mean_loss(scores, labels, weights) == pytest.approx(expected, rel=1e-13)
    assert np.isnan(evaluation.mean_loss(np.full((2, C), np.inf), labels[:2], None))


def test_a_validation_loss_of_nan_is_no_gain():
    patience, params = Patience(fastnet.EarlyStopping(patience=2)), [np.zeros(1)]
    best = Best("loss", params)
    best.restore()
    assert params[0] == 0
    assert not patience.over(Scored(1.0, 0.5))
    best.see(Scored(1.0, 0.5))
    params[0][:] = 7
    best.see(Scored(np.nan, 0.5))
    best.see(Scored(1.0, 0.9))  # no better than the first
    assert not patience.over(Scored(np.nan, 0.5))
    assert patience.over(Scored(np.nan, 0.5))
    best.restore()
    assert params[0] == 0


REFUSED = {
    "early_stopping": (fastnet.EarlyStopping(), "early_stopping needs a validation set, expected X_val and y_val"),
    "restore_best": ("loss", "restore_best is 'loss' without a validation set, expected X_val and y_val"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_validation_set_is_needed(name):
    value, message = REFUSED[name]
    model = new_model()
    before = bits(model)
    with pytest.raises(ValueError, match=message):
        model.train(X, Y, **{name: value}, **OPTIONS)
    assert bits(model) == before


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("early_stopping", True, r"early_stopping is True, expected fastnet.EarlyStopping\(\)"),
        ("early_stopping", 5, "early_stopping is 5"),
        ("restore_best", True, "restore_best is True, expected 'loss' or 'accuracy'"),
        ("restore_best", "best", "restore_best is 'best', expected 'loss' or 'accuracy'"),
    ],
)
def test_other_values_are_refused(name, value, message):
    with pytest.raises(ValueError, match=message):
        new_model().train(X, Y, X_VAL, Y_VAL, **{name: value}, **OPTIONS)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"monitor": "val_loss"}, "monitor is 'val_loss', expected 'loss' or 'accuracy'"),
        ({"patience": 0}, "patience is 0, expected an integer of at least 1"),
        ({"min_delta": -1}, "min_delta is -1, expected a finite number"),
    ],
)
def test_settings_out_of_range_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        fastnet.EarlyStopping(**arguments)


@pytest.mark.parametrize("answer", [True, np.True_])
@pytest.mark.parametrize("kind", KINDS)
def test_a_callback_stops_by_returning_true(kind, answer, monkeypatch):
    monkeypatch.setattr(training, "MOST_STEPS", 3)
    model, seen = new_model(kind), []

    def stop(progress):
        seen.append(progress)
        return answer if progress.iteration >= 10 else None

    history = model.train(X, Y, callback=stop, **OPTIONS)
    assert seen[-1].iteration == len(history["loss_history"]) == 11  # 4, 7, 8, 11
    same = new_model(kind)
    assert same.train(X, Y, **OPTIONS | {"num_iters": 11})["loss_history"] == history["loss_history"]
    assert bits(same) == bits(model)


def test_a_callback_that_returns_something_else_stops_nothing():
    answers = iter([1, "yes", [True], False, np.ones(1)])
    history = new_model().train(X, Y, callback=lambda p: next(answers, None), **OPTIONS | {"num_iters": 40})
    assert len(history["loss_history"]) == 40


def test_a_callback_sees_every_epoch_without_a_validation_set():
    seen = []
    new_model().train(X, Y, callback=lambda progress: seen.append(progress.iteration), **OPTIONS)
    assert set(seen) >= set(range(4, 401, 4))


def test_a_callback_may_forgo_the_epochs(monkeypatch):
    monkeypatch.setattr(training, "STRETCH_SECONDS", 1e6)  # stretches of 1, 8, 64 ... steps

    class Meter(list):
        every_epoch = False

        def __call__(self, progress):
            self.append(progress.iteration)

    meter = Meter()
    new_model().train(X, Y, callback=meter, **OPTIONS)
    assert meter == [1, 9, 73, 400]


def test_progress_has_the_validation_loss():
    seen = []
    history = new_model().train(X, Y, X_VAL, Y_VAL, callback=seen.append, **OPTIONS | {"num_iters": 40})
    for progress in seen:
        expected = history["val_loss_history"][progress.epoch - 1] if progress.epoch else None
        assert progress.val_loss == expected


def test_histories_survive_an_exception():
    model = new_model()

    def stop(progress):
        if progress.iteration >= 10:
            raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        model.train(X, Y, X_VAL, Y_VAL, callback=stop, **OPTIONS)
    done = len(model.history["loss_history"])
    assert 10 <= done < 400
    assert len(model.history["val_loss_history"]) == done // 4
    whole = new_model().train(X, Y, **OPTIONS)
    assert model.history["loss_history"] == whole["loss_history"][:done]


def test_history_is_what_train_returned():
    model = new_model()
    assert model.history == {}
    assert model.train(X, Y, **OPTIONS | {"num_iters": 5}) is model.history
    for copied in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert copied.history == {}
