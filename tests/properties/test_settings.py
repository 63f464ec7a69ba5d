"""Every setting of every public class, given anything: what it means, or ValueError."""

import inspect

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastnet
from fastnet import images, schedules
from fastnet.searching.grid import check_grid
from reference import schedules as formulas
from tests.properties.strategies import ANYTHING

D, H, C = 6, 5, 3
X = np.random.default_rng(0).standard_normal((20, D)).astype(np.float32)
Y = np.random.default_rng(1).integers(0, C, 20)
PIXELS = np.random.default_rng(2).integers(0, 256, (20, 12), dtype=np.uint8)

CLASSES = {
    "Momentum": (fastnet.Momentum, {}),
    "Adam": (fastnet.Adam, {}),
    "EarlyStopping": (fastnet.EarlyStopping, {}),
    "LogUniform": (fastnet.LogUniform, {"low": 1e-3, "high": 1.0}),
    "Clock": (schedules.Clock, {"seconds": 1.0}),
    "TwoLayerNet": (fastnet.TwoLayerNet, {"input_size": D, "hidden_size": H, "output_size": C}),
    "SoftmaxClassifier": (fastnet.SoftmaxClassifier, {"input_size": D, "output_size": C}),
    **{name: (getattr(schedules, name), {}) for name in ("Constant", "EpochDecay", "StepDecay", "Linear", "Cosine")},
}
RATES = np.array([0.0, 1e-3, 0.5])


def settings_of(function):
    return [name for name in inspect.signature(function).parameters if name != "self"]


def usable(made):
    """It does what such a thing is for, in finite numbers."""
    if isinstance(made, (fastnet.Momentum, fastnet.Adam)):
        with np.errstate(under="ignore", over="ignore"):
            found = made.coefficients(RATES, 0)
        assert found.dtype == np.float64
        assert not np.isnan(found).any()
    elif isinstance(made, (schedules.Constant, schedules.Clock)):
        rates = schedules.rates(made, 0.1, 40, 4, 1e30)(np.arange(40))
        assert rates.shape == (40,)
        assert ((rates >= 0) & (rates <= 1e30)).all()
        formula = expected(made)
        if formula is not None:
            wanted = [0.1 * min(formula(k), 1e30) for k in range(40)]
            np.testing.assert_allclose(rates, wanted, rtol=1e-9, atol=1e-12)
    elif isinstance(made, fastnet.LogUniform):
        assert made.low * 0.99 <= made.draw(np.random.default_rng(0)) <= made.high * 1.01 or made.integer
    elif isinstance(made, (fastnet.TwoLayerNet, fastnet.SoftmaxClassifier)):
        assert made.predict(np.zeros((20, made.input_size), np.float32)).shape == (20,)
    else:
        assert made.patience >= 1
        assert made.min_delta >= 0


def expected(made):
    """The reference's factor at an iteration of 40, 4 to an epoch."""
    warm = round(made.warmup * 40) if isinstance(made, schedules.Constant) else 0
    match made:
        case schedules.EpochDecay():
            return lambda k: large(lambda: formulas.epoch_decay(k, warm, 4, made.factor))
        case schedules.StepDecay():
            return lambda k: large(lambda: formulas.step_decay(k, 40, warm, made.at, made.factor))
        case schedules.Linear():
            return lambda k: formulas.linear(k, 40, warm)
        case schedules.Cosine():
            return lambda k: formulas.cosine(k, 40, warm)
    return None


def large(formula):
    try:
        return formula()
    except OverflowError:
        return np.inf


SETTINGS = [(name, setting) for name, (make, _) in CLASSES.items() for setting in settings_of(make)]


@pytest.mark.parametrize(("name", "setting"), SETTINGS)
@given(value=ANYTHING)
def test_a_class_takes_what_it_can_use(name, setting, value):
    make, others = CLASSES[name]
    if setting in ("input_size", "hidden_size", "output_size") and isinstance(value, int) and value > 9:
        value = 2**70  # more than there can be; less may be as much as there is
    try:
        made = make(**{**others, setting: value})
    except ValueError:
        return
    usable(made)


OF_TRAIN = [name for name in settings_of(fastnet.TwoLayerNet.train) if name not in ("X", "y", "checkpoint", "resume")]


@pytest.mark.parametrize("setting", OF_TRAIN)
@given(value=ANYTHING)
def test_train_takes_what_it_can_use(setting, value):
    """Up to the first step: no other batch than the usual one is compiled for."""
    net = fastnet.TwoLayerNet(D, H, C, std=0.1, seed=0)
    before = {name: array.copy() for name, array in net.params.items()}
    arguments = {"num_iters": 0, "batch_size": 5, setting: None if callable(value) else value}
    if setting in ("X_val", "y_val"):
        arguments = {"X_val": X, "y_val": Y, **arguments}
    if setting == "num_iters" and isinstance(value, (int, np.integer)) and value > 9:
        arguments["num_iters"] = 2**70
    try:
        net.train(X, Y, **arguments)
    except ValueError:
        assert all(np.array_equal(array, before[name]) for name, array in net.params.items())


@given(value=ANYTHING, setting=st.sampled_from(("components", "epsilon", "image_shape", "rows", "seed", "X")))
def test_whitening(value, setting):
    arguments = {"X": PIXELS, "components": 3, setting: value}
    try:
        found = fastnet.Whitening.fit(**arguments)
    except ValueError:
        return
    assert np.isfinite(found.matrix).all()


@given(value=ANYTHING, other=ANYTHING)
def test_views_of_images(value, other):
    for arguments in (
        {"image_shape": value, "views": [images.View()]},
        {"image_shape": (3, 2, 2), "views": value},
        {"image_shape": (3, 2, 2), "views": [images.View(value, other)]},
        {"image_shape": (3, 2, 2), "views": [images.View(0, 0, value)]},
    ):
        try:
            found = images.copies(PIXELS, **arguments)
        except ValueError:
            continue
        assert found.shape[1] == 12
        assert len(found) % 20 == 0


@given(value=ANYTHING)
def test_grids_of_a_search(value):
    for grid in (value, {"reg": value}, {"reg": [value]}):
        try:
            found = check_grid(grid, ())
        except ValueError:
            continue
        assert found


@given(value=ANYTHING, name=st.sampled_from(("label_names", "feature_names", "image_shape", "normalization", "params")))
def test_attributes_of_a_model(value, name):
    net = fastnet.SoftmaxClassifier(D, C)
    try:
        setattr(net, name, value)
        net.train(X, Y, num_iters=0)
    except ValueError:
        return
    assert value is None or name in ("label_names", "feature_names", "image_shape")
