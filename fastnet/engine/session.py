"""The seam: what the models ask of the engine.

`Trainer` runs steps of gradient descent on arrays of parameters, `loss_and_gradients` and `Scorer` evaluate them.
Nothing above this file knows of tiles, lines or workers; nothing below checks its input.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import perf_counter
from typing import Any

import numpy as np

from fastnet.engine.compilation.cpu import LINE_BYTES
from fastnet.engine.compilation.kernel import compiled_for
from fastnet.engine.emitting.arrays import Matrix, allocate
from fastnet.engine.emitting.digits import Digits
from fastnet.engine.emitting.tile import SPARE_ROWS
from fastnet.engine.planning import SCORED_ROWS, trusted
from fastnet.engine.step import programs
from fastnet.engine.step.memory import Activations, Affine, Batch, Layer, Parameter, Scratch, Source
from fastnet.engine.step.phases import GROUP2, PANEL
from fastnet.engine.step.precision import (
    HIGHEST,
    digits_for,
    fixed_for,
    fixed_scratch,
    set_normalization,
)
from fastnet.engine.step.programs import Plan, Steps
from fastnet.engine.step.rules import GRADIENT, Rule
from fastnet.engine.step.softmax import CLASSES, TERMS
from fastnet.engine.threads import barrier
from fastnet.engine.threads.crew import WORTH_IN_A_CALL, WORTH_IN_A_RUN, crew_for, workers_for
from fastnet.engine.threads.units import new_tickets
from fastnet.engine.threads.workers import run_on_workers, run_waiting

# From here on a step, or a call, is one that Ctrl-C must be able to end: some 20 ms on one core.  To wait for it on
# another thread costs 50 us.
LONG = 1_000_000_000
A_ROW = 1000  # multiply-adds that a row takes as long as, whatever its layers
_NO_ARRAY = np.empty((0, 0))  # in the place of an array that has been let go: no program reads it


def _multiply_adds(rows: int, layers: tuple[Layer, ...]) -> int:
    """Of the products of all layers one way, padding included."""
    return rows * sum(layer.inputs * int(layer.weight.shape[1]) for layer in layers)


def _run(
    program: Any,
    arguments: Callable[[int], tuple[Any, ...]],
    workers: int,
    meeting: Matrix,
    rows: int,
    multiply_adds: int,
) -> None:
    """Run a program on so many workers.  A step, or the call, is of so many rows and multiply-adds.

    Ctrl-C is raised when all have returned: at once where that is long, else at the end.
    """

    def work() -> None:
        run_on_workers(lambda worker: program(*arguments(worker)), workers, lambda: barrier.abort(meeting))

    # No signal reaches any other thread than the main one.
    if multiply_adds + A_ROW * rows < LONG or threading.current_thread() is not threading.main_thread():
        work()
    else:
        run_waiting(work, lambda: barrier.stop(meeting))


def _matrix(rows: int, columns: int, dtype: np.dtype, odd: bool = False) -> Matrix:
    return Matrix(allocate(rows, columns, dtype, odd))


def _padded(rows: int, group: int) -> int:
    """So many rows, and as many more as make whole groups."""
    return -(-rows // group) * group


def _scratch(plan: Plan, layers: tuple[Layer, ...], digits: Digits | None, training: bool = True) -> Scratch:
    layer, dtype = layers[0], layers[0].weight.dtype
    line = LINE_BYTES // dtype.itemsize
    return Scratch(
        panel=_matrix(plan.stride, PANEL, dtype, odd=True) if digits is None else None,
        turned=_matrix(CLASSES + _padded(layers[-1].outputs, line), line, dtype) if training else None,
        sums=_matrix(PANEL, max(layer.outputs for layer in layers), dtype) if training else None,
        fixed=None if digits is None else fixed_scratch(digits, plan, layer, training),
    )


def _agree(workers: list[Scratch]) -> None:
    """Give all the scales of the first, which is in every run: by them each finds whether to wait for new digits."""
    for own in workers[1:]:
        if own.fixed is not None and (first := workers[0].fixed) is not None:
            own.fixed.factors.array[...] = first.factors.array
            own.fixed.units.array[...] = first.units.array


def _activations(plan: Plan, layers: tuple[Layer, ...], training: bool) -> Activations:
    dtype, rows = layers[0].weight.dtype, plan.stride
    first, last = layers[0], layers[-1]
    two = len(layers) == 2

    def gradients() -> tuple[Matrix, ...]:
        shapes = [(_padded(first.inputs, PANEL) if plan.blocks > 1 else 1, first.outputs), (1, first.outputs)]
        if two:
            shapes += [(_padded(last.inputs, GROUP2), last.outputs), (1, last.outputs)]
        return tuple(_matrix(*shape, dtype) for shape in shapes)

    return Activations(
        partial=_matrix(plan.slices * rows, first.outputs, dtype),
        # Read in groups of columns on the way back, so padded to whole groups.
        hidden=_matrix(rows, _padded(last.inputs, GROUP2), dtype, odd=True) if two else None,
        d_hidden=_matrix(rows, last.inputs, dtype, odd=True) if two and training else None,
        scores=_matrix(rows, last.outputs, dtype, odd=True),
        transposed=_matrix(last.outputs, last.inputs, dtype) if two and training else None,
        per_row=_matrix(TERMS, rows + SPARE_ROWS, dtype) if training else None,
        gradients=gradients() if training else None,
    )


class Trainer:
    """A run of training: the parameters in place, the rule's state, the scratch memory, the workers' number.

    threads is the number of workers.  None begins with one for each `worth` multiply-adds of a step, at most as many as
    there are cores, and leaves the rest to the clock.  The first `frozen` classes keep the weights that they have.
    """

    def __init__(
        self,
        layers: tuple[Layer, ...],
        source: Source,
        rows: int,
        rule: Rule,
        threads: int | None = None,
        worth: int = WORTH_IN_A_RUN,
        matmul_precision: str = HIGHEST,
        frozen: int = 0,
    ) -> None:
        self._source, self._rule = source, rule
        for layer in layers:
            layer.clear_padding()
        digits, plan, self._tiles = trusted(matmul_precision, source, layers, rows)
        self._plan = plan._replace(frozen=frozen)
        self._fixed = None if digits is None else fixed_for(digits, self._plan, source, layers[0])
        self._dtype = layers[0].weight.dtype
        self._multiply_adds = 2 * _multiply_adds(rows, layers)
        most = programs.most_units(self._plan, self._tiles.forward.mr, layers[0].inputs)
        self._crew = crew_for(threads, self._multiply_adds, worth, most)
        self._activations = _activations(self._plan, layers, training=True)
        self._new_scratch = lambda: _scratch(self._plan, layers, digits)
        self._scratch: list[Scratch] = []
        self._affines = (*(self._affine(layer) for layer in layers), None)[:2]

    @property
    def workers(self) -> int:
        """Of the next run."""
        return self._crew.workers

    @property
    def most_steps(self) -> int:
        """Of the next run: few where another number of workers is tried."""
        return self._crew.most_steps

    def _affine(self, layer: Layer) -> Affine:
        def parameter(value: np.ndarray, groups: int) -> Parameter:
            states = [_matrix(len(value), value.shape[1], self._dtype) for _ in range(self._rule.states)]
            state1, state2 = (*states, None, None)[:2]
            return Parameter(Matrix(value), state1, state2, _matrix(groups, value.shape[1], self._dtype))

        groups = -(-layer.inputs // GROUP2)  # at least as many as there are of either size
        return Affine(parameter(layer.weight, groups), parameter(layer.bias, 1), layer.inputs, layer.outputs)

    def run(
        self,
        rows: np.ndarray,
        coefficients: np.ndarray,
        reg: np.ndarray,
        shares: np.ndarray | None = None,
        history: np.ndarray | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """A step for each row of coefficients, with an L2 strength each.

        rows (steps or 1, N) are the data set's rows of each step, shares their parts in its loss: None is 1 / N.
        Returns the loss of each step, before its update, and its accuracy: the rows of history (2, steps), which a
        caller may bring.  Ctrl-C leaves there what it was beyond the steps that are done.
        """
        if history is None:
            history = np.empty((2, len(coefficients)))
        with np.errstate(under="ignore", over="ignore"):  # to 0 is right, and what is infinite is told as divergence
            strengths = reg.astype(self._dtype).reshape(1, -1)
            steps = Steps(Matrix(coefficients.astype(self._dtype)), Matrix(strengths), Matrix(history))
            parts = None if shares is None else Matrix(np.ascontiguousarray(shares, self._dtype))
        batch, meeting = Batch.of(self._source, Matrix(rows), parts), barrier.new_barrier()
        workers = self.workers
        tickets = new_tickets(programs.PHASES, workers)
        while len(self._scratch) < workers:
            self._scratch.append(self._new_scratch())
        _agree(self._scratch[:workers])

        def arguments(worker: int) -> tuple[Any, ...]:
            return (
                self._tiles, self._rule, self._plan, batch, steps, *self._affines, self._fixed, self._activations,
                self._scratch[worker], meeting, tickets, worker, workers,
            )  # fmt: skip

        kinds = self._source.X.dtype, self._source.mean.dtype, self._dtype
        key = self._tiles, self._rule, *kinds, self._affines[1] is None, shares is None
        program = compiled_for(programs.train, key, lambda: arguments(0))
        began = perf_counter()
        _run(program, arguments, workers, meeting, self._plan.rows, self._multiply_adds)
        self._crew.observe(len(coefficients), perf_counter() - began)
        return history[0], history[1]

    @property
    def parameters(self) -> list[np.ndarray]:
        """Weight, bias, layer by layer, padding included: the arrays that steps change."""
        return [parameter.value.array for parameter in self._parameters]

    @property
    def state(self) -> list[np.ndarray]:
        """All that steps change and later ones depend on: the parameters, and what the rule keeps beside each."""
        kept = [(parameter.state1, parameter.state2) for parameter in self._parameters]
        return self.parameters + [state.array for pair in kept for state in pair if state is not None]

    def finite(self) -> bool:
        """Whether the parameters that the last step left are finite.

        The squares of weights, which each update sums, tell that: to look at a million weights takes a millisecond.
        """
        for affine in self._affines:
            if affine is not None:
                squares, weight, bias = affine.weight.squares, affine.weight.value.array, affine.bias.value.array
                known = squares is not None and np.isfinite(squares.array).all()
                if not ((known or np.isfinite(weight).all()) and np.isfinite(bias).all()):
                    return False
        return True

    def sums_finite(self) -> bool:
        """Whether Adam's second moments are finite.

        One that is not is hidden: its parameter stands still.  Of whatever else a rule keeps, the parameters have told.
        Their largest takes 50 us a million, where to look at each took 130.
        """
        moments = [parameter.state2.array for parameter in self._parameters if parameter.state2 is not None]
        return all(np.isfinite(array.max()) for array in moments)

    @property
    def _parameters(self) -> list[Parameter]:
        return [p for affine in self._affines if affine is not None for p in (affine.weight, affine.bias)]

    @property
    def gradients(self) -> list[np.ndarray]:
        """What the rule GRADIENT stored: weight, bias, layer by layer, without padding."""
        found = []
        for affine in self._affines:
            if affine is not None:
                weight, bias = affine.weight.state1, affine.bias.state1
                if weight is not None and bias is not None:
                    found += [weight.array[:, : affine.outputs], bias.array[0, : affine.outputs]]
        return found


def loss_and_gradients(
    layers: tuple[Layer, ...],
    source: Source,
    reg: float,
    threads: int | None = None,
    shares: np.ndarray | None = None,
    matmul_precision: str = HIGHEST,
) -> tuple[float, list[np.ndarray]]:
    """The loss over the whole data set, and the gradients: weight, bias, layer by layer.  shares (1, N) as in run."""
    count = len(source.X)
    trainer = Trainer(layers, source, count, GRADIENT, threads, WORTH_IN_A_CALL, matmul_precision)
    losses, _ = trainer.run(np.arange(count).reshape(1, -1), np.zeros((1, 1)), np.array([reg]), shares)
    return float(losses[0]), trainer.gradients


class Scorer:
    """Scores of data sets like a first one: as many rows, of the same type.  Interrupted once, it is of no more use.

    The program, its memory and its arguments are kept from one call to the next, which only puts other arrays in
    their places: to make them anew would take a quarter as long as to score an image.
    """

    def __init__(
        self, layers: tuple[Layer, ...], like: Source, threads: int | None = None, matmul_precision: str = HIGHEST
    ) -> None:
        rows, dtype = len(like.X), layers[0].weight.dtype
        self._digits_for = lambda source: digits_for(matmul_precision, source, layers[0], rows)
        self._wanted = self._digits_for(like)
        digits, plan, tiles = trusted(matmul_precision, like, layers, rows, SCORED_ROWS)
        self._fixed = None if digits is None else fixed_for(digits, plan, like, layers[0], training=False)
        self._meeting = barrier.new_barrier()
        self._multiply_adds = _multiply_adds(rows, layers)
        wanted = workers_for(threads, self._multiply_adds, WORTH_IN_A_CALL)
        self._workers = min(wanted, plan.blocks)
        self._shape, self._dtype = (rows, layers[-1].outputs), dtype
        # Without labels: the program's types must be those that its key tells.
        self._batch = Batch.of(like._replace(y=None), Matrix(np.arange(rows).reshape(1, -1)))
        self._out = Matrix(np.empty((1, 1), dtype))
        self._tickets = new_tickets(1 if digits is None else programs.PHASES, self._workers)

        def affine(layer: Layer) -> Affine:
            weight, bias = Parameter(Matrix(layer.weight)), Parameter(Matrix(layer.bias))
            return Affine(weight, bias, layer.inputs, layer.outputs)

        affines = (*(affine(layer) for layer in layers), None)[:2]
        activations = [_activations(plan, layers, training=False) for _ in range(self._workers)]
        # The first layer's products with the first row of each worker's last block, slice by slice.
        self._products = [own.partial.array[:: plan.stride, : layers[0].outputs] for own in activations]
        self._arguments = [
            (
                tiles, plan, self._batch, *affines, self._fixed, activations[worker],
                _scratch(plan, layers, digits, training=False), self._out, self._meeting, self._tickets,
                worker, self._workers,
            )
            for worker in range(self._workers)
        ]  # fmt: skip
        key = tiles, like.X.dtype, like.mean.dtype, dtype, affines[1] is None
        self._program = compiled_for(programs.score, key, lambda: self._arguments[0])
        self._let_go()

    def fits(self, source: Source) -> bool:
        """Whether this normalisation, too, is to be computed with these digits, or in floats."""
        return self._digits_for(source) == self._wanted

    def finite(self) -> bool:
        """Whether the first layer's weights were finite for sure, by their products with a row of the last data set.

        One that is not leaves no sum finite, whatever the row; a ReLU may hide that.  Weights that are too large do so
        as well.  To look at all weights takes half as long as to score one.
        """
        return all(np.isfinite(products).all() for products in self._products)

    def run(self, source: Source) -> np.ndarray:
        """The scores (rows, C) of the whole data set."""
        batch, scores = self._batch, np.empty(self._shape, self._dtype)
        batch.X[0], batch.mean[0], batch.scale[0], self._out[0] = source.X, source.mean, source.scale, scores
        self._tickets.array.fill(0)
        if self._fixed is not None:
            set_normalization(self._fixed, source)
        arguments = self._arguments.__getitem__
        _run(self._program, arguments, self._workers, self._meeting, self._shape[0], self._multiply_adds)
        self._let_go()
        return scores

    def _let_go(self) -> None:
        """Keep the caller's arrays no longer than the call."""
        self._batch.X[0] = self._out[0] = _NO_ARRAY
