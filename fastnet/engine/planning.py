"""How a run is cut up: into blocks of rows, slices of features, units of work, and the tiles that compute them."""

from __future__ import annotations

from fastnet.engine import proof
from fastnet.engine.compilation.cpu import vector_unit
from fastnet.engine.emitting.arrays import lines_of
from fastnet.engine.emitting.digit_tile import choose_digit_tile
from fastnet.engine.emitting.digits import Digits
from fastnet.engine.emitting.matrix_unit import matrix_tile
from fastnet.engine.emitting.tile import SPARE_ROWS, Tile, choose_tile
from fastnet.engine.step.memory import Layer, Source
from fastnet.engine.step.phases import GROUP2, PANEL
from fastnet.engine.step.precision import MOST_FEATURES, digits_for
from fastnet.engine.step.programs import AnyTile, Plan, Tiles

# Rows in a unit of work, at most: each unit reads a slice of the weights, the large ones from beyond the second-level
# cache (N=200, D=3072, H=1024: 20 % less time with 100 rows than with 50; H=80, digits: 4 % more, by a matrix unit 5 %
# less).
UNIT_ROWS, LARGE_UNIT_ROWS, LARGE_SLICE = 50, 100, 1 << 18  # bytes
FEW_UNITS, FEW_GROUPS = 4, 8  # of rows and of the first layer's weights: no fewer are shared out evenly
LEAST_LINES = 3  # of a tile, so that there are more of them to share out: two run at less of the peak (see choose_tile)
# Rows whose activations stay in a second-level cache.  512 take 2 to 6 % less time at (N, D, H) = (400, 300, 2048), but
# sums over more than 256 leave 32 bits where digits are pairs.
BLOCK_ROWS = 256
SCORED_ROWS = 120  # the same where all slices are one worker's; whole tiles of 4, 5 or 6 rows
MOST_SLICES = 4  # of the features: each costs a pass over the hidden activations
# Features in the smallest of them; where products are in fixed point, which take less time than such a pass, in units
# of more rows: (N, D, H) = (400, 300, 2048) takes 9 % less time in one slice than in two, and 21 % more in float32.
SMALLEST_SLICE, SMALLEST_FIXED_SLICE = 128, 384


def plan_for(rows: int, layer: Layer, most: int = BLOCK_ROWS, digits: Digits | None = None) -> Plan:
    """How a batch is cut up, in blocks of at most so many rows: a function of the shapes and the precision alone."""
    inputs = layer.inputs
    blocks = -(-rows // most)
    block_rows = -(-rows // blocks)
    slices = min(MOST_SLICES, max(1, inputs // (SMALLEST_SLICE if digits is None else SMALLEST_FIXED_SLICE)))
    if digits is not None:
        slices = max(slices, -(-inputs // MOST_FEATURES))
    grain = 1 if digits is None else PANEL
    of_a_weight = layer.weight.itemsize if digits is None else digits.bits // 8
    bytes_of_slice = layer.weight.size // slices * of_a_weight
    large = bytes_of_slice >= LARGE_SLICE or (digits is not None and digits.by_matrix)
    unit_rows = LARGE_UNIT_ROWS if large else UNIT_ROWS
    units = max(-(-block_rows // unit_rows), -(-FEW_UNITS // slices))
    return Plan(rows, -(-rows // block_rows), block_rows, slices, grain, block_rows + SPARE_ROWS, units)


def parts_wanted(layer: Layer) -> int:
    """Into how many parts the columns of a group of weights had better be cut.

    Each part is a unit of work: with 300 features, in four groups, two workers had 192 and 108 of them.
    """
    return -(-FEW_GROUPS // -(-layer.inputs // PANEL))


def parts_of(layer: Layer, across: int) -> int:
    """The same where so many tiles stand across: a power of two, that two or four workers may have equal shares.

    (Of five parts the last one narrow, two workers had nine lines of columns and four.)
    """
    return 1 << min(across, parts_wanted(layer)).bit_length() - 1


def tiles_for(plan: Plan, layers: tuple[Layer, ...], digits: Digits | None = None) -> Tiles:
    """Tile shapes for a plan, the first layer's of digits where there are some."""
    unit, dtype = vector_unit(), layers[0].weight.dtype
    first, last = (lines_of(layer.outputs, dtype) for layer in (layers[0], layers[-1]))
    middle = choose_tile(unit, plan.block_rows, first)
    forward: AnyTile = middle
    widest = max(LEAST_LINES, first // parts_wanted(layers[0]))
    backward: AnyTile = choose_tile(unit, PANEL, first, divides=PANEL, widest=widest)
    if digits is not None and digits.by_matrix:
        forward = backward = matrix_tile(digits)
    elif digits is not None:
        forward = choose_digit_tile(unit, digits, plan.block_rows, first)
        backward = choose_digit_tile(unit, digits, PANEL, first, divides=PANEL)
    return Tiles(
        forward,
        middle,
        # The workers share out rows in tiles of `middle`: the scores' tile must not reach into another's.
        middle.across(last),
        backward,
        choose_tile(unit, GROUP2, last, divides=GROUP2),
    )


def trusted(
    precision: str, source: Source, layers: tuple[Layer, ...], rows: int, most: int = BLOCK_ROWS
) -> tuple[Digits | None, Plan, Tiles]:
    """How batches are multiplied: in digits, else in floats, else plainly, where tiles are wrong on this machine.

    A matrix unit that is wrong gives way to vectors, to the same bits.
    """
    wanted = digits_for(precision, source, layers[0], rows)
    for digits in dict.fromkeys((wanted, wanted and wanted.of_vectors, None)):
        plan = plan_for(rows, layers[0], most, digits)
        tiles = tiles_for(plan, layers, digits)
        across = -(-lines_of(layers[0].outputs, layers[0].weight.dtype) // tiles.backward1.lines)
        plan = plan._replace(parts=parts_of(layers[0], across))
        if proof.hold(tiles, layers[0].weight.dtype):
            return digits, plan, tiles
    return None, plan, Tiles(*(Tile(tile.mr, tile.lines, plain=True) for tile in tiles))
