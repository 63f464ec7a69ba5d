"""Softmax and its loss as the kernels do it, a line of rows at a time, against the reference: every remainder."""

import numpy as np
import pytest

import reference
from fastnet.engine.compilation import kernel
from fastnet.engine.emitting.arrays import Matrix, allocate
from fastnet.engine.emitting.lines import turn_over
from fastnet.engine.step.memory import Batch, Source
from fastnet.engine.step.parts import Rows
from fastnet.engine.step.softmax import CLASSES, TERMS, loss_and_hits, softmax_loss

DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])
BEFORE, AFTER = 3, 2  # rows of other workers
OTHERS = 7.0


@kernel.program
def turned_over(matrix, row):
    turn_over(matrix, row)


@kernel.program
def gradient_and_loss(scores, turned, per_row, batch, r0, r1, classes, inverse_rows, frozen):
    rows = Rows(batch, 0, 0, r1)
    softmax_loss(scores, turned, per_row, rows, batch.shares, r0, r1, classes, inverse_rows, frozen)


@kernel.program
def total(per_row, shares, rows):
    return loss_and_hits(per_row, shares, rows)


def run(scores, y, shares, frozen=0):
    """d_scores, loss and hits of rows that stand between those of others."""
    (count, classes), dtype = scores.shape, scores.dtype
    line = 64 // dtype.itemsize
    padded = -(-classes // line) * line
    inside = slice(BEFORE, BEFORE + count)

    def with_others(array, fill):
        whole = np.full((BEFORE + count + AFTER, *array.shape[1:]), fill, array.dtype)
        whole[inside] = array
        return whole

    block = allocate(BEFORE + count + AFTER, padded, dtype)
    block[:] = OTHERS
    block[inside, :classes] = scores
    turned = Matrix(np.full((CLASSES + padded, line), np.nan, dtype))
    per_row = Matrix(np.full((TERMS, BEFORE + count + AFTER + line), OTHERS, dtype))
    parts = None if shares is None else Matrix(with_others(shares.astype(dtype), np.nan).reshape(1, -1))
    source = Source(np.zeros((len(block), 1), dtype), with_others(y, -1), *np.zeros((2, 1, 1), dtype))
    batch = Batch.of(source, Matrix(np.arange(len(block)).reshape(1, -1)), parts)
    gradient_and_loss(
        Matrix(block), turned, per_row, batch, BEFORE, BEFORE + count, classes, dtype.type(1 / count), frozen
    )
    terms = per_row.array
    outside = np.ones(len(block), bool)
    outside[inside] = False
    assert (block[outside] == OTHERS).all()
    assert (block[inside, classes:] == 0).all()
    assert (terms[:, : len(block)][:, outside] == OTHERS).all()
    assert (terms[:, len(block) :] == OTHERS).all()
    own = np.full((TERMS, count + line), np.nan, dtype)
    own[:, :count] = terms[:, inside]
    loss, hits = total(Matrix(own), None if parts is None else Matrix(shares.astype(dtype).reshape(1, -1)), count)
    return block[inside, :classes], loss, hits


@DTYPES
def test_a_square_is_turned_over_and_nothing_else(dtype, rng):
    line = 64 // np.dtype(dtype).itemsize
    matrix = rng.standard_normal((line + 3, line)).astype(dtype)
    expected = matrix.copy()
    expected[2 : 2 + line] = matrix[2 : 2 + line].T
    turned_over(Matrix(matrix), 2)
    np.testing.assert_array_equal(matrix, expected)


@DTYPES
@pytest.mark.parametrize("weighted", [False, True])
def test_gradient_and_loss_are_the_references(dtype, weighted, rng):
    for count in (*range(1, 19), 33):
        for classes in (*range(2, 19), 40):
            scores = (5 * rng.standard_normal((count, classes))).astype(dtype)
            y = rng.integers(0, classes, count)
            weights = rng.uniform(0.1, 2, count) if weighted else None
            shares = None if weights is None else weights / weights.sum()
            d_scores, loss, hits = run(scores, y, shares)
            expected_loss, expected = reference.softmax_loss(scores.astype(np.float64), y, weights)
            right = np.argmax(scores, axis=1) == y
            eps = np.finfo(dtype).eps
            np.testing.assert_allclose(d_scores, expected, rtol=0, atol=8 * eps)
            if weights is None:
                np.testing.assert_allclose(loss / count, expected_loss, rtol=32 * eps, atol=4 * eps)
                assert hits == right.sum()
            else:
                np.testing.assert_allclose(loss, expected_loss, rtol=32 * eps, atol=4 * eps)
                np.testing.assert_allclose(hits, shares[right].sum(), rtol=32 * eps, atol=eps)


@DTYPES
def test_of_equal_scores_the_first_is_the_best(dtype, rng):
    scores = rng.integers(0, 3, (200, 12)).astype(dtype)
    y = rng.integers(0, 12, 200)
    assert run(scores, y, None)[2] == (np.argmax(scores, axis=1) == y).sum()


@DTYPES
def test_frozen_classes_have_no_gradient(dtype, rng):
    scores, y = rng.standard_normal((21, 3)).astype(dtype), rng.integers(0, 3, 21)
    free, frozen = run(scores, y, None)[0], run(scores, y, None, frozen=1)[0]
    assert (frozen[:, 0] == 0).all()
    np.testing.assert_array_equal(frozen[:, 1:], free[:, 1:])


@DTYPES
def test_scores_far_apart_neither_overflow_nor_leave_subnormal_numbers(dtype):
    top = np.finfo(dtype).max / 4
    scores = np.array([[top, -top, 0], [0, 1, 80], [-top, -top, -top]], dtype)
    d_scores, loss, hits = run(scores, np.array([0, 2, 1]), None)
    expected_loss, expected = reference.softmax_loss(scores.astype(np.longdouble), np.array([0, 2, 1]))
    np.testing.assert_allclose(d_scores, expected.astype(dtype), rtol=0, atol=np.finfo(dtype).eps)
    np.testing.assert_allclose(loss / 3, float(expected_loss), rtol=1e-6)
    assert hits == 2
    assert ((d_scores == 0) | (np.abs(d_scores) >= np.finfo(dtype).tiny)).all()
