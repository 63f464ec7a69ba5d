"""Loss, gradients and scores of both models against `reference`, for every remainder of every size.

Letters: N rows, D inputs, H hidden units, C classes.
"""

import itertools

import numpy as np
import pytest
from against_reference import DTYPES, KINDS, TOLERANCE, draw_case, error, worst_error

REG = 0.3

# Around the sizes at which the engine cuts something: register tiles and cache lines (all remainders), groups
# and panels of features, slices of features, blocks of 256 rows.
ROWS = [*range(8, 15), *range(255, 260), 513]
INPUTS = [*range(1, 51), *range(127, 132), *range(511, 516)]
HIDDEN = [*range(1, 51)]
CLASSES = [*range(2, 21), 33]


def every_value_of_each():
    """As many (N, D, H, C) as INPUTS, the longest list, has: each list comes up whole, in any order."""
    rng = np.random.default_rng(0)
    columns = [itertools.cycle(rng.permutation(values).tolist()) for values in (ROWS, INPUTS, HIDDEN, CLASSES)]
    return list(itertools.islice(zip(*columns, strict=True), len(INPUTS)))


# Fewer rows may have tiles of their own for each width, compiled anew for each: all are seen with a single
# line of columns (8 numbers in float64), and one with several.
FEW_ROWS = [(1, 1, 1, 2), (1, 50, 7, 3), (1, 515, 8, 8), (2, 131, 5, 7), (3, 512, 6, 5)]
FEW_ROWS += [(4, 127, 8, 4), (5, 35, 3, 8), (6, 20, 1, 2), (7, 129, 2, 6)]
WIDE_ROW = (1, 131, 41, 20)
SIZES = FEW_ROWS + every_value_of_each()
CASES = [(dtype, sizes) for dtype in DTYPES for sizes in SIZES] + [(np.float32, WIDE_ROW)]


def test_every_value_of_each_size_comes_up():
    for found, values in zip(zip(*SIZES, strict=True), (ROWS, INPUTS, HIDDEN, CLASSES), strict=True):
        assert set(found) >= set(values)


def label(value):
    return "-".join(map(str, value)) if isinstance(value, tuple) else value.__name__


@pytest.mark.parametrize(("dtype", "sizes"), CASES, ids=label)
@pytest.mark.parametrize("kind", KINDS)
def test_loss_and_gradients_are_those_of_the_reference(kind, dtype, sizes):
    case = draw_case(kind, *sizes, dtype)
    loss, grads = case.model.loss(case.X, case.y, reg=REG)
    expected_loss, expected = case.reference.loss(case.X64, case.y, REG)
    assert isinstance(loss, float)
    assert error(loss, expected_loss) < TOLERANCE[dtype]
    assert worst_error(grads, expected) < TOLERANCE[dtype]
    assert {grad.dtype for grad in grads.values()} == {np.dtype(dtype)}


@pytest.mark.parametrize("sizes", every_value_of_each(), ids=label)
@pytest.mark.parametrize("kind", KINDS)
def test_scores_are_those_of_the_reference(kind, sizes):
    case = draw_case(kind, *sizes, np.float32)
    scores = case.model.loss(case.X)
    assert scores.dtype == np.float32
    assert error(scores, case.reference.loss(case.X64)) < TOLERANCE[np.float32]


@pytest.mark.parametrize("factor", [0.0, 0.99, 1.01, -1.0, np.nan])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("kind", "name"),
    [("linear", "W"), ("linear", "b")] + [("two-layer", name) for name in ("W1", "b1", "W2", "b2")],
)
def test_the_comparison_itself_sees_zeros_and_one_percent(kind, name, dtype, factor):
    case = draw_case(kind, 13, 50, 21, 10, dtype)
    _, grads = case.model.loss(case.X, case.y, REG)
    _, expected = case.reference.loss(case.X64, case.y, REG)
    assert worst_error(grads, expected) < TOLERANCE[dtype]
    grads[name] *= factor
    assert not worst_error(grads, expected) < 5e-3


@pytest.mark.parametrize("kind", KINDS)
def test_regularization_adds_half_the_squares_and_no_bias(kind):
    case = draw_case(kind, 13, 50, 21, 10, np.float64)
    plain, plain_grads = case.model.loss(case.X, case.y)
    loss, grads = case.model.loss(case.X, case.y, reg=2.0)
    weights = {name: value for name, value in case.model.params.items() if name.startswith("W")}
    assert loss - plain == pytest.approx(sum((value**2).sum() for value in weights.values()), rel=1e-12)
    for name in grads:
        added = grads[name] - plain_grads[name]
        np.testing.assert_allclose(added, 2.0 * weights[name] if name in weights else 0.0, atol=1e-13)


@pytest.mark.parametrize("kind", KINDS)
def test_each_call_stands_for_itself(kind):
    case = draw_case(kind, 13, 50, 21, 10, np.float64)
    loss, grads = case.model.loss(case.X, case.y, REG)
    kept = {name: grad.copy() for name, grad in grads.items()}
    params = {name: value.copy() for name, value in case.model.params.items()}
    case.model.loss(2 * case.X, case.y, 1.0)
    again, _ = case.model.loss(case.X, case.y, REG)
    assert again == loss
    for name in grads:
        np.testing.assert_array_equal(grads[name], kept[name])
        np.testing.assert_array_equal(case.model.params[name], params[name])


def test_a_hidden_unit_at_zero_passes_no_gradient():
    case = draw_case("two-layer", 5, 3, 8, 3, np.float64)
    case.model.params["W1"][:, 2] = 0.0
    case.model.params["b1"][2] = 0.0
    _, grads = case.model.loss(case.X, case.y)
    np.testing.assert_array_equal(grads["W1"][:, 2], 0.0)
    assert grads["b1"][2] == 0.0
    assert grads["b1"].any()
