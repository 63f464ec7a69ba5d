"""The two models: parameters, validation, public methods.

Letters: N rows of X, D inputs, H hidden units, C classes.

    loss = mean_i( -log softmax(scores_i)[y_i] ) + 0.5 * reg * (sum of the squared weights)

Biases are not regularised; the gradient of max(x, 0) at 0 is 0.  (CS231n, "Putting it together: Minimal Neural
Network Case Study"; the 0.5 makes the gradient of the L2 term reg * W.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from fastnet import checks, training
from fastnet.batches import Batches, FullBatch, Replacement, Replay, Shuffle
from fastnet.checks import Array
from fastnet.engine.memory import Layer, Source
from fastnet.normalization import Normalization
from fastnet.optimizers import SGD, Adam, Momentum, Optimizer

if TYPE_CHECKING:
    from fastnet.engine.session import Scorer


class Parameters(dict[str, Array]):
    """A model's parameters by name: live arrays, the ones that training changes.

    `params["W1"][:] = ...` and `params["W1"] = ...` both write into the model; the second checks the shape.
    """

    def __setitem__(self, name: str, value: Any) -> None:
        self[name][...] = self._checked(name, value)

    def _checked(self, name: str, value: Any) -> Array:
        if name not in self:
            raise ValueError(f"no parameter {name!r}, expected one of {', '.join(self)}")
        array = np.asarray(value, self[name].dtype)
        if array.shape != self[name].shape:
            raise ValueError(f"{name} has shape {array.shape}, expected {self[name].shape}")
        return array

    def update(self, *others: Any, **named: Any) -> None:
        """Write several parameters, as `params[name] = value` does each: all of them or, where one is wrong, none."""
        values = {name: self._checked(name, value) for name, value in dict(*others, **named).items()}
        for name, array in values.items():
            self[name][...] = array

    # A dictionary's own |= is declared for dictionaries of one type alone; this one takes what update takes.
    def __ior__(self, values: Any) -> Parameters:  # type: ignore[override,misc]
        self.update(values)
        return self

    def _refuse(self, *_: Any) -> Any:
        raise ValueError(f"the parameters {', '.join(self)} are the model's: none can be removed or added")

    __delitem__ = pop = popitem = clear = setdefault = _refuse

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (dict(self),)  # copied or pickled without its model it is a plain dictionary


class Classifier:
    """What the two models share.  sizes are the widths from the inputs to the classes."""

    def __init__(
        self,
        sizes: tuple[int, ...],
        names: tuple[tuple[str, str], ...],
        std: float,
        dtype: DTypeLike,
        seed: int | None,
        threads: int | None,
        matmul_precision: str,
    ) -> None:
        self.dtype = checks.float_dtype(dtype)
        self.matmul_precision = checks.matmul_precision(matmul_precision, self.dtype)
        self.threads = threads
        self.normalization: Normalization | None = None
        self.label_names: tuple[str, ...] | None = None
        self.image_shape: tuple[int, ...] | None = None
        checks.threads(threads)
        std = checks.non_negative("std", std)
        self._rng = _generator(seed)
        self._scorers: dict[Any, Scorer] = {}
        self._layers = tuple(Layer.zeros(i, o, self.dtype) for i, o in pairwise(sizes))
        self._params = Parameters()
        for layer, (weight, bias) in zip(self._layers, names, strict=True):
            dict.__setitem__(self._params, weight, layer.W)
            dict.__setitem__(self._params, bias, layer.b)
            layer.W[...] = std * self._rng.standard_normal(layer.W.shape)

    @property
    def input_size(self) -> int:
        """D."""
        return self._layers[0].inputs

    @property
    def output_size(self) -> int:
        """C."""
        return self._layers[-1].outputs

    @property
    def params(self) -> Parameters:
        """The parameters by name: live arrays."""
        return self._params

    @params.setter
    def params(self, values: Mapping[str, Any]) -> None:
        if set(values) != set(self._params):
            raise ValueError(f"params are {', '.join(values)}, expected {', '.join(self._params)}")
        arrays = {name: np.asarray(value, self.dtype) for name, value in values.items()}
        for name, array in arrays.items():
            if array.shape != self._params[name].shape:
                raise ValueError(f"{name} has shape {array.shape}, expected {self._params[name].shape}")
        self._params.update(arrays)

    def loss(self, X: Any, y: Any = None, reg: float = 0.0, threads: int | None = None) -> Any:
        """The scores of X or, with labels, the loss and its gradients.

        X : uint8, float32 or float64 array (N, D)
        y : integer array (N,) of labels in [0, C), or None
        reg : strength of the L2 term

        Returns the scores (N, C) without y, else `loss, grads`: a float, and a dictionary of arrays shaped as
        the parameters.  Raises ValueError for input of another kind.
        """
        data = checks.features("X", X, self.input_size, self.dtype)
        if y is None:
            return self._scores(data, threads)
        workers = self._workers(threads)
        from fastnet.engine import session  # imports Numba: half a second that `import fastnet` does not take

        labels = checks.labels("y", y, len(data), self.output_size)
        reg = checks.non_negative("reg", reg, self.dtype)
        source, precision = self._source(data, labels), self._precision()
        loss, gradients = session.loss_and_gradients(self._layers, source, reg, workers, precision)
        return loss, dict(zip(self._params, gradients, strict=True))

    def train(
        self,
        X: Any,
        y: Any,
        X_val: Any = None,
        y_val: Any = None,
        learning_rate: float = 1e-3,
        learning_rate_decay: float = 0.95,
        reg: float = 0.5,
        num_iters: int = 1000,
        batch_size: int | None = 200,
        sampling: str = "replacement",
        indices: Any = None,
        optimizer: Optimizer | None = None,
        threads: int | None = None,
        verbose: bool = False,
        callback: Callable[[training.Progress], object] | None = None,
    ) -> dict[str, list[float]]:
        """Gradient descent on mini-batches; changes the parameters in place.

        X, X_val : uint8, float32 or float64 arrays (num, D); a read-only memmap will do.  No float copy is made
        y, y_val : integer arrays (num,) of labels in [0, C)
        learning_rate : step size, multiplied by learning_rate_decay after each epoch, that is, after every
            max(num // batch_size, 1) iterations
        reg : strength of the L2 term
        batch_size : N, or None for all rows in every step
        sampling : "replacement" draws every row anew, "shuffle" goes through a permutation each epoch
        indices : integer array (num_iters, N) of row numbers to replay; replaces num_iters, batch_size, sampling
        optimizer : SGD() (default), Momentum() or Adam(); its state begins anew with each call
        threads : workers; default the model's, else FASTNET_THREADS, else as many cores as the work is worth.
            Their number changes no bit of the result
        verbose : write loss lines to standard output
        callback : called with a Progress about ten times a second and, with X_val, at the end of each epoch

        Returns loss_history (one entry an iteration: the loss before its update), train_acc_history (one an
        epoch: accuracy on its last mini-batch, before the update) and val_acc_history (one an epoch, after it;
        empty without X_val).

        Raises ValueError, with the parameters untouched, for input that does not fit.  Ctrl-C, and an exception
        from the callback, leave the parameters as of the last finished iteration.
        """
        from fastnet.engine import rules, session  # imports Numba

        workers = self._workers(threads)
        data = checks.features("X", X, self.input_size, self.dtype)
        labels = checks.labels("y", y, len(data), self.output_size)
        validate = self._validation(X_val, y_val, threads)
        reg = checks.non_negative("reg", reg, self.dtype)
        batches, num_iters = self._batches(len(data), num_iters, batch_size, sampling, indices)
        schedule = training.Schedule(
            num_iters,
            max(len(data) // batches.size, 1),
            checks.non_negative("learning_rate", learning_rate, self.dtype),
            checks.positive("learning_rate_decay", learning_rate_decay),
        )
        optimizer = SGD() if optimizer is None else optimizer
        if not isinstance(optimizer, (SGD, Momentum, Adam)):
            raise ValueError(f"optimizer is {optimizer!r}, expected SGD(), Momentum() or Adam()")
        least = float(np.finfo(self.dtype).tiny)
        if isinstance(optimizer, Adam) and optimizer.epsilon < least:
            raise ValueError(f"epsilon is {optimizer.epsilon}, expected at least {least} in {self.dtype}")
        if callback is not None and not callable(callback):
            raise ValueError(f"callback is {callback!r}, expected a function of one argument, a Progress")
        callbacks: list[training.Callback] = [training.LossLines()] if verbose else []
        callbacks += [callback] if callback is not None else []
        rule, source = rules.Rule(optimizer.rule), self._source(data, labels)
        trainer = session.Trainer(self._layers, source, batches.size, rule, workers, matmul_precision=self._precision())
        return vars(training.run(trainer, batches, optimizer, schedule, reg, validate, callbacks))

    def predict(self, X: Any, threads: int | None = None) -> NDArray[np.int64]:
        """The labels (N,) of X (N, D): of equal scores, the first."""
        return np.asarray(self.loss(X, threads=threads).argmax(axis=1))

    def predict_proba(self, X: Any, threads: int | None = None) -> Array:
        """The probabilities (N, C) of X (N, D), softmax of the scores, in the model's dtype."""
        scores = self.loss(X, threads=threads)
        exponentials = np.exp(scores - scores.max(axis=1, keepdims=True))
        return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True))

    def save(self, path: str | PathLike[str]) -> None:
        """Write parameters, normalisation, label names and image shape to an .npz file (see fastnet.load)."""
        from fastnet import checkpoints

        checkpoints.save(self, path)

    def _arguments(self) -> dict[str, int]:
        """The sizes, as the constructor takes them."""
        raise NotImplementedError

    def __getstate__(self) -> dict[str, Any]:
        state = {name: value for name, value in vars(self).items() if name not in ("_layers", "_params", "_scorers")}
        return state | {"params": {name: np.array(value) for name, value in self._params.items()}}

    def __setstate__(self, state: dict[str, Any]) -> None:
        params = state.pop("params")
        self._scorers = {}
        sizes = [value.shape for value in params.values() if value.ndim == 2]
        self._layers = tuple(Layer.zeros(i, o, state["dtype"]) for i, o in sizes)
        arrays = (array for layer in self._layers for array in (layer.W, layer.b))
        self._params = Parameters(zip(params, arrays, strict=True))
        vars(self).update(state)
        self._params.update(params)

    def __repr__(self) -> str:
        sizes = ", ".join(f"{name}={value}" for name, value in self._arguments().items())
        return f"{type(self).__name__}({sizes}, dtype={self.dtype})"

    def _workers(self, threads: int | None) -> int | None:
        return checks.threads(self.threads if threads is None else threads)

    def _precision(self) -> str:
        """matmul_precision, which anyone may have set since the model was made."""
        return checks.matmul_precision(self.matmul_precision, self.dtype)

    def _scores(self, data: Array, threads: int | None) -> Array:
        """The scores of checked rows."""
        source = self._source(data)
        key, scorer = self._take_scorer(source, self._workers(threads))
        scores = scorer.run(source)
        self._scorers = {key: scorer}
        return scores

    def _take_scorer(self, source: Source, workers: int | None) -> tuple[Any, Scorer]:
        """A scorer for data sets like this one, and the key under which to keep it.

        The last one is kept: another prediction of as many rows finds its memory allocated and its program chosen.
        It is taken out while it works, so threads do not share it.
        """
        precision = self._precision()
        key = len(source.X), source.X.dtype, workers, precision
        scorer = self._scorers.pop(key, None)
        if scorer is None or not scorer.fits(source):
            from fastnet.engine.session import Scorer  # imports Numba

            scorer = Scorer(self._layers, source, workers, precision)
        return key, scorer

    def _source(self, data: Array, labels: NDArray[np.int64] | None = None) -> Source:
        return Source(data, labels, *self._mean_and_scale())

    def _mean_and_scale(self) -> tuple[Array, Array]:
        """The normalisation as the engine applies it."""
        if self.normalization is None:
            return np.zeros((1, self.input_size), self.dtype), np.ones((1, self.input_size), self.dtype)
        if not isinstance(self.normalization, Normalization):
            found = type(self.normalization).__name__
            raise ValueError(f"normalization is of type {found}, expected a Normalization or None")
        features = len(self.normalization.mean)
        if features != self.input_size:
            raise ValueError(f"the normalization has {features} features, expected the model's {self.input_size}")
        return self.normalization.mean_and_scale(self.dtype)

    def _validation(self, X: Any, y: Any, threads: int | None) -> Callable[[], float] | None:
        if (X is None) != (y is None):
            raise ValueError("X_val and y_val go together, found one without the other")
        if X is None:
            return None
        data = checks.features("X_val", X, self.input_size, self.dtype)
        labels = checks.labels("y_val", y, len(data), self.output_size)
        # Compiled now, not when the first epoch ends: who watches the time would take it for the speed of training.
        self._scorers = dict([self._take_scorer(self._source(data), self._workers(threads))])
        return lambda: float((self.predict(data, threads) == labels).mean())

    def _batches(
        self, num_train: int, num_iters: Any, batch_size: Any, sampling: str, indices: Any
    ) -> tuple[Batches, int]:
        """The batches to train on, and how many."""
        if indices is not None:
            rows = np.asarray(indices)
            if rows.ndim != 2 or rows.size == 0:
                raise ValueError(f"indices have shape {rows.shape}, expected (num_iters, batch_size), neither 0")
            return Replay(checks.integers("indices", rows, num_train, "row numbers")), len(rows)
        num_iters = checks.whole("num_iters", num_iters, 0)
        if sampling not in ("replacement", "shuffle"):
            raise ValueError(f"sampling is {sampling!r}, expected 'replacement' or 'shuffle'")
        if batch_size is None:
            return FullBatch(num_train), num_iters
        batch_size = checks.whole("batch_size", batch_size, 1)
        if sampling == "replacement":
            return Replacement(self._rng, num_train, batch_size), num_iters
        if batch_size > num_train:
            raise ValueError(f"batch_size is {batch_size}, expected at most the {num_train} rows of X with shuffle")
        return Shuffle(self._rng, num_train, batch_size), num_iters


