"""The heat map of a search: that it shows what it is given."""

from dataclasses import replace
from functools import partial
from itertools import product

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

from fastnet import plots
from fastnet.searching import Search
from fastnet.searching.grid import Point
from fastnet.searching.trial import Row


def search(accuracies, **choices):
    """Of all combinations, with these validation accuracies in their order; None for one that diverged."""
    points = [dict(zip(choices, values, strict=True)) for values in product(*choices.values())]
    rows = [Row("done", val_accuracy=a) if a is not None else Row("diverged") for a in accuracies]
    finished = tuple((Point(k, p, "", 0), row) for k, (p, row) in enumerate(zip(points, rows, strict=True)))
    best = None if accuracies[0] is None else points[int(np.nanargmax(np.array(accuracies, float)))]
    return Search(finished, "val_accuracy", None, None, 0.0, best)


TWO = partial(search, learning_rate=[1e-4, 1e-3], reg=[0.05, 0.25, 0.5])


def texts(axes):
    return [text.get_text() for text in axes.texts]


def test_a_square_for_each_combination_with_its_accuracy():
    axes = plots.search_map(TWO([0.1, 0.2, 0.3, 0.4, 0.53, 0.5])).axes[0]
    np.testing.assert_array_equal(axes.images[0].get_array(), [[0.1, 0.2, 0.3], [0.4, 0.53, 0.5]])
    assert texts(axes) == ["0.100", "0.200", "0.300", "0.400", "0.530", "0.500"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["0.0001", "0.001"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["0.05", "0.25", "0.5"]
    assert (axes.get_ylabel(), axes.get_xlabel()) == ("learning_rate", "reg")


def test_the_best_is_framed():
    axes = plots.search_map(TWO([0.1, 0.2, 0.3, 0.4, 0.53, 0.5])).axes[0]
    (frame,) = axes.patches
    assert frame.get_xy() == (0.5, 0.5)  # around the second column of the second row


def test_the_best_is_the_searchs_own_word():
    """By loss, or of nets that were trained to the end, it may not be the most accurate one."""
    found = replace(TWO([0.1, 0.2, 0.3, 0.4, 0.53, 0.5]), best_point={"learning_rate": 1e-4, "reg": 0.25})
    assert plots.search_map(found).axes[0].patches[0].get_xy() == (0.5, -0.5)
    (frame,) = plots.search_map(found, names=["reg"]).axes[0].patches
    assert frame.get_xy() == (0.5, -0.5)


def test_a_diverged_combination_is_blank_and_says_so():
    axes = plots.search_map(TWO([0.1, 0.2, 0.3, None, None, None])).axes[0]
    assert texts(axes)[3:] == ["none"] * 3
    assert axes.images[0].get_array().mask.tolist() == [[False] * 3, [True] * 3]


@pytest.mark.parametrize("accuracies", [[None] * 6, [0.3] * 6])
def test_nothing_to_tell_apart_is_drawn(accuracies):
    FigureCanvasAgg(plots.search_map(TWO(accuracies))).draw()


def test_numbers_are_read_on_their_squares():
    """Dark on the light end of the colours, light on the dark one."""
    axes = plots.search_map(TWO([0.1, 0.2, 0.3, 0.4, 0.53, 0.5])).axes[0]
    for text, value in zip(axes.texts, axes.images[0].get_array().ravel(), strict=True):
        ground, ink = (np.dot(colour[:3], [0.2126, 0.7152, 0.0722]) for colour in (
            axes.images[0].to_rgba(value), to_rgba(text.get_color())))  # fmt: skip
        assert abs(ground - ink) > 0.35


def test_other_names_show_the_best_over_the_rest():
    found = search([0.2, 0.1, 0.3, 0.4, 0.5, 0.6, 0.7, None], a=[1, 2], b=[3, 4], c=[5, 6])
    for names, expected in ((None, [[0.2, 0.4], [0.6, 0.7]]), (["c", "a"], [[0.3, 0.7], [0.4, 0.6]])):
        shown = plots.search_map(found, names).axes[0].images[0].get_array()
        assert not shown.mask.any()
        np.testing.assert_array_equal(shown.data, expected)


def test_one_name_is_one_row():
    axes = plots.search_map(search([0.1, 0.3], hidden_size=[50, 80])).axes[0]
    np.testing.assert_array_equal(axes.images[0].get_array(), [[0.1, 0.3]])
    assert (axes.get_xlabel(), axes.get_ylabel(), list(axes.get_yticks())) == ("hidden_size", "", [])


def test_it_draws_into_axes_that_are_given():
    figure = Figure()
    _, right = figure.subplots(1, 2)
    assert plots.search_map(TWO([0.1, 0.2, 0.3, 0.4, 0.53, 0.5]), ax=right) is figure
    assert len(right.images) == 1


@pytest.mark.parametrize("names", [[], ["rate"], ["reg", "reg"], ["reg", "learning_rate", "reg"]])
def test_names_that_cannot_be_drawn(names):
    with pytest.raises(ValueError, match="expected one or two of learning_rate, reg"):
        plots.search_map(TWO([0.1] * 6), names)


def test_a_search_of_which_nothing_had_finished_is_refused():
    with pytest.raises(ValueError, match="no finished combination"):
        plots.search_map(replace(TWO([0.1] * 6), finished=()))
