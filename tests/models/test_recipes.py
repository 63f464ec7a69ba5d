"""Recipes on small synthetic images: what they learn, leave and refuse, and how they keep a budget."""

import time
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

import fastnet
from fastnet import batches, images, recipes, schedules, training
from fastnet.recipes import Settings

SHAPE = (1, 8, 8)
TINY = Settings(
    hidden_size=16,
    batch_size=40,
    learning_rate=0.05,
    reg=1e-3,
    epochs=20,
    shifts=((0, 0), (1, 0), (0, -1)),
    components=20,
)


def pictures(rows, seed=0):
    """A bright bar, flat or upright by its label, somewhere on noise."""
    rng = np.random.default_rng(seed)
    X = rng.integers(0, 120, (rows, *SHAPE), dtype=np.uint8)
    y = rng.integers(0, 2, rows)
    for image, label, place in zip(X, y, rng.integers(1, 7, rows), strict=True):
        bar = image[0] if label else image[0].T
        bar[place, 1:7] += 120
    return X.reshape(rows, -1), y


@pytest.fixture(scope="module")
def trained():
    X, y = pictures(600)
    return recipes.train(X, y, SHAPE, *pictures(300, seed=1), settings=TINY)


def test_it_learns_and_leaves_a_plain_net_on_raw_rows(trained, tmp_path):
    X, y = pictures(300, seed=1)
    net = trained.net
    assert type(net) is fastnet.TwoLayerNet
    assert (net.input_size, net.image_shape, net.matmul_precision) == (64, SHAPE, "highest")
    accuracy = np.mean(net.predict(X) == y)
    assert accuracy > 0.95
    assert abs(accuracy - trained.history["val_acc_history"][-1]) < 0.02  # of codes, which are rounded
    assert np.mean(net.predict(X, views=images.views(TINY.shifts)) == y) > 0.95
    net.save(tmp_path / "net.npz")
    np.testing.assert_array_equal(fastnet.load(tmp_path / "net.npz").loss(X), net.loss(X))


def test_all_views_are_trained_on_for_as_many_images_as_epochs_say(trained):
    assert len(trained.history["loss_history"]) == 20 * 600 // 40
    assert len(trained.history["val_acc_history"]) == 20 // 6  # times through all six views
    assert set(trained.seconds) == {"compilation", "whitening", "projection", "training", "folding"}
    assert trained.total == pytest.approx(sum(trained.seconds.values()) - trained.seconds["compilation"])


def test_the_same_seed_gives_the_same_bits_and_another_does_not(trained):
    X, y = pictures(600)
    same, other = (recipes.train(X, y, SHAPE, settings=TINY, seed=seed) for seed in (0, 1))
    np.testing.assert_array_equal(same.net.params["W1"], trained.net.params["W1"])
    assert np.abs(other.net.params["W2"] - trained.net.params["W2"]).max() > 0.01


def test_codes_are_those_of_every_view():
    X, y = pictures(50)
    given = recipes._Given.checked(X, y, SHAPE, None, None, None)
    whitening = fastnet.Whitening.fit(X, 20, image_shape=SHAPE)
    codes = recipes._codes(whitening, given, TINY, None, None)
    of_copies = whitening.transform(images.copies(X, SHAPE, images.views(TINY.shifts)), np.uint8)
    difference = np.abs(codes.reshape(-1, 20).astype(int) - of_copies)
    assert difference.max() <= 1
    assert difference.mean() < 0.01  # both round


def test_views_that_are_not_ready_in_time_are_left_out():
    X, y = pictures(50)
    given = recipes._Given.checked(X, y, SHAPE, None, None, None)
    whitening = fastnet.Whitening.fit(X, 20, image_shape=SHAPE)
    assert recipes._codes(whitening, given, TINY, time.perf_counter() - 1, None).shape == (2, 50, 20)
    assert recipes._codes(whitening, given, TINY, time.perf_counter() + 1e6, None).shape == (6, 50, 20)


