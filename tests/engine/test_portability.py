"""Other CPUs: narrower vectors give the same bits, NEON tiles compile to what they should."""

import re

import llvmlite.binding as llvm
import pytest
from llvmlite import ir

from fastnet.engine.compilation import cpu
from fastnet.engine.compilation.cpu import VectorUnit, target
from fastnet.engine.emitting import lines
from fastnet.engine.emitting.lines import INDEX
from fastnet.engine.emitting.tile import Operand, emit_tile, shapes
from tests.engine.conftest import BOTH

NEON = VectorUnit.of("aarch64-unknown-linux-gnu", frozenset())


def narrowed():
    """This CPU's features without those of its widest vectors, as Numba's setting takes them."""
    features = target()[2].split(",")
    widest = "+avx512" if any(f == "+avx512f" for f in features) else "+avx2"
    return ",".join("-" + f[1:] if f.startswith((widest, "+amx", "+avx10")) else f for f in features)


@pytest.mark.skipif(not target()[0].startswith("x86_64"), reason="the features narrowed here are those of x86-64")
@pytest.mark.skipif("+fma" not in target()[2], reason="without fused multiply-add bits are not promised")
def test_narrower_vectors_give_the_same_bits(train, tmp_path):
    wide = train(BOTH, FASTNET_CACHE_DIR=str(tmp_path))
    narrow = train(BOTH, FASTNET_CACHE_DIR=str(tmp_path), NUMBA_CPU_FEATURES=narrowed())
    assert narrow["hits"] == 0
    assert narrow["unit"] != wide["unit"]
    assert narrow["digest"] == wide["digest"]


def test_vector_units_by_features():
    x86 = "x86_64-unknown-linux-gnu"
    assert VectorUnit.of(x86, frozenset({"avx512f", "avx2", "avx", "fma"})).per_line == 1
    assert VectorUnit.of(x86, frozenset({"avx2", "avx", "fma"})) == VectorUnit("AVX2", 32, 16, True)
    assert not VectorUnit.of(x86, frozenset({"sse2"})).fma
    assert VectorUnit("NEON", 16, 32, True, from_memory=False) == NEON
    assert VectorUnit.of("arm64-apple-darwin", frozenset()) == NEON


def neon_assembly(tile, line, monkeypatch):
    """The tile as a function of its own, compiled for 64-bit ARM."""
    monkeypatch.setattr(lines, "vector_unit", lambda: NEON)
    module = ir.Module("tile")
    pointer = line.element.as_pointer()
    kinds = [INDEX, ir.IntType(1), pointer, INDEX, INDEX, pointer, INDEX, pointer, INDEX]
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), kinds), "tile")
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    depth, resume, a, across, along, b, b_width, c, c_width = function.args
    operands = Operand(a, across, along), Operand(b, b_width, INDEX(1)), Operand(c, c_width, INDEX(1))
    emit_tile(builder, tile._numba_type_, line, depth, resume, *operands)
    builder.ret_void()
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    triple = "aarch64-unknown-linux-gnu"
    machine = llvm.Target.from_triple(triple).create_target_machine(cpu="neoverse-n1", opt=3)
    parsed = llvm.parse_assembly(str(module))
    parsed.triple = triple
    parsed.verify()
    options = llvm.create_pipeline_tuning_options(speed_level=3)
    builder = llvm.create_pass_builder(machine, options)
    builder.getModulePassManager().run(parsed, builder)
    return machine.emit_assembly(parsed)


def innermost_loop(assembly):
    """The instructions from a label to the branch back to it, of the loop with the most multiply-adds."""
    loops = re.findall(r"^(\.L\w+):((?:(?!^\.L).)*?\bb\S*\s+(?:\w+, )?\1\b)", assembly, re.MULTILINE | re.DOTALL)
    return max((body for _, body in loops), key=lambda body: body.count("fmla"))


@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize("tile", shapes(NEON), ids=str)
def test_neon_tiles_are_fused_and_stay_in_registers(tile, bits, monkeypatch):
    line = ir.VectorType(ir.FloatType() if bits == 32 else ir.DoubleType(), 512 // bits)
    loop = innermost_loop(neon_assembly(tile, line, monkeypatch))
    fused = tile.mr * tile.lines * NEON.per_line
    assert loop.count("fmla") % fused == 0  # LLVM may unroll
    assert loop.count("fmla") >= fused
    assert not re.search(r"\bfmul\b|\bfadd\b|\bbl\b", loop)
    assert "[sp" not in loop, "a spill inside the loop"


@pytest.mark.parametrize("features", [{"avx512f", "avx2", "avx", "fma"}, {"avx2", "avx", "fma"}, {"sse2"}])
def test_a_line_fills_whole_registers(features):
    unit = VectorUnit.of("x86_64-unknown-linux-gnu", frozenset(features))
    assert unit.per_line * unit.width == cpu.LINE_BYTES
