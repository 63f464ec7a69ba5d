"""Combinations: all, or drawn; their seeds; and what a value is, as text."""

import math
import subprocess
import sys
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest

import fastnet
from fastnet import LogUniform
from fastnet.searching.describing import described
from fastnet.searching.grid import check_grid, make_points


def points(grid, samples=None, seed=0):
    return make_points(check_grid(grid, ()), samples, seed)


def test_all_combinations_the_last_name_fastest():
    assert [p.key for p in points({"a": [1, 2], "b": ["x", "y", "z"]})] == [
        *[(1, "x"), (1, "y"), (1, "z")],
        *[(2, "x"), (2, "y"), (2, "z")],
    ]


def test_numpys_numbers_become_pythons():
    (point,) = points({"rate": np.array([0.5])})
    assert type(point.values["rate"]) is float


def test_log_uniform_is_uniform_in_the_logarithm_and_stays_between_its_bounds():
    rng = np.random.default_rng(0)
    logs = np.log10([LogUniform(1e-4, 1e-1).draw(rng) for _ in range(4000)])
    assert -4 <= logs.min() < -3.99
    assert -1.01 < logs.max() <= -1
    counts, _ = np.histogram(logs, bins=3, range=(-4, -1))
    assert np.all(abs(counts - 4000 / 3) < 120)  # four standard deviations


def test_whole_numbers_are_drawn_where_asked():
    rng = np.random.default_rng(0)
    drawn = {LogUniform(2, 9, integer=True).draw(rng) for _ in range(300)}
    assert drawn == set(range(2, 10))


@pytest.mark.parametrize(("low", "high", "expected"), [(0.3, 2.6, {1, 2}), (2.4, 3.2, {3}), (7.5, 8, {8})])
def test_whole_numbers_stay_between_their_bounds(low, high, expected):
    rng = np.random.default_rng(0)
    assert {LogUniform(low, high, integer=True).draw(rng) for _ in range(100)} == expected
    with pytest.raises(ValueError, match=r"no whole number from 0.2 to 0.8"):
        LogUniform(0.2, 0.8, integer=True)


def test_samples_are_different_and_more_of_them_go_on_where_fewer_ended():
    grid = {"rate": LogUniform(1e-4, 1), "size": [10, 20, 30], "units": LogUniform(4, 6, integer=True)}
    few, many = points(grid, samples=5), points(grid, samples=12)
    assert [p.key for p in few] == [p.key for p in many][:5]
    assert len({p.key for p in many}) == 12
    assert [p.key for p in few] != [p.key for p in points(grid, samples=5, seed=1)]


def test_every_combination_is_drawn_where_as_many_are_asked_for():
    grid = {"a": [1, 2, 3], "b": [1, 2]}
    assert {p.key for p in points(grid, samples=6)} == {p.key for p in points(grid)}


def test_a_seed_follows_from_the_values_alone_in_every_process():
    here = [p.seed for p in points({"a": [0.1, 0.2], "b": [3]})]
    assert [p.seed for p in points({"a": [0.2, 0.1], "b": [3]})] == here[::-1]
    assert [p.seed for p in points({"b": [3], "a": [0.1, 0.2]})] == here
    assert len(set(here)) == 2
    code = """
from fastnet.searching.grid import make_points
print([p.seed for p in make_points({"a": [0.1, 0.2], "b": [3]}, None, 0)])
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert result.stdout.strip() == str(here)


def scaled(factor):
    return lambda x: factor * x


DIFFERENT = [
    1,
    1.5,
    True,
    "1",
    None,
    [1, 2],
    {"a": 1},
    np.float32,
    np.float64,
    fastnet.Adam(),
    fastnet.Adam(beta1=0.8),
    fastnet.Momentum(),
    np.arange(3),
    np.arange(3.0),
    np.arange(4),
    partial(int, base=2),
    partial(int, base=3),
    scaled(2),
    scaled(3),
    lambda x: x + 1,
    lambda x: x + 2,
    math.inf,
    complex(1, 2),
    complex(1, 3),
]


def test_different_values_have_different_descriptions():
    assert len({repr(described(value)) for value in DIFFERENT}) == len(DIFFERENT)


def of_module(**names):
    """A function of a module with these names."""
    exec("def function(x):\n    return [helper(x) * PACE for _ in x]", names)
    return names["function"]


def test_functions_are_told_apart_by_what_their_module_holds():
    """A journal must not go on when the number above the schedule has been edited."""
    helper, other = (lambda x: x), (lambda x: -x)
    one = described(of_module(PACE=0.5, helper=helper, UNUSED=1))
    assert one == described(of_module(PACE=0.5, helper=helper, UNUSED=2))
    others = [{"PACE": 0.6, "helper": helper}, {"PACE": 0.5, "helper": other}, {"PACE": np.arange(2), "helper": helper}]
    assert len({repr(value) for value in [one, *(described(of_module(**names)) for names in others)]}) == 4


def test_a_description_is_the_same_in_another_process():
    """Strings hash differently there, which the order of a set shows."""
    code = """
import numpy as np, fastnet
from fastnet.searching.describing import described
functions = [lambda x: x in {"a", "b", "c", "d"}, lambda x: lambda y: x + y]
print(described([functions, fastnet.Adam(), np.arange(5), np.float32, complex(1, 2)]))
"""
    runs = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
        for _ in range(2)
    ]
    assert runs[0].stdout == runs[1].stdout != ""


def test_an_object_without_a_lasting_description_is_refused():
    with pytest.raises(ValueError, match="cannot be told from others"):
        described(number for number in [1])


def test_what_is_drawn_stays_between_its_bounds_though_logarithms_are_rounded():
    """exp(log(x)) may be the number before x, or the one behind it."""
    bounds = next((x, np.nextafter(x, 9)) for x in 0.1 * np.arange(1, 90) if not x <= math.exp(math.log(x)))
    ends = SimpleNamespace(uniform=lambda low, high: low)
    assert LogUniform(*bounds).draw(ends) == bounds[0]
