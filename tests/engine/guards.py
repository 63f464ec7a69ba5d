"""Arrays between pages that nobody may touch, in the place of all that the engine allocates.

Run as a program, it trains and predicts twice, in ordinary memory and between guards, where each buffer lies against
the page behind it, then against the one before it, and is full of nan where a kernel must write before it reads; it
prints a digest of either's bits for each precision.  An access outside ends it with a signal.
"""

import ctypes
import hashlib
import json
import mmap
import sys
from types import SimpleNamespace

import numpy as np

import fastnet
from fastnet.engine import session
from fastnet.engine.compilation import cpu
from fastnet.engine.emitting import arrays
from fastnet.engine.step import memory, precision, programs

PAGE = mmap.PAGESIZE
CANARY = 0xA5
_libc = ctypes.CDLL(None, use_errno=True)
# Of a batch with at least 32 rows, so that there are digits; the most kinds of remainder that these tiles allow.
DIGITS = [
    *((39, inputs, 5, 3) for inputs in (3, 97, 111)),
    (33, 65, 17, 3),
    (64, 97, 16, 3),
    (257, 192, 5, 3),  # two blocks, the second of one row fewer
    (95, 4230, 3, 3),  # more than the slices of a short table
    (45, 1057, 16, 3),
    (40, 1055, 0, 3),
]
# Rows of a batch, inputs, hidden units (0: none), classes: remainders of tiles, panels, lines, quads and slices.  Few
# numbers of rows, and mostly one line of units and classes: each other tile is another program to compile.
FEW = [
    *((9, inputs, 5, 3) for inputs in (1, 2, 3, 4, 5, 15, 16, 17, 31, 33, 63, 65, 95, 96, 97, 127, 129, 257, 290)),
    *((9, 17, hidden, classes) for hidden, classes in ((1, 2), (7, 15), (8, 8), (9, 7), (15, 9), (16, 16))),
    (9, 33, 100, 3),  # whole tiles leave some lines
]
SIZES = [
    *FEW,
    *((9, inputs, 0, classes) for inputs, classes in ((1, 2), (33, 15), (97, 16))),
]
MODES = {
    "float32": (np.float32, "highest", np.uint8),
    "float64": (np.float64, "highest", np.float64),
    "high": (np.float32, "high", np.uint8),
    "medium": (np.float32, "medium", np.uint8),
}


class Guards:
    """Allocates as NumPy and fastnet.engine.emitting.arrays do; everything else is NumPy's."""

    def __init__(self, behind: bool) -> None:
        self._behind, self._canaries = behind, []

    def __getattr__(self, name):
        return getattr(np, name)

    def empty(self, shape, dtype=np.float64):
        """Full of what is no number."""
        dtype = np.dtype(dtype)
        size = int(np.prod(shape)) * dtype.itemsize
        inside = max(-(-size // PAGE), 1) * PAGE
        pages = mmap.mmap(-1, inside + 2 * PAGE)
        room = np.frombuffer(pages, np.uint8)
        room[PAGE : PAGE + inside] = CANARY
        for guard in (0, PAGE + inside):
            assert _libc.mprotect(ctypes.c_void_p(room.ctypes.data + guard), ctypes.c_size_t(PAGE), 0) == 0
        at = PAGE + inside - size if self._behind else PAGE
        array = room[at : at + size].view(dtype).reshape(shape)
        array.fill(np.nan if dtype.kind == "f" else 77)
        rest = room[PAGE:at] if self._behind else room[at + size : PAGE + inside]
        self._canaries.append(rest)
        return array

    def zeros(self, shape, dtype=np.float64):
        """Full of zeros."""
        array = self.empty(shape, dtype)
        array.fill(0)
        return array

    def copy(self, array):
        """The caller's own arrays."""
        found = self.empty(array.shape, array.dtype)
        found[...] = array
        return found

    def batch(self, source, rows, shares=None):
        """As Batch.of, of copies of all but X, which is the caller's."""
        batch = memory.Batch.of(source, rows, shares)
        return batch._replace(**{name: self.matrix(getattr(batch, name)) for name in batch._fields if name != "X"})

    def steps(self, coefficients, reg, history):
        """As Steps; history is read again by whom it belongs to."""
        return programs.Steps(self.matrix(coefficients), self.matrix(reg), history)

    def matrix(self, matrix):
        """A copy, of None None."""
        return matrix and arrays.Matrix(self.copy(matrix.array))

    def allocate(self, rows, columns, dtype, odd=False):
        """As arrays.allocate."""
        return self.zeros(plainly(rows, columns, dtype, odd).shape, dtype)

    def check(self):
        """What lies on the other side of the arrays is as it was."""
        assert all((rest == CANARY).all() for rest in self._canaries)
        self._canaries.clear()


plainly = arrays.allocate
WRITTEN_FIRST = ("partial", "scores", "hidden", "d_hidden", "per_row", "panel", "turned", "sums")


def with_nan(build):
    """The same matrices, those that are overwritten before they are read full of nan."""

    def built(*args, **kwargs):
        found = build(*args, **kwargs)
        for name in WRITTEN_FIRST:
            part = getattr(found, name, None)
            if part is not None:
                part.array.fill(np.nan)
        return found

    return built


def digests(modes, sizes, copy, check):
    """Of scores, losses, gradients and trained parameters, by precision."""
    found = {}
    for kind in modes:
        dtype, words, X_dtype = MODES[kind]
        digest = hashlib.sha256()
        for rows, inputs, hidden, classes in sizes if words == "highest" else DIGITS:
            rng = np.random.default_rng(rows * inputs)
            X = copy(rng.integers(0, 256, (rows, inputs)).astype(X_dtype))
            y = rng.integers(0, classes, rows)
            widths = (inputs, hidden, classes) if hidden else (inputs, classes)
            model = (fastnet.TwoLayerNet if hidden else fastnet.SoftmaxClassifier)(
                *widths, std=0.1, dtype=dtype, seed=0, matmul_precision=words, threads=1
            )
            model.normalization = fastnet.Normalization.fit(X, scale=True)
            history = model.train(
                X, y, num_iters=2, batch_size=rows, sampling="shuffle", learning_rate=1e-3, threads=1 + rows % 2
            )
            loss, gradients = model.loss(X, y, reg=0.1)
            numbers = (model.loss(X), loss, *gradients.values(), *model.params.values(), *history["loss_history"])
            assert all(np.isfinite(value).all() for value in numbers)
            for value in numbers:
                digest.update(np.ascontiguousarray(value).tobytes())
            check()
        found[kind] = digest.hexdigest()
    return found


def main():
    """Print digests of ordinary memory, and of that between guards; arguments: few or all sizes, then the modes."""
    modes, sizes = sys.argv[2:], FEW if sys.argv[1] == "few" else SIZES
    found = [digests(modes, sizes, np.array, lambda: None)]
    session._activations, session._scratch = with_nan(session._activations), with_nan(session._scratch)
    for behind in (True, False):
        guards = Guards(behind)
        for module in (session, memory, precision):
            module.allocate = guards.allocate
        session.np, session.Batch, session.Steps = guards, SimpleNamespace(of=guards.batch), guards.steps
        found.append(digests(modes, sizes, guards.copy, guards.check))
    json.dump({"unit": [str(cpu.vector_unit()), str(cpu.dot_unit())], "found": found}, sys.stdout)


if __name__ == "__main__":
    main()
