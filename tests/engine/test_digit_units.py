"""Every way to multiply bytes gives the same bits, on this CPU and on others; nothing is read beyond the data."""

import json
import os
import re
import subprocess
import sys

import llvmlite.binding as llvm
import numpy as np
import pytest
from llvmlite import ir

import fastnet
from fastnet.engine import digit_tile, lines, precision, session
from fastnet.engine.cpu import Dot, VectorUnit, target
from fastnet.engine.digits import COLUMNS, Digits
from fastnet.engine.lines import INDEX
from tests.engine.conftest import ROOT
from tests.engine.test_portability import NEON, narrowed

FEATURES = frozenset(f[1:] for f in target()[2].split(",") if f.startswith("+"))
NEEDS = {
    Dot("vnni", 64): {"avx512vnni"},
    Dot("vnni", 32): {"avx512vnni", "avx512vl"},
    Dot("madd", 64): {"avx512bw"},
    Dot("madd", 32): {"avx2"},
    Dot("plain", 64): set(),
}
HERE = [dot for dot, needed in NEEDS.items() if needed <= FEATURES]
MODES = ["high", "medium"]
X86 = pytest.mark.skipif(not target()[0].startswith("x86_64"), reason="the features narrowed here are those of x86-64")


def train(mode, two_layer, workers=2, sizes=(259, 1230, 23)):
    """The bits of a training and a prediction."""
    (N, D, H), rng = sizes, np.random.default_rng(4)
    X, y = rng.integers(0, 256, (300, D), dtype=np.uint8), rng.integers(0, 11, 300)
    kind, hidden = (fastnet.TwoLayerNet, (H,)) if two_layer else (fastnet.SoftmaxClassifier, ())
    model = kind(D, *hidden, 11, std=0.1, seed=1, matmul_precision=mode)
    model.normalization = fastnet.Normalization.fit(X, scale=True)
    history = model.train(X, y, num_iters=4, batch_size=N, learning_rate=0.02, threads=workers)
    parts = [value.tobytes() for value in model.params.values()]
    return b"".join([*parts, np.array(history["loss_history"]).tobytes(), model.loss(X, threads=workers).tobytes()])


@pytest.mark.parametrize("mode", MODES)
def test_every_unit_gives_the_same_bits(mode, monkeypatch):
    results, asked = {}, []
    for dot in HERE:
        monkeypatch.setattr(precision, "dot_unit", lambda dot=dot: asked.append(dot) or dot)
        results[dot] = train(mode, two_layer=True)
    assert set(asked) == set(HERE)
    assert len(set(results.values())) == 1


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("two_layer", [True, False])
def test_any_number_of_workers_gives_the_same_bits(two_layer, mode):
    for sizes in ((259, 1230, 23), (40, 2, 23)):
        assert len({train(mode, two_layer, workers, sizes) for workers in (1, 2, 3, 5)}) == 1


# --- other CPUs ------------------------------------------------------------------------------------------

FIXED = (
    "[(lambda *a, **k: fastnet.TwoLayerNet(*a, matmul_precision='high', **k), 21, np.float32),"
    " (lambda *a, **k: fastnet.SoftmaxClassifier(*a, matmul_precision='medium', **k), None, np.float32)]"
)


@X86
@pytest.mark.skipif("fma" not in FEATURES, reason="without fused multiply-add bits are not promised")
def test_narrower_vectors_give_the_same_bits(train, tmp_path):
    wide = train(FIXED, FASTNET_CACHE_DIR=str(tmp_path))
    narrow = train(FIXED, FASTNET_CACHE_DIR=str(tmp_path), NUMBA_CPU_FEATURES=narrowed())
    assert narrow["hits"] == 0
    assert narrow["unit"] != wide["unit"]
    assert narrow["digest"] == wide["digest"]


SCORES = """
import hashlib, json
import numpy as np
import fastnet
from fastnet.engine import cpu

rng = np.random.default_rng(3)
X = rng.integers(0, 256, (70, 300), dtype=np.uint8)
digest = hashlib.sha256()
for mode in ("high", "medium"):
    model = fastnet.SoftmaxClassifier(300, 19, std=0.1, seed=1, matmul_precision=mode)
    model.normalization = fastnet.Normalization.fit(X, scale=True)
    digest.update(model.loss(X).tobytes())
print(json.dumps([digest.hexdigest(), cpu.dot_unit(), cpu.vector_unit().fma]))
"""


