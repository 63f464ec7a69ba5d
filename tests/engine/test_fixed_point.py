"""The first layer in fixed point, against the same arithmetic with Python's and NumPy's integers: to the last bit."""

import numpy as np
import pytest

from fastnet.engine.compilation.cpu import Dot, dot_unit, target
from fastnet.engine.session import Trainer
from fastnet.engine.step import precision
from fastnet.engine.step.memory import Layer, Source
from fastnet.engine.step.phases import PANEL
from fastnet.engine.step.rules import GRADIENT

BITS = {"high": 24, "medium": 16}
NEEDS = {
    Dot("amx", 64): "+amx-int8",
    Dot("vnni", 64): "+avx512vnni",
    Dot("vnni", 32): "+avx512vnni",
    Dot("madd", 64): "+avx512bw",
    Dot("madd", 32): "+avx2",
    Dot("plain", 64): "",
}
RUN_HERE = [
    dot for dot, feature in NEEDS.items() if feature in target()[2] and (dot.instruction != "amx" or dot == dot_unit())
]
NAMES = [f"{instruction} {width}" for instruction, width in RUN_HERE]


def problem(rows, inputs, hidden, classes, spread=0.2):
    """Layers, a data set of pixels with its normalisation, and row numbers of one batch."""
    rng = np.random.default_rng(rows * inputs + hidden)
    X = rng.integers(0, 256, (rows + 7, inputs), dtype=np.uint8)
    mean = rng.uniform(0, 255.99, (1, inputs)).astype(np.float32)
    scale = (0.01 * np.exp(spread * rng.standard_normal((1, inputs)))).astype(np.float32)
    sizes = [(inputs, hidden), (hidden, classes)] if hidden else [(inputs, classes)]
    layers = tuple(Layer.zeros(i, o, np.dtype(np.float32)) for i, o in sizes)
    for layer in layers:
        layer.W[...] = rng.standard_normal(layer.W.shape) * np.exp(rng.standard_normal((1, layer.outputs)))
    return layers, Source(X, rng.integers(0, classes, len(X)), mean, scale), rng.integers(0, len(X), (1, rows))


def one_step(layers, source, rows, words, workers=1):
    """A trainer that has computed the gradients of one batch."""
    trainer = Trainer(layers, source, rows.shape[1], GRADIENT, workers, matmul_precision=words)
    trainer.run(rows, np.zeros((1, 1)), np.zeros(1))
    return trainer


def integers(numbers, bits):
    """Numbers by columns as integers of so many bits, and the power of two of each column."""
    top = np.abs(numbers).max(axis=0).view(np.int32).astype(np.int64)
    exponent = np.maximum((top + (1 << 17)) >> 23, 30)
    factor = 2.0 ** (bits - 2 + 127 - exponent)
    found = np.rint(numbers.astype(np.float64) * factor).astype(np.int64)
    assert np.abs(found).max() <= (32639 if bits == 16 else 8355711)  # what balanced digits hold
    return found, (1 / factor).astype(np.float32)


def fixed_mean(source):
    return np.minimum(np.rint(source.mean[0].astype(np.float64) * 2**24), 2**32 - 1).astype(np.int64)


def mean_product(mean, V, g):
    """mean @ V of a group as a double: byte by byte, each sum exact."""
    part = slice(g * PANEL, (g + 1) * PANEL)
    total = 0.0
    for shift in (24, 16, 8, 0):
        total = total * 256.0 + ((mean[part] >> shift & 255) @ V[part]).astype(np.float64)
    return total / 2.0**24


