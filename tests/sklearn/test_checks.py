"""scikit-learn's own checks of estimators, all of them."""

import numpy as np
import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from fastnet.sklearn import SoftmaxRegressionClassifier, TwoLayerClassifier


# Their data sets are far from converged when the checks' few epochs end, and the labels of some are random.
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning", "ignore:the loss ends at:UserWarning")
@parametrize_with_checks(
    [
        TwoLayerClassifier(),
        SoftmaxRegressionClassifier(),
        TwoLayerClassifier(
            hidden_layer_sizes=20, solver="sgd", learning_rate="linear", learning_rate_init=0.05, scale=None
        ),
    ]
)
def test_scikit_learns_checks(estimator, check):
    with np.errstate(all="warn"):
        check(estimator)
