"""scikit-learn's MLPClassifier: a fitted one of a net, and the net of a fitted one.

to_sklearn(net).predict(X)             # what net.predict(X) gives
from_sklearn(classifier)               # classifier.classes_[net.predict(X)] is what classifier.predict(X) gives
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastnet.checks import Array, unmasked
from fastnet.interchange.foreign import library
from fastnet.interchange.layers import Net, layers_of, net_of


def to_sklearn(net: Net, *, classes: Sequence[Any] | None = None, fold: bool = True) -> Any:
    """A fitted MLPClassifier of the net's dtype that predicts the same.

    Parameters
    ----------
    net : TwoLayerNet or SoftmaxClassifier, of D features and C labels
    classes : what it calls the net's C labels, different from each other
        Default 0 to C - 1; net.label_names for names.
    fold : bool, default True
        With a normalization in the first layer, rounded as to_state_dict says; with fold=False the parameters are the
        net's own, and it takes the rows that `net.normalization` makes.

    Returns
    -------
    sklearn.neural_network.MLPClassifier
        Of rows (N, D); ``coefs_`` are (D, H) and (H, C), ``intercepts_`` (H,) and (C,), or (D, C) and (C,).

    Raises
    ------
    ImportError
        Without scikit-learn.
    ValueError
        For no net, and for classes that do not fit.

    Notes
    -----
    Of more than two classes the parameters are kept to the last bit, of two it has one output, the difference of the
    scores.  No training took place: it has a ``loss_curve_`` without entries, and partial_fit begins one.
    """
    estimators = library("sklearn.neural_network", "sklearn")
    arrays = layers_of(net, fold)
    names = _classes(classes, net.output_size)
    order = np.argsort(names)  # as scikit-learn has them
    hidden = () if len(arrays) == 2 else (len(arrays[1]),)
    classifier = estimators.MLPClassifier(hidden, random_state=0)
    # scikit-learn itself makes what belongs to a fitted one, by a step on rows of zeros; nothing is left of the step.
    classifier.partial_fit(np.zeros((len(names), net.input_size), net.dtype), names, classes=names)
    vars(classifier).pop("_optimizer", None)
    classifier.n_iter_, classifier.t_, classifier.loss_curve_, classifier.best_loss_ = 0, 0, [], np.inf
    last = [array[..., order] for array in arrays[-2:]]
    if len(names) == 2:
        last = [array[..., 1:] - array[..., :1] for array in last]
    classifier.coefs_, classifier.intercepts_ = [*arrays[:-2:2], last[0]], [*arrays[1:-2:2], last[1]]
    if net.feature_names is not None:
        classifier.feature_names_in_ = np.array(net.feature_names, object)
    return classifier


def from_sklearn(classifier: Any) -> Net:
    """The net of a fitted MLPClassifier, in its dtype; to the last bit.

    Parameters
    ----------
    classifier : MLPClassifier of at most one hidden layer, of ReLU
        Of two classes the first gets the score 0, as its one output is the second's.  Its ``feature_names_in_`` become
        the feature_names, its ``classes_``, unless they are 0 to C - 1, as texts the label_names.

    Returns
    -------
    TwoLayerNet or SoftmaxClassifier
        The latter of one without hidden layers; neither has a normalization.

    Raises
    ------
    ImportError
        Without scikit-learn.
    ValueError
        For another one.
    """
    kind = library("sklearn.neural_network", "sklearn").MLPClassifier
    if not isinstance(classifier, kind) or not hasattr(classifier, "coefs_"):
        state = "is not fitted, expected one that is" if isinstance(classifier, kind) else "expected an MLPClassifier"
        raise ValueError(f"classifier is of type {type(classifier).__name__}, {state}")
    weights, biases, classes = classifier.coefs_, classifier.intercepts_, classifier.classes_
    if len(weights) > 2:
        raise ValueError(f"the classifier has {len(weights) - 1} hidden layers, expected 1 or none")
    if len(weights) == 2 and classifier.activation != "relu":
        raise ValueError(f"the classifier's activation is {classifier.activation!r}, expected 'relu'")
    outputs, activation = weights[-1].shape[1], classifier.out_activation_
    binary = len(classes) == 2 and outputs == 1
    if activation != ("logistic" if binary else "softmax"):  # several labels a row, or all rows of one class
        raise ValueError(
            f"the classifier has {outputs} {activation} outputs for {len(classes)} classes, expected softmax of as "
            "many, or of two classes one that is logistic"
        )
    arrays: dict[str, Array] = {}
    for number, pair in enumerate(zip(weights, biases, strict=True)):
        arrays |= {f"{name}[{number}]": array for name, array in zip(("coefs_", "intercepts_"), pair, strict=True)}
    if binary:
        last = list(arrays)[-2:]
        arrays |= {name: np.concatenate([np.zeros_like(arrays[name]), arrays[name]], axis=-1) for name in last}
    net = net_of(arrays)
    net.feature_names = getattr(classifier, "feature_names_in_", None)
    if not np.array_equal(classes, np.arange(len(classes))):
        net.label_names = [str(name) for name in classes]
    return net


def _classes(classes: Any, count: int) -> Array:
    if classes is None:
        return np.arange(count)
    names = np.asarray(unmasked("classes", classes))
    if names.shape != (count,) or len(set(names.tolist())) < count:
        raise ValueError(f"classes are {names.tolist()}, expected {count} different ones, in the order of the labels")
    return names
