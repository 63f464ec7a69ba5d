"""What both estimators do: check what scikit-learn's users bring, and fit."""

from __future__ import annotations

import math
import sys
import warnings
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d, validate_data

from fastnet import checks, optimizers, owning, schedules, tables, training
from fastnet.batches import Weights
from fastnet.checks import Array
from fastnet.classifier import Classifier
from fastnet.evaluation import Validation
from fastnet.models import SoftmaxClassifier, TwoLayerNet
from fastnet.normalization import Normalization
from fastnet.optimizers import Momentum, Optimizer
from fastnet.sklearn.epochs import AdamEpsilonLast, Course, Epochs, Record, RuleState, SteadyRate, glorot
from fastnet.sklearn.predicting import READ, Fitted
from fastnet.stopping import Best
from fastnet.weights import class_factors

OWN_RATES = ("constant", "invscaling", "adaptive")  # MLPClassifier's, which change between epochs
SCALES = ("standard", "mean", None)


def _endless(estimator: Estimator) -> bool:
    """Whether the learning rate does not depend on when training ends; AttributeError says that it does."""
    if not isinstance(estimator.learning_rate, str) or estimator.learning_rate not in OWN_RATES:
        raise AttributeError(
            f"learning_rate is {estimator.learning_rate!r}, whose end partial_fit does not know: expected one of "
            f"{', '.join(map(repr, OWN_RATES))}"
        )
    return True


