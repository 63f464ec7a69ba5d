"""Views of images against numpy.pad, cut out of images one by one."""

import numpy as np
import pytest

import fastnet
from fastnet import images
from fastnet.images import View

SHAPE = (3, 5, 4)
VIEWS = [View(), View(2, 0), View(-4, 3), View(0, -1, True), View(1, 2, True), View(mirrored=True)]


def pixels(rows=7):
    return np.random.default_rng(0).integers(0, 256, (rows, 60), dtype=np.uint8)


def one_by_one(X, view):
    """Each image padded, cut out and flipped."""
    down, right, mirrored = view
    rows, columns = SHAPE[1:]
    found = []
    for image in X.reshape(-1, *SHAPE):
        padded = np.pad(image, ((0, 0), (rows - 1, rows - 1), (columns - 1, columns - 1)), "reflect")
        top, left = rows - 1 - down, columns - 1 - right
        cut = padded[:, top : top + rows, left : left + columns]
        found.append(cut[:, :, ::-1] if mirrored else cut)
    return np.stack(found).reshape(X.shape)


@pytest.mark.parametrize("block", [1, 3, 1024])
def test_copies_are_what_numpy_pads_and_cuts(block, monkeypatch):
    monkeypatch.setattr(images, "BLOCK_ROWS", block)
    X = pixels()
    before = X.copy()
    copies = images.copies(X, SHAPE, VIEWS)
    assert copies.dtype == np.uint8
    np.testing.assert_array_equal(copies, np.concatenate([one_by_one(X, view) for view in VIEWS]))
    np.testing.assert_array_equal(X, before)


def test_views_are_shifts_each_followed_by_its_mirror_image():
    assert images.views(((0, 0), (1, -2))) == (View(), View(0, 0, True), View(1, -2), View(1, -2, True))
    assert images.views(images.NINE_SHIFTS, mirrored=False) == tuple(View(*shift) for shift in images.NINE_SHIFTS)
    assert len(set(images.NINE_SHIFTS)) == 9


@pytest.mark.parametrize(
    ("X", "shape", "views", "message"),
    [
        (pixels().astype(np.float32), SHAPE, [View()], "X is float32 of shape .*, expected images: uint8 rows"),
        (pixels()[0], SHAPE, [View()], r"X is uint8 of shape \(60,\)"),
        (pixels(), (3, 5, 5), [View()], r"\(3, 5, 5\), expected a product of 60"),
        (pixels(), (5, 12), [View()], r"expected \(channels, rows, columns\)"),
        (pixels(), (60, 1, 1.0), [View()], "image_shape is 1.0"),
        (pixels(), SHAPE, [], "views is empty"),
        (pixels(), SHAPE, [View(5)], "shift down is 5, expected a whole number of pixels from -4 to 4"),
        (pixels(), SHAPE, [View(0, -4)], "shift right is -4, .* from -3 to 3"),
        (pixels(), SHAPE, [View(0.5)], "shift down is 0.5"),
    ],
)
def test_what_does_not_fit_is_told(X, shape, views, message):
    with pytest.raises(ValueError, match=message):
        images.copies(X, shape, views)


def test_predictions_are_averaged_over_views(monkeypatch):
    monkeypatch.setattr(images, "BLOCK_ROWS", 4)
    X = pixels()
    net = fastnet.TwoLayerNet(60, 8, 4, std=0.05, seed=0)
    net.image_shape = SHAPE
    expected = np.mean([net.predict_proba(one_by_one(X, view)) for view in VIEWS], axis=0)
    np.testing.assert_allclose(net.predict_proba(X, views=VIEWS), expected, rtol=1e-5)
    np.testing.assert_array_equal(net.predict(X, views=VIEWS), expected.argmax(axis=1))
    assert np.abs(expected - net.predict_proba(X)).max() > 0.01


def test_views_of_rows_that_are_no_images_are_told():
    net = fastnet.TwoLayerNet(60, 8, 4)
    with pytest.raises(ValueError, match="expected the model's image_shape"):
        net.predict(pixels(), views=VIEWS)
    net.image_shape = SHAPE
    with pytest.raises(ValueError, match="X has 59 columns"):
        net.predict(pixels()[:, 1:], views=VIEWS)
