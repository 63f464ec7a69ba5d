"""Estimators for scikit-learn: its MLPClassifier's arguments and attributes, fastnet's training.

    from fastnet.sklearn import TwoLayerClassifier

    TwoLayerClassifier().fit(X_train, y_train).score(X_test, y_test)

Needs scikit-learn (`pip install "fastnet-cpu[sklearn]"`); nothing else of fastnet imports it.
"""

from fastnet.sklearn.estimators import SoftmaxRegressionClassifier, TwoLayerClassifier

__all__ = ["SoftmaxRegressionClassifier", "TwoLayerClassifier"]
