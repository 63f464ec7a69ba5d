"""Schedules of the learning rate, against `reference`; AdamW and He's initialisation, which go with them."""

import numpy as np
import pytest
from against_reference import KINDS, bits, fastnet_model, reference_model, worst_error

import fastnet
import reference
from fastnet import schedules, training

D, H, C, NUM_ITERS, PER_EPOCH = 30, 20, 5, 40, 6
SCHEDULES = {
    "constant": (schedules.Constant(), lambda k: 1.0),
    "constant by name": ("constant", lambda k: 1.0),
    "constant, warmed up": (schedules.Constant(warmup=0.2), lambda k: reference.warm_up(k, 8)),
    "decay": (schedules.EpochDecay(factor=0.8), lambda k: reference.epoch_decay(k, 0, PER_EPOCH, 0.8)),
    "decay, warmed up": (schedules.EpochDecay(0.2, 0.8), lambda k: reference.epoch_decay(k, 8, PER_EPOCH, 0.8)),
    "steps": (schedules.StepDecay(), lambda k: reference.step_decay(k, NUM_ITERS, 0, (0.5, 0.75), 0.1)),
    "steps, warmed up": (
        schedules.StepDecay(0.1, 0.3, at=(0.25, 0.3, 0.9)),
        lambda k: reference.step_decay(k, NUM_ITERS, 4, (0.25, 0.3, 0.9), 0.3),
    ),
    "linear by name": ("linear", lambda k: reference.linear(k, NUM_ITERS, 0)),
    "linear, warmed up": (schedules.Linear(warmup=0.1), lambda k: reference.linear(k, NUM_ITERS, 4)),
    "cosine by name": ("cosine", lambda k: reference.cosine(k, NUM_ITERS, 0)),
    "cosine, warmed up": (schedules.Cosine(0.1), lambda k: reference.cosine(k, NUM_ITERS, 4)),
}


def data():
    rng = np.random.default_rng(0)
    y = rng.integers(0, C, 125)
    return rng.standard_normal((125, D)) + 1.5 * np.eye(C, D)[y], y


@pytest.mark.parametrize("name", SCHEDULES)
def test_factors_are_the_references(name):
    schedule, factor = SCHEDULES[name]
    found = schedules.rates(schedule, 0.3, NUM_ITERS, PER_EPOCH, 1e9)(np.arange(NUM_ITERS))
    np.testing.assert_allclose(found, [0.3 * factor(k) for k in range(NUM_ITERS)], rtol=1e-14, atol=1e-16)


@pytest.mark.parametrize("name", ["steps, warmed up", "linear, warmed up", "cosine by name"])
@pytest.mark.parametrize("kind", KINDS)
def test_training_by_schedule_is_the_references(kind, name, monkeypatch):
    monkeypatch.setattr(training, "MOST_STEPS", 7)  # what is asked for at once does not begin at 0
    schedule, factor = SCHEDULES[name]
    X, y = data()
    options = {"reg": 1e-2, "num_iters": NUM_ITERS, "batch_size": 20}
    model = fastnet_model(kind, D, H, C, std=0.1, dtype=np.float64, seed=1)
    expected = reference_model(kind, D, H, C, std=0.1, seed=1)
    history = model.train(X, y, learning_rate=0.3, schedule=schedule, **options)
    losses = expected.train(X, y, schedule=lambda k: 0.3 * factor(k), **options)["loss_history"]
    np.testing.assert_allclose(history["loss_history"], losses, rtol=1e-9)
    assert worst_error(model.params, expected.params) < 1e-9


def test_no_schedule_is_the_labs_decay():
    X, y = data()
    models = [fastnet_model("linear", D, H, C, seed=1) for _ in range(2)]
    models[0].train(X, y, learning_rate_decay=0.7, num_iters=30, batch_size=20)
    models[1].train(X, y, schedule=schedules.EpochDecay(factor=0.7), num_iters=30, batch_size=20)
    assert bits(models[0]) == bits(models[1])


def test_a_function_from_iterations_to_rates():
    X, y = data()
    asked = []

    def rates(iterations):
        asked.append(iterations)
        return 0.3 / (1 + iterations)

    model = fastnet_model("linear", D, H, C, dtype=np.float64, seed=1)
    expected = reference_model("linear", D, H, C, seed=1)
    model.train(X, y, schedule=rates, num_iters=30, batch_size=20)
    expected.train(X, y, schedule=lambda k: 0.3 / (1 + k), num_iters=30, batch_size=20)
    assert worst_error(model.params, expected.params) < 1e-9
    assert len(asked) == 1
    np.testing.assert_array_equal(asked[0], np.arange(30))