def test_a_budget_trains_to_the_end_of_the_schedule_however_slow_the_preparation(monkeypatch):
    """By a clock of its own: the preparation takes all of the budget, a stretch of training a fiftieth."""
    X, y = pictures(600)
    now, clocks, rates, seen = [0.0], [], [], []
    for module in (recipes, schedules):
        monkeypatch.setattr(module, "time", SimpleNamespace(perf_counter=lambda: now[0]))
    fit, factors = fastnet.Whitening.fit, schedules.Clock.factors

    def slow_fit(*given, **options):
        now[0] += 2.0
        return fit(*given, **options)

    def told_factors(clock, *given):
        if not clocks:
            object.__setattr__(clock, "started", now[0])
        clocks.append(clock)
        rates.append(factors(clock, *given))
        now[0] += 0.04
        return rates[-1]

    monkeypatch.setattr(fastnet.Whitening, "fit", slow_fit)
    monkeypatch.setattr(schedules.Clock, "factors", told_factors)
    found = recipes.train(X, y, SHAPE, settings=TINY, seconds=2.0, callback=seen.append)
    assert {clock.seconds for clock in clocks} == {1.0}  # half of the budget, though it was over before
    assert found.seconds["training"] == pytest.approx(1.0)
    assert sum(map(len, rates)) == len(found.history["loss_history"])
    starts = [float(stretch[0]) for stretch in rates]
    assert max(starts) > 0.99
    assert starts[-1] < 0.01
    assert all(progress.num_iters >= progress.iteration for progress in seen)
    assert seen[-1].num_iters == seen[-1].iteration


def test_an_ending_too_short_for_a_step_is_none():
    assert replace(TINY, ending=1e-17).sampling(10) == "shuffle"


def test_the_ending_sees_the_images_of_the_first_shift_alone(monkeypatch):
    X, y = pictures(600)
    seen, endings, Narrowing = [], [], batches.Narrowing

    class Watched(Narrowing):
        def take(self, count):
            drawn = super().take(count)
            endings.append(self._ending)
            seen.extend(drawn.rows.max(axis=1))
            return drawn

    monkeypatch.setattr(batches, "Narrowing", Watched)
    recipes.train(X, y, SHAPE, settings=replace(TINY, ending=0.25))
    assert max(seen[225:]) < 2 * 600 <= min(seen[:225])  # of 300 steps on three shifts, each mirrored
    seen.clear()
    recipes.train(X, y, SHAPE, settings=replace(TINY, ending=0.0))
    assert seen == []
    recipes.train(X, y, SHAPE, settings=replace(TINY, ending=0.25), seconds=0.5)
    assert (endings[-1].rows, endings[-1].after) == (2 * 600, 0.75)
    assert isinstance(endings[-1].clock, schedules.Clock)


def test_fast_and_best_are_their_settings(monkeypatch):
    X, y = pictures(60)
    for settings in (recipes.FAST, recipes.BEST):
        assert settings.shifts[0] == (0, 0)  # the images as they are, for the ending
    monkeypatch.setattr(recipes, "FAST", replace(TINY, epochs=1))
    monkeypatch.setattr(recipes, "BEST", replace(TINY, epochs=2))
    assert len(recipes.fast(X, y, SHAPE).history["loss_history"]) == 1
    assert len(recipes.best(X, y, SHAPE).history["loss_history"]) == 3
    assert len(recipes.best(X, y, SHAPE, epochs=4).history["loss_history"]) == 6
    assert recipes.fast(X, y, SHAPE, num_classes=7).net.output_size == 7


def test_lab_is_the_models_own_training():
    X, y = pictures(600)
    found = recipes.lab(X, y, epochs=2, seed=3)
    net = fastnet.TwoLayerNet(64, 80, 2, seed=3)
    net.normalization = fastnet.Normalization.fit(X)
    net.train(X, y, num_iters=6)
    np.testing.assert_array_equal(found.net.params["W1"], net.params["W1"])


def test_fewer_images_than_components_and_batches_will_do():
    X, y = pictures(7)
    assert recipes.train(X, y, SHAPE, settings=TINY, epochs=2).net.input_size == 64


X, y = pictures(30)


