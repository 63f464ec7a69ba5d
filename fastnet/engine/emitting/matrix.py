"""Matrices as compiled code sees them: an address and two lengths (arrays.Matrix is the side of Python).

A NumPy array would do, but Numba passes one from function to function as nine numbers, with code for negative
indices at every access, and compiles again for one that is read-only.  The LLVM IR of the training program was nearly
twice as long with arrays, and a first training took a quarter longer.
"""

from __future__ import annotations

import operator
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import (
    NativeValue,
    intrinsic,
    lower_builtin,
    make_attribute_wrapper,
    models,
    register_model,
    typeof_impl,
    unbox,
)
from numba.np.numpy_support import from_dtype

from fastnet.engine.emitting.arrays import Matrix


class MatrixType(types.Type):
    """The Numba type of a matrix of such numbers: m[i, j], m.rows and m.columns; nothing is checked."""

    def __init__(self, dtype: types.Number) -> None:
        self.dtype = dtype
        super().__init__(name=f"Matrix({dtype})")


@register_model(MatrixType)
class _MatrixModel(models.StructModel):
    def __init__(self, manager: Any, matrix: MatrixType) -> None:
        members = [("address", types.CPointer(matrix.dtype)), ("rows", types.intp), ("columns", types.intp)]
        super().__init__(manager, matrix, members)


make_attribute_wrapper(MatrixType, "rows", "rows")
make_attribute_wrapper(MatrixType, "columns", "columns")


@typeof_impl.register(Matrix)
def _type_of_matrix(matrix: Matrix, c: Any) -> MatrixType:
    return MatrixType(from_dtype(matrix.array.dtype))


@unbox(MatrixType)
def _unbox_matrix(matrix: MatrixType, obj: Any, c: Any) -> NativeValue:
    kind = c.context.get_value_type(matrix)
    out = cgutils.alloca_once(c.builder, kind)
    failed = c.builder.call(_unboxing(matrix, kind, c), [obj, out])
    return NativeValue(c.builder.load(out), is_error=failed)


def _unboxing(matrix: MatrixType, kind: ir.Type, c: Any) -> ir.Function:
    """A function of the module, as programs take dozens of matrices: puts one there; whether it could not be had."""
    name = f"unbox {matrix}"
    function = c.builder.module.globals.get(name)
    if function is None:
        signature = ir.FunctionType(ir.IntType(1), [c.pyapi.pyobj, kind.as_pointer()])
        function = ir.Function(c.builder.module, signature, name)
        function.linkage = "internal"
        function.attributes.add("noinline")
        builder = ir.IRBuilder(function.append_basic_block())
        inner = c._replace(builder=builder, pyapi=c.context.get_python_api(builder))
        # Borrowed: the list keeps the array alive for the call.
        array = inner.pyapi.list_getitem(function.args[0], c.context.get_constant(types.intp, 0))
        # By way of the context: to import Numba's arrays for it took a tenth of a warm start.
        as_array = types.Array(matrix.dtype, 2, "C")
        unboxed = inner.unbox(as_array, array)
        view = c.context.make_array(as_array)(c.context, builder, unboxed.value)
        native = cgutils.create_struct_proxy(matrix)(c.context, builder, ref=function.args[1])
        native.address = view.data
        native.rows, native.columns = cgutils.unpack_tuple(builder, view.shape)
        builder.ret(unboxed.is_error)
    return function


def emit_address(
    builder: ir.IRBuilder, matrix: ir.Value, row: ir.Value, column: ir.Value, inside: bool = True
) -> ir.Value:
    """The address of matrix[row, column]; `inside` lets LLVM assume that it lies in the matrix.

    It is an offset from the matrix's own pointer: an address made from an integer defeats LLVM's alias
    analysis (numba #10695).
    """
    offset = builder.add(builder.mul(row, emit_columns(builder, matrix)), column)
    return builder.gep(builder.extract_value(matrix, 0), [offset], inbounds=inside)


def emit_columns(builder: ir.IRBuilder, matrix: ir.Value) -> ir.Value:
    """How many columns the matrix has, which is also how far its rows are apart."""
    return builder.extract_value(matrix, 2)


_PLACE = types.UniTuple(types.intp, 2)


@infer_global(operator.getitem)
class _GetItem(AbstractTemplate):
    def generic(self, args: Any, kws: Any) -> Any:
        if isinstance(args[0], MatrixType):
            return signature(args[0].dtype, args[0], _PLACE)
        return None


@infer_global(operator.setitem)
class _SetItem(AbstractTemplate):
    def generic(self, args: Any, kws: Any) -> Any:
        if isinstance(args[0], MatrixType):
            return signature(types.none, args[0], _PLACE, args[0].dtype)
        return None


@lower_builtin(operator.getitem, MatrixType, _PLACE)
def _get_item(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
    return builder.load(_place(builder, *args))


@lower_builtin(operator.setitem, MatrixType, _PLACE, types.Number)
def _set_item(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
    builder.store(args[2], _place(builder, *args[:2]))
    return context.get_dummy_value()


def _place(builder: ir.IRBuilder, matrix: ir.Value, place: ir.Value) -> ir.Value:
    return emit_address(builder, matrix, builder.extract_value(place, 0), builder.extract_value(place, 1))


@intrinsic
def number(typingctx, matrix, value):
    """value in the type of the matrix's numbers."""

    def codegen(context, builder, sig, args):
        return context.cast(builder, args[1], sig.args[1], matrix.dtype)

    return matrix.dtype(matrix, value), codegen
