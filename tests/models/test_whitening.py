"""Whitening against NumPy's eigenvectors in float64; views by the matrix against views of the images."""

import numpy as np
import pytest
from against_reference import fastnet_model

import fastnet
from fastnet import Normalization, Whitening, images, whitening
from fastnet.images import View

SHAPE = (2, 4, 5)  # an odd number of columns: the middle one is its own mirror image
D, K = 40, 9


def pixels(rows=300, seed=0):
    """Of unlike variances, cut off at 0 and 255."""
    rng = np.random.default_rng(seed)
    mixed = rng.standard_normal((rows, D)) * np.geomspace(60, 1, D) @ np.linalg.qr(rng.standard_normal((D, D)))[0]
    return np.clip(np.rint(128 + mixed), 0, 255).astype(np.uint8)


def mirrored(X):
    return images.copies(X, SHAPE, [View(mirrored=True)])


def expected(X, components, epsilon):
    """The components of X up to their signs, and their deviations."""
    centred = X - X.mean(axis=0, dtype=np.float64)
    values, V = np.linalg.eigh(centred.T @ centred / len(X))
    values, V = values[::-1][:components], V[:, ::-1][:, :components]
    divisors = values + epsilon * centred.var(axis=0).mean()
    return centred @ (V / np.sqrt(divisors)), np.sqrt(values / divisors)


def assert_same_up_to_signs(found, exact, tolerance):
    signs = np.sign((found * exact).sum(axis=0))
    np.testing.assert_allclose(found, exact * signs, atol=tolerance)


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
@pytest.mark.parametrize("epsilon", [0.0, 1.0])
def test_fitted_to_all_rows_it_is_that_of_the_eigenvectors(dtype, epsilon, monkeypatch):
    monkeypatch.setattr(whitening, "_FIT_BLOCK", 77)
    X = pixels().astype(dtype)
    fitted = Whitening.fit(X, K, epsilon)
    exact, deviations = expected(X, K, epsilon)
    assert_same_up_to_signs((X - fitted.mean) @ fitted.matrix, exact, 1e-3)
    np.testing.assert_allclose(fitted.deviations, deviations, rtol=1e-4)
    if epsilon == 0:
        np.testing.assert_allclose(fitted.deviations, 1, rtol=1e-4)


def test_with_an_image_shape_mirror_images_count_as_rows():
    X = pixels()
    both = np.concatenate([X, mirrored(X)])
    for components in (K, D):
        fitted = Whitening.fit(X, components, image_shape=SHAPE)
        np.testing.assert_allclose(fitted.deviations, expected(both, components, 1.0)[1], rtol=1e-3)
        Z = fitted.transform(both)
        np.testing.assert_allclose(Z[300:], fitted.mirrored(Z[:300]), atol=1e-4)
        covariance = Z.T.astype(np.float64) @ Z / len(Z)
        np.testing.assert_allclose(covariance, np.diag(fitted.deviations**2), atol=1e-4)
    assert (fitted.signs < 0).sum() == 2 * 4 * 2  # of 5 columns 2 are pairs


def test_a_subspace_narrower_than_the_features_holds_nearly_all_the_variance(monkeypatch):
    monkeypatch.setattr(whitening, "OVERSAMPLING", 5)  # 14 of 40
    X = pixels()
    values = X.var(axis=0).mean() / (1 / Whitening.fit(X, K).deviations ** 2 - 1)
    centred = X - X.mean(axis=0)
    assert values.sum() > 0.999 * np.linalg.eigvalsh(centred.T @ centred / len(X))[-K:].sum()


