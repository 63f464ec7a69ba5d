"""LLVM IR that needs nothing of Numba: optimised as a program is, or compiled alone to be run once."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import llvmlite.binding as llvm
import numpy as np
from llvmlite import ir

from fastnet.engine.compilation.cpu import target

_INDEX = ir.IntType(64)


def optimise(module: Any, machine: Any) -> None:
    """Without a search for loops to vectorise and to unroll: those that matter are written in vectors, unrolled."""
    options = llvm.create_pipeline_tuning_options()
    options.loop_vectorization = options.slp_vectorization = options.loop_unrolling = False
    builder = llvm.create_pass_builder(machine, options)
    builder.getModulePassManager().run(module, builder)


def run_once(emit: Callable[..., object], count: int, *arrays: np.ndarray) -> None:
    """Run emit(builder, count, *matrices) on arrays (rows, columns), as a function for this CPU.

    A matrix is what compiled code takes for one (see matrix.py).  A program of Numba's takes five times as long.
    """
    elements = [_element(array.dtype) for array in arrays]
    kinds = [_INDEX] + [kind for element in elements for kind in (element.as_pointer(), _INDEX, _INDEX)]
    module = ir.Module("alone")
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), kinds), "run")
    builder = ir.IRBuilder(function.append_basic_block())
    depth, *parts = function.args
    matrices = []
    for n in range(0, len(parts), 3):
        matrix: ir.Value = ir.Constant(ir.LiteralStructType(kinds[1 + n : 4 + n]), ir.Undefined)
        for place, part in enumerate(parts[n : n + 3]):
            matrix = builder.insert_value(matrix, part, place)
        matrices.append(matrix)
    emit(builder, depth, *matrices)
    builder.ret_void()

    triple, cpu, features = target()
    machine = llvm.Target.from_triple(triple).create_target_machine(
        cpu=cpu, features=features, opt=3, jit=True, codemodel="jitdefault"
    )
    module.triple, module.data_layout = triple, str(machine.target_data)
    parsed = llvm.parse_assembly(str(module))
    parsed.verify()
    optimise(parsed, machine)
    with llvm.create_mcjit_compiler(parsed, machine) as engine:
        engine.finalize_object()
        prototype = ctypes.CFUNCTYPE(
            None, ctypes.c_int64, *[ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64] * len(arrays)
        )
        places = [number for array in arrays for number in (array.ctypes.data, *array.shape)]
        prototype(engine.get_function_address("run"))(count, *places)


def _element(dtype: np.dtype) -> ir.Type:
    """The IR's type of an array's numbers."""
    if dtype.kind == "f":
        return ir.DoubleType() if dtype.itemsize == 8 else ir.FloatType()
    return ir.IntType(8 * dtype.itemsize)
