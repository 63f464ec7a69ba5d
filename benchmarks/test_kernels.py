"""The kernels one by one, in one thread, at the lab's sizes, their operands as near as in a training step."""

import numpy as np
import pytest

from benchmarks.problem import LAB
from fastnet.engine import planning
from fastnet.engine.compilation.kernel import program
from fastnet.engine.emitting import elementary
from fastnet.engine.emitting.arrays import Matrix, allocate
from fastnet.engine.emitting.lines import lanes, load, store
from fastnet.engine.emitting.tile import tile_lines
from fastnet.engine.step import parts, phases
from fastnet.engine.step.memory import Batch, Layer, Source
from fastnet.engine.step.phases import PANEL

N, D, H, C = LAB.values()


@program
def gather_batch(panel, batch, rows, inputs):
    """A batch, panel by panel, always into the same one."""
    for p in range(0, inputs, PANEL):
        now, later = parts.Part(0, rows, p, p + PANEL), parts.Part(0, rows, p + PANEL, inputs)
        phases.gather(panel, 0, parts.Rows(batch, 0, 0, rows), now, later)


@program
def product(tile, panel, rows, weight, inputs, out, columns):
    """A batch times the weights, as if all panels were the same."""
    for p in range(0, inputs, PANEL):
        phases.product(tile, panel, 0, rows, weight, p, 0, PANEL, out, 0, columns, p > 0)


@program
def product_transposed(tile, panel, rows, d_hidden, inputs, sums, columns):
    """The gradient of the weights, panel by panel, always into the same sums."""
    for _ in range(0, inputs, PANEL):
        for j in range(0, columns, tile_lines(tile) * lanes(sums)):
            phases.product_transposed(tile, panel, 0, PANEL, d_hidden, rows, sums, 0, j)


@program
def exp(x, y):
    for i in range(x.rows):
        for j in range(0, x.columns, lanes(x)):
            store(y, i, j, elementary.exp(load(x, i, j)))


@pytest.fixture(params=["float32", "float64"])
def dtype(request):
    return np.dtype(request.param)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def layers(dtype):
    return Layer.zeros(D, H, dtype), Layer.zeros(H, C, dtype)


@pytest.fixture
def plan(layers):
    return planning.plan_for(N, layers[0])


@pytest.fixture
def tiles(plan, layers):
    return planning.tiles_for(plan, layers)


@pytest.fixture
def panel(rng, plan, dtype):
    """A converted panel of the batch, rows that a tile may reach beyond it included."""
    return filled(rng, plan.stride, PANEL, dtype)


def filled(rng, rows, columns, dtype):
    array = allocate(rows, columns, dtype)
    array[:, :columns] = rng.standard_normal((rows, columns))
    return array


def assert_product(found, a, b):
    """found = a @ b up to the rounding of sums of that many products."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    bound = a.shape[1] * np.finfo(found.dtype).eps * (np.abs(a) @ np.abs(b))
    assert (np.abs(found - a @ b) <= bound).all()


@pytest.mark.benchmark(group="kernels")
def test_gather(benchmark, lab, plan, dtype):
    source = Source(lab.X, lab.y, lab.mean.astype(dtype).reshape(1, -1), np.ones((1, D), dtype))
    panel = allocate(plan.stride, PANEL, dtype)
    benchmark(gather_batch, Matrix(panel), Batch.of(source, Matrix(lab.indices[:1])), N, D)
    last = slice(D - PANEL, D)
    np.testing.assert_array_equal(panel[:N, :PANEL], lab.X[lab.indices[0]][:, last] - lab.mean[last].astype(dtype))


@pytest.mark.benchmark(group="kernels")
def test_product(benchmark, rng, plan, tiles, panel, dtype):
    weight, out = filled(rng, D, H, dtype), allocate(plan.stride, H, dtype)
    out[...] = np.nan
    benchmark(product, tiles.forward, Matrix(panel), N, Matrix(weight), D, Matrix(out), H)
    assert_product(out[:N, :H], np.tile(panel[:N, :PANEL], D // PANEL), weight[:, :H])


@pytest.mark.benchmark(group="kernels")
def test_product_transposed(benchmark, rng, plan, tiles, panel, dtype):
    d_hidden, sums = filled(rng, plan.stride, H, dtype), allocate(PANEL, H, dtype)
    assert H % (tiles.backward1.lines * 64 // dtype.itemsize) == 0  # else product_transposed above stops early
    sums[...] = np.nan
    benchmark(product_transposed, tiles.backward1, Matrix(panel), N, Matrix(d_hidden), D, Matrix(sums), H)
    assert_product(sums[:, :H], panel[:N, :PANEL].T, d_hidden[:N, :H])


@pytest.mark.benchmark(group="kernels")
def test_exp(benchmark, rng, dtype):
    x = filled(rng, N, H, dtype)
    y = np.full_like(x, np.nan)
    benchmark(exp, Matrix(x), Matrix(y))
    np.testing.assert_allclose(y, np.exp(x), rtol=4 * np.finfo(dtype).eps)
