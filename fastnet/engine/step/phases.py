"""The three phases of a step over one block of rows: forward product, middle, backward product and update.

    forward    partial[s] = X[rows, slice s] @ W1[slice s]          features in slices
    middle     hidden = max(sum_s partial[s] + b1, 0);  scores = hidden @ W2 + b2;  softmax, loss, d_scores;
               d_hidden = d_scores @ W2.T where hidden > 0          rows shared out
    backward   W1 -= lr * (X.T @ d_hidden + reg * W1), and so W2, b1, b2      groups of features shared out

Letters: N rows, D inputs, H hidden units, C classes; i counts rows of a tile's result, j columns (by lines),
p features, r rows of the batch, k steps.  A linear classifier is the same without hidden layer: its forward
product gives the scores, and d_scores is what goes backward.

The order of every sum follows from the shapes alone: slices and groups have fixed bounds, whoever works on
them.  So the bits of the result do not depend on the number of workers.
"""

from __future__ import annotations

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from fastnet.engine.compilation.kernel import inlined, kernel
from fastnet.engine.emitting.lines import (
    LineType,
    emit_load_first,
    fma,
    lane_sum,
    lanes,
    larger,
    line_ir,
    load,
    prefetch,
    scalar_ir,
    splat,
    step,
    store,
)
from fastnet.engine.emitting.matrix import emit_address, number
from fastnet.engine.emitting.tile import narrow, tile_columns, tile_lines, tile_mr, tile_rows
from fastnet.engine.step.parts import Part
from fastnet.engine.step.rules import update, update_bias
from fastnet.engine.threads.units import smaller

# Features in a panel of converted rows, on the way forward and on the way back; also the group of features whose
# weights are updated together.  A multiple of the rows of every tile there (1, 2, 3, 4, 6).  Tried: 24 to 192, and
# different widths for the two ways; narrower panels lose time between products, wider ones leave the caches (48 with
# two workers on AVX2: 3 % less time a step in float32, 4 % more in float64).
PANEL = 96
DEPTH = 64  # rows of a product on the way back, at most: five lines of B and two of A fit the first-level cache
AHEAD = 10  # rows between a tile that is gathered and the one asked for: 5 and 40 are slower, 20 gains nothing
GROUP2 = 24  # hidden units whose rows of W2 are updated together: few, so that two workers can share them


# --- the way in: rows of the data set become a panel of floats -------------------------------------------


