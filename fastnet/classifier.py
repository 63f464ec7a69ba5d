"""What the two models share: parameters, validation of what callers bring, public methods.

Letters: N rows of X, D inputs, H hidden units, C classes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from itertools import pairwise
from os import PathLike
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from fastnet import checks, drawing, optimizers, outcome, schedules, settings, training
from fastnet.batches import Ending, batches_of
from fastnet.checks import Array
from fastnet.copying import Copied
from fastnet.engine.step.memory import Source
from fastnet.evaluation import Validation
from fastnet.normalization import Normalization
from fastnet.optimizers import Optimizer
from fastnet.owning import reads, trains
from fastnet.parameters import Parameters
from fastnet.predicting import Predicting
from fastnet.schedules import Clock, EpochDecay, Schedule
from fastnet.stopping import EarlyStopping, best_of, patience_of
from fastnet.weights import class_factors, shares

if TYPE_CHECKING:
    from fastnet.engine.session import Scorer, Trainer


class Classifier(Copied, Predicting):
    """What the two models share.  sizes are the widths from the inputs to the classes."""

    _widths: ClassVar[tuple[str, ...]]  # the sizes, as the constructor's arguments are called
    _names: ClassVar[tuple[tuple[str, str], ...]]  # of the weights and the bias of each layer
    _began_with: str | None = None  # what the last run with a checkpoint began with, see fastnet.runs

    def __init__(
        self,
        sizes: tuple[int, ...],
        std: float | str,
        dtype: DTypeLike,
        seed: int | None,
        threads: int | None,
        matmul_precision: str,
    ) -> None:
        self.dtype = checks.float_dtype(dtype)
        self.matmul_precision = checks.matmul_precision(matmul_precision, self.dtype)
        self.threads = threads
        self.normalization: Normalization | None = None
        self.history: dict[str, Any] = {}
        self.trained_with: dict[str, Any] | None = None
        checks.threads(threads)
        self._std = checks.deviation(std)
        self._seed = None if seed is None else checks.whole("seed", seed, 0)
        self._rng = np.random.default_rng(self._seed)
        self._scorers: dict[Any, Scorer] = {}
        self._layers = drawing.layers(sizes, self._std, self.dtype, self._rng)
        self._params = Parameters()
        for layer, (weight, bias) in zip(self._layers, self._names, strict=True):
            dict.__setitem__(self._params, weight, layer.W)
            dict.__setitem__(self._params, bias, layer.b)

    @property
    def input_size(self) -> int:
        """D, the number of inputs."""
        return self._layers[0].inputs

    @property
    def output_size(self) -> int:
        """C, the number of classes."""
        return self._layers[-1].outputs

    @property
    def params(self) -> Parameters:
        """The parameters by name: live arrays."""
        return self._params

    @params.setter
    @reads
    def params(self, values: Mapping[str, Any]) -> None:
        self._params.replace(values)

    @reads
    def loss(
        self, X: Any, y: Any = None, reg: float = 0.0, threads: int | None = None, *, sample_weight: Any = None
    ) -> Any:
        """The scores of X or, with labels, the loss and its gradients.

        A numerical check of the gradients needs a float64 model (dtype=np.float64): in float32 the differences of two
        losses are mostly rounding.

        Parameters
        ----------
        X : array (N, D) of uint8, float32 or float64
        y : integer array (N,) of labels in [0, C), or None
        reg : float, default 0
            Strength of the L2 term.
        threads : as for train
        sample_weight : numbers (N,) of at least 0, or None
            The loss is the weighted mean, plus L2: a weight of 2 is a row twice, and one of 0 a row absent.

        Returns
        -------
        scores, or loss and gradients
            Without y the scores (N, C), else a float, and a dictionary of arrays shaped as the parameters.

        Raises
        ------
        ValueError
            For input of another kind.
        """
        data = checks.features("X", X, self.input_size, self.dtype)
        if y is None:
            return self._scores(data, threads)
        workers = self._workers(threads)
        from fastnet.engine import session  # imports Numba: half a second that `import fastnet` does not take

        labels = checks.labels("y", y, len(data), self.output_size)
        reg = checks.non_negative("reg", reg, self.dtype)
        weights = checks.weights("sample_weight", sample_weight, len(data))
        parts = None if weights is None else shares(weights)
        source, precision = self._source(data, labels), self._precision()
        loss, gradients = session.loss_and_gradients(self._layers, source, reg, workers, parts, precision)
        return loss, dict(zip(self._params, gradients, strict=True))

    @trains
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
        sampling: str | Ending = "replacement",
        indices: Any = None,
        optimizer: Optimizer | None = None,
        threads: int | None = None,
        verbose: bool = False,
        callback: Callable[[training.Progress], object] | None = None,
        *,
        schedule: Schedule | None = None,
        sample_weight: Any = None,
        class_weight: Mapping[int, float] | str | None = None,
        sample_weight_val: Any = None,
        early_stopping: EarlyStopping | None = None,
        restore_best: str | None = None,
        checkpoint: str | PathLike[str] | None = None,
        checkpoint_every: float = 10.0,
        resume: bool = False,
    ) -> dict[str, Any]:
        """Gradient descent on mini-batches; changes the parameters in place.

        Parameters
        ----------
        X, X_val : arrays (num, D) of uint8, float32 or float64
            Or memmaps, whose files may not shrink.  No float copy is made.
        y, y_val : integer arrays (num,) of labels in [0, C)
        learning_rate, learning_rate_decay : floats, default 1e-3 and 0.95
            Step size, and its factor after each epoch: every max(num // batch_size, 1) iterations.
        reg : float, default 0.5
            Strength of the L2 term.
        num_iters : int, default 1000
        batch_size : int, default 200; None for all rows in every step
        sampling : "replacement" (default) draws every row anew, "shuffle" goes through a permutation each epoch
            Or a fastnet.batches.Ending: shuffled, towards the end of training among the first rows alone.
        indices : integer array (num_iters, N) of row numbers to replay
            In the place of num_iters, batch_size and sampling.
        optimizer : SGD() (default), Momentum() or Adam(); its state begins anew with each call
        threads : workers; default the model's, else FASTNET_THREADS, else as many cores as the work is worth
            The clock says how many that are, OMP_NUM_THREADS how many at most.  No bit of the result depends on it.
        verbose : bool, default False: write loss lines to standard output
        callback : function of a Progress, called about ten times a second and at the end of each epoch
            More often at first, and while another number of workers is tried.  It ends the training by returning True.
            One whose attribute every_epoch is False waits for its turn: epochs of a step or two take several times as
            long when each returns to Python.
        schedule : how the learning rate changes, in the place of learning_rate_decay
            "constant", "linear" (to zero), "cosine" or one of fastnet.schedules, with a warm-up where wanted (its Clock
            ends training after so many seconds); or, in the place of learning_rate as well, a function from an int64
            array of iteration numbers (from 0) to as many rates.
        sample_weight, sample_weight_val : numbers (num,) of at least 0
            The loss of a mini-batch is its weighted mean: a weight of 2 is a row twice, one of 0 is never drawn.
        class_weight : factors of the rows' weights by label, 1 for those not named, or "balanced"
            By which all classes weigh alike.  Of training, not of validation.
        early_stopping : EarlyStopping(monitor, patience, min_delta), told by X_val after each epoch; default none
        restore_best : "loss" or "accuracy" of X_val; default None
            End with the parameters of the epoch where it was best, of equals the first, not with the last ones.
        checkpoint, checkpoint_every : file to keep the run in, and seconds, default 10
            A checkpoint that is there is written over: at the beginning, at the end, and so often between.  It is for
            one training at a time, a BlockingIOError for the next.
        resume : bool, default False: go on from that file if there is one, else begin
            What was killed ends with the same bits, at any number of threads, and the histories of the whole run.  Go
            on with a model like the one that began, or the very one that was interrupted: a file of other settings,
            data or initial parameters is refused.  (Those drawn without a seed are others each time, and all alike.)

        Returns
        -------
        dict
            loss_history (one entry an iteration: the loss before its update), train_acc_history (one an epoch: accuracy
            on its last mini-batch, before the update), val_acc_history and val_loss_history (one an epoch, after it;
            the loss without L2; empty without X_val).  val_accuracy and val_loss are those of the parameters that
            training leaves: within an epoch, or the best (None without X_val).  The same dictionary is `history` while
            training goes on, and what is left of it after an exception.

        Raises
        ------
        ValueError, RuntimeError
            For input that does not fit, and a model that is being trained, or that another thread goes on reading for
            ten seconds (what it reads for less is waited for).  The parameters are untouched.
        DivergenceError
            For a loss, parameters or second moments (Adam) that are not finite any more.  It, Ctrl-C and exceptions of
            the callback leave the parameters as of the last iteration in the `history` that they carry.

        Warns
        -----
        UserWarning
            Of a learning rate that is gone before half of the training, and of a training that ended where it
            began, at the loss of guessing or with one class for all validation rows, or far above its first loss.
        """
        checks.finite_params(self._params)
        checkpoint_every = checks.checkpoint_every(checkpoint_every, checkpoint, resume)
        workers = self._workers(threads)
        data = checks.features("X", X, self.input_size, self.dtype)
        labels = checks.labels("y", y, len(data), self.output_size)
        validate = self._validation(X_val, y_val, sample_weight_val, threads)
        reg = checks.non_negative("reg", reg, self.dtype)
        weights = checks.weights("sample_weight", sample_weight, len(data))
        if class_weight is not None:
            weights = class_factors(class_weight, labels, self.output_size, weights)
        batches, num_iters = batches_of(self._rng, len(data), num_iters, batch_size, sampling, indices, weights)
        learning_rate = checks.non_negative("learning_rate", learning_rate, self.dtype)
        decay = EpochDecay(factor=checks.positive("learning_rate_decay", learning_rate_decay))
        per_epoch = max(batches.num_train // batches.size, 1)
        most = float(np.finfo(self.dtype).max)
        rates = schedules.rates(decay if schedule is None else schedule, learning_rate, num_iters, per_epoch, most)
        plan = training.Plan(num_iters, per_epoch, rates, lambda weight: np.full(len(weight), reg), data)
        schedules.warn_of_early_end(decay if schedule is None else schedule, num_iters, per_epoch)
        optimizer = optimizers.checked(optimizer, self.dtype)
        training.check_callback(callback)
        best = best_of(restore_best, list(self._params.values()), validate is not None)
        judges: list[training.Judge] = [] if best is None else [best.see]
        patience = patience_of(early_stopping, validate is not None)
        judges += [] if patience is None else [patience.over]
        # The clock first: what is called after it knows at the last return that the time is over.
        callbacks: list[training.Callback] = [schedule.over] if isinstance(schedule, Clock) else []
        callbacks += [training.LossLines()] if checks.flag("verbose", verbose) else []
        callbacks += [callback] if callback is not None else []
        trainer = self._trainer(data, labels, batches.size, optimizer, workers)
        told = settings.told(
            learning_rate=learning_rate, reg=reg, num_iters=num_iters, optimizer=optimizer, class_weight=class_weight,
            early_stopping=early_stopping, restore_best=restore_best,
            **({"learning_rate_decay": learning_rate_decay} if schedule is None else {"schedule": schedule}),
            **({"sampling": sampling, "batch_size": batch_size} if indices is None else {}),
        )  # fmt: skip
        history = training.History()
        keeping: AbstractContextManager[training.Keeper | None] = nullcontext()
        if checkpoint is not None:
            from fastnet import runs  # imports zipfile

            table = runs.table(schedule, sampling, rates, num_iters)
            own = runs.identity(
                self, told, X=data, y=labels, weights=weights, indices=indices, X_val=X_val, y_val=y_val,
                weights_val=sample_weight_val, schedule=table,
            )  # fmt: skip
            run = runs.Run(self, trainer, batches, history, best, patience, num_iters, per_epoch, **own)
            keeping = runs.Checkpoint(checkpoint, checkpoint_every, run).begun(resume)
        with keeping as keeper:
            self.history, self.trained_with = vars(history), told
            training.run(trainer, batches, optimizer, plan, history, validate, judges, callbacks, keeper)
        if best is not None:
            best.restore()
        outcome.warn_of_losses(history.loss_history, self.output_size)
        if validate is not None:
            end = validate()
            history.val_accuracy, history.val_loss = end.accuracy, end.loss
            outcome.warn_of_lone_class(history.loss_history, self.output_size, "validation", end.lone_class)
        return self.history

    @reads
    def save(self, path: str | PathLike[str]) -> None:
        """Write the model to an .npz file: what fastnet.load brings back.

        Parameters
        ----------
        path : of the file, under exactly that name
            An existing one is replaced only by a finished one.

        Raises
        ------
        ValueError
            For a model that could not be loaded again: parameters that are not finite, names that do not fit.
        OSError
            Where path cannot be written, or names anything but a regular file.
        """
        from fastnet import checkpoints

        checkpoints.save(self, path)

    def _arguments(self) -> dict[str, int]:
        """The sizes, as the constructor takes them."""
        return dict(zip(self._widths, (self.input_size, *(layer.outputs for layer in self._layers)), strict=True))

    @classmethod
    def _shapes(cls, arguments: Mapping[str, int]) -> dict[str, tuple[int, ...]]:
        """The shapes of the parameters of a model of such sizes."""
        shapes: dict[str, tuple[int, ...]] = {}
        widths = [arguments[name] for name in cls._widths]
        for (weight, bias), (inputs, outputs) in zip(cls._names, pairwise(widths), strict=True):
            shapes |= {weight: (inputs, outputs), bias: (outputs,)}
        return shapes

    def __repr__(self) -> str:
        sizes = ", ".join(f"{name}={value}" for name, value in self._arguments().items())
        return f"{type(self).__name__}({sizes}, dtype={self.dtype})"

    def _workers(self, threads: int | None) -> int | None:
        return checks.threads(self.threads if threads is None else threads)

    def _precision(self) -> str:
        """matmul_precision, which anyone may have set since the model was made."""
        return checks.matmul_precision(self.matmul_precision, self.dtype)

    def _scores(self, data: Array, threads: int | None, finite: bool = False) -> Array:
        """The scores of checked rows; `finite` raises ValueError for parameters, and for scores, that are not."""
        source = self._source(data)
        key, scorer = self._take_scorer(source, self._workers(threads))
        scores = scorer.run(source)
        if finite:
            if len(self._layers) > 1:  # a ReLU may hide what is in front of it; all others show in the scores
                weight, bias = self._names[0]
                names = (bias,) if scorer.finite() else (weight, bias)
                checks.finite_params({name: self._params[name] for name in names})
            checks.finite_scores(scores, self._params)
        self._scorers = {key: scorer}
        return scores

    def _trainer(
        self,
        data: Array,
        labels: NDArray[np.int64],
        size: int,
        optimizer: Optimizer,
        workers: int | None,
        frozen: bool = False,
        shared: bool = False,
    ) -> Trainer:
        """The engine's part of a training on checked rows; `frozen` leaves class 0 as it is.

        On a machine that is `shared` with others, more than one worker takes larger steps to begin with.
        """
        from fastnet.engine import session  # imports Numba
        from fastnet.engine.step import rules
        from fastnet.engine.threads import crew

        worth = crew.WORTH_IN_A_CALL if shared else crew.WORTH_IN_A_RUN
        source, rule = self._source(data, labels), rules.Rule(optimizer.rule)
        return session.Trainer(self._layers, source, size, rule, workers, worth, self._precision(), int(frozen))

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
        return Source(data, labels, *self._mean_and_scale(np.promote_types(data.dtype, self.dtype)))

    def _validation(self, X: Any, y: Any, sample_weight: Any, threads: int | None) -> Validation | None:
        if (X is None) != (y is None):
            raise ValueError("X_val and y_val go together, found one without the other")
        if X is None:
            if sample_weight is not None:
                raise ValueError("sample_weight_val goes with X_val and y_val, found it without them")
            return None
        data = checks.features("X_val", X, self.input_size, self.dtype)
        labels = checks.labels("y_val", y, len(data), self.output_size)
        weights = checks.weights("sample_weight_val", sample_weight, len(data))
        # Compiled now, not when the first epoch ends: who watches the time would take it for the speed of training.
        self._scorers = dict([self._take_scorer(self._source(data), self._workers(threads))])
        return Validation(lambda: self._scores(data, threads), labels, weights)
