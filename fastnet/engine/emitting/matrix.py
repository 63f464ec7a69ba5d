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
from numba.core.boxing import unbox_array
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
from numba.np.arrayobj import make_array
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
    # Borrowed: the list keeps the array alive for the call.
    array = c.pyapi.list_getitem(obj, c.context.get_constant(types.intp, 0))
    unboxed = unbox_array(types.Array(matrix.dtype, 2, "C"), array, c)
    view = make_array(types.Array(matrix.dtype, 2, "C"))(c.context, c.builder, unboxed.value)
    native = cgutils.create_struct_proxy(matrix)(c.context, c.builder)
    native.address = view.data
    native.rows, native.columns = cgutils.unpack_tuple(c.builder, view.shape)
    return NativeValue(native._getvalue(), is_error=unboxed.is_error)


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
