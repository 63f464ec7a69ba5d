"""Padded arrays, and matrices as compiled code sees them."""

import numpy as np
import pytest

from fastnet.engine.compilation import kernel
from fastnet.engine.emitting.arrays import Matrix, allocate
from fastnet.engine.emitting.matrix import number


@kernel.program
def add_up(matrix, sums):
    """The sum of each row to sums[0], its length and the number of rows to sums[1]."""
    for i in range(matrix.rows):
        total = number(sums, 0)
        for j in range(matrix.columns):
            total += number(sums, matrix[i, j])
        sums[0, i] = total
        sums[1, i] = matrix.columns * 1000 + matrix.rows


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float32, np.float64])
@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (7, 2), (4, 0)])
def test_compiled_code_reads_and_writes_elements(dtype, shape, rng):
    array = rng.integers(0, 200, shape).astype(dtype)
    array.flags.writeable = False  # as a memmap is
    sums = np.zeros((2, shape[0]))
    add_up(Matrix(array), Matrix(sums))
    np.testing.assert_array_equal(sums[0], array.sum(axis=1))
    np.testing.assert_array_equal(sums[1], 1000 * shape[1] + shape[0])


@pytest.mark.parametrize("array", [np.zeros(3), np.zeros((2, 2, 2)), np.zeros((4, 4))[:, :2], np.zeros((3, 2)).T])
def test_a_matrix_has_two_dimensions_and_no_gaps(array):
    with pytest.raises(ValueError, match="no Matrix of an array of shape"):
        Matrix(array)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("odd", [False, True])
@pytest.mark.parametrize("columns", [0, 1, 7, 8, 9, 16, 17, 32, 33, 64, 80, 100, 128])
def test_rows_begin_on_cache_lines_and_are_padded(dtype, odd, columns):
    array = allocate(3, columns, np.dtype(dtype), odd)
    lines = array.strides[0] / 64
    assert array.ctypes.data % 64 == 0
    assert lines == int(lines) > 0
    assert lines % (2 if odd else 4)
    assert columns <= array.shape[1] <= columns + 2 * 64 // array.itemsize
    assert not array.any()
