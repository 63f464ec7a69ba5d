"""Tiles and the products made of them, for every shape and every remainder, against float64 NumPy."""

import numpy as np
import pytest

from fastnet.engine.compilation import kernel
from fastnet.engine.compilation.cpu import VectorUnit, vector_unit
from fastnet.engine.emitting.arrays import Matrix, allocate
from fastnet.engine.emitting.tile import SPARE_ROWS, Tile, choose_tile, shapes
from fastnet.engine.step import phases
from fastnet.engine.step.phases import DEPTH, PANEL

UNITS = {
    "AVX-512": VectorUnit("AVX-512", 64, 32, True),
    "AVX2": VectorUnit("AVX2", 32, 16, True),
    "NEON": VectorUnit("NEON", 16, 32, True, from_memory=False),
    "128-bit": VectorUnit("128-bit", 16, 16, False),
}
EPS = {np.float32: 2.0**-24, np.float64: 2.0**-53}


@kernel.program
def product_program(tile, a, a_row, rows, b, b_row, j, depth, c, c_row, columns, resume):
    phases.product(tile, a, a_row, rows, b, b_row, j, depth, c, c_row, columns, resume)


@kernel.program
def product_transposed_program(tile, a, a_column, width, b, depth, c, c_row, j):
    phases.product_transposed(tile, a, a_column, width, b, depth, c, c_row, j)


def product(tile, a, a_row, rows, b, b_row, j, depth, c, *rest):
    product_program(tile, Matrix(a), a_row, rows, Matrix(b), b_row, j, depth, Matrix(c), *rest)


def product_transposed(tile, a, a_column, width, b, depth, c, *rest):
    product_transposed_program(tile, Matrix(a), a_column, width, Matrix(b), depth, Matrix(c), *rest)


def filled(rng, rows, columns, dtype):
    array = allocate(rows, columns, np.dtype(dtype))
    array[...] = rng.standard_normal(array.shape)
    return array


def assert_product(found, a, b, start=0.0):
    """found = start + a @ b up to the rounding of a sum of that many products."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    bound = (a.shape[1] + 2) * EPS[found.dtype.type] * (np.abs(a) @ np.abs(b) + np.abs(start))
    assert (np.abs(found - (start + a @ b)) <= bound).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("tile", shapes(vector_unit()), ids=str)
def test_every_remainder_of_rows_columns_and_depth(tile, dtype, rng):
    line = 64 // np.dtype(dtype).itemsize
    for rows in range(1, 2 * tile.mr + 2):
        for depth in (1, 2, 3, 7, 33):
            for lines in (1, tile.lines, tile.lines + 1, 2 * tile.lines + 1):
                columns = lines * line - rows % line
                a = filled(rng, rows + SPARE_ROWS, depth, dtype)
                b = filled(rng, depth, columns, dtype)
                c = allocate(rows + SPARE_ROWS, columns, np.dtype(dtype))
                c[...] = np.nan  # written over, never read
                product(tile, a, 0, rows, b, 0, 0, depth, c, 0, columns, False)
                assert_product(c[:rows, :columns], a[:rows, :depth], b[:, :columns])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_lines_that_whole_tiles_leave(dtype, rng):
    line = 64 // np.dtype(dtype).itemsize
    for lines in range(1, 12):
        tile = choose_tile(vector_unit(), 11, lines)
        assert lines % tile.lines in (0, tile.rest) or tile.rest == 1
        a, b = filled(rng, 11 + SPARE_ROWS, 6, dtype), filled(rng, 6, lines * line, dtype)
        c = allocate(11 + SPARE_ROWS, (lines + 1) * line, np.dtype(dtype))
        c[...] = np.nan
        product(tile, a, 0, 11, b, 0, 0, 6, c, 0, lines * line, False)
        assert_product(c[:11, : lines * line], a[:11, :6], b[:, : lines * line])
        assert np.isnan(c[:, lines * line :]).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_offsets_and_resumption(dtype, rng):
    tile = choose_tile(vector_unit(), 200, 5)
    a, b = filled(rng, 30, 9, dtype), filled(rng, 20, 50, dtype)
    c = filled(rng, 40, 50, dtype)
    before = c.copy()
    product(tile, a, 3, 2 * tile.mr, b, 4, 0, 9, c, 5, 50, True)
    end = 5 + 2 * tile.mr
    assert_product(c[5:end, :50], a[3 : 3 + 2 * tile.mr, :9], b[4:13, :50], before[5:end, :50].astype(np.float64))
    np.testing.assert_array_equal(c[:5], before[:5])
    np.testing.assert_array_equal(c[end:], before[end:])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("tile", [t for t in shapes(vector_unit()) if PANEL % t.mr == 0], ids=str)
def test_transposed_product_for_every_width(tile, dtype, rng):
    line = 64 // np.dtype(dtype).itemsize
    for width in range(1, PANEL + 1):
        depth = 1 + width % 11 + (width % 7 == 0) * DEPTH
        a = filled(rng, depth, 2 * PANEL, dtype)
        b = filled(rng, depth, (tile.lines + 1) * line, dtype)
        c = allocate(2 * PANEL, (tile.lines + 1) * line, np.dtype(dtype))
        c[...] = np.nan
        product_transposed(tile, a, PANEL, width, b, depth, c, 7, line)
        assert_product(
            c[7 : 7 + width, line : (1 + tile.lines) * line],
            a[:, PANEL : PANEL + width].T,
            b[:, line : (1 + tile.lines) * line],
        )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_shape_of_a_tile_changes_no_bit(dtype, rng):
    """Shapes of every vector unit, this CPU's or not: LLVM splits the lines over the registers there are."""
    rows, columns, depth = 24, 80, 57
    a, b = filled(rng, rows + SPARE_ROWS, depth, dtype), filled(rng, depth, columns, dtype)
    results = []
    for tile in sorted({t for unit in UNITS.values() for t in shapes(unit) if t.mr in (1, 2, 4, 6)}, key=str):
        c = allocate(rows + SPARE_ROWS, columns, np.dtype(dtype))
        product(tile, a, 0, rows, b, 0, 0, depth, c, 0, columns, False)
        results.append(c[:rows, :columns].tobytes())
    assert len(set(results)) == 1


@pytest.mark.parametrize("unit", UNITS.values(), ids=UNITS)
def test_accumulators_fit_the_registers(unit):
    for tile in shapes(unit):
        vectors = tile.lines * unit.per_line
        operands = 1 if tile.mr == 1 and unit.from_memory else 1 + vectors
        assert tile.mr * vectors + operands <= unit.registers


@pytest.mark.parametrize("unit", UNITS.values(), ids=UNITS)
def test_every_problem_finds_a_tile(unit):
    for rows in (1, 2, 5, 6, 7, 200, 256):
        for lines in (1, 2, 3, 5, 7, 64):
            assert choose_tile(unit, rows, lines).lines <= lines
            assert PANEL % choose_tile(unit, rows, lines, divides=PANEL).mr == 0


def test_a_batch_that_fills_whole_tiles_wastes_nothing():
    assert 200 % choose_tile(UNITS["AVX2"], 200, 5).mr == 0
    assert choose_tile(UNITS["AVX-512"], 200, 5) == Tile(5, 5)
    assert choose_tile(UNITS["AVX2"], 1, 5).mr == 1
