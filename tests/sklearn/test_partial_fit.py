"""partial_fit: data that come in parts (its losses beside MLPClassifier's are in test_against_mlp.py)."""

import numpy as np
import pytest
from sklearn.datasets import load_iris

from fastnet import schedules
from fastnet.sklearn import TwoLayerClassifier

X, Y = load_iris(return_X_y=True)
NAMES = load_iris().target_names[Y]
QUICK = {"learning_rate_init": 0.02, "random_state": 0}


def test_partial_fit_needs_the_classes_once():
    model = TwoLayerClassifier(**QUICK)
    with pytest.raises(ValueError, match="classes is None, expected all classes at the first call"):
        model.partial_fit(X[:60], NAMES[:60])
    for _ in range(20):
        model.partial_fit(X[:100], NAMES[:100], classes=np.unique(NAMES))  # two of the three
        model.partial_fit(X[100:], NAMES[100:])  # one
        model.partial_fit(X[50:], NAMES[50:])
    assert model.score(X, NAMES) > 0.9
    before = model.predict_proba(X)
    for y, classes, message in [
        (np.full(150, "rose"), None, r"y holds \['rose'\], expected the classes \['setosa'"),
        (NAMES, ["rose"], "classes is .*'rose'.*, expected those of the first call"),
    ]:
        with pytest.raises(ValueError, match=message):
            model.partial_fit(X, y, classes=classes)
    np.testing.assert_array_equal(model.predict_proba(X), before)


def test_partial_fit_refuses_what_asks_for_all_rows_or_a_last_epoch():
    for options in ({"early_stopping": True}, {"class_weight": "balanced"}):
        ((name, value),) = options.items()
        with pytest.raises(ValueError, match=f"{name} is {value!r}, expected .*: partial_fit"):
            TwoLayerClassifier(**options).partial_fit(X, Y, classes=[0, 1, 2])
    assert hasattr(TwoLayerClassifier(learning_rate="adaptive"), "partial_fit")
    for schedule in ("linear", schedules.Cosine()):
        assert not hasattr(TwoLayerClassifier(learning_rate=schedule), "partial_fit")


def test_partial_fit_weighs_classes_by_a_dictionary():
    parts = slice(0, 150, 2), slice(1, 150, 2)
    found, expected = (TwoLayerClassifier(class_weight=c, scale=None, **QUICK) for c in ({1: 3.0}, None))
    for part in parts:
        found.partial_fit(X[part], Y[part], classes=[0, 1, 2])
        expected.partial_fit(X[part], Y[part], 1.0 + 2 * (Y[part] == 1), classes=[0, 1, 2])
    np.testing.assert_allclose(found.loss_curve_, expected.loss_curve_, rtol=1e-12)


def test_what_ends_a_part_leaves_an_estimator_that_goes_on():
    """A callback that raises after an epoch, a later fit that is refused: parameters and moments are of one moment."""

    class Ended(Exception):
        pass

    def end(progress):
        raise Ended

    found, expected = (TwoLayerClassifier(**QUICK).partial_fit(X, Y, classes=[0, 1, 2]) for _ in range(2))
    with pytest.raises(Ended):
        found.set_params(callback=end).partial_fit(X, Y)
    with pytest.raises(ValueError, match="tol is -1"):
        found.set_params(callback=None, warm_start=True, tol=-1).fit(X, Y)
    found.set_params(warm_start=False, tol=1e-4).partial_fit(X, Y)
    for _ in range(2):
        expected.partial_fit(X, Y)
    for a, b in zip(found.coefs_, expected.coefs_, strict=True):
        np.testing.assert_array_equal(a, b)