def slices(trainer, layers, source, rows, bits):
    """The slices of the forward product, as the model of the arithmetic has them."""
    V, unit = integers(layers[0].W * source.scale.T, bits)
    X, mean, plan = source.X[rows[0]].astype(np.int64), fixed_mean(source), trainer._plan
    groups = -(-len(V) // PANEL)
    for s in range(plan.slices):
        p0, p1 = (min(groups * n // plan.slices * PANEL, len(V)) for n in (s, s + 1))
        offset = 0.0
        for g in range(p0 // PANEL, -(-p1 // PANEL)):
            offset = mean_product(mean, V, g) + offset
        yield ((X[:, p0:p1] @ V[p0:p1]).astype(np.float64) - offset).astype(np.float32) * unit


def gradient(d, source, rows, bits):
    """The gradient of the weights from that of the layer's outputs."""
    q, unit = integers(d, bits)
    X = source.X[rows[0]].astype(np.int64)
    mean = (fixed_mean(source) / 2**24).astype(np.float32).reshape(-1, 1)
    kind = np.float32 if bits == 16 else np.float64
    product, total = (X.T @ q).astype(kind), q.sum(axis=0).astype(kind)
    return (product - mean.astype(kind) * total).astype(np.float32) * unit * source.scale.T


# Rows, inputs, hidden units, classes: few shapes of tiles, each of which takes seconds to compile, and of these every
# kind of remainder; several slices, and more inputs than a slice may have.
SHAPES = [
    (32, 1, 1, 2),
    (47, 95, 33, 10),
    (61, 130, 21, 11),
    (61, 97, 32, 11),
    (200, 400, 80, 10),
    (121, 1300, 9, 2),
    (45, 70, 0, 10),
    (37, 401, 0, 33),
]


def check(shape, words):
    layers, source, rows = problem(*shape)
    trainer = one_step(layers, source, rows, words)
    a, plan, count = trainer._activations, trainer._plan, rows.shape[1]
    columns = layers[0].outputs
    for s, expected in enumerate(slices(trainer, layers, source, rows, BITS[words])):
        found = a.partial.array[s * plan.stride : s * plan.stride + count, :columns]
        np.testing.assert_array_equal(found, expected)
    d = (a.d_hidden if len(layers) == 2 else a.scores).array[:count, :columns]
    np.testing.assert_array_equal(trainer.gradients[0], gradient(d, source, rows, BITS[words]))


@pytest.mark.parametrize("words", BITS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_products_to_the_last_bit(shape, words):
    check(shape, words)


@pytest.mark.parametrize("words", BITS)
@pytest.mark.parametrize("dot", RUN_HERE, ids=NAMES)
def test_products_to_the_last_bit_on_every_unit(dot, words, monkeypatch):
    monkeypatch.setattr(precision, "dot_unit", lambda: dot)
    for shape in ((61, 130, 21, 11), (61, 600, 17, 11)):
        check(shape, words)


@pytest.mark.parametrize("words", BITS)
@pytest.mark.parametrize("workers", [2, 3, 5])
def test_any_number_of_workers_gives_the_same_bits(words, workers):
    for shape in ((300, 700, 40, 3), (300, 250, 200, 3)):  # of the second the groups are shared out by their columns
        layers, source, rows = problem(*shape)
        alone = one_step(layers, source, rows, words).gradients
        for found, expected in zip(one_step(layers, source, rows, words, workers).gradients, alone, strict=True):
            np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("words", BITS)
def test_sums_over_several_blocks(words):
    layers, source, rows = problem(700, 130, 21, 3)
    found = one_step(layers, source, rows, words).gradients
    exact = one_step(layers, source, rows, "highest").gradients
    for a, b in zip(found, exact, strict=True):
        np.testing.assert_allclose(a, b, atol=(1e-5 if words == "high" else 3e-3) * np.abs(b).max())


@pytest.mark.parametrize("words", BITS)
def test_weights_that_change_their_scale_get_digits_anew(words):
    """A step that multiplies a column's weights by a thousand, and one that shrinks another's."""
    layers, source, rows = problem(40, 130, 21, 3)
    trainer = one_step(layers, source, rows, words)
    layers[0].W[:, 3] *= 1000
    layers[0].W[:, 20] *= 1e-5
    trainer.run(rows, np.zeros((1, 1)), np.zeros(1))
    fresh = one_step(layers, source, rows, words)
    np.testing.assert_array_equal(trainer.gradients[0], fresh.gradients[0])


@pytest.mark.parametrize("words", BITS)
@pytest.mark.parametrize("spoil", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_stays_so(words, spoil):
    layers, source, rows = problem(40, 130, 21, 3)
    layers[0].W[77, 5] = spoil
    trainer = one_step(layers, source, rows, words)
    assert np.isnan(trainer._activations.partial.array[:40, 5]).all()
    assert np.isfinite(trainer._activations.partial.array[:40, :5]).all()


class TestBits:
    def source(self, scale, mean=100.0, dtype=np.uint8, kind=np.float32):
        D = len(scale)
        return Source(np.zeros((3, D), dtype), None, np.full((1, D), mean, kind), np.array([scale], kind))

    def test_words(self):
        source = self.source(np.ones(9))
        assert [precision.bits_for(w, source) for w in ("highest", "high", "medium")] == [None, 24, 16]

    def test_scales_that_differ_take_more_bits(self):
        spread = np.ones(1000)
        for factor, expected in ((5, 16), (20, 24), (1e5, None)):
            spread[0] = factor
            assert precision.bits_for("medium", self.source(spread)) == expected
        spread[0] = 20
        assert precision.bits_for("high", self.source(spread)) is None

    @pytest.mark.parametrize("mean", [-1.0, 256.0, 1e6])
    def test_a_mean_of_no_pixels_runs_in_floats(self, mean):
        assert precision.bits_for("medium", self.source(np.ones(4), mean)) is None

    def test_floats_and_doubles_run_in_floats(self):
        assert precision.bits_for("medium", self.source(np.ones(4), dtype=np.float32)) is None
        assert precision.bits_for("medium", self.source(np.ones(4), kind=np.float64)) is None

    def test_few_rows_run_in_floats(self):
        layers, source, _ = problem(32, 10, 5, 3)
        assert precision.digits_for("high", source, layers[0], precision.LEAST_ROWS - 1) is None
        assert precision.digits_for("high", source, layers[0], precision.LEAST_ROWS) is not None
