"""Gradients are the slopes of the loss, whatever the reference says: central differences."""

import numpy as np
import pytest
from against_reference import KINDS, draw_case, fastnet_model, worst_error

import fastnet


@pytest.mark.parametrize("reg", [0.0, 0.3])
@pytest.mark.parametrize("sizes", [(2, 1, 1, 2), (5, 3, 4, 3), (9, 7, 11, 5)])  # N, D, H, C
@pytest.mark.parametrize("kind", KINDS)
def test_every_gradient_is_the_slope_of_the_loss(kind, sizes, reg):
    case = draw_case(kind, *sizes, np.float64)
    _, grads = case.model.loss(case.X, case.y, reg)
    step = 1e-6  # a tenth of the distance to any kink, times inputs of order 1
    slopes = {name: np.empty_like(value) for name, value in case.model.params.items()}
    for name, value in case.model.params.items():
        for i in np.ndindex(value.shape):
            kept = value[i]
            value[i] = kept + step
            above, _ = case.model.loss(case.X, case.y, reg)
            value[i] = kept - step
            below, _ = case.model.loss(case.X, case.y, reg)
            value[i] = kept
            slopes[name][i] = (above - below) / (2 * step)
    assert worst_error(grads, slopes) < 1e-7


@pytest.mark.parametrize("kind", KINDS)
def test_slope_along_random_directions_at_the_labs_sizes(kind):
    rng = np.random.default_rng(0)
    X, y = rng.integers(0, 256, (200, 3072), dtype=np.uint8), rng.integers(0, 10, 200)
    model = fastnet_model(kind, 3072, 80, 10, std=0.01, dtype=np.float64, seed=0)
    model.normalization = fastnet.Normalization.fit(X, scale=True)
    _, grads = model.loss(X, y, reg=0.5)
    for name, value in model.params.items():
        direction = rng.standard_normal(value.shape)
        direction /= np.linalg.norm(direction)
        kept, step = value.copy(), 1e-5
        value[:] = kept + step * direction
        above, _ = model.loss(X, y, reg=0.5)
        value[:] = kept - step * direction
        below, _ = model.loss(X, y, reg=0.5)
        value[:] = kept
        assert (above - below) / (2 * step) == pytest.approx((grads[name] * direction).sum(), rel=1e-4)