def test_a_seed_draws_the_same_rows_and_gives_the_same_bits():
    X = pixels()
    first, same, other = (Whitening.fit(X, K, rows=50, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.matrix, same.matrix)
    np.testing.assert_array_equal(first.mean, same.mean)
    assert np.abs(first.mean - other.mean).max() > 0.1


@pytest.mark.parametrize("block", [120, 4800])
def test_transform_is_the_product_in_float32_and_in_codes(block, monkeypatch):
    monkeypatch.setattr(whitening, "BLOCK_ROWS", block)  # 300 rows end in a block of 60 anew
    X = pixels()
    fitted = Whitening.fit(X, K, image_shape=SHAPE)
    exact = (X - fitted.mean) @ fitted.matrix
    Z, codes = fitted.transform(X), fitted.transform(X, np.uint8)
    assert (Z.dtype, codes.dtype, Z.shape, codes.shape) == (np.float32, np.uint8, (300, K), (300, K))
    np.testing.assert_allclose(Z, exact, atol=1e-4)
    decoding = fitted.decoding
    reach = 5 * fitted.deviations
    error = (codes - decoding.mean) * decoding.scale - np.clip(exact, -reach, reach)
    assert np.abs(error / decoding.scale).max() < 0.51  # half a step, and what 16 bits round
    differ = fitted.mirrored(codes) != fitted.transform(mirrored(X), np.uint8)
    assert differ.mean() < 0.01  # both round, where a component lies between two codes


@pytest.mark.parametrize("view", [View(), View(1, -2), View(-3, 4), View(0, 1, True)])
def test_a_view_by_the_matrix_is_a_view_of_the_image(view):
    X = pixels()
    fitted = Whitening.fit(X, K)
    seen = fitted.of_view(SHAPE, view)
    moved = images.copies(X, SHAPE, [view])
    exact = (moved - fitted.mean) @ fitted.matrix
    np.testing.assert_allclose((X - seen.mean) @ seen.matrix + seen.offset, exact, atol=1e-11)
    np.testing.assert_allclose(seen.transform(X), exact, atol=1e-4)


@pytest.mark.parametrize("coded", [True, False])
@pytest.mark.parametrize("kind", ["two-layer", "linear"])
def test_folded_a_net_predicts_the_same_from_raw_rows(kind, coded):
    X = pixels()
    fitted = Whitening.fit(X, K).of_view(SHAPE, View(1))  # has an offset
    net = fastnet_model(kind, K, 8, 4, std=0.5, seed=0)
    net.params[list(net.params)[1]][:] = 0.5
    net.label_names = ("a", "b", "c", "d")
    if coded:
        net.normalization = fitted.decoding
    scores = net.loss(fitted.transform(X, np.uint8 if coded else np.float32))
    folded = fitted.fold(net)
    assert type(folded) is type(net)
    assert folded.input_size == D
    assert folded.label_names == ("a", "b", "c", "d")
    # Codes have steps of 5 / 127.5 deviations; without them nothing is left but float32's rounding.
    tolerance = 0.2 if coded else 1e-5 * np.abs(scores).max()
    np.testing.assert_allclose(folded.loss(X), scores, atol=tolerance)
    assert net.input_size == K


def test_reads_a_memmap(tmp_path):
    X = pixels()
    X.tofile(tmp_path / "X.bin")
    mapped = np.memmap(tmp_path / "X.bin", np.uint8, "r", shape=X.shape)
    fitted = Whitening.fit(mapped, K)
    np.testing.assert_array_equal(fitted.matrix, Whitening.fit(X, K).matrix)
    np.testing.assert_array_equal(fitted.transform(mapped), fitted.transform(X))


@pytest.mark.parametrize(
    ("X", "words", "message"),
    [
        (pixels(), {"components": 41}, "components is 41, expected at most the 40 features of X"),
        (pixels(20), {"components": 21}, "components is 21, expected at most the 20 rows fitted to"),
        (pixels(), {"components": 21, "rows": 20}, "at most the 20 rows fitted to"),
        (pixels(), {"components": 0}, "components is 0"),
        (pixels(), {"components": 3, "epsilon": -1}, "epsilon is -1"),
        (pixels(), {"components": 3, "image_shape": (3, 4, 5)}, "expected a product of 40"),
        (pixels()[0], {"components": 3}, "X has shape"),
        (pixels() * np.nan, {"components": 3}, "expected finite numbers"),
        (np.repeat(pixels()[:, :1], 5, axis=1), {"components": 2, "epsilon": 0}, "component 1 has a variance of"),
        (np.ones((9, 5)), {"components": 2}, "component 0 has a variance of 0"),
    ],
)
def test_what_cannot_be_fitted_is_told(X, words, message):
    with pytest.raises(ValueError, match=message):
        Whitening.fit(X, **words)


def test_what_cannot_be_transformed_or_folded_is_told():
    fitted = Whitening.fit(pixels(), K)
    with pytest.raises(ValueError, match="X has 39 columns"):
        fitted.transform(pixels()[:, 1:])
    with pytest.raises(ValueError, match="dtype is float64, expected float32 or uint8"):
        fitted.transform(pixels(), np.float64)
    with pytest.raises(ValueError, match="expected one fitted with image_shape"):
        fitted.mirrored(fitted.transform(pixels()))
    with_signs = Whitening.fit(pixels(), K, image_shape=SHAPE)
    for Z in ([1, 2], np.zeros((3, K - 1), np.float32), np.zeros((3, K), np.int64)):
        with pytest.raises(ValueError, match=r"Z is|dtype is int64"):
            with_signs.mirrored(Z)
    with pytest.raises(ValueError, match="shift down is 4, expected"):
        fitted.of_view(SHAPE, View(4))
    with pytest.raises(ValueError, match="views is"):
        fitted.of_view(SHAPE, 5)
    with pytest.raises(ValueError, match="expected a model of 9 inputs"):
        fitted.fold(fastnet.SoftmaxClassifier(K + 1, 2))
    net = fastnet.SoftmaxClassifier(K, 2)
    net.normalization = Normalization(np.zeros(K), np.ones(K))
    with pytest.raises(ValueError, match="a normalization of its own"):
        fitted.fold(net)


@pytest.mark.parametrize("kind", [np.float64, np.int64, np.float32])
def test_rows_of_other_types_have_the_components_of_pixels(kind):
    X = pixels()
    fitted = Whitening.fit(X, K)
    expected = (X - fitted.mean) @ fitted.matrix + fitted.offset
    found = fitted.transform(X.astype(kind))
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())
