"""The softmax loss where naive formulas overflow, and where there is nothing left to compute."""

import numpy as np
import pytest
from against_reference import (
    DTYPES,
    KINDS,
    TOLERANCE,
    draw_case,
    error,
    fastnet_model,
    in_reference,
    worst_error,
)


def last_bias(model):
    return list(model.params.values())[-1]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("C", [2, 3, 10])
@pytest.mark.parametrize("kind", KINDS)
def test_loss_of_tiny_weights_is_log_C(kind, C, dtype):
    rng = np.random.default_rng(0)
    X, y = rng.uniform(-1, 1, (50, 20)).astype(dtype), rng.integers(0, C, 50)
    model = fastnet_model(kind, 20, 30, C, std=1e-6, dtype=dtype, seed=0)
    assert model.loss(X, y)[0] == pytest.approx(np.log(C), rel=1e-5)
    np.testing.assert_allclose(model.predict_proba(X), 1 / C, rtol=1e-4)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", KINDS)
def test_scores_of_ten_thousand(kind, dtype):
    case = draw_case(kind, 14, 6, 8, 5, dtype)
    last_bias(case.model)[:] = [1e4, -1e4, 0.0, -1e4, 1e4]
    twin = in_reference(case.model)
    loss, grads = case.model.loss(case.X, case.y)
    expected_loss, expected = twin.loss(case.X64, case.y)
    assert error(loss, expected_loss) < TOLERANCE[dtype]
    # Scores are rounded at 1e4 before they are subtracted: to 1e-3 in float32.
    assert worst_error(grads, expected) < {np.float32: 5e-3, np.float64: 1e-10}[dtype]
    probabilities = case.model.predict_proba(case.X)
    assert np.isfinite(probabilities).all()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, rtol=1e-6)


@pytest.mark.parametrize("constant", [1.0, -30.0, 1e3, -1e3])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_constant_added_to_all_scores_of_a_row_changes_nothing(kind, dtype, constant):
    case = draw_case(kind, 14, 6, 8, 5, dtype)
    loss, grads = case.model.loss(case.X, case.y)
    probabilities = case.model.predict_proba(case.X)
    last_bias(case.model)[:] += constant
    shifted_loss, shifted_grads = case.model.loss(case.X, case.y)
    rounding = 20 * max(1.0, abs(constant)) * float(np.finfo(dtype).eps)
    assert shifted_loss == pytest.approx(loss, rel=rounding)
    assert worst_error(shifted_grads, grads) < rounding
    np.testing.assert_allclose(case.model.predict_proba(case.X), probabilities, rtol=rounding)


@pytest.mark.parametrize("score", [1e20, -1e20, 1e35, -1e35])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", KINDS)
def test_equal_scores_however_large_give_log_C(kind, dtype, score):
    case = draw_case(kind, 14, 6, 8, 5, dtype)
    last_bias(case.model)[:] = score
    loss, grads = case.model.loss(case.X, case.y)
    assert loss == pytest.approx(np.log(5.0), rel=1e-6)
    assert grads.popitem()[1].sum() == pytest.approx(0.0, abs=1e-6)


def test_a_class_that_cannot_be_costs_nothing():
    # exp(-1000) is 0 in either type: the loss is that of the two other classes.
    model = fastnet_model("linear", 1, 1, 3, std=0.0, dtype=np.float64)
    model.params["b"][:] = [0.0, 0.0, -1000.0]
    loss, grads = model.loss(np.ones((4, 1)), np.array([0, 1, 0, 1]))
    assert loss == pytest.approx(np.log(2.0), rel=1e-15)
    np.testing.assert_allclose(grads["b"], 0.0, atol=1e-16)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["W1", "b1", "W2", "b2"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_one_weight_that_is_no_number_shows_in_the_loss(dtype, name, value):
    case = draw_case("two-layer", 14, 6, 8, 5, dtype)
    case.model.params["b1"][:] = 10.0  # every unit is on
    case.model.params[name].flat[-1] = value
    with np.errstate(all="ignore"):
        expected, _ = in_reference(case.model).loss(case.X64, case.y)
    loss, _ = case.model.loss(case.X, case.y)
    if np.isfinite(expected):  # a unit switched off for good by a bias of -inf
        assert (name, value) == ("b1", -np.inf)
        assert error(loss, expected) < TOLERANCE[dtype]
    else:
        assert not np.isfinite(loss)
    if np.isnan(value):
        assert np.isnan(loss)
