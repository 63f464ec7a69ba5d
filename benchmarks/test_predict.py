"""Prediction of 10,000 images and of one, against the readable code."""

import numpy as np
import pytest

from benchmarks.contestants import ours
from benchmarks.problem import Converted, reference_network


@pytest.fixture(params=[1, 10_000], ids=["one image", "10,000 images"])
def images(request, lab):
    return lab.X[: request.param]  # as many as there are, when nothing is timed


@pytest.fixture(params=["float32", "float64"])
def dtype(request):
    return np.dtype(request.param).type


def test_fastnet(benchmark, lab, images, dtype):
    benchmark.group = f"predict {len(images)}"
    net, reference = ours.network(lab, dtype), reference_network(lab, np.float64)
    scores = reference.loss(images - lab.mean)
    np.testing.assert_allclose(net.loss(images), scores, rtol=0, atol=1e-4 if dtype is np.float32 else 1e-12)
    assert (benchmark(net.predict, images) == net.loss(images).argmax(axis=1)).all()


def test_numpy(benchmark, lab, images, dtype):
    benchmark.group = f"predict {len(images)}"
    reference, converted = reference_network(lab, dtype), Converted(lab, dtype)
    labels = benchmark(lambda: reference.predict(converted[: len(images)]))
    assert labels.shape == (len(images),)
