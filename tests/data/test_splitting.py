import numpy as np
import pytest

from fastnet.data import split_validation

X = np.arange(20, dtype=np.uint8).reshape(10, 2)
y = np.arange(10)


def test_last_rows_as_views():
    X_train, y_train, X_val, y_val = split_validation(X, y, 3)
    np.testing.assert_array_equal(y_train, np.arange(7))
    np.testing.assert_array_equal(y_val, [7, 8, 9])
    np.testing.assert_array_equal(X_train, X[:7], strict=True)
    np.testing.assert_array_equal(X_val, X[7:], strict=True)
    for part, whole in ((X_train, X), (X_val, X), (y_train, y), (y_val, y)):
        assert np.shares_memory(part, whole)


def test_random_subset():
    X_train, y_train, X_val, y_val = split_validation(X, y, np.int64(3), seed=1)
    assert len(y_val) == 3
    assert sorted([*y_train, *y_val]) == list(range(10))
    for part in (y_train, y_val):
        assert (np.diff(part) > 0).all()
    np.testing.assert_array_equal(X_train, X[y_train], strict=True)
    np.testing.assert_array_equal(X_val, X[y_val], strict=True)
    np.testing.assert_array_equal(y_val, split_validation(X, y, 3, seed=1)[3])
    draws = {tuple(split_validation(X, y, 8, seed=seed)[3].tolist()) for seed in range(5)}
    assert {len(draw) for draw in draws} == {8}
    assert len(draws) > 1


@pytest.mark.parametrize("seed", [None, 0])
@pytest.mark.parametrize("count", [0, -1, 10, 11, 0.5, 3.0])
def test_bad_count(count, seed):
    with pytest.raises(ValueError, match=f"count is {count}, expected"):
        split_validation(X, y, count, seed)


def test_rows_differ():
    with pytest.raises(ValueError, match="X has 10 rows and y has 9"):
        split_validation(X, y[:9], 1)
