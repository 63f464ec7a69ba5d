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
from fastnet.parameters import Parameters


class Predicting(Described):
    """A model that can be asked what its scores mean."""

    dtype: np.dtype[Any]
    _params: Parameters

    def loss(self, X: Any, y: Any = None, reg: float = 0.0, threads: int | None = None) -> Any:
        """The scores (N, C) of rows."""
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

    def _finite_scores(self, X: Any, threads: int | None) -> Array:
        """The scores of X, of a model that may be asked what they mean."""
        # The first weights show in the scores (one of -inf may just switch its unit off): to look at them all would
        # take as long as the scores of an image.
        checks.finite_params(dict(list(self._params.items())[1:]))
        return checks.finite_scores(self.loss(X, threads=threads), self._params)
