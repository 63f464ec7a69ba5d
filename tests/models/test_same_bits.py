"""Same seed, same bits: run to run, with any number of workers, however cut up, whoever else trains."""

import threading
from functools import cache

import numpy as np
import pytest
from against_reference import DTYPES, KINDS, bits, fastnet_model

import fastnet
from fastnet import training

WORKERS = [1, 2, 3, 5, 8]
SHAPES = {  # N, D, H, C, steps
    "lab": (200, 3072, 80, 10, 12),
    "next to nothing": (2, 1, 1, 2, 40),
    "fewer rows than workers": (3, 5, 7, 4, 40),
    "fewer features than workers": (40, 2, 50, 3, 40),
    "two slices, two blocks": (259, 300, 23, 11, 12),
    "four slices, three blocks": (599, 515, 33, 19, 6),
    "few groups, shared out by columns": (300, 250, 200, 3, 6),
}


@cache
def data(D, C):
    rng = np.random.default_rng([D, C])
    return rng.integers(0, 256, (600, D), dtype=np.uint8), rng.integers(0, C, 600)


def train(kind, dtype, sizes, optimizer=None, X_type=np.uint8, **options):
    """The bits of a short run on rows that are normalised on the way in."""
    N, D, H, C, steps = sizes
    X, y = data(D, C)
    X = X.astype(X_type)
    model = fastnet_model(kind, D, H, C, std=0.1, dtype=dtype, seed=1)
    model.normalization = fastnet.Normalization.fit(X, scale=True)
    options = {"learning_rate": 0.05, "num_iters": steps, "batch_size": N, "optimizer": optimizer, **options}
    return bits(model, model.train(X, y, X[:80], y[:80], **options))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", KINDS)
def test_any_number_of_workers_gives_the_same_bits(kind, shape, dtype):
    results = {workers: train(kind, dtype, SHAPES[shape], threads=workers) for workers in WORKERS}
    assert [workers for workers in WORKERS if results[workers] != results[1]] == []
    assert train(kind, dtype, SHAPES[shape]) == results[1]  # as many as the work is worth


@pytest.mark.parametrize("kind", KINDS)
def test_run_to_run(kind):
    results = {train(kind, np.float32, SHAPES["lab"], threads=2) for _ in range(5)}
    assert len(results) == 1


def test_bits_tell_runs_apart():
    N, D, H, C, steps = SHAPES["next to nothing"]
    assert train("linear", np.float64, (N, D, H, C, steps)) != train("linear", np.float64, (N, D, H, C, steps + 1))
    model = fastnet_model("linear", 3, 1, 2, seed=0)
    before = bits(model)
    model.params["W"][2, 1] = np.nextafter(model.params["W"][2, 1], 1)
    assert bits(model) != before


@pytest.mark.parametrize(("kind", "dtype"), [("two-layer", np.float32), ("linear", np.float64)])
@pytest.mark.parametrize("N", [40, 400])
def test_loss_and_scores_for_any_number_of_workers(N, kind, dtype):
    X, y = data(300, 11)
    model = fastnet_model(kind, 300, 23, 11, std=0.1, dtype=dtype, seed=1)
    model.normalization = fastnet.Normalization.fit(X)
    results = set()
    for workers in WORKERS:
        loss, grads = model.loss(X[:N], y[:N], reg=0.1, threads=workers)
        scores = model.loss(X[:N], threads=workers)
        results.add((loss, scores.tobytes(), *(grad.tobytes() for grad in grads.values())))
    assert len(results) == 1


@pytest.mark.parametrize(
    "optimizer", [fastnet.Momentum(), fastnet.Momentum(nesterov=True), fastnet.Adam()], ids=lambda o: o.rule
)
def test_optimizers_with_a_state(optimizer):
    # Their state is shared out as the parameters are.
    sizes = SHAPES["two slices, two blocks"]
    results = {train("two-layer", np.float64, sizes, optimizer, np.float64, threads=w) for w in WORKERS}
    assert len(results) == 1


@pytest.mark.parametrize("sampling", ["replacement", "shuffle"])
@pytest.mark.parametrize("optimizer", [None, fastnet.Adam()])
def test_cutting_a_run_into_stretches_changes_nothing(optimizer, sampling, monkeypatch):
    def run():
        stretches = []
        options = {"sampling": sampling, "threads": 2, "callback": stretches.append}
        result = train("two-layer", np.float64, (40, 300, 23, 11, 100), optimizer, np.float64, **options)
        return result, len(stretches)

    usual, _ = run()
    monkeypatch.setattr(training, "MOST_STEPS", 7)
    at_most_7 = run()
    monkeypatch.setattr(training, "STRETCH_SECONDS", 0.0)
    one_by_one = run()
    assert at_most_7[0] == usual
    assert at_most_7[1] >= 100 / 7
    assert one_by_one == (usual, 100)


def test_models_trained_at_once_each_keep_their_bits():
    jobs = [
        (kind, dtype, SHAPES[shape], workers)
        for shape, workers in (("two slices, two blocks", 2), ("fewer rows than workers", 3))
        for kind in KINDS
        for dtype in DTYPES
    ]
    alone = [train(kind, dtype, sizes, threads=1) for kind, dtype, sizes, _ in jobs]
    together = [[] for _ in jobs]
    gate = threading.Barrier(len(jobs))

    def run(number, kind, dtype, sizes, workers):
        gate.wait()
        for _ in range(5):
            together[number].append(train(kind, dtype, sizes, threads=workers))

    threads = [threading.Thread(target=run, args=(number, *job)) for number, job in enumerate(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert together == [[result] * 5 for result in alone]


# --- scores of many rows and of few ---


@pytest.mark.parametrize(("kind", "dtype"), [("two-layer", np.float32), ("linear", np.float64)])
def test_scores_do_not_depend_on_the_rows_beside(kind, dtype):
    X, _ = data(300, 11)
    model = fastnet_model(kind, 300, 23, 11, std=0.1, dtype=dtype, seed=1)
    model.normalization = fastnet.Normalization.fit(X)
    scores = model.loss(X)

    # As many rows, in another order: cut up alike, and so the same bits.
    order = np.random.default_rng(0).permutation(len(X))
    np.testing.assert_array_equal(model.loss(X[order]), scores[order])
    # In chunks: whatever is cut up otherwise, the numbers agree.
    limit = 1e-6 * np.abs(scores).max()
    for size in (1, 7, 65, 250, 256, 257, 599):
        chunks = [model.loss(X[first : first + size]) for first in range(0, len(X), size)]
        np.testing.assert_allclose(np.concatenate(chunks), scores, rtol=0, atol=limit)
        labels = np.concatenate([model.predict(X[first : first + size]) for first in range(0, len(X), size)])
        assert (labels == scores.argmax(axis=1)).mean() > 0.99
