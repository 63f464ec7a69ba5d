"""exp and log of lines against higher precision, over the whole range and at its edges."""

import mpmath
import numpy as np
import pytest

from fastnet.engine.compilation import kernel
from fastnet.engine.emitting import elementary
from fastnet.engine.emitting.arrays import Matrix
from fastnet.engine.emitting.lines import load, store

WIDER = {np.float32: np.float64, np.float64: np.longdouble}
needs_wider = pytest.mark.skipif(
    np.finfo(np.longdouble).eps >= np.finfo(np.float64).eps,
    reason="longdouble is no wider than float64 on this platform; the mpmath tests cover it",
)


@kernel.program
def exp_lines(x, y):
    for i in range(x.rows):
        store(y, i, 0, elementary.exp(load(x, i, 0)))


@kernel.program
def log_lines(x, y):
    for i in range(x.rows):
        store(y, i, 0, elementary.log(load(x, i, 0)))


def apply(program, values):
    """program of each value, through arrays of whole lines."""
    lanes = 64 // values.itemsize
    padded = np.ones(-(-len(values) // lanes) * lanes, values.dtype)
    padded[: len(values)] = values
    out = np.full_like(padded, np.nan)
    program(Matrix(padded.reshape(-1, lanes)), Matrix(out.reshape(-1, lanes)))
    return out[: len(values)]


def ulps(found, exact, dtype):
    """The error in units in the last place of the exact result, those of subnormal numbers included."""
    unit = np.spacing(np.abs(exact).astype(dtype)).astype(exact.dtype)
    return np.abs(found.astype(exact.dtype) - exact) / unit


def all_exponents(dtype, rng, count):
    """Positive finite numbers of every magnitude: random bit patterns."""
    integer = np.int32 if dtype == np.float32 else np.int64
    top = np.array(np.inf, dtype).view(integer)
    return rng.integers(1, int(top), count, dtype=integer).view(dtype)


@pytest.mark.parametrize("dtype", [pytest.param(np.float32), pytest.param(np.float64, marks=needs_wider)])
def test_exp_is_within_one_ulp(dtype, rng):
    lowest, highest = (-104.0, 88.72) if dtype == np.float32 else (-745.2, 709.78)
    x = np.concatenate([rng.uniform(lowest, highest, 200_000), rng.uniform(-1, 1, 100_000)]).astype(dtype)
    exact = np.exp(x.astype(WIDER[dtype]))
    assert ulps(apply(exp_lines, x), exact, dtype).max() < 1


@pytest.mark.parametrize("dtype", [pytest.param(np.float32), pytest.param(np.float64, marks=needs_wider)])
def test_log_is_within_one_ulp(dtype, rng):
    x = np.concatenate([all_exponents(dtype, rng, 200_000), rng.uniform(0.5, 2, 200_000).astype(dtype)])
    exact = np.log(x.astype(WIDER[dtype]))
    assert ulps(apply(log_lines, x), exact, dtype)[exact != 0].max() < 1


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("program", "function"), [(exp_lines, mpmath.exp), (log_lines, mpmath.log)])
def test_against_mpmath(program, function, dtype, rng):
    x = rng.uniform(-80, 80, 400).astype(dtype)
    x = np.abs(x) + dtype(1e-3) if program is log_lines else x
    with mpmath.workprec(200):
        exact = [function(mpmath.mpf(float(v))) for v in x]
        errors = [
            abs(mpmath.mpf(float(f)) - e) / float(np.spacing(dtype(abs(float(e)))))
            for f, e in zip(apply(program, x), exact, strict=True)
        ]
    assert max(errors) < 1


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_edges(dtype):
    tiny = np.finfo(dtype).smallest_subnormal
    x = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, -1e30], dtype)
    np.testing.assert_array_equal(apply(exp_lines, x), np.array([1, 1, np.inf, 0, np.nan, 0], dtype))
    x = np.array([1.0, 0.0, -0.0, np.inf, -1.0, np.nan, -np.inf], dtype)
    expected = np.array([0, -np.inf, -np.inf, np.inf, np.nan, np.nan, np.nan], dtype)
    np.testing.assert_array_equal(apply(log_lines, x), expected)
    # log(tiny) rounded to dtype from float64, in which it is exact enough
    assert apply(log_lines, np.array([tiny]))[0] == pytest.approx(np.log(float(tiny)), rel=float(np.finfo(dtype).eps))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_exp_underflows_gradually_and_overflows_to_infinity(dtype):
    info = np.finfo(dtype)
    lowest, highest = np.log(float(info.smallest_subnormal)), np.log(float(info.max))
    x = np.array([lowest + 0.5, lowest - 1.0, highest * 0.9999999, highest + 0.1], dtype)
    y = apply(exp_lines, x)
    assert 0 < y[0] < info.tiny
    assert y[1] == 0
    assert np.isfinite(y[2])
    assert np.isinf(y[3])
