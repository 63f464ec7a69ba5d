"""What a trained model is asked: labels and probabilities.  Letters: N rows of X, D inputs, C classes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnet import checks
from fastnet.checks import Array
from fastnet.description import Described
from fastnet.evaluation import softmax
from fastnet.images import View, averaged
from fastnet.owning import reads


class Predicting(Described):
    """A model that can be asked what its scores mean."""

    dtype: np.dtype[Any]

    def _scores(self, data: Array, threads: int | None, finite: bool = False) -> Array:
        """The scores (N, C) of checked rows; `finite` raises ValueError where they, or parameters, are not."""
        raise NotImplementedError

    def predict(self, X: Any, threads: int | None = None, *, views: Iterable[View] | None = None) -> NDArray[np.int64]:
        """The labels of rows: of equal scores, the first; with views, of equal mean probabilities.

        Parameters
        ----------
        X, threads, views : as for predict_proba

        Returns
        -------
        int64 array (N,)

        Raises
        ------
        ValueError
            For input that does not fit, and where parameters, or scores, are not finite.
        """
        scores = self._finite_scores(X, threads) if views is None else self.predict_proba(X, threads, views=views)
        return np.asarray(scores.argmax(axis=1))

    def predict_proba(self, X: Any, threads: int | None = None, *, views: Iterable[View] | None = None) -> Array:
        """The probabilities of rows, softmax of their scores.

        Parameters
        ----------
        X : array (N, D) of uint8, float32 or float64
        threads : workers, as for train
        views : Views of each image to average over, see fastnet.images.views; default None
            They need the model's image_shape.

        Returns
        -------
        array (N, C), in the model's dtype

        Raises
        ------
        ValueError
            As predict does.
        """
        if views is None:
            return softmax(self._finite_scores(X, threads))
        data = checks.features("X", X, self.input_size, self.dtype)
        return averaged(lambda rows: softmax(self._finite_scores(rows, threads)), data, self.image_shape, views)

    @reads
    def _finite_scores(self, X: Any, threads: int | None) -> Array:
        """The scores of X, of a model that may be asked what they mean."""
        return self._scores(checks.features("X", X, self.input_size, self.dtype), threads, finite=True)