@intrinsic
def load_as(typingctx, matrix, row, column, like, panel, count):
    """The numbers at matrix[row, column], a line of the panel's, in the type of those in `like`.

    So many of them, zeros beyond: there nothing is read, as the data set ends with its last row.  None: all.
    """
    line, given = LineType(like.dtype, LineType(panel.dtype).lanes), matrix.dtype

    def codegen(context, builder, sig, args):
        target = ir.VectorType(scalar_ir(line.scalar), line.lanes)
        element = context.get_data_type(given)
        source = ir.VectorType(element, target.count)
        address = builder.bitcast(emit_address(builder, *args[:3]), source.as_pointer())
        if count == types.none:
            value = builder.load(address, align=given.bitwidth // 8)
        else:
            value = emit_load_first(builder, address, source, args[5])
        if isinstance(element, ir.IntType):
            return builder.uitofp(value, target)
        return value if given == line.scalar else builder.fpext(value, target)

    return line(matrix, types.intp, types.intp, like, panel, count), codegen


@intrinsic
def rounded(typingctx, line, panel):
    """A line in the type of the panel's numbers."""
    target = LineType(panel.dtype)

    def codegen(context, builder, sig, args):
        return args[0] if line == target else builder.fptrunc(args[0], line_ir(target.scalar))

    return target(line, panel), codegen


@kernel
def ask(batch, x, p, width):
    """Have the numbers X[x, p : p + width] brought into the cache."""
    for q in range(0, width, lanes(batch.X)):
        prefetch(batch.X, x, p + q)
    prefetch(batch.X, x, p + width - 1)  # rows begin anywhere in a cache line, and so end in one more


@inlined
def gather(panel, i, block, part, ahead):
    """panel[i:, :p1 - p0] = (X[rows r0:r1 of the block, p0:p1] - mean) * scale, zeros up to the line's end.

    In the type of mean and scale, the wider of X's and the panel's: a time stamp rounded to float32 before its mean is
    subtracted would be off by a minute.

    Rows begin anywhere in the data set, too far from one another for the hardware to foresee: so with each row one of
    the part ahead is asked for.  (Three lines of columns at a time down the rows, their mean and scale in registers,
    took half as long again for float64, and as long for pixels.)
    """
    batch, depth = block.batch, part.p1 - part.p0
    line = lanes(panel)
    whole = depth // line * line
    for r in range(part.r1 - part.r0):
        x = batch.rows[block.k, block.first + part.r0 + r]
        later = smaller(ahead.r0 + r, ahead.r1 - 1)
        ask(batch, batch.rows[block.k, block.first + later], ahead.p0, depth)
        for q in range(0, whole, line):
            store(panel, i + r, q, normalised(batch, x, part.p0 + q, panel, None))
        if whole < depth:
            store(panel, i + r, whole, normalised(batch, x, part.p0 + whole, panel, depth - whole))


@kernel
def normalised(batch, x, p, panel, count):
    """A line of the panel: (X[x, p:] - mean) * scale, so many numbers, zeros beyond; None: all of the line."""
    offset = load_as(batch.mean, 0, p, batch.mean, panel, count)
    factor = load_as(batch.scale, 0, p, batch.mean, panel, count)
    return rounded((load_as(batch.X, x, p, batch.mean, panel, count) - offset) * factor, panel)


# --- products --------------------------------------------------------------------------------------------


@kernel
def product(tile, a, a_row, rows, b, b_row, j, depth, c, c_row, columns, resume):
    """C[c_row:, j:columns] = A[a_row:, :depth] @ B[b_row:, j:columns] for so many rows; with resume, += .

    Rows are computed up to a whole tile, so A and C must reach that far.
    """
    line = lanes(c)
    wide, rest = tile_lines(tile) * line, tile_lines(narrow(tile)) * line
    while j + wide < columns + line:  # the rows are padded to whole lines
        for i in range(0, rows, tile_mr(tile)):
            tile_rows(tile, a, a_row + i, 0, b, b_row, j, depth, c, c_row + i, j, resume)
        j += wide
    while j < columns:
        for i in range(0, rows, tile_mr(tile)):
            tile_rows(narrow(tile), a, a_row + i, 0, b, b_row, j, depth, c, c_row + i, j, resume)
        j += rest


@kernel
def product_transposed(tile, a, a_column, width, b, depth, c, c_row, j):
    """C[c_row:, j:] = A[:depth, a_column : a_column + width].T @ B[:depth, j:], one tile across."""
    parts = (depth + DEPTH - 1) // DEPTH
    each = (depth + parts - 1) // parts
    for k in range(0, depth, each):
        for i in range(0, width, tile_mr(tile)):
            tile_columns(tile, a, k, a_column + i, b, k, j, smaller(each, depth - k), c, c_row + i, j, k > 0)


# --- forward ---------------------------------------------------------------------------------------------


@kernel
def forward(tile, block, part, ahead, weight, columns, panel, out, out_row):
    """out[out_row:] = X[rows r0:r1 of the block, p0:p1] @ W[p0:p1]

    In panels of nearly the same width: each costs a pass over the output, a narrow last one, too.  Rows are gathered
    a tile's at a time, just before they are multiplied by the first columns: products hide the way of the next ones
    into the cache (all rows of a panel at once: 8 % more time a step on Zen 5).
    """
    line, rows = lanes(panel), part.r1 - part.r0
    panels = (part.p1 - part.p0 + PANEL - 1) // PANEL
    each = ((part.p1 - part.p0 + panels - 1) // panels + line - 1) // line * line
    for p in range(part.p0, part.p1, each):
        end, resume = smaller(p + each, part.p1), p > part.p0
        for i in range(0, rows, tile_mr(tile)):
            r = part.r0 + i
            now = Part(r, smaller(r + tile_mr(tile), part.r1), p, end)
            gather(panel, i, block, now, rows_after(now, part, ahead))
            tile_rows(tile, panel, i, 0, weight, p, 0, end - p, out, out_row + i, 0, resume)
        product(tile, panel, 0, rows, weight, p, tile_lines(tile) * line, end - p, out, out_row, columns, resume)


@kernel
def rows_after(now, part, ahead):
    """What is gathered AHEAD rows later than some of a part's: of the same panel, of the next, of the part ahead."""
    r = now.r0 + AHEAD
    if r < part.r1:
        return Part(r, part.r1, now.p0, now.p1)
    if now.p1 < part.p1:
        return Part(part.r0 + r - part.r1, part.r1, now.p1, part.p1)
    return Part(ahead.r0 + r - part.r1, ahead.r1, ahead.p0, ahead.p1)


@kernel
def add_slices(partial, slices, stride, bias, r0, r1, columns, rectify, out):
    """out = sum of the slices + bias for the rows r0 <= r < r1; rectified, max(out, 0)."""
    line = lanes(out)
    zero = splat(number(out, 0))
    for r in range(r0, r1):
        for j in range(0, columns, line):
            total = load(partial, r, j)
            for s in range(1, slices):
                total = total + load(partial, s * stride + r, j)
            total = total + load(bias, 0, j)
            store(out, r, j, larger(zero, total) if rectify else total)


# --- middle ----------------------------------------------------------------------------------------------


@kernel
def mask(d_hidden, hidden, r0, r1, columns):
    """d_hidden *= the derivative of max(x, 0), which is 0 at x = 0.

    A product, where a selection of zeros would do: LLVM turns that into masked stores, slow on some CPUs (17 us
    for 200 x 80 instead of 2).
    """
    for r in range(r0, r1):
        for j in range(0, columns, lanes(hidden)):
            store(d_hidden, r, j, load(d_hidden, r, j) * step(load(hidden, r, j)))


@kernel
def transpose(matrix, begin, end, columns, out):
    """out[:columns, begin:end] = matrix[begin:end, :columns].T"""
    for i in range(begin, end):
        for j in range(columns):
            out[j, i] = matrix[i, j]


@kernel
def sum_of_squares(squares):
    """The sum of everything in squares, a line at a time."""
    total = splat(number(squares, 0))
    for i in range(squares.rows):
        for j in range(0, squares.columns, lanes(squares)):
            total = total + load(squares, i, j)
    return float(lane_sum(total))


# --- backward --------------------------------------------------------------------------------------------


@kernel
def gather_group(panel, block, group, inputs):
    """panel[:] = the features of a group of weights, of all rows of the block; the next group's are asked for."""
    end = group.row + group.width
    more = end < inputs
    ahead = Part(0, block.count, end, inputs) if more else Part(AHEAD, block.count, group.row, end)
    gather(panel, 0, block, Part(0, block.count, group.row, end), ahead)


@kernel
def weight_group(tile, a, a_column, b, depth, weight, group, own, sums, descent):
    """The gradient A.T @ B of a group of a weight matrix; with the last block, their update.

    The sum over a block of rows is made in `own` before it is added to those of the blocks before: a million float32
    added one after another may be off by a hundredth.
    """
    line = lanes(sums.matrix)
    into, into_row = (own, 0) if sums.resume else (sums.matrix, sums.row)
    wide = tile_lines(tile) * line
    j = group.begin
    while j < group.end:
        ask_weights(weight, group, j, sums)
        if j + wide < group.end + line:  # the rows are padded to whole lines
            product_transposed(tile, a, a_column, group.width, b, depth, into, into_row, j)
            end = j + wide
        else:
            product_transposed(narrow(tile), a, a_column, group.width, b, depth, into, into_row, j)
            end = smaller(j + tile_lines(narrow(tile)) * line, group.end)
        while j < end:
            if sums.resume:
                for i in range(group.width):
                    r = sums.row + i
                    store(sums.matrix, r, j, load(sums.matrix, r, j) + load(own, i, j))
            if sums.last:
                update_lines(weight, group, j, sums, descent)
            j += line


@kernel
def ask_weights(weight, group, j, sums):
    """Have a line of columns of a group, and what its update reads, brought into the cache: products hide the way."""
    if sums.last:
        ask_column(weight.value, group.row, group.width, j)
        ask_column(weight.state1, group.row, group.width, j)
        ask_column(weight.state2, group.row, group.width, j)
    if sums.resume:
        ask_column(sums.matrix, sums.row, group.width, j)


@kernel
def ask_column(matrix, row, width, j):
    """The same for so many rows of one matrix, if there is one."""
    if matrix is not None:
        for i in range(row, row + width):
            prefetch(matrix, i, j)


@kernel
def update_lines(weight, group, j, sums, descent):
    """Update a line of columns of a group whose gradients are in sums."""
    squares = splat(number(sums.matrix, 0))
    for i in range(group.width):
        w = update_row(weight, group.row + i, j, load(sums.matrix, sums.row + i, j), descent)
        squares = fma(w, w, squares)
    store(weight.squares, group.number, j, squares)


@kernel
def update_row(weight, row, j, gradient, descent):
    """Update the line of weights at [row, j], the gradient of which is without the L2 term; their new values."""
    gradient = fma(splat(descent.reg), load(weight.value, row, j), gradient)
    return update(descent.rule, weight, row, j, gradient, descent.coefficients, descent.k)


@kernel
def bias(b, rows, parameter, begin, end, sums, descent):
    """The gradient of some columns of a bias, the sums of B over its rows, and, with the last block, their update.

    By blocks, as above.
    """
    for j in range(begin, end, lanes(b)):
        total = splat(number(sums.matrix, 0))
        for r in range(rows):
            total = total + load(b, r, j)
        if sums.resume:
            total = load(sums.matrix, 0, j) + total
        store(sums.matrix, 0, j, total)
        if sums.last:
            update_bias(descent.rule, parameter, 0, j, total, descent.coefficients, descent.k)


@kernel
def square_groups(weight, rows, columns, group):
    """weight.squares from scratch, in the very order in which the update leaves them."""
    line = lanes(weight.value)
    for g in range((rows + group - 1) // group):
        for j in range(0, columns, line):
            squares = splat(number(weight.value, 0))
            for i in range(g * group, smaller(rows, (g + 1) * group)):
                w = load(weight.value, i, j)
                squares = fma(w, w, squares)
            store(weight.squares, g, j, squares)