class Estimator(Fitted):
    """fit, by the attributes that a constructor set."""

    _record: Record

    def fit(
        self,
        X: Any,
        y: Any,
        *,
        sample_weight: Any = None,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
    ) -> Estimator:
        """Train on rows and their labels.

        Parameters
        ----------
        X : array or DataFrame (n_samples, n_features)
        y : integers, strings, floats or bools (n_samples,)
        sample_weight : numbers (n_samples,) of at least 0, or None
            A weight of 2 is a row twice, one of 0 a row absent.
        X_val, y_val : a validation set, scored after each epoch, or None
            With early_stopping it decides.
        sample_weight_val : numbers (n_val,), weights of its rows, or None

        Returns
        -------
        the estimator itself

        Raises
        ------
        ValueError, TypeError
            With the estimator as it was, for arguments and data that do not fit.
        DivergenceError
            For a training that leaves the finite numbers.
        """
        course = self._fit(X, y, sample_weight, (X_val, y_val, sample_weight_val))
        if not course.stopped and course.record.n_iter == self.max_iter and course.rate is not None:
            warnings.warn(
                f"max_iter={self.max_iter} epochs have not been enough: the loss still falls by tol or more",
                ConvergenceWarning,
                stacklevel=2,
            )
        count = len(self.classes_)
        if course.guesses(count):
            warnings.warn(
                f"the loss ends at {self.loss_:.4g}, no better than that of guessing, ln {count}: take another "
                "learning_rate_init, less alpha, or features that tell the classes apart",
                stacklevel=2,
            )
        return self

    @available_if(_endless)  # type: ignore[untyped-decorator]  # scikit-learn has no types
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None, classes: Any = None) -> Estimator:
        """Train for one epoch more, of these rows alone: for data that come in parts, or a loop of one's own.

        X, y, sample_weight : as for fit; y need not hold every class.  Features are scaled as those of the first part
        classes : all classes, at the first call; may be left out later, and after fit

        Raises what fit does, and ValueError for settings that need all rows at once.  There is no partial_fit with a
        schedule, whose end it would not know.
        """
        if self.early_stopping:
            raise ValueError("early_stopping is True, expected False: partial_fit has no rows to hold out")
        if isinstance(self.class_weight, str):
            raise ValueError(
                f"class_weight is {self.class_weight!r}, expected a dictionary or None: partial_fit does not know how "
                "many rows there are of each class"
            )
        fitted = hasattr(self, "network_")
        if classes is None and not fitted:
            raise ValueError("classes is None, expected all classes at the first call of partial_fit")
        known = self.classes_ if fitted else np.unique(column_or_1d(classes))
        if classes is not None and not np.array_equal(known, np.unique(column_or_1d(classes))):
            raise ValueError(f"classes is {classes!r}, expected those of the first call, {known.tolist()}, or None")
        self._fit(X, y, sample_weight, (None, None, None), known)
        return self

    def _fit(
        self, X: Any, y: Any, sample_weight: Any, validation: tuple[Any, Any, Any], known: NDArray[Any] | None = None
    ) -> Course:
        """Train, and have the attributes of it; given the classes, for one epoch more."""
        partial = known is not None
        hidden, optimizer = self._hidden(), self._optimizer()
        alpha = checks.non_negative("alpha", self.alpha)
        checks.one_of("scale", self.scale, SCALES, "'standard', 'mean' or None")
        for name in ("shuffle", "warm_start", "early_stopping"):
            checks.flag(name, getattr(self, name))
        if not isinstance(self.verbose, (int, np.bool_)):
            raise ValueError(f"verbose is {self.verbose!r}, expected True, False or an integer")
        workers = checks.threads(self.threads)
        training.check_callback(self.callback)
        for name, values in {"X": X, "y": y, "X_val": validation[0], "y_val": validation[1]}.items():
            checks.unmasked(name, values)
        shape = np.asarray(y).shape
        if len(shape) == 2 and shape[1] > 1:
            raise ValueError(
                f"y has shape {shape}, expected one label a row: several, multilabel targets, are not supported; "
                "of one-hot rows y.argmax(axis=1) are the labels"
            )
        going_on = (partial or bool(self.warm_start)) and hasattr(self, "network_")
        X, y = validate_data(self, X, y, dtype=READ, order="C", reset=not going_on)
        classes, labels = self._labels(y, going_on) if known is None else (known, numbered("y", y, known))
        weights = checks.weights("sample_weight", sample_weight, len(X))
        normalization = self.network_.normalization if going_on else self._normalization(X, weights)
        if self.class_weight is not None:
            weights = self._class_weights(classes, labels, weights)
        rng = check_random_state(self.random_state)
        if going_on:
            network = self.network_
            if hidden != (found := tuple(network._arguments().values())[1:-1]):
                raise ValueError(f"hidden_layer_sizes is {hidden}, expected {found}, as in the fit to go on from")
        else:
            network = self._new_network((X.shape[1], *hidden, len(classes)), X.dtype, rng)
            network.normalization = normalization
        precision = checks.matmul_precision(self.matmul_precision, network.dtype)
        data = checks.features("X", X, network.input_size, network.dtype)
        rows, validate = self._divide(network, data, labels, weights, rng, validation, classes)
        if weights is not None:
            rows = rows[weights[rows] > 0]
        present = np.unique(labels[rows])
        if len(present) < 2 and not partial:
            raise ValueError(
                f"the rows to train on are all of 1 class, {classes[present].tolist()}, expected at least 2 classes"
            )
        optimizer = optimizers.checked(optimizer, network.dtype)
        epochs = Epochs(rng, rows, self._batch_size(len(rows)), bool(self.shuffle), weights)
        network.matmul_precision = precision
        record = self._record if going_on else Record()
        course = self._train(network, data, labels, epochs, optimizer, alpha, validate, record, workers, partial)
        self.classes_, self.network_, self._record = classes, network, record
        self._publish(record)
        return course

    def _hidden(self) -> tuple[int, ...]:
        """The sizes of the hidden layers: one, or none."""
        raise NotImplementedError

    def _labels(self, y: Any, going_on: bool) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """The classes, and the index of each row's."""
        check_classification_targets(y)
        classes, labels = np.unique(column_or_1d(y, warn=True), return_inverse=True)
        if going_on and not np.array_equal(classes, self.classes_):
            raise ValueError(
                f"y has the classes {classes.tolist()}, expected those of the fit that warm_start goes on from: "
                f"{self.classes_.tolist()}"
            )
        if len(classes) < 2:
            raise ValueError(f"y has 1 class, {classes.tolist()}, expected at least 2 classes")
        return classes, labels

    def _normalization(self, X: Array, weights: Weights | None) -> Normalization | None:
        if self.scale is None:
            return None
        return Normalization.fit(X, scale=self.scale == "standard", sample_weight=weights)

    def _class_weights(self, classes: NDArray[Any], labels: NDArray[np.int64], weights: Weights | None) -> Weights:
        if isinstance(self.class_weight, str):
            return class_factors(self.class_weight, labels, len(classes), weights)
        factors = compute_class_weight(self.class_weight, classes=classes, y=classes[labels])
        return class_factors(dict(enumerate(factors)), labels, len(classes), weights)

    def _optimizer(self) -> Optimizer:
        solver = checks.one_of("solver", self.solver, ("adam", "sgd"), "'adam' or 'sgd': fastnet has no other")
        if solver == "adam":
            beta_1, beta_2 = checks.open_unit("beta_1", self.beta_1), checks.open_unit("beta_2", self.beta_2)
            return AdamEpsilonLast(beta_1, beta_2, self.epsilon)
        return Momentum(self.momentum, nesterov=checks.flag("nesterovs_momentum", self.nesterovs_momentum))

    def _patience(self) -> int:
        """Epochs without a gain; infinity is to never stop."""
        endless = isinstance(self.n_iter_no_change, float) and self.n_iter_no_change == math.inf
        return sys.maxsize if endless else checks.whole("n_iter_no_change", self.n_iter_no_change, 1)

    def _batch_size(self, rows: int) -> int:
        if isinstance(self.batch_size, str) and self.batch_size == "auto":
            return min(200, rows)
        size = checks.whole("batch_size", self.batch_size, 1)
        if size > rows:
            warnings.warn(f"batch_size is {size}: all {rows} rows are taken at once", stacklevel=3)
        return min(size, rows)

    @staticmethod
    def _new_network(sizes: tuple[int, ...], dtype: np.dtype[Any], rng: np.random.RandomState) -> Classifier:
        """With initial weights drawn as MLPClassifier draws them."""
        kind: Any = TwoLayerNet if len(sizes) == 3 else SoftmaxClassifier
        own = np.float64 if dtype == np.float64 else np.float32
        network: Classifier = kind(*sizes, std=0.0, dtype=own, seed=0)
        outputs = (*sizes[1:-1], 1 if sizes[-1] == 2 else sizes[-1])  # of two classes the first scores 0
        values = [value for i, o in pairwise((sizes[0], *outputs)) for value in glorot(rng, i, o)]
        for target, value in zip(network.params.values(), values, strict=True):
            target[..., target.shape[-1] - value.shape[-1] :] = value
        return network

    def _divide(
        self,
        network: Classifier,
        data: Array,
        labels: NDArray[np.int64],
        weights: Weights | None,
        rng: np.random.RandomState,
        given: tuple[Any, Any, Any],
        classes: NDArray[Any],
    ) -> tuple[NDArray[np.int64], Validation | None]:
        """The rows to train on, and the validation set: the given one, else with early stopping a part of the rows."""
        X_val, y_val, sample_weight_val = given
        rows = np.arange(len(data))
        if X_val is not None and y_val is not None:
            X_val, y_val = validate_data(self, X_val, y_val, dtype=READ, order="C", reset=False)
            labels_val = numbered("y_val", y_val, classes)
            return rows, network._validation(X_val, labels_val, sample_weight_val, self.threads)
        if X_val is not None or y_val is not None or not self.early_stopping:
            return rows, network._validation(X_val, y_val, sample_weight_val, self.threads)
        fraction = checks.positive("validation_fraction", self.validation_fraction)
        least = np.bincount(labels).min()
        if not fraction < 1 or least < 2:
            raise ValueError(
                f"validation_fraction is {fraction} and the rarest class has {least} row(s), expected a fraction "
                "below 1 and at least 2 rows of each class: early_stopping divides them; or give X_val and y_val"
            )
        # Stratified, as MLPClassifier's documentation says; its code does so for two classes alone (1.9).
        rows, held_out = train_test_split(rows, random_state=rng, test_size=fraction, stratify=labels)
        if sample_weight_val is not None:
            raise ValueError("sample_weight_val goes with X_val and y_val, found it without them")
        own = None if weights is None else weights[held_out]
        return rows, network._validation(data[held_out], labels[held_out], own, self.threads)

    def _train(
        self,
        network: Classifier,
        data: Array,
        labels: NDArray[np.int64],
        epochs: Epochs,
        optimizer: Optimizer,
        alpha: float,
        validate: Validation | None,
        record: Record,
        workers: int | None,
        partial: bool,
    ) -> Course:
        num_iters = (1 if partial else checks.whole("max_iter", self.max_iter, 1)) * epochs.per_epoch
        most = float(np.finfo(network.dtype).max)
        rate = checks.positive("learning_rate_init", self.learning_rate_init)
        if isinstance(self.learning_rate, str):
            known = (*OWN_RATES, *schedules.NAMES)
            words = ", ".join(map(repr, dict.fromkeys(known)))
            checks.one_of("learning_rate", self.learning_rate, known, f"one of {words}, a schedule or a function")
        own = isinstance(self.learning_rate, str) and self.learning_rate in OWN_RATES
        acting = self.learning_rate if own and self.solver == "sgd" else "constant"
        rule = record.rule
        if not partial or rule is None or rule.solver != self.solver:
            rule = RuleState(self.solver, rate)
        steady = SteadyRate(rate if acting == "constant" else rule.rate) if own else None
        schedule = tables.SCHEDULE if isinstance(self.learning_rate, str) and self.learning_rate == "linear" else None
        rates = steady or schedules.rates(schedule or self.learning_rate, rate, num_iters, epochs.per_epoch, most)
        history = training.History()
        course = Course(
            record=record,
            epochs=epochs,
            history=history,
            rate=steady,
            learning_rate=acting,
            learning_rate_init=rate,
            power_t=checks.non_negative("power_t", self.power_t),
            tol=checks.non_negative("tol", self.tol),
            patience=self._patience(),
            early_stopping=bool(self.early_stopping),
            verbose=bool(self.verbose),
            callback=self.callback,
        )
        course.begin(validated=validate is not None)
        best = Best("accuracy", list(network.params.values())) if self.early_stopping else None
        judges: list[training.Judge] = [course.judge] if validate is not None else []
        judges += [best.see] if best is not None else []
        plan = training.Plan(num_iters, epochs.per_epoch, rates, lambda weight: alpha / weight)
        # Beside a search with n_jobs there are fewer cores than workers: fits too short for the clock to tell that have
        # one worker.
        binary = network.output_size == 2
        trainer = network._trainer(data, labels, epochs.size, optimizer, workers, frozen=binary, shared=True)
        optimizer = rule.go_on(optimizer, trainer)
        try:
            with owning.training(network):
                training.run(trainer, epochs, optimizer, plan, history, validate, judges, [course])
        except KeyboardInterrupt:
            warnings.warn("training was interrupted: the estimator is fitted as far as it got", stacklevel=3)
        finally:  # of a warm start the parameters have moved, whatever has ended it
            if validate is None:  # else an epoch counts when its validation does
                course.catch_up()
            rule.keep(trainer, len(history.loss_history), rate if steady is None else steady.rate)
            record.rule = rule
        if best is not None:
            best.restore()
        return course

    def _publish(self, record: Record) -> None:
        """MLPClassifier's attributes."""
        self.n_iter_, self.t_ = record.n_iter, record.t
        self.loss_, self.best_loss_ = record.loss, record.best_loss
        self.loss_curve_ = record.loss_curve
        self.validation_scores_ = record.validation_scores
        self.validation_loss_curve_ = record.validation_loss_curve
        self.best_validation_score_ = record.best_validation_score
        self.n_layers_ = len(self.network_.params) // 2 + 1
        self.n_outputs_ = self.coefs_[-1].shape[1]
        self.out_activation_ = "logistic" if len(self.classes_) == 2 else "softmax"


def numbered(name: str, y: Any, classes: NDArray[Any]) -> NDArray[np.int64]:
    """The index of each label's class.  Raises ValueError for labels that are none of the classes."""
    labels = column_or_1d(y)
    unseen = np.setdiff1d(labels, classes)
    if len(unseen):
        raise ValueError(f"{name} holds {unseen[:5].tolist()}, expected the classes {classes[:20].tolist()}")
    return np.asarray(np.searchsorted(classes, labels))
