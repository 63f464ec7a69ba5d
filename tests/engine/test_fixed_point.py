"""The first layer in fixed point, to the last bit: against the same arithmetic in Python's integers."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest

from fastnet.engine import precision, session
from fastnet.engine.cpu import Dot
from fastnet.engine.digit_tile import DigitTile
from fastnet.engine.memory import Layer, Source
from fastnet.engine.phases import PANEL
from fastnet.engine.rules import GRADIENT
from fastnet.engine.tile import Tile

BITS = {"high": 24, "medium": 16}
# N, D, H: every remainder of 4 rows, of 4, 16, 64 and 96 inputs, of 16 columns; slices; blocks of rows.
SIZES = [
    (32, 1, 1), (33, 2, 5), (34, 3, 16), (35, 4, 17), (36, 5, 31), (37, 15, 3), (38, 16, 33), (39, 17, 2),
    (40, 50, 48), (41, 63, 23), (42, 64, 15), (43, 66, 9), (44, 95, 7), (45, 96, 80), (45, 97, 6), (32, 131, 81),
    (41, 255, 4), (33, 256, 3), (61, 290, 18), (121, 389, 2), (35, 515, 5), (34, 1230, 4),
    (257, 99, 19), (259, 300, 5), (515, 101, 3),
]  # fmt: skip
SOME = [(39, 67, 19), (34, 1230, 4), (259, 101, 35)]


@pytest.fixture
def few_tiles(monkeypatch):
    """A shape or two for all sizes, as each takes seconds to compile: tests of SOME sizes see those that are chosen."""

    def few(unit, digits, rows, lines, divides=None):
        return DigitTile(3, min(lines, 2), digits)

    monkeypatch.setattr(session, "choose_tile", lambda *_, **__: Tile(4, 1))
    monkeypatch.setattr(
        session,
        "choose_digit_tile",
        lambda unit, digits, rows, lines, divides=None: DigitTile(3, min(lines, 2), digits),
    )


@dataclass
class Case:
    """A first layer and pixels with a normalisation."""

    layer: Layer
    source: Source


def draw(rng, N, D, H, classes=None):
    """Columns of every size, some of whose largest numbers are at the ends of a scale, some of zeros."""
    layer = Layer.zeros(D, H, np.dtype(np.float32))
    scale = rng.uniform(0.5, 2, (1, D)).astype(np.float32)
    layer.W[:] = rng.standard_normal((D, H)) * np.exp2(rng.integers(-60, 60, H))
    whole = rng.integers(-300, 300, (D, H)) / 2  # halves between two integers
    for j in range(H):
        if j % 4 == 1:
            layer.W[:, j] = whole[:, j] * 2.0**-13 / scale[0]
            layer.W[rng.integers(D), j] = 0.75 / scale[0, 0]
        if j % 4 == 2:
            top = rng.choice([1, 1 - 2.0**-24, 1 - 2.0**-7, 1 - 2.0**-7 - 2.0**-24])
            layer.W[:, j] = rng.uniform(-0.4, 0.4, D)
            layer.W[rng.integers(D), j] = top * rng.choice([-1, 1])
        if j % 8 == 7:
            layer.W[:, j] = 0
    if H > 2:
        scale[:] = np.exp2(rng.integers(-1, 2, scale.shape))  # keeps the tops of columns what they are
    layer.b[:] = rng.standard_normal(H)
    X = rng.integers(0, 256, (N, D), dtype=np.uint8)
    X[rng.integers(N)], X[rng.integers(N)] = 0, 255
    mean = rng.uniform(0, 255, (1, D)).astype(np.float32)
    mean[0, 0], mean[0, -1] = 0, np.nextafter(np.float32(256), np.float32(0))
    y = None if classes is None else rng.integers(0, classes, N)
    return Case(layer, Source(X, y, mean, scale))


# --- the model -------------------------------------------------------------------------------------------


def fixed_point(V, bits):
    """A column's numbers as Python integers, and the unit they are multiples of."""
    _, exponent = np.frexp(np.float64(top := np.abs(V).max()))
    if top >= (1 - 1 / 128) * 2.0**exponent:
        exponent += 1
    if top == 0 or exponent < -96:
        exponent = -96
    unit = 2.0 ** (exponent - (bits - 1))
    return [int(v) for v in np.rint(V.astype(np.float64) / unit)], unit


def mean_in_places(source):
    """The mean as an integer, and how many make 1."""
    places = 256 ** (precision.MEAN_BYTES - 1)
    return [min(round(float(m) * places), 256 * places - 1) for m in source.mean[0]], places


def dot(a, b):
    return sum(int(x) * y for x, y in zip(a, b, strict=True))


def mean_of_group(mean, q):
    """mean @ q, of the mean's bytes one by one: where it is beyond 53 bits it is rounded at these places."""
    value = 0.0
    for n in reversed(range(precision.MEAN_BYTES)):
        value = value * 256 + float(dot([m >> (8 * n) & 255 for m in mean], q))
    return value


