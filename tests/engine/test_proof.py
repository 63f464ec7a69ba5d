"""A tile that multiplies wrongly is found when it is first compiled, and another takes its place."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from fastnet.engine import planning, proof
from fastnet.engine.compilation.cpu import dot_unit
from fastnet.engine.emitting.digit_tile import MEAN_BYTES, DigitTile
from fastnet.engine.step.memory import Layer, Source
from tests.engine.conftest import ROOT

# Trains with the precision given, after some lines of its own; tells what was warned of, and the parameters.
TRAIN = """
import hashlib, json, warnings
import numpy as np
import fastnet
from fastnet.engine import proof
from fastnet.engine.emitting import digit_tile, matrix_unit, pixels, tile
{breakage}
rng = np.random.default_rng(5)
X, y = rng.integers(0, 256, (90, 21), dtype=np.uint8), rng.integers(0, 3, 90)
net = fastnet.TwoLayerNet(21, 18, 3, std=0.1, seed=1, matmul_precision="{precision}")
with warnings.catch_warnings(record=True) as warned:
    warnings.simplefilter("always")
    net.train(X, y, num_iters=5, batch_size=40, learning_rate=1e-4)
    net.train(X, y, num_iters=5, batch_size=40, learning_rate=1e-4)
values = b"".join(np.ascontiguousarray(value).tobytes() for value in net.params.values())
print(json.dumps([hashlib.sha256(values).hexdigest(), [str(w.message) for w in warned]]))
"""
# The last step of the depth is left out.
SHORT_TILE = """
whole = tile.emit_tile
tile.emit_tile = lambda builder, shape, line, depth, *rest: whole(
    builder, shape, line, builder.sub(depth, depth.type(1)), *rest
)
"""
SHORT_DIGITS = """
whole = digit_tile._emit_product
digit_tile._emit_product = lambda builder, digits, rows, along, b, quads, *rest, **named: whole(
    builder, digits, rows, along, b, builder.sub(quads, quads.type(1)), *rest, **named
)
"""
SHORT_MATRICES = """
call = matrix_unit._call
matrix_unit._call = lambda builder, name, *rest: name == "tdpbusd" and rest[0].constant == 1 or call(
    builder, name, *rest
)
"""
# The first of the features is left out.
SHIFTED_PIXELS = """
whole = pixels.emit_transposed
pixels.emit_transposed = proof.emit_transposed = lambda builder, *rest: whole(
    builder, *rest[:-1], builder.add(rest[-1], rest[-1].type(1))
)
"""
NO_PROOF = "proof._floats_multiply = None"


@pytest.fixture(scope="module")
def train(tmp_path_factory):
    """Parameters' digest and warnings of a training in a process and a cache of its own, or in a given cache."""

    def run(precision="highest", breakage="", cache=None):
        folder = cache or tmp_path_factory.mktemp("cache")
        code = TRAIN.format(precision=precision, breakage=breakage)
        environment = os.environ | {"FASTNET_CACHE_DIR": str(folder)}
        found = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
        )
        return json.loads(found.stdout)

    return run


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def sound(train, cache):
    digest, warned = train(cache=cache)
    assert warned == []
    return digest


def test_a_broken_tile_of_floats_gives_way_to_a_plain_one_of_the_same_bits(train, sound):
    digest, warned = train(breakage=SHORT_TILE)
    assert digest == sound
    assert len(warned) == 1
    assert "computes wrong products" in warned[0]


def test_a_broken_tile_of_digits_gives_way_to_floats(train, sound, tmp_path):
    for _ in range(2):  # what did not hold is not remembered as if it had
        digest, warned = train("medium", SHORT_DIGITS, cache=tmp_path)
        assert digest == sound
        assert len(warned) == (2 if dot_unit().instruction == "amx" else 1)  # its vectors, then those in its place


@pytest.mark.skipif(dot_unit().instruction != "amx", reason="no matrix unit here")
@pytest.mark.parametrize("breakage", [SHORT_MATRICES, SHIFTED_PIXELS])
def test_a_broken_matrix_unit_gives_way_to_vectors_of_the_same_bits(train, breakage):
    expected, warned = train("medium")
    assert warned == []
    digest, warned = train("medium", breakage)
    assert digest == expected
    assert len(warned) == 1


def test_a_warm_start_proves_nothing_anew(train, cache, sound):
    assert train(breakage=NO_PROOF, cache=cache) == [sound, []]


@pytest.mark.parametrize("precision", ["highest", "medium"])
@pytest.mark.parametrize("hidden", [18, 96, 100])
def test_every_tile_that_trains_is_proven(hidden, precision, monkeypatch):
    seen = set()
    monkeypatch.setattr(proof, "_holds", lambda tile, dtype, transposed: seen.add((tile, transposed)) or True)
    layers = Layer.zeros(21, hidden, np.dtype(np.float32)), Layer.zeros(hidden, 10, np.dtype(np.float32))
    source = Source(np.empty((200, 21), np.uint8), None, *(np.ones((1, 21), np.float32) for _ in range(2)))
    digits, _, tiles = planning.trusted(precision, source, layers, 200)
    by_rows = {(tile, False) for tile in (tiles.forward, tiles.middle, tiles.scores)}
    if precision == "medium":
        by_rows.add((DigitTile(MEAN_BYTES, 1, digits.of_vectors), False))
    assert seen == by_rows | {(tiles.backward1, True), (tiles.backward2, True)}
