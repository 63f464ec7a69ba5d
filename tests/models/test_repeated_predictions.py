"""A prediction leaves nothing behind that the next one of as many rows could stumble over."""

import threading

import numpy as np
import pytest
from against_reference import KINDS, fastnet_model

import fastnet

D, H, C = 30, 20, 10
RNG = np.random.default_rng(0)
ROWS = {count: RNG.integers(0, 256, (2, count, D), dtype=np.uint8) for count in (1, 7, 300)}


def fresh(kind, normalization=None):
    model = fastnet_model(kind, D, H, C, std=0.1, seed=0)
    model.normalization = normalization
    return model


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("count", ROWS)
def test_each_sees_its_own_rows_parameters_and_normalization(kind, count):
    first, second = ROWS[count]
    model = fresh(kind)
    np.testing.assert_array_equal(model.loss(first), fresh(kind).loss(first))
    np.testing.assert_array_equal(model.loss(second), fresh(kind).loss(second))
    for scale in (False, True):
        model.normalization = fastnet.Normalization.fit(ROWS[300][0], scale=scale)
        np.testing.assert_array_equal(model.loss(second), fresh(kind, model.normalization).loss(second))
    model.normalization = None
    for name, value in model.params.items():
        value += 1
        other = fresh(kind)
        other.params = model.params
        np.testing.assert_array_equal(model.loss(second), other.loss(second), err_msg=name)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("workers", [1, 3])
def test_scores_are_the_caller_s(kind, workers):
    first, second = ROWS[300]
    model = fresh(kind)
    scores = model.loss(first, threads=workers)
    kept = scores.copy()
    model.loss(second, threads=workers)
    np.testing.assert_array_equal(scores, kept)


@pytest.mark.parametrize("kind", KINDS)
def test_one_model_serves_several_threads_at_once(kind):
    model = fresh(kind)
    expected = {count: [fresh(kind).loss(rows) for rows in pair] for count, pair in ROWS.items()}
    wrong = []

    def serve(number):
        for k in range(200):
            count = list(ROWS)[(k + number) % 3]
            for rows, scores in zip(ROWS[count], expected[count], strict=True):
                if not np.array_equal(model.loss(rows, threads=1 + number % 2), scores):
                    wrong.append((number, k, count))

    threads = [threading.Thread(target=serve, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
