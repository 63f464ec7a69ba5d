"""The same seed draws the same weights and the same mini-batches as in `reference`."""

import numpy as np
import pytest
from against_reference import DTYPES, KINDS, fastnet_model, reference_model, worst_error

from fastnet.batches import Ending, batches_of
from fastnet.schedules import Clock

D, H, C = 11, 9, 4
DATA = np.random.default_rng(0).standard_normal((70, D)), np.random.default_rng(1).integers(0, C, 70)

SAMPLING = [
    {"sampling": "replacement", "batch_size": 20},
    {"sampling": "replacement", "batch_size": 100},  # more than there are rows
    {"sampling": "shuffle", "batch_size": 20},  # 10 rows of each epoch left over
    {"sampling": "shuffle", "batch_size": 70},
    {"batch_size": None},
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", KINDS)
def test_seed_gives_the_references_weights(kind, dtype):
    for seed in (0, 12345):
        model = fastnet_model(kind, D, H, C, std=0.1, dtype=dtype, seed=seed)
        expected = reference_model(kind, D, H, C, std=0.1, seed=seed)
        for name, value in expected.params.items():
            np.testing.assert_array_equal(model.params[name], value.astype(dtype), strict=True)


@pytest.mark.parametrize("options", SAMPLING, ids=lambda options: "-".join(map(str, options.values())))
@pytest.mark.parametrize("kind", KINDS)
def test_seed_gives_the_references_batches(kind, options):
    model = fastnet_model(kind, D, H, C, std=0.1, dtype=np.float64, seed=2)
    expected = reference_model(kind, D, H, C, std=0.1, seed=2)
    for num_iters in (30, 7):  # the second run draws on where the first stopped
        arguments = {"learning_rate": 0.1, "reg": 1e-3, "num_iters": num_iters, **options}
        history = model.train(*DATA, **arguments)
        expected_history = expected.train(*DATA, **arguments)
        np.testing.assert_allclose(history["loss_history"], expected_history["loss_history"], rtol=1e-10)
        assert worst_error(model.params, expected.params) < 1e-10


def test_dtype_changes_no_batch():
    losses = []
    for dtype in DTYPES:
        model = fastnet_model("linear", D, H, C, dtype=dtype, seed=2)
        losses.append(model.train(DATA[0].astype(dtype), DATA[1], num_iters=30, batch_size=10)["loss_history"])
    np.testing.assert_allclose(*losses, rtol=1e-5)


def test_replayed_batches_are_those_given():
    # Row i alone has loss log(1 + exp(+-x_i)): the history tells which rows were seen, and in which order.
    X, y = np.arange(10.0).reshape(10, 1), np.zeros(10, np.int64)
    model = fastnet_model("linear", 1, 1, 2, std=0.0, dtype=np.float64, seed=0)
    model.params["W"][:] = [[0.0, 1.0]]
    rows = np.random.default_rng(3).integers(0, 10, 50)
    indices = np.repeat(rows.reshape(50, 1), 5, axis=1)
    history = model.train(X, y, indices=indices, learning_rate=0.0, reg=0.0, num_iters=3, batch_size=7)
    np.testing.assert_allclose(history["loss_history"], np.log1p(np.exp(X[rows, 0])), rtol=1e-12)


def test_without_a_seed_every_model_is_another():
    one, other = (fastnet_model("linear", D, H, C, std=0.1) for _ in range(2))
    assert (one.params["W"] != other.params["W"]).any()


def ending(num_iters=20, size=10, **of_ending):
    rng = np.random.default_rng(5)
    return batches_of(rng, 70, num_iters, size, Ending(**{"rows": 30, "after": 0.65} | of_ending), None, None)[0]


def test_an_ending_is_on_the_first_rows_alone_however_many_batches_are_asked_for():
    rows = ending().take(20).rows
    for epoch, length in ((rows[:7], 70), (rows[13:16], 30), (rows[16:19], 30)):
        np.testing.assert_array_equal(np.sort(epoch, axis=None), np.arange(length))
    assert rows[12].max() >= 30  # after 13 iterations, and not before
    stretches = ending()
    np.testing.assert_array_equal(np.concatenate([stretches.take(count).rows for count in (1, 11, 3, 5)]), rows)


def test_an_ending_by_the_clock_begins_when_its_time_has_come(monkeypatch):
    moments = iter([0.0, 0.64, 0.65, 2.0])
    monkeypatch.setattr(Clock, "passed", lambda clock: next(moments))
    batches = ending(10**12, clock=Clock(1))
    assert [bool(batches.take(14).rows.max() < 30) for _ in range(4)] == [False, False, True, True]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sampling": Ending(71, 0.5)}, "ends with 71 rows, expected at most the 70 of X"),
        ({"sampling": Ending(9, 0.5)}, "batch_size is 10, expected at most the 9 rows"),
        ({"sampling": Ending(20, 0.5), "batch_size": None}, "batch_size is None"),
        ({"sampling": Ending(20, 0.5), "sample_weight": np.ones(70)}, "sampling is an Ending"),
    ],
)
def test_an_ending_that_does_not_fit_is_told(options, message):
    with pytest.raises(ValueError, match=message):
        fastnet_model("linear", D, H, C).train(*DATA, **{"batch_size": 10} | options)


@pytest.mark.parametrize(("rows", "after"), [(0, 0.5), (1.5, 0.5), (5, 1), (5, -0.1), (5, None)])
def test_an_ending_is_of_rows_and_a_fraction(rows, after):
    with pytest.raises(ValueError, match=r"(rows|after) is"):
        Ending(rows, after)


def test_the_clock_of_an_ending_is_a_clock():
    with pytest.raises(ValueError, match=r"clock is 5, expected a fastnet\.schedules\.Clock"):
        Ending(5, 0.5, clock=5)
