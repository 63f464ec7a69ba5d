"""Ways to multiply bytes: which a CPU has, what they compile to, the same bits from narrowed ones."""

import json
import os
import re
import subprocess
import sys

import llvmlite.binding as llvm
import numpy as np
import pytest
from llvmlite import ir

from fastnet.engine import planning
from fastnet.engine.compilation import cpu
from fastnet.engine.compilation.cpu import Dot, VectorUnit, target
from fastnet.engine.compilation.native import run_once
from fastnet.engine.emitting import digit_tile, lines, pixels
from fastnet.engine.emitting.digits import COLUMNS, Digits
from fastnet.engine.emitting.lines import INDEX
from fastnet.engine.step import precision
from tests.engine.conftest import ROOT
from tests.engine.test_portability import NEON, narrowed

SCORES = """
import hashlib, json
import numpy as np
import fastnet
from fastnet.engine.compilation import cpu

rng = np.random.default_rng(3)
X, y = rng.integers(0, 256, (300, 300), dtype=np.uint8), rng.integers(0, 19, 300)
digest, trained = hashlib.sha256(), hashlib.sha256()
for mode in ("high", "medium"):
    model = fastnet.SoftmaxClassifier(300, 19, std=0.1, seed=1, matmul_precision=mode)
    model.normalization = fastnet.Normalization.fit(X, scale=True)
    digest.update(model.loss(X[:70]).tobytes())
    model.train(X, y, num_iters=3, batch_size=len(X), learning_rate=1e-3)  # in two blocks
    trained.update(model.params["W"].tobytes())
print(json.dumps([digest.hexdigest(), trained.hexdigest(), cpu.dot_unit(), cpu.vector_unit().fma]))
"""


@pytest.mark.skipif(not target()[0].startswith("x86_64"), reason="the features taken away here are those of x86-64")
def test_products_are_the_same_on_lesser_units_and_without_fused_multiply_add(tmp_path):
    names = ("avx512", "avx10", "amx", "avxvnni", "avx2", "fma")
    without = ",".join("-" + f[1:] if f[1:].startswith(names) else f for f in target()[2].split(","))
    found = []
    vectors = ",".join("-" + f[1:] if f.startswith("+amx") else f for f in target()[2].split(","))
    for features in (target()[2], vectors, narrowed(), without):
        settings = {"PYTHONPATH": str(ROOT), "FASTNET_CACHE_DIR": str(tmp_path), "NUMBA_CPU_FEATURES": features}
        out = subprocess.run([sys.executable, "-c", SCORES], env=os.environ | settings, capture_output=True, text=True)
        assert out.returncode == 0, out.stderr
        found.append(json.loads(out.stdout))
    assert found[-1][2:] == [["plain", 32], False]
    assert len({tuple(unit) for _, _, unit, _ in found}) > 1
    assert len({digest for digest, *_ in found}) == 1
    assert len({trained for _, trained, _, fma in found if fma}) == 1  # softmax and update are in floats


def test_dot_units_by_features():
    x86 = "x86_64-unknown-linux-gnu"
    vnni = frozenset({"avx512f", "avx512bw", "avx512vnni", "avx2", "avx"})
    assert Dot.of(x86, vnni) == Dot("vnni", 64)
    assert Dot.of(x86, vnni | {"amx-int8", "amx-tile"}) == Dot("amx", 64)
    assert Dot.of(x86, vnni | {"amx-int8"}) == Dot("vnni", 64)
    assert Dot.of(x86, frozenset({"amx-int8", "amx-tile", "avx2", "avx"})) == Dot("madd", 32)  # the mean needs VNNI
    assert Dot.of(x86, frozenset({"avxvnni", "avx2", "avx"})) == Dot("vnni", 32)
    assert Dot.of(x86, frozenset({"avx512f", "avx512bw", "avx2", "avx"})) == Dot("madd", 64)
    assert Dot.of(x86, frozenset({"avx2", "avx"})) == Dot("madd", 32)
    assert Dot.of(x86, frozenset({"sse2"})) == Dot("plain", 16)
    assert Dot.of("aarch64-unknown-linux-gnu", frozenset({"i8mm"})) == Dot("usdot", 16)
    assert Dot.of("arm64-apple-darwin", frozenset({"dotprod"})) == Dot("plain", 16)


def test_a_system_that_refuses_the_matrix_unit_leaves_vectors(monkeypatch):
    features = frozenset({"avx512f", "avx512bw", "avx512vnni", "amx-int8", "amx-tile"})
    monkeypatch.setattr(cpu, "_features", lambda: features)
    monkeypatch.setattr(cpu, "target", lambda: ("x86_64-unknown-linux-gnu", "", ""))
    for allowed, instruction in ((True, "amx"), (False, "vnni")):
        monkeypatch.setattr(cpu, "_matrix_unit_allowed", lambda allowed=allowed: allowed)
        assert cpu.dot_unit.__wrapped__() == Dot(instruction, 64)


