"""Arrays and settings of every kind that a caller may bring, right and wrong."""

import tempfile
import warnings
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
from hypothesis import strategies as st

NUMBERS = ("u1", "i1", "<u2", ">i2", "<i4", ">u4", "<i8", ">i8", "<u8", "f2", "<f4", ">f4", "<f8", ">f8", "g", "?")
DTYPES = (*NUMBERS, "c8", "U3", "S3", "M8[s]", "m8[s]", "O")
SPECIAL = {  # of floats: subnormal, huge, none
    2: (6e-8, -0.0, 6e4, np.inf, np.nan),
    4: (1e-45, -1e-40, -0.0, 3e38, np.inf, np.nan),
    8: (5e-324, -1e-310, -0.0, 1e300, -1e39, 1e308, np.inf, np.nan),
}


@st.composite
def values(draw, shape, dtype):
    """A new array of a dtype: small numbers and, of floats now and then, one of the special ones."""
    kind = np.dtype(dtype)
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    if kind.kind in "USO":
        found = rng.integers(0, 9, shape).astype(kind)
    elif kind.kind in "fc":
        found = rng.standard_normal(shape).astype(kind)
        if found.size and draw(st.integers(0, 3)) == 0:
            flat = rng.integers(0, found.size)
            with np.errstate(all="ignore"):
                found.reshape(-1)[flat] = draw(st.sampled_from(SPECIAL.get(kind.itemsize, SPECIAL[8])))
    else:
        found = rng.integers(0, 100, shape).astype(kind)
    return found


def laid_out(array, how):
    """The same numbers in another place: strides, order, alignment, a file."""
    match how:
        case "Fortran":
            return np.asfortranarray(array)
        case "reversed":
            return np.ascontiguousarray(array[::-1])[::-1]
        case "every other":
            wide = np.repeat(array, 2, axis=-1) if array.ndim else array
            return wide[..., ::2] if array.ndim else array
        case "unaligned":
            room = np.empty(array.nbytes + 1, np.uint8)
            found = room[1:].view(array.dtype).reshape(array.shape)
            found[...] = array
            return found
        case "read-only":
            found = array.copy()
            found.flags.writeable = False
            return found
        case "memmap":
            with tempfile.TemporaryFile() as file:
                found = np.memmap(file, array.dtype, "w+", shape=array.shape)
            found[...] = array
            return found
    return array


LAYOUTS = ("plain", "Fortran", "reversed", "every other", "unaligned", "read-only", "memmap")
CONTAINERS = ("array", "array", "array", "list", "DataFrame", "matrix", "masked", "whole mask", "objects", "rows")


def contained(array, container):
    """What a caller may bring in an array's place."""
    match container:
        case "list":
            return array.tolist()
        case "DataFrame":
            return (pd.DataFrame if array.ndim == 2 else pd.Series)(array)
        case "matrix":
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", PendingDeprecationWarning)
                return np.asmatrix(array)
        case "masked":
            return np.ma.MaskedArray(array, np.arange(array.size).reshape(array.shape) == 1)
        case "whole mask":
            return np.ma.MaskedArray(array, np.zeros(array.shape, bool))
        case "objects":
            return array.astype(object)
        case "rows":
            return [np.ma.MaskedArray(row, np.arange(row.size).reshape(row.shape) == 0) for row in array]
    return array


@st.composite
def brought(draw, shape, others, dtypes=DTYPES):
    """(what a caller brings, the array that it is made of): mostly of a shape, else of one of the others."""
    shape = draw(st.sampled_from((shape, shape, shape, *others)))
    array = draw(values(shape, draw(st.sampled_from(dtypes))))
    container = draw(st.sampled_from(CONTAINERS))
    layout = draw(st.sampled_from(LAYOUTS))
    plain = array.dtype.kind != "O" and array.size and array.ndim
    # pandas has no numbers of some of these types, and matrices two dimensions.
    unusual = array.dtype.kind in "gMmcUSO" or not array.dtype.isnative or array.dtype.itemsize > 8
    if (container == "DataFrame" and (unusual or array.ndim not in (1, 2))) or (
        container in ("matrix", "rows") and array.ndim != 2
    ):
        container = "array"
    return contained(laid_out(array, layout) if plain else array, container), array


# What may stand where a number, a name or a rule belongs.
ANYTHING = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 9),
    st.sampled_from((10**400, -(10**400), 2**63, 2**64, np.int8(3), np.uint64(2**64 - 1), np.bool_(True))),
    st.floats(),
    st.sampled_from((5e-324, 1e-310, 1e300, -1e39, np.float16(0.5), np.longdouble("1e4000"), np.longdouble(0.25))),
    st.sampled_from((1j, np.complex64(0.5), Decimal("0.5"), Decimal("sNaN"), Fraction(1, 3))),
    st.sampled_from(("", "0.5", "adam", b"0.5", bytearray(b"0.5"), memoryview(b"1"), np.str_("1"), np.bytes_(b"1"))),
    st.sampled_from((np.datetime64(1, "s"), np.timedelta64(1, "s"), pd.NA, pd.NaT, object(), float, len, ...)),
    st.builds(lambda value: np.array(value), st.sampled_from((0.5, 3, "1", 1j, None, True))),
    st.builds(np.array, st.sampled_from(([0.5], [0.5, 0.5], [[1]], [], ["1"]))),
    st.sampled_from(
        (np.ma.masked, np.ma.MaskedArray(0.5, True), np.ma.MaskedArray(0.5, False), np.ma.array([0.5], mask=1))
    ),
    st.sampled_from(([], [0.5], (0.5, 0.75), {}, {"a": 1}, set(), [[1, 2], [3]], [np.ma.masked, 1.0], range(3))),
)
