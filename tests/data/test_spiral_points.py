import numpy as np
import pytest

import reference
from fastnet.data import spiral


def test_default_is_the_case_study():
    X, y = spiral()
    assert X.shape == (300, 2)
    assert X.dtype == np.float64
    np.testing.assert_array_equal(y, np.repeat([0, 1, 2], 100).astype(np.int64), strict=True)


def test_formula():
    """r = 0, 1/3, 2/3, 1; t = 4j + 4r + 0.2 noise; one draw of the noise per class, in order."""
    X, y = spiral(points_per_class=4, classes=2, seed=11)
    rng = np.random.RandomState(11)
    for j in range(2):
        noise = rng.randn(4)
        for i in range(4):
            r = i / 3
            t = 4 * j + 4 * r + 0.2 * noise[i]
            np.testing.assert_allclose(X[4 * j + i], [r * np.sin(t), r * np.cos(t)], atol=1e-14)
            assert y[4 * j + i] == j


@pytest.mark.parametrize("arguments", [(), (7, 5, 3), (1, 1, 2**32 - 1)])
def test_points_are_exactly_those_of_the_reference(arguments):
    for ours, expected in zip(spiral(*arguments), reference.spiral(*arguments), strict=True):
        np.testing.assert_array_equal(ours, expected, strict=True)


def test_seed():
    np.testing.assert_array_equal(spiral(seed=1)[0], spiral(seed=1)[0])
    assert not np.array_equal(spiral(seed=1)[0], spiral(seed=2)[0])


@pytest.mark.parametrize("counts", [(0, 3), (100, 0), (-1, 3)])
def test_bad_counts(counts):
    with pytest.raises(ValueError, match="expected an integer of at least 1"):
        spiral(*counts)


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_bad_seed(seed):
    with pytest.raises(ValueError, match=r"[Ss]eed"):
        spiral(seed=seed)
