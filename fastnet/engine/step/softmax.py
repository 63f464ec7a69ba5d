"""Softmax and its loss, from a block's scores to their gradient: a line of rows at a time.

    d_scores = (softmax(scores) - onehot(y)) * share

Sums and maxima over the classes of a row would take as many steps as a line has halves, each waiting for the last,
and exponentials of a few classes most of a line for nothing.  So the scores of a line of rows are turned over: a row
of `turned` holds a class, its lanes are the rows.  (200 rows of 10 classes took 9.4 us in float32 and 10 in float64 on
Zen 4, and take 2.7 and 5.1; of 100 classes as long as before.)
"""

from __future__ import annotations

from fastnet.engine.compilation.kernel import kernel
from fastnet.engine.emitting.elementary import exp, log
from fastnet.engine.emitting.lines import (
    first_lanes,
    flush,
    fma,
    lane_sum,
    lanes,
    larger,
    load,
    prefetch,
    splat,
    store,
    turn_over,
    where_equal,
    where_larger,
)
from fastnet.engine.emitting.matrix import number
from fastnet.engine.threads.units import smaller

INFINITY = float("inf")
# What is told of each row, in Activations.per_row and, before the classes, in Scratch.turned: the sum of exponentials;
# the margin, by which the label's score is below the best; whether the label scored best; the share; there the label.
DENOMINATOR, MARGIN, HIT, SHARE, TERMS = 0, 1, 2, 3, 4
LABEL, CLASSES = 4, 5


@kernel
def ask_labels(rows, r0, r1):
    """Have the labels of the rows r0 <= r < r1 brought into the cache: they lie anywhere in the data set."""
    for r in range(r0, r1):
        prefetch(rows.batch.y, 0, rows.batch.rows[rows.k, rows.first + r])


@kernel
def softmax_loss(scores, turned, per_row, rows, shares, r0, r1, classes, inverse_rows, frozen):
    """Turn the scores of rows r0 <= r < r1 into d_scores; 0 for the `frozen` first classes.

    The terms of the loss and whether the label scored best are left in per_row: the logarithm is taken for
    a line of rows at once by loss_and_hits.  turned (CLASSES + classes in whole lines, a line) is scratch.
    """
    line = lanes(scores)
    for begin in range(r0, r1, line):
        count = smaller(line, r1 - begin)
        for i in range(line):  # beyond the last row, the last one again
            r = begin + smaller(i, count - 1)
            turned[LABEL, i] = number(scores, rows.batch.y[0, rows.batch.rows[rows.k, rows.first + r]])
            turned[SHARE, i] = inverse_rows if shares is None else shares[rows.k, rows.first + r]
            for j in range(0, classes, line):
                store(turned, CLASSES + j + i, 0, load(scores, r, j))
        for j in range(0, classes, line):
            turn_over(turned, CLASSES + j)
        softmax_of_line(turned, classes, frozen)
        for j in range(0, classes, line):
            turn_over(turned, CLASSES + j)
        for i in range(count):
            for j in range(0, classes, line):
                store(scores, begin + i, j, load(turned, CLASSES + j + i, 0))
            for n in range(per_row.rows):
                per_row[n, begin + i] = turned[n, i]


@kernel
def softmax_of_line(turned, classes, frozen):
    """The same for a line of rows: of its scores, shares and labels, the gradient and the terms of the loss."""
    zero, one = splat(number(turned, 0)), splat(number(turned, 1))
    share, label = load(turned, SHARE, 0), load(turned, LABEL, 0)
    best, own = splat(number(turned, -INFINITY)), zero
    winner = splat(number(turned, -1))  # of equal scores argmax takes the first
    for c in range(classes):
        score, of_class = load(turned, CLASSES + c, 0), splat(number(turned, c))
        own = where_equal(of_class, label, score, own)
        winner = where_larger(score, best, of_class, winner)
        best = larger(score, best)
    total = zero
    for c in range(classes):
        e = flush(exp(load(turned, CLASSES + c, 0) - best))  # of rows that are sure: d_hidden would be subnormal, too
        store(turned, CLASSES + c, 0, e)
        total = total + e
    factor = share / total
    for c in range(classes):
        d = load(turned, CLASSES + c, 0) * factor
        store(turned, CLASSES + c, 0, where_equal(splat(number(turned, c)), label, d - share, d))
    for c in range(frozen):
        store(turned, CLASSES + c, 0, zero)
    for c in range(classes, turned.rows - CLASSES):  # what fills the last line of a row stays 0
        store(turned, CLASSES + c, 0, zero)
    store(turned, DENOMINATOR, 0, total)
    store(turned, MARGIN, 0, best - own)
    store(turned, HIT, 0, where_equal(winner, label, one, zero))


@kernel
def loss_and_hits(per_row, shares, rows):
    """The sum over rows of -log softmax(scores)[y], and how many labels scored best; by shares, where they differ."""
    line = lanes(per_row)
    zero = splat(number(per_row, 0))
    one = splat(number(per_row, 1))
    loss = zero
    hits = zero
    for r in range(0, rows, line):
        rest = rows - r
        if shares is None:
            loss = (
                loss
                + log(first_lanes(rest, load(per_row, DENOMINATOR, r), one))
                + first_lanes(rest, load(per_row, MARGIN, r), zero)
            )
            hits = hits + first_lanes(rest, load(per_row, HIT, r), zero)
        else:
            share = first_lanes(rest, load(per_row, SHARE, r), zero)
            term = log(first_lanes(rest, load(per_row, DENOMINATOR, r), one)) + first_lanes(
                rest, load(per_row, MARGIN, r), zero
            )
            loss = fma(share, term, loss)
            hits = fma(share, first_lanes(rest, load(per_row, HIT, r), zero), hits)
    return float(lane_sum(loss)), float(lane_sum(hits))