@pytest.mark.parametrize("warmup", [0.0, 0.25, 0.99])
@pytest.mark.parametrize("schedule", [schedules.Linear, schedules.Cosine])
@pytest.mark.parametrize("num_iters", [0, 1, 2, 100])
def test_a_rate_never_leaves_its_bounds(schedule, warmup, num_iters):
    factors = schedule(warmup).factors(np.arange(num_iters), num_iters, 3)
    assert len(factors) == num_iters
    assert ((factors > 0) & (factors <= 1)).all()


FUNCTIONS = {
    "another length": (
        lambda k: np.ones(len(k) - 1),
        r"float64 of shape \(9,\) for 10 iterations, expected a rate for",
    ),
    "a number": (lambda k: 0.1, r"of shape \(\) for 10 iterations"),
    "nothing": (lambda k: None, r"what the schedule returned is None"),
    "negative": (lambda k: 0.5 - 0.1 * k, r"returned -0.\d+ for iteration 6, expected finite numbers of at least 0"),
    "nan": (lambda k: np.where(k == 3, np.nan, 1.0), "returned nan for iteration 3"),
    "inf": (lambda k: np.where(k == 3, np.inf, 1.0), "returned inf for iteration 3"),
    "too large for float32": (lambda k: np.full(len(k), 1e39), r"returned 1e\+39 for iteration 0"),
    "text": (lambda k: ["fast"] * len(k), "<U4 of shape"),
    "another name": ("lienar", "schedule is 'lienar', expected one of 'constant', 'linear', 'cosine'"),
    "a number in its place": (0.1, "schedule is 0.1, expected one of"),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_schedules_that_do_not_fit_are_refused(name):
    schedule, message = FUNCTIONS[name]
    X, y = data()
    model = fastnet_model("linear", D, H, C, seed=1)
    before = bits(model)
    with pytest.raises(ValueError, match=message):
        model.train(X, y, schedule=schedule, num_iters=10)
    assert bits(model) == before


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: schedules.Linear(warmup=1.0), r"warmup is 1.0, expected a number in \[0, 1\)"),
        (lambda: schedules.Cosine(warmup=-0.1), "warmup is -0.1"),
        (lambda: schedules.EpochDecay(factor=0), "factor is 0, expected a finite number above 0"),
        (lambda: schedules.StepDecay(factor=-1), "factor is -1, expected a finite number of at least 0"),
        (lambda: schedules.StepDecay(at=(0.5, 1.5)), "at is 1.5, expected a number in"),
        (lambda: fastnet.Adam(weight_decay=-0.1), "weight_decay is -0.1, expected a finite number of at least 0"),
    ],
)
def test_settings_out_of_range_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("reg", [0.0, 1e-2])
@pytest.mark.parametrize("kind", KINDS)
def test_decoupled_decay_is_the_references(kind, reg):
    X, y = data()
    options = {"learning_rate": 0.01, "reg": reg, "num_iters": 50, "batch_size": 20}
    model = fastnet_model(kind, D, H, C, std=0.1, dtype=np.float64, seed=1)
    expected = reference_model(kind, D, H, C, std=0.1, seed=1)
    adam = fastnet.Adam(0.8, 0.99, 1e-6, weight_decay=0.3)
    history = model.train(X, y, optimizer=adam, **options)
    losses = expected.train(X, y, optimizer=reference.Adam(0.8, 0.99, 1e-6, weight_decay=0.3), **options)[
        "loss_history"
    ]
    np.testing.assert_allclose(history["loss_history"], losses, rtol=1e-9)
    assert worst_error(model.params, expected.params) < 1e-9


def test_decoupled_decay_in_float32():
    X, y = data()
    options = {"learning_rate": 0.01, "num_iters": 50, "batch_size": 20, "reg": 0.0}
    model, expected = (
        fastnet_model("two-layer", D, H, C, std=0.1, seed=1),
        reference_model("two-layer", D, H, C, std=0.1, seed=1),
    )
    model.train(X, y, optimizer=fastnet.Adam(epsilon=1e-3, weight_decay=0.3), **options)
    expected.train(X, y, optimizer=reference.Adam(epsilon=1e-3, weight_decay=0.3), **options)
    assert worst_error(model.params, expected.params) < 1e-3


@pytest.mark.parametrize("kind", KINDS)
def test_he_initialisation_is_the_references(kind):
    model, expected = fastnet_model(kind, D, H, C, std="he", seed=3), reference_model(kind, D, H, C, std="he", seed=3)
    for name, value in expected.params.items():
        np.testing.assert_array_equal(model.params[name], value.astype(np.float32))
        if name.startswith("W"):
            assert value.std() == pytest.approx(np.sqrt(2 / len(value)), rel=0.2)


@pytest.mark.parametrize("std", ["He", "xavier", -1, None])
def test_another_std_is_refused(std):
    with pytest.raises(ValueError, match=r"std is .*, expected a finite number of at least 0"):
        fastnet_model("two-layer", D, H, C, std=std)