class TwoLayerNet(Classifier):
    """affine -> ReLU -> affine -> softmax cross-entropy, with L2 on both weight matrices.

    input_size, hidden_size, output_size : D, H, C
    std : standard deviation of the initial weights; biases begin at zero
    dtype : float32 or float64
    seed : of the initial weights and of the mini-batches; None draws one from the system
    threads : default number of workers, see train
    matmul_precision : how the first layer's products are computed, by train, loss and predict on uint8 X in float32
        models: "highest" (default) in float32; "high" and "medium" with integers of 24 and 16 bits for the weights
        and their gradient, which is faster and, in itself, exact.  Rounding moves a hidden unit's input by at most
        2**(1 - bits) * max_p |V_p| * sum_p |x_p - mean_p|, V_p being its weights times the normalisation's scale
        (bits is 23 or 15 where the largest comes within 1/128 of a power of two).  "medium" takes 24 bits, and both
        float32, where the features' scales differ so much that the bound says little.  Float X, batches of fewer
        than 32 rows, and a normalisation whose mean is none of pixels run at "highest".  float64 models have
        "highest" alone

    params : {"W1": (D, H), "b1": (H,), "W2": (H, C), "b2": (C,)}
    normalization : a Normalization applied to every X, or None
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        output_size: int,
        std: float = 1e-4,
        dtype: DTypeLike = np.float32,
        seed: int | None = None,
        threads: int | None = None,
        matmul_precision: str = "highest",
    ) -> None:
        sizes = (
            checks.whole("input_size", input_size, 1),
            checks.whole("hidden_size", hidden_size, 1),
            checks.whole("output_size", output_size, 2),
        )
        super().__init__(sizes, (("W1", "b1"), ("W2", "b2")), std, dtype, seed, threads, matmul_precision)

    def _arguments(self) -> dict[str, int]:
        hidden = self._layers[0].outputs
        return {"input_size": self.input_size, "hidden_size": hidden, "output_size": self.output_size}


class SoftmaxClassifier(Classifier):
    """affine -> softmax cross-entropy, with L2 on the weight matrix.

    input_size, output_size : D, C; the other arguments as for TwoLayerNet

    params : {"W": (D, C), "b": (C,)}
    """

    def __init__(
        self,
        input_size: int,
        output_size: int,
        std: float = 1e-4,
        dtype: DTypeLike = np.float32,
        seed: int | None = None,
        threads: int | None = None,
        matmul_precision: str = "highest",
    ) -> None:
        sizes = (checks.whole("input_size", input_size, 1), checks.whole("output_size", output_size, 2))
        super().__init__(sizes, (("W", "b"),), std, dtype, seed, threads, matmul_precision)

    def _arguments(self) -> dict[str, int]:
        return {"input_size": self.input_size, "output_size": self.output_size}


def _generator(seed: Any) -> np.random.Generator:
    if seed is not None:
        seed = checks.whole("seed", seed, 0)
    return np.random.default_rng(seed)


MODELS: Iterable[type[Classifier]] = (TwoLayerNet, SoftmaxClassifier)