@pytest.mark.parametrize("width", [64, 32])
def test_pixels_are_transposed(width):
    rng = np.random.default_rng(width)
    panel = rng.integers(0, 256, (16 + 3, 128), dtype=np.uint8)
    found = np.zeros((width + 2, 64), np.uint8)

    def emit(builder, count, out, matrix):
        pixels.emit_transposed(builder, width, out, INDEX(1), INDEX(32), matrix, INDEX(3), INDEX(5))

    run_once(emit, 0, found, panel)
    assert (found[1 : 1 + width, 32:48] == panel[3:, 5 : 5 + width].T).all()
    found[1 : 1 + width, 32:48] = 0
    assert not found.any()


def assembly(tile, cpu, triple):
    """A tile's product as a function of its own, compiled for another CPU."""
    module = ir.Module("tile")
    pixels, lines_of_b = (ir.IntType(8 * width).as_pointer() for width in (tile.digits.pixel_bytes, 1))
    kinds = [pixels, INDEX, *[lines_of_b] * tile.lines, INDEX, ir.DoubleType().as_pointer()]
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), kinds), "tile")
    a, across, *b, quads, out = function.args
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    rows = [builder.gep(a, [builder.mul(INDEX(i), across)]) for i in range(tile.mr)]
    values = digit_tile._emit_product(builder, tile.digits, rows, INDEX(4), b, quads, short=False)
    for n, value in enumerate(values.values()):
        lines.emit_store(builder, value, builder.gep(out, [INDEX(n * COLUMNS)]))
    builder.ret_void()
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    machine = llvm.Target.from_triple(triple).create_target_machine(cpu=cpu, opt=3)
    parsed = llvm.parse_assembly(str(module))
    parsed.triple = triple
    parsed.verify()
    options = llvm.create_pipeline_tuning_options(speed_level=3)
    llvm.create_pass_builder(machine, options).getModulePassManager().run(
        parsed, llvm.create_pass_builder(machine, options)
    )
    return machine.emit_assembly(parsed)


def loops_of(text, branch):
    """The instructions from each label to the branch back to it."""
    return [body for _, body in re.findall(rf"^(\.L\w+):((?:(?!^\.L).)*?\b{branch}\b[^\n]*\1\b)", text, re.M | re.S)]


@pytest.mark.parametrize("bits", [24, 16])
@pytest.mark.parametrize("rows", [200, 96])
@pytest.mark.parametrize("count", [1, 5])
def test_usdot_stays_in_registers(count, rows, bits):
    digits = Digits(bits, Dot("usdot", 16))
    tile = digit_tile.choose_digit_tile(NEON, digits, rows, count)
    loop = max(
        loops_of(assembly(tile, "neoverse-v1", "aarch64-unknown-linux-gnu"), r"b\S*"), key=lambda b: b.count("usdot")
    )
    products = tile.mr * tile.lines * digits.lines * 4  # registers of a line
    assert loop.count("usdot") % products == 0
    assert loop.count("usdot") >= products
    assert "[sp" not in loop, "a spill inside the loop"


@pytest.mark.parametrize("bits", [24, 16])
@pytest.mark.parametrize(("instruction", "cpu"), [("vnni", "alderlake"), ("madd", "znver3")])
def test_sixteen_registers_are_enough(instruction, cpu, bits):
    digits = Digits(bits, Dot(instruction, 32))
    unit = VectorUnit("AVX2", 32, 16, True)
    name = {"vnni": "vpdpbusd", "madd": "vpmaddwd"}[instruction]
    for rows, divides in ((200, None), (96, 96)):
        for count in (1, 5):
            tile = digit_tile.choose_digit_tile(unit, digits, rows, count, divides)
            loops = loops_of(assembly(tile, cpu, "x86_64-unknown-linux-gnu"), r"j\S*")
            loop = max(loops, key=lambda body: body.count(name))
            assert tile.mr >= 3
            assert loop.count(name) >= tile.mr * tile.lines * digits.lines * digits.columns // 8
            assert not re.search(r"\(%rsp\).*%ymm|%ymm.*\(%rsp\)", loop), "a spill inside the loop"


@pytest.mark.parametrize("dot", [Dot("vnni", 64), Dot("madd", 32), Dot("usdot", 16), Dot("plain", 16)], ids=str)
@pytest.mark.parametrize("bits", [24, 16])
def test_sums_of_digits_fit_32_bits(bits, dot):
    digits = Digits(bits, dot)
    largest = 255 * digits.base // 2
    rows = planning.BLOCK_ROWS
    assert rows * (2 ** (bits - 1) * (1 - 1 / 128)) < 2**31  # the sum of a gradient's integers
    if digits.bytewise:
        assert (precision.MOST_FEATURES + 96) * largest < 2**31
    else:
        assert digits.chunk >= 64
        assert digits.chunk * 4 * largest < 2**31
