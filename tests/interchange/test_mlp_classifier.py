"""scikit-learn's MLPClassifier: a fitted one of a net that predicts the same, and the net of a fitted one."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_iris
from sklearn.neural_network import MLPClassifier

from fastnet.interchange import from_sklearn, to_sklearn
from fastnet.sklearn import TwoLayerClassifier

X, Y = load_iris(return_X_y=True)
NAMES = load_iris().target_names[Y]


def fitted(X=X, y=Y, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # too few epochs
        return MLPClassifier(**{"hidden_layer_sizes": (5,), "max_iter": 10, "random_state": 0, **options}).fit(X, y)


@pytest.mark.parametrize("kind", ["TwoLayerNet", "SoftmaxClassifier"])
@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("normalized", [False, "standard"])
def test_the_classifier_of_a_net_predicts_the_same(make, probabilities, pixels, kind, classes, normalized):
    net = make(kind, np.float64, normalized, classes)
    classifier, expected = to_sklearn(net), probabilities(net, pixels)
    np.testing.assert_allclose(classifier.predict_proba(pixels), expected, atol=1e-13)
    np.testing.assert_array_equal(classifier.predict(pixels), expected.argmax(axis=1))
    assert len(set(expected.argmax(axis=1))) > 1
    np.testing.assert_allclose(probabilities(from_sklearn(classifier), pixels), expected, atol=1e-13)


def test_it_predicts_as_fastnet_does(make, pixels):
    net = make(normalized="standard")
    np.testing.assert_allclose(to_sklearn(net).predict_proba(pixels), net.predict_proba(pixels), atol=1e-5)


def test_a_plain_net_comes_back_to_the_last_bit(plain, same_bits):
    assert same_bits(from_sklearn(to_sklearn(plain)), plain)


def test_without_folding_the_parameters_are_the_nets_own(make, same_bits):
    net = make(normalized="standard")
    assert same_bits(from_sklearn(to_sklearn(net, fold=False)), net)
    assert not same_bits(from_sklearn(to_sklearn(net)), net)


def test_it_has_what_a_fitted_one_has_and_goes_on(make):
    given = to_sklearn(make(dtype=np.float64, classes=3), classes=["b", "c", "a"])
    expected = fitted(np.zeros((3, 7)), ["a", "b", "c"], hidden_layer_sizes=(9,))
    assert set(vars(expected)) - set(vars(given)) == {"_optimizer"}  # of a training
    for name in ("n_layers_", "n_outputs_", "out_activation_", "n_features_in_", "hidden_layer_sizes", "activation"):
        assert getattr(given, name) == getattr(expected, name), name
    assert (given.n_iter_, given.t_, given.loss_curve_) == (0, 0, [])
    before = given.coefs_[0].copy()
    given.partial_fit(np.ones((5, 7)), ["a", "b", "c", "a", "b"])
    assert (given.n_iter_, given.t_) == (1, 5)
    assert not np.array_equal(given.coefs_[0], before)


def test_making_one_draws_nothing_from_the_global_random_state(make):
    state = np.random.get_state()[1].copy()  # noqa: NPY002  # it is what must stay as it is
    to_sklearn(make())
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002


@pytest.mark.parametrize("names", [["owl", "cat", "elk", "dog"], [4, -1, 30, 0]])
def test_classes_are_named_in_the_order_of_the_labels(make, probabilities, pixels, names):
    net = make(dtype=np.float64)
    classifier, labels = to_sklearn(net, classes=names), probabilities(net, pixels).argmax(axis=1)
    np.testing.assert_array_equal(classifier.predict(pixels), np.array(names)[labels])
    np.testing.assert_array_equal(classifier.classes_, np.unique(names))
    assert len(set(labels)) == 4


@pytest.mark.parametrize(
    ("data", "options"),
    [
        ((X, NAMES), {}),
        ((X, NAMES), {"hidden_layer_sizes": ()}),
        ((X, Y > 0), {"activation": "relu"}),
        ((X.astype(np.float32), Y), {}),
    ],
)
def test_the_net_of_a_classifier_predicts_the_same_and_goes_back_to_the_last_bit(probabilities, data, options):
    classifier = fitted(*data, **options)
    net = from_sklearn(classifier)
    assert net.dtype == data[0].dtype
    rtol = 1e-12 if net.dtype == np.float64 else 1e-5
    expected = probabilities(net, data[0])
    np.testing.assert_allclose(classifier.predict_proba(data[0]), expected, rtol=rtol)
    np.testing.assert_array_equal(classifier.predict(data[0]), classifier.classes_[expected.argmax(axis=1)])
    back = to_sklearn(net, classes=classifier.classes_)
    for name in ("coefs_", "intercepts_"):
        for found, expected in zip(getattr(back, name), getattr(classifier, name), strict=True):
            assert (found.dtype, found.tobytes()) == (expected.dtype, expected.tobytes()), name


def test_names_of_classes_and_features_go_along():
    frame = pd.DataFrame(X, columns=list("abcd"))
    net = from_sklearn(fitted(frame, NAMES))
    assert net.label_names == ("setosa", "versicolor", "virginica")
    assert net.feature_names == tuple("abcd")
    assert to_sklearn(net, classes=net.label_names).feature_names_in_.tolist() == list("abcd")
    assert from_sklearn(fitted()).label_names is None


@pytest.mark.parametrize(
    ("classifier", "complaint"),
    [
        (lambda: MLPClassifier(), "MLPClassifier, is not fitted"),
        (lambda: TwoLayerClassifier(), "TwoLayerClassifier, expected an MLPClassifier"),
        (lambda: fitted(activation="tanh"), "activation is 'tanh', expected 'relu'"),
        (lambda: fitted(hidden_layer_sizes=(5, 5)), "2 hidden layers, expected 1 or none"),
        (lambda: fitted(y=np.eye(3, dtype=int)[Y]), "3 logistic outputs for 3 classes, expected softmax"),
    ],
)
def test_another_classifier_is_refused(classifier, complaint):
    with pytest.raises(ValueError, match=complaint):
        from_sklearn(classifier())


@pytest.mark.parametrize("classes", [["a", "b", "c"], ["a", "b", "c", "a"], "abcd", 4])
def test_classes_that_do_not_fit_are_refused(make, classes):
    with pytest.raises(ValueError, match=r"classes are .*, expected 4 different ones"):
        to_sklearn(make(), classes=classes)