@pytest.mark.parametrize(
    ("given", "options", "message"),
    [
        ((X / 255, y, SHAPE), {}, "X is float64 of shape .*, expected images: uint8 rows"),
        ((X, y, (1, 8, 9)), {}, "expected a product of 64"),
        ((X, y, None), {}, "image_shape is None"),
        ((X, y[1:], SHAPE), {}, "y has 29 labels for 30 rows"),
        ((X, y * 1.0, SHAPE), {}, "y has dtype float64"),
        ((X, y, SHAPE), {"settings": replace(TINY, shifts=((0, 8),))}, "shift right is 8"),
        ((X, y, SHAPE), {"settings": "best"}, "settings is 'best', expected a fastnet.recipes.Settings"),
        ((X, y, SHAPE), {"whitening": 3}, "whitening is 3, expected a Whitening of 64 features"),
        ((X, y, SHAPE), {"whitening": fastnet.Whitening.fit(X[:, :32], 3)}, "expected a Whitening of 64 features"),
        ((X, y, SHAPE), {"seconds": 0}, "seconds is 0"),
        ((X, y, SHAPE), {"seconds": 1e-9}, "a step alone takes .* expected at least"),
        ((X, y, SHAPE), {"seconds": 1, "epochs": 1}, "expected one of them"),
        ((X, y, SHAPE), {"epochs": 0}, "epochs is 0"),
        ((X, y, SHAPE, X, None), {}, "X_val and y_val go together"),
        ((X, y, SHAPE, X / 255, y), {}, "X_val is float64"),
        ((X, y, SHAPE), {"whitening": fastnet.Whitening.fit(X, 3)}, "the whitening knows no mirror images"),
    ],
)
def test_what_does_not_fit_is_told(given, options, message):
    with pytest.raises(ValueError, match=message):
        recipes.train(*given, **{"settings": TINY} | options)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hidden_size": 0}, "hidden_size is 0"),
        ({"batch_size": None}, "batch_size is None"),
        ({"components": "all"}, "components is 'all'"),
        ({"epochs": 1.5}, "epochs is 1.5"),
        ({"learning_rate": np.nan}, "learning_rate is nan"),
        ({"epsilon": -1}, "epsilon is -1"),
        ({"momentum": 1}, "momentum is 1"),
        ({"ending": 1}, "ending is 1"),
        ({"mirrored": None}, "mirrored is None"),
        ({"shifts": ()}, "shifts is empty"),
        ({"shifts": (0, 1)}, r"shifts is \(0, 1\), expected pairs"),
        ({"shifts": None}, "shifts is None, expected pairs"),
        ({"schedule": "cosine"}, "schedule is 'cosine', expected one of fastnet.schedules"),
    ],
)
def test_settings_that_cannot_be_are_told(changes, message):
    with pytest.raises(ValueError, match=message):
        replace(TINY, **changes)


def test_a_clock_ends_training_and_knows_no_epochs():
    X, y = pictures(40)
    net = fastnet.TwoLayerNet(64, 16, 2, std=0.1, seed=0)
    clock = schedules.Clock(0.2, schedules.Linear())
    history = net.train(X / 255, y, num_iters=10**6, batch_size=40, schedule=clock)
    assert 0 < len(history["loss_history"]) < 10**6
    assert clock.passed() >= 1
    assert clock.factors(np.arange(5, 8), 10**9, 1).tolist() == [0, 0, 0]
    with pytest.raises(ValueError, match="that knows no epochs"):
        schedules.Clock(1, schedules.EpochDecay())
    with pytest.raises(ValueError, match="seconds is -1"):
        schedules.Clock(-1)


def test_a_callback_of_a_budget_is_called_when_it_asks_to_be():
    class Often:
        every_epoch = False

        def steps_to_call(self, done):
            return 1

        def __call__(self, progress):
            return progress.num_iters

    clock = fastnet.schedules.Clock(1e9)
    told = recipes._expecting(Often(), clock)
    assert isinstance(told, training.Punctual)
    assert (told.steps_to_call(7), told.every_epoch) == (1, False)
    assert told(training.Progress(3, 10**12, 0, 1.0, 1.0, None)) >= 3
    plain = recipes._expecting(lambda progress: None, clock)
    assert not isinstance(plain, training.Punctual)
    assert recipes._expecting(None, clock) is None
