"""What both estimators know once they are fitted."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from fastnet import checks
from fastnet.checks import Array
from fastnet.classifier import Classifier
from fastnet.evaluation import softmax

READ = [np.float64, np.float32, np.uint8]  # types of X that are read as they are; others become the first


class Fitted(ClassifierMixin, BaseEstimator):
    """Predictions and parameters, by the attributes that fitting has set."""

    threads: int | None
    network_: Classifier
    classes_: NDArray[Any]

    def predict(self, X: Any) -> NDArray[Any]:
        """The classes of rows.

        Parameters
        ----------
        X : array or DataFrame (n_samples, n_features)

        Returns
        -------
        array (n_samples,), of the labels' type

        Raises
        ------
        ValueError
            For rows that do not fit; of an estimator that is not fitted NotFittedError, which is one.
        """
        scores = self._scores(X)  # first: it says when there are no classes yet
        return np.asarray(self.classes_[scores.argmax(axis=1)])

    def predict_proba(self, X: Any) -> Array:
        """The probabilities of rows.

        Parameters
        ----------
        X : array or DataFrame (n_samples, n_features)

        Returns
        -------
        array (n_samples, n_classes), in the order of ``classes_``

        Raises
        ------
        ValueError
            For rows that do not fit; of an estimator that is not fitted NotFittedError, which is one.
        """
        return softmax(self._scores(X))

    def predict_log_proba(self, X: Any) -> Array:
        """The logarithms of the probabilities, finite where these underflow.

        Parameters
        ----------
        X : array or DataFrame (n_samples, n_features)

        Returns
        -------
        array (n_samples, n_classes), in the order of ``classes_``

        Raises
        ------
        ValueError
            For rows that do not fit; of an estimator that is not fitted NotFittedError, which is one.
        """
        scores = self._scores(X)
        with np.errstate(over="ignore", under="ignore"):  # to minus infinity and to 0 are right
            scores -= scores.max(axis=1, keepdims=True)
            return np.asarray(scores - np.log(np.exp(scores).sum(axis=1, keepdims=True)))

    @property
    def coefs_(self) -> list[Array]:
        """The weights (inputs, outputs) of each layer, of features as `scale` leaves them."""
        return self._arrays(0)

    @property
    def intercepts_(self) -> list[Array]:
        """The biases (outputs,) of each layer."""
        return self._arrays(1)

    def _arrays(self, first: int) -> list[Array]:
        if not hasattr(self, "network_"):
            raise AttributeError(f"this {type(self).__name__} is not fitted yet")
        arrays = list(self.network_.params.values())[first::2]
        return [*arrays[:-1], arrays[-1][..., 1:]] if len(self.classes_) == 2 else arrays

    def _scores(self, X: Any) -> Array:
        check_is_fitted(self)
        X = validate_data(self, checks.unmasked("X", X), dtype=READ, order="C", reset=False)
        return self.network_._finite_scores(X, self.threads)