def forward_model(case, bits, slices):
    """The first layer's result, before its activation."""
    V = case.source.scale.reshape(-1, 1) * case.layer.W
    N, (D, H) = len(case.source.X), V.shape
    mean, places = mean_in_places(case.source)
    count = -(-D // PANEL)
    bounds = [min(count * s // slices * PANEL, D) for s in range(slices + 1)]
    result = np.zeros((slices, N, H), np.float32)
    for j in range(H):
        q, unit = fixed_point(V[:, j], bits)
        for s, (p0, p1) in enumerate(pairwise(bounds)):
            offset = 0.0
            for p in range(p0, p1, PANEL):
                end = min(p + PANEL, p1)
                offset += mean_of_group(mean[p:end], q[p:end]) / places
            for r in range(N):
                result[s, r, j] = np.float32((dot(case.source.X[r, p0:p1], q[p0:p1]) - offset) * unit)
    total = result[0]
    for part in result[1:]:
        total = total + part
    return total + case.layer.b


def gradient_model(case, d, bits, block_rows):
    """The gradient of the weights, d being that of the layer's result."""
    X, scale = case.source.X, case.source.scale[0]
    mean, places = mean_in_places(case.source)
    (N, D), H = X.shape, d.shape[1]
    result = np.zeros((D, H), np.float32)
    for first in range(0, N, block_rows):
        rows = slice(first, min(first + block_rows, N))
        columns = X[rows].T.tolist()
        for j in range(H):
            q, unit = fixed_point(d[rows, j], bits)
            total = float(sum(q))
            for p in range(D):
                value = (float(dot(columns[p], q)) - mean[p] / places * total) * unit
                result[p, j] += np.float32(value) * scale[p]
    return result


# --- forward ---------------------------------------------------------------------------------------------


def assert_forward(case, mode, two_layer):
    """Scores are the layer's result itself, or what is positive of it."""
    H, layers = case.layer.outputs, (case.layer,)
    if two_layer:
        last = Layer.zeros(H, H, np.dtype(np.float32))
        last.W[:] = np.eye(H)
        layers = (case.layer, last)
    found = session.Scorer(layers, case.source, 2, mode).run(case.source)
    slices = session.plan_for(len(case.source.X), case.layer.inputs).slices
    expected = forward_model(case, BITS[mode], slices)
    np.testing.assert_array_equal(found, np.maximum(expected, 0) if two_layer else expected)


@pytest.mark.parametrize("mode", BITS)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_forward_of_a_linear_model(size, mode, rng, few_tiles):
    assert_forward(draw(rng, *size), mode, two_layer=False)


@pytest.mark.parametrize("mode", BITS)
@pytest.mark.parametrize("size", SOME, ids=str)
def test_forward_of_two_layers(size, mode, rng):
    case = draw(rng, *size)
    case.layer.W[:] = np.clip(case.layer.W, -1e6, 1e6)  # their sums with zeros are as they are
    assert_forward(case, mode, two_layer=True)


# --- backward --------------------------------------------------------------------------------------------


def assert_gradient(case, mode, classes=None, threads=2):
    """The gradient of the first layer's weights for the d that the engine has.

    Of several blocks only the last one's d is left: the weights are 0 then, so that it depends on the label alone.
    """
    y, N, H = case.source.y, len(case.source.X), case.layer.outputs
    layers = (case.layer,)
    if classes is not None:
        rng = np.random.default_rng(1)
        last = Layer.zeros(H, classes, np.dtype(np.float32))
        last.W[:] = rng.standard_normal((H, classes)) * np.exp2(rng.integers(-8, 8, (H, 1)))
        layers = (case.layer, last)
    plan = session.plan_for(N, case.layer.inputs)
    if plan.blocks > 1:
        case.layer.W[:] = 0
    trainer = session.Trainer(layers, case.source, N, GRADIENT, threads, matmul_precision=mode)
    trainer.run(np.arange(N).reshape(1, -1), np.zeros((1, 1)), 0.0)
    a = trainer._activations
    d = (a.scores if classes is None else a.d_hidden).array[:, :H]
    last_block = N - (plan.blocks - 1) * plan.block_rows
    if plan.blocks > 1:
        of_label = {label: d[r].copy() for r, label in enumerate(y[N - last_block :])}
        d = np.array([of_label[label] for label in y])
    d = d[:N]
    assert np.abs(d).max() > 0
    np.testing.assert_array_equal(trainer.gradients[0], gradient_model(case, d, BITS[mode], plan.block_rows))


@pytest.mark.parametrize("mode", BITS)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_gradient_of_a_linear_model(size, mode, rng, few_tiles):
    case = draw(rng, *size, classes=min(size[2], 9))
    case.layer.W[:] = np.clip(case.layer.W, -0.1, 0.1)
    if size[2] == 1:
        pytest.skip("one class has no gradient")
    assert_gradient(case, mode)


@pytest.mark.parametrize("mode", BITS)
@pytest.mark.parametrize("size", SOME, ids=str)
def test_gradient_of_two_layers(size, mode, rng):
    case = draw(rng, *size, classes=5)
    case.layer.W[:] = np.clip(case.layer.W, -0.1, 0.1)
    assert_gradient(case, mode, classes=5)


@pytest.mark.parametrize("mode", BITS)
def test_without_an_instruction(mode, rng, few_tiles, monkeypatch):
    monkeypatch.setattr(precision, "dot_unit", lambda: Dot("plain", 32))
    for size in [(34, 1230, 4), (45, 67, 19)]:
        assert_forward(draw(rng, *size), mode, two_layer=False)
        case = draw(rng, *size, classes=3)
        case.layer.W[:] = np.clip(case.layer.W, -0.1, 0.1)
        assert_gradient(case, mode)