@X86
def test_without_fused_multiply_add_the_product_is_the_same(tmp_path):
    names = ("avx512", "avx10", "amx", "avxvnni", "avx2", "fma")
    without = ",".join("-" + f[1:] if f[1:].startswith(names) else f for f in target()[2].split(","))
    results = []
    for extra in ({}, {"NUMBA_CPU_FEATURES": without}):
        env = {**os.environ, "PYTHONPATH": str(ROOT), "FASTNET_CACHE_DIR": str(tmp_path), **extra}
        out = subprocess.run([sys.executable, "-c", SCORES], env=env, capture_output=True, text=True, timeout=300)
        assert out.returncode == 0, out.stderr
        results.append(json.loads(out.stdout))
    assert results[1][1:] == [["plain", 32], False]
    assert results[0][0] == results[1][0]


def test_dot_units_by_features():
    x86 = "x86_64-unknown-linux-gnu"
    assert Dot.of(x86, frozenset({"avx512f", "avx512bw", "avx512vnni", "avx2", "avx"})) == Dot("vnni", 64)
    assert Dot.of(x86, frozenset({"avxvnni", "avx2", "avx"})) == Dot("vnni", 32)
    assert Dot.of(x86, frozenset({"avx512f", "avx512bw", "avx2", "avx"})) == Dot("madd", 64)
    assert Dot.of(x86, frozenset({"avx2", "avx"})) == Dot("madd", 32)
    assert Dot.of(x86, frozenset({"sse2"})) == Dot("plain", 16)
    assert Dot.of("aarch64-unknown-linux-gnu", frozenset({"i8mm"})) == Dot("usdot", 16)
    assert Dot.of("arm64-apple-darwin", frozenset({"dotprod"})) == Dot("plain", 16)


def assembly(tile, cpu, triple):
    """A tile's product as a function of its own, compiled for another CPU."""
    module = ir.Module("tile")
    pointer = ir.IntType(8).as_pointer()
    kinds = [pointer, INDEX, *[pointer] * tile.lines, INDEX, ir.DoubleType().as_pointer()]
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), kinds), "tile")
    a, across, *b, quads, out = function.args
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    rows = [builder.gep(a, [builder.mul(INDEX(i), across)]) for i in range(tile.mr)]
    values = digit_tile._emit_product(builder, tile.digits, rows, INDEX(4), b, quads)
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
def test_avx_vnni_stays_in_registers(bits):
    digits = Digits(bits, Dot("vnni", 32))
    unit = VectorUnit("AVX2", 32, 16, True)
    for count in (1, 5):
        tile = digit_tile.choose_digit_tile(unit, digits, 200, count)
        loop = max(
            loops_of(assembly(tile, "alderlake", "x86_64-unknown-linux-gnu"), r"j\S*"),
            key=lambda b: b.count("vpdpbusd"),
        )
        assert loop.count("vpdpbusd") >= tile.mr * tile.lines * digits.lines * 2
        assert not re.search(r"\(%rsp\).*%ymm|%ymm.*\(%rsp\)", loop), "a spill inside the loop"


@pytest.mark.parametrize("dot", [*NEEDS, Dot("usdot", 16), Dot("plain", 16)], ids=str)
@pytest.mark.parametrize("bits", [24, 16])
def test_sums_of_digits_fit_32_bits(bits, dot):
    digits = Digits(bits, dot)
    largest = 255 * digits.base // 2
    rows = session.BLOCK_ROWS
    assert rows * (2 ** (bits - 1) * (1 - 1 / 128)) < 2**31  # the sum of a gradient's integers
    if digits.bytewise:
        assert (session.MOST_FEATURES + 96) * largest < 2**31
    else:
        assert digits.chunk >= 64
        assert digits.chunk * 4 * largest < 2**31


# --- memory ----------------------------------------------------------------------------------------------

GUARDED = """
import ctypes, mmap
import numpy as np
import fastnet

libc = ctypes.CDLL(None, use_errno=True)
page = mmap.PAGESIZE
rng = np.random.default_rng(0)
for mode in ("high", "medium"):
    for D in (1, 3, 17, 63, 65, 95, 97, 111, 290):
        for N in (32, 39):
            size = -(-N * D // page) * page
            memory = mmap.mmap(-1, size + 2 * page)
            start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
            for guard in (start, start + page + size):
                assert libc.mprotect(ctypes.c_void_p(guard), ctypes.c_size_t(page), 0) == 0
            for offset in (page, page + size - N * D):
                X = np.frombuffer(memory, np.uint8, N * D, offset).reshape(N, D)
                X[:] = rng.integers(0, 256, X.shape)
                model = fastnet.TwoLayerNet(D, 5, 3, seed=0, matmul_precision=mode, threads=2)
                y = rng.integers(0, 3, N)
                model.train(X, y, num_iters=3, batch_size=N, sampling="shuffle", learning_rate=1e-3)
                assert np.isfinite(model.loss(X)).all()
print("through")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="by Linux's mprotect")
def test_nothing_is_read_beside_the_pixels():
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    out = subprocess.run([sys.executable, "-c", GUARDED], env=env, capture_output=True, text=True, timeout=300)
    assert out.stdout == "through\n", (out.returncode, out.stderr)
