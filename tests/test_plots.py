"""Pictures: that they show what they are given."""

import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from fastnet import plots


def to_rgba(colour):
    from matplotlib import colors

    return colors.to_rgba(colour)


def pixels(figure):
    """The figure as drawn: (rows, columns, 3), 0 to 255."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[:, :, :3]


class Quadrants:
    """Class 1 where both coordinates are positive, else 0."""

    def predict(self, X):
        return np.all(X > 0, axis=1).astype(int)


def test_loss_curve_holds_every_loss_and_its_running_mean():
    losses = np.full(1000, 2.0)
    losses[500] = 12.0
    figure = plots.loss_curve(losses)
    every, mean = (line.get_ydata() for line in figure.axes[0].lines)
    np.testing.assert_array_equal(every, losses)
    assert len(mean) == len(losses)
    # The window reaches 10 to each side: 21 losses, one of which is 10 too high.
    np.testing.assert_allclose(mean[500], 2.0 + 10.0 / 21.0)
    np.testing.assert_allclose(mean[489], 2.0)


def test_the_running_mean_at_the_ends_is_of_the_losses_there():
    figure = plots.loss_curve(np.arange(200.0))
    mean = figure.axes[0].lines[1].get_ydata()
    assert (mean[0], mean[-1]) == (1.0, 198.0)  # of 0, 1, 2 and of 197, 198, 199


@pytest.mark.parametrize("losses", [[], [2.3], [2.3, np.inf, np.inf, np.nan]])
def test_loss_curve_of_short_and_diverged_histories(losses):
    pixels(plots.loss_curve(losses))


def test_accuracy_curves_count_epochs_from_one():
    figure = plots.accuracy_curves([0.25, 0.5, 0.75], [0.2, 0.4, 0.6])
    training, validation = figure.axes[0].lines
    np.testing.assert_array_equal(training.get_xdata(), [1, 2, 3])
    np.testing.assert_array_equal(training.get_ydata(), [0.25, 0.5, 0.75])
    np.testing.assert_array_equal(validation.get_ydata(), [0.2, 0.4, 0.6])
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        "training batches, 0.750 in the last epoch",
        "validation, 0.600 in the last epoch",
    ]


def test_accuracy_curves_without_validation():
    assert len(plots.accuracy_curves([0.5]).axes[0].lines) == 1


def test_decision_boundary_colours_each_place_by_its_class():
    X = np.array([[-1.0, -1.0], [1.0, 1.0]])
    figure = plots.decision_boundary(Quadrants(), X, np.array([0, 1]))
    axes = figure.axes[0]
    picture = pixels(figure)

    def colour_at(x, y):
        column, row_from_below = axes.transData.transform((x, y))
        return tuple(picture[len(picture) - 1 - round(row_from_below), round(column)])

    assert colour_at(0.5, 0.5) != colour_at(-0.5, -0.5)
    assert colour_at(-0.5, 0.5) == colour_at(0.5, -0.5) == colour_at(-0.5, -0.5)
    (points,) = (found for found in axes.collections if len(found.get_offsets()) == 2)
    np.testing.assert_array_equal(points.get_offsets(), X)


@pytest.mark.parametrize("shape", [(0, 2), (3, 3), (4,)])
def test_decision_boundary_needs_points_in_a_plane(shape):
    with pytest.raises(ValueError, match=r"\(N, 2\)"):
        plots.decision_boundary(Quadrants(), np.zeros(shape), np.zeros(shape[0], dtype=int))


@pytest.mark.parametrize(
    ("labels", "predicted", "complaint"),
    [
        (["a", "b"], 1, "y of shape .* expected integers"),
        ([0, 1, 0], 1, "y of shape"),
        ([0, -1], 1, "y go down to -1"),
        ([0, 1], "a", "what the model predicts of shape .* expected integers"),
    ],
)
def test_decision_boundary_needs_numbers_of_classes(labels, predicted, complaint):
    model = SimpleNamespace(predict=lambda X: np.full(len(X), predicted))
    with pytest.raises(ValueError, match=complaint):
        plots.decision_boundary(model, np.eye(2), labels)


def test_a_decision_boundary_far_from_zero_is_seen_with_all_digits():
    """In float32 neighbours among points around 1e9 would be one."""
    X = 1e9 + np.array([[-1.0, -1.0], [1.0, 1.0]])
    seen = []
    model = SimpleNamespace(predict=lambda X: (seen.append(X), (X[:, 0] > 1e9).astype(int))[1])
    pixels(plots.decision_boundary(model, X, [0, 1]))
    assert len(np.unique(seen[0][:, 0])) == 400


def test_weight_tiles_show_each_unit_channel_first():
    # Two units of 3 x 2 x 2: the first is red at the top left alone, the second blue at the bottom right.
    W = np.full((12, 2), -1.0)
    W[0, 0] = 5.0  # channel 0, row 0, column 0
    W[11, 1] = -0.9  # channel 2, row 1, column 1: stretched just as far
    picture = pixels(plots.weight_tiles(W, (3, 2, 2)))
    # Two tiles of 2 x 2 between lines of one weight's width: a sheet of 4 x 7 weights.
    dot = picture.shape[0] // 4
    assert picture.shape == (4 * dot, 7 * dot, 3)
    sheet = picture[dot // 2 :: dot, dot // 2 :: dot]
    white, black = (255, 255, 255), (0, 0, 0)
    expected = np.array(
        [
            [white] * 7,
            [white, (255, 0, 0), black, white, black, black, white],
            [white, black, black, white, black, (0, 0, 255), white],
            [white] * 7,
        ]
    )
    np.testing.assert_array_equal(sheet, expected)


def test_what_is_between_weight_tiles_lets_the_ground_through():
    """On dark axes it is dark, with the places that have no tile."""
    sheet = plots.weight_tiles(np.eye(4)[:, :3], (2, 2)).axes[0].images[0].get_array()
    assert sheet.shape == (7, 7, 4)
    tiles = np.zeros((7, 7))
    tiles[1:3, 1:3] = tiles[1:3, 4:6] = tiles[4:6, 1:3] = 1
    np.testing.assert_array_equal(sheet[:, :, 3], tiles)


@pytest.mark.parametrize("image_shape", [(1, 2, 2), (2, 2)])
def test_weight_tiles_of_one_channel_are_grey(image_shape):
    picture = pixels(plots.weight_tiles(np.array([[0.0], [1.0], [2.0], [3.0]]), image_shape))
    dot = picture.shape[0] // 4
    sheet = picture[dot // 2 :: dot, dot // 2 :: dot]
    np.testing.assert_array_equal(sheet[:, :, 0], sheet[:, :, 2])
    np.testing.assert_allclose(sheet[1:3, 1:3, 0], [[0, 85], [170, 255]], atol=1)


def test_a_unit_whose_weights_are_all_equal_is_drawn():
    pixels(plots.weight_tiles(np.ones((12, 1)), (3, 2, 2)))


@pytest.mark.parametrize(
    ("rows", "image_shape", "complaint"),
    [(12, (3, 2, 3), "not images of shape"), (8, (2, 2, 2), "of 1 or 3 channels"), (4, (4,), "of 1 or 3 channels")],
)
def test_weights_that_are_no_images_are_refused(rows, image_shape, complaint):
    with pytest.raises(ValueError, match=complaint):
        plots.weight_tiles(np.zeros((rows, 2)), image_shape)


def test_validation_losses_stand_at_the_ends_of_epochs():
    figure = plots.loss_curve(np.ones(25), [0.5, 0.4], iterations_per_epoch=10)
    validation = figure.axes[0].lines[2]
    np.testing.assert_array_equal(validation.get_xdata(), [10, 20])
    np.testing.assert_array_equal(validation.get_ydata(), [0.5, 0.4])
    with pytest.raises(ValueError, match="without iterations_per_epoch"):
        plots.loss_curve(np.ones(25), [0.5])


# --- confusion matrix ---


def texts(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def test_a_confusion_matrix_counts_rows_by_class_and_prediction():
    figure = plots.confusion_matrix([0, 0, 0, 1, 2, 2], [0, 0, 1, 1, 0, 2], names=["a", "b", "c"])
    assert texts(figure) == ["2", "1", "0", "0", "1", "0", "1", "0", "1"]
    parts = figure.axes[0].images[0].get_array()
    np.testing.assert_allclose(parts, [[2 / 3, 1 / 3, 0], [0, 1, 0], [0.5, 0, 0.5]])
    assert [tick.get_text() for tick in figure.axes[0].get_yticklabels()] == ["a", "b", "c"]
    assert figure.axes[0].get_title() == "accuracy 0.667"
    pixels(figure)


def test_counts_are_read_on_their_squares_though_none_is_deep():
    """Dark on the light end of the colours, light on the dark one; the deepest square here is a third of a class."""
    axes = plots.confusion_matrix([0, 0, 0, 1, 1, 1, 1], [0, 1, 2, 0, 1, 2, 3]).axes[0]
    image = axes.images[0]
    for text, value in zip(axes.texts, image.get_array().ravel(), strict=True):
        ground, ink = (
            np.dot(c[:3], [0.2126, 0.7152, 0.0722]) for c in (image.to_rgba(value), to_rgba(text.get_color()))
        )
        assert abs(ground - ink) > 0.35


def test_a_class_without_rows_is_an_empty_row():
    figure = plots.confusion_matrix([0, 2], [0, 2])
    np.testing.assert_array_equal(figure.axes[0].images[0].get_array()[1], [0, 0, 0])


@pytest.mark.parametrize(
    ("labels", "predicted", "names", "complaint"),
    [
        ([0, 1], [0], None, "predicted of shape"),
        ([], [], None, "labels of shape"),
        ([0.5, 1.0], [0, 1], None, "labels of shape"),
        ([0, 2], [0, 1], ["a", "b"], "have 2 names"),
        ([0, -1], [0, 1], None, "labels go down to -1, expected numbers from 0 on"),
    ],
)
def test_labels_that_cannot_be_counted_are_refused(labels, predicted, names, complaint):
    with pytest.raises(ValueError, match=complaint):
        plots.confusion_matrix(labels, predicted, names)


# --- misclassified images ---


class Sure:
    """Gives every image class 1, as surely as its first pixel says."""

    def predict_proba(self, X):
        sure = 0.5 + X[:, 0] / 512
        return np.stack([1 - sure, sure], axis=1)


def test_the_surest_mistakes_are_drawn_first():
    X = np.zeros((4, 12), np.uint8)
    X[:, 0] = 10, 200, 90, 255
    figure = plots.misclassified(Sure(), X, [0, 0, 0, 1], (3, 2, 2), names=["cat", "dog"], count=2)
    assert texts(figure) == ["dog, 89%\nis cat", "dog, 68%\nis cat"]
    first = figure.axes[0].images[0].get_array()
    assert first.shape == (2, 2, 3)
    np.testing.assert_allclose(first[0, 0], [200 / 255, 0, 0])
    pixels(figure)


@pytest.mark.parametrize(("image_shape", "size"), [((2, 6), (2, 6)), ((3, 6, 2), (6, 2))])
def test_images_keep_their_proportions_wherever_they_are_drawn(image_shape, size):
    from matplotlib.figure import Figure

    wide = Figure(figsize=(9, 3)).subplots()
    X = np.full((7, np.prod(image_shape)), 9, np.uint8)
    for ax in (None, wide):
        figure = plots.misclassified(Sure(), X, [0] * 7, image_shape, ax=ax)
        pixels(figure)
        boxes = [image.get_window_extent() for image in figure.axes[0].images]
        for box in boxes:
            np.testing.assert_allclose(box.height / box.width, size[0] / size[1], rtol=1e-6)
        assert boxes[0].x1 < boxes[1].x0
        assert boxes[0].y0 > boxes[5].y1


def test_without_mistakes_none_is_drawn():
    assert texts(plots.misclassified(Sure(), np.full((3, 4), 9, np.uint8), [1, 1, 1], (2, 2))) == ["none"]


@pytest.mark.parametrize(
    ("labels", "names", "complaint"),
    [(["cat"] * 3, None, "y of shape"), ([0, 1, 0], ["cat"], "labels up to 1 have 1 names")],
)
def test_images_whose_classes_cannot_be_told_are_refused(labels, names, complaint):
    with pytest.raises(ValueError, match=complaint):
        plots.misclassified(Sure(), np.zeros((3, 4), np.uint8), labels, (2, 2), names)


@pytest.mark.parametrize(("shape", "complaint"), [((3, 2, 2), "are not images"), ((2, 2, 1), "of 1 or 3 channels")])
def test_rows_that_are_no_images_are_refused(shape, complaint):
    with pytest.raises(ValueError, match=complaint):
        plots.misclassified(Sure(), np.zeros((3, 4), np.uint8), [0, 0, 0], shape)


def test_all_pictures_are_drawn_into_axes_that_are_given():
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 9))
    axes = figure.subplots(2, 3).ravel()
    points = np.array([[-1.0, -1.0], [1.0, 1.0]])
    drawn = [
        plots.loss_curve([2.0, 1.0], ax=axes[0]),
        plots.accuracy_curves([0.5], ax=axes[1]),
        plots.decision_boundary(Quadrants(), points, [0, 1], ax=axes[2]),
        plots.weight_tiles(np.eye(4), (2, 2), ax=axes[3]),
        plots.confusion_matrix([0, 1], [0, 1], ax=axes[4]),
        plots.misclassified(Sure(), np.zeros((3, 4), np.uint8), [0, 0, 1], (2, 2), ax=axes[5]),
    ]
    assert all(each is figure for each in drawn)
    assert all(ax.lines or ax.collections or ax.images for ax in axes)
    pixels(figure)


def test_matplotlib_is_imported_on_first_use_and_never_as_pyplot():
    program = """
import sys
from fastnet import plots
assert "matplotlib" not in sys.modules
plots.loss_curve([1.0]).savefig(sys.stdout.buffer, format="png")
assert "matplotlib.pyplot" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", program], check=True, stdout=subprocess.PIPE)
    assert done.stdout.startswith(b"\x89PNG")


def test_missing_matplotlib_is_one_line_with_the_mend(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r'pip install "fastnet-cpu\[plot\]"'):
        plots.loss_curve([1.0])
