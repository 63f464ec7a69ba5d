"""What the estimators do beyond MLPClassifier, and how they get on with scikit-learn's tools and with data frames."""

import io
import pickle
import subprocess
import sys

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_iris
from sklearn.metrics import accuracy_score
from sklearn.model_selection import GridSearchCV, cross_val_score, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import fastnet
from fastnet import tables
from fastnet.sklearn import SoftmaxRegressionClassifier, TwoLayerClassifier

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, Y = load_iris(return_X_y=True)
NAMES = load_iris().target_names[Y]
KINDS = [TwoLayerClassifier, SoftmaxRegressionClassifier]
QUICK = {"max_iter": 20, "learning_rate_init": 0.02, "random_state": 0}


def test_importing_fastnet_does_not_import_sklearn():
    code = "import sys, fastnet, fastnet.data; print('sklearn' in sys.modules, 'fastnet.sklearn' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert result.stdout.split() == ["False", "False"], result.stderr


# --- scikit-learn's tools ---


@pytest.mark.parametrize("kind", KINDS)
def test_clone_set_params_pickle_and_joblib(kind):
    first = kind(**QUICK).fit(X, NAMES)
    expected = first.predict_proba(X)
    file = io.BytesIO()
    joblib.dump(first, file)
    file.seek(0)
    for copied in (pickle.loads(pickle.dumps(first)), joblib.load(file)):
        np.testing.assert_array_equal(copied.predict_proba(X), expected)
        assert copied.loss_curve_ == first.loss_curve_
    assert not hasattr(clone(first), "coefs_")
    np.testing.assert_array_equal(clone(first).fit(X, NAMES).predict_proba(X), expected)
    assert clone(first).set_params(max_iter=1).fit(X, NAMES).n_iter_ == 1


@pytest.mark.parametrize("kind", KINDS)
def test_pipeline_and_cross_validation(kind):
    scores = cross_val_score(make_pipeline(StandardScaler(), kind(**QUICK)), X, NAMES)
    assert scores.mean() > 0.8


def test_grid_search():
    """In this process; tests/search/test_dask.py has others."""
    search = GridSearchCV(TwoLayerClassifier(**QUICK), {"hidden_layer_sizes": [2, (50,)], "alpha": [1e-4, 1e3]})
    search.fit(X, NAMES)
    assert search.best_params_ == {"hidden_layer_sizes": (50,), "alpha": 1e-4}
    assert search.best_score_ > 0.9


def test_calibration():
    calibrated = CalibratedClassifierCV(TwoLayerClassifier(**QUICK)).fit(X, NAMES)
    assert calibrated.score(X, NAMES) > 0.9


def test_set_output():
    pipeline = make_pipeline(StandardScaler(), TwoLayerClassifier(**QUICK)).set_output(transform="pandas")
    pipeline.fit(pd.DataFrame(X, columns=list("abcd")), NAMES)
    assert pipeline[-1].feature_names_in_.tolist() == list("abcd")


def test_metadata_routing_of_weights():
    weights = np.where(Y == 0, 0.0, 1.0)
    with sklearn.config_context(enable_metadata_routing=True):
        estimator = (
            TwoLayerClassifier(**QUICK).set_fit_request(sample_weight=True).set_score_request(sample_weight=False)
        )
        found = cross_validate(estimator, X, NAMES, params={"sample_weight": weights}, return_estimator=True)
    for fold in found["estimator"]:
        assert "setosa" not in fold.predict(X)  # its rows are absent


# --- data and labels ---


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_data_frames_and_their_names(frame):
    columns = ["sepal length", "sepal width", "petal length", "petal width"]
    table = frame({name: X[:, i] for i, name in enumerate(columns)})
    model = TwoLayerClassifier(**QUICK).fit(table, NAMES)
    assert model.feature_names_in_.tolist() == columns
    np.testing.assert_array_equal(model.predict(table), TwoLayerClassifier(**QUICK).fit(X, NAMES).predict(X))
    with pytest.raises(ValueError, match="feature names"):
        model.predict(table[columns[::-1]])
    with pytest.raises(ValueError, match="feature names"):
        TwoLayerClassifier(**QUICK).fit(table, NAMES, X_val=table[columns[::-1]], y_val=NAMES)


@pytest.mark.parametrize("names", [["x", "yy", "z"], [1.0, 2.0, -3.0], [7, 9, 8], ["no", "yes", "no"]])
def test_labels_come_back_as_they_were(names):
    y = np.array(names)[Y]
    model = TwoLayerClassifier(**QUICK).fit(X, y)
    assert model.predict(X).dtype == y.dtype
    np.testing.assert_array_equal(model.classes_, np.unique(y))
    assert accuracy_score(y, model.predict(X)) > 0.9
    assert model.predict(X[:1]).shape == (1,)
    assert model.predict_proba(X[:1]).shape == (1, len(set(names)))


def test_boolean_labels():
    model = TwoLayerClassifier(**QUICK).fit(X, Y == 0)
    assert model.predict(X).dtype == bool
    assert model.score(X, Y == 0) > 0.95


@pytest.mark.parametrize("kind", KINDS)
def test_uint8_rows_stay_as_they_are(kind, monkeypatch):
    pixels = np.random.default_rng(0).integers(0, 256, (300, 40), dtype=np.uint8)
    y = pixels[:, 0] > 127
    seen = []
    original = fastnet.TwoLayerNet._source
    monkeypatch.setattr(
        "fastnet.classifier.Classifier._source",
        lambda self, data, labels=None: seen.append(data) or original(self, data, labels),
    )
    model = kind(**QUICK).fit(pixels, y)
    assert model.predict_proba(pixels).dtype == np.float32
    assert seen
    for data in seen:
        assert data.dtype == np.uint8
        assert np.shares_memory(data, pixels)
    assert model.score(pixels, y) > 0.8


# --- scale ---


def test_scale_is_a_standard_scaler_before():
    table = X * np.array([1e-6, 1.0, 1e3, 1e6]) + np.array([0, 5, -1e4, 1e7])
    scaled = StandardScaler().fit_transform(table)
    ours = TwoLayerClassifier(**QUICK).fit(table, Y)
    expected = TwoLayerClassifier(scale=None, **QUICK).fit(scaled, Y)
    np.testing.assert_allclose(ours.loss_curve_, expected.loss_curve_, rtol=1e-6)
    np.testing.assert_allclose(ours.predict_proba(table), expected.predict_proba(scaled), rtol=1e-5)


def test_scale_by_the_mean_alone():
    ours = TwoLayerClassifier(scale="mean", **QUICK).fit(X, Y)
    expected = TwoLayerClassifier(scale=None, **QUICK).fit(X - X.mean(axis=0), Y)
    np.testing.assert_allclose(ours.loss_curve_, expected.loss_curve_, rtol=1e-9)


def test_scale_counts_rows_by_their_weight():
    weights = np.random.default_rng(0).integers(0, 3, len(X))
    weighted = fastnet.Normalization.fit(X, scale=True, sample_weight=weights)
    repeated = fastnet.Normalization.fit(X.repeat(weights, axis=0), scale=True)
    np.testing.assert_allclose(weighted.mean, repeated.mean, rtol=1e-13)
    np.testing.assert_allclose(weighted.scale, repeated.scale, rtol=1e-13)
    spoilt = np.where(weights[:, np.newaxis] > 0, X, np.nan)
    np.testing.assert_array_equal(fastnet.Normalization.fit(spoilt, True, sample_weight=weights).scale, weighted.scale)


# --- weights, validation, schedules, callback, threads ---


@pytest.mark.parametrize("kind", KINDS)
def test_a_weight_of_2_is_a_row_twice_and_one_of_0_a_row_absent(kind):
    weights = np.random.default_rng(0).integers(0, 3, len(X))
    options = {**QUICK, "batch_size": 1000, "shuffle": False}
    with pytest.warns(UserWarning, match="batch_size is 1000: all"):
        weighted = kind(**options).fit(X, Y, sample_weight=weights)
    with pytest.warns(UserWarning, match="batch_size is 1000: all"):
        repeated = kind(**options).fit(X.repeat(weights, axis=0), Y.repeat(weights))
    np.testing.assert_allclose(weighted.loss_curve_, repeated.loss_curve_, rtol=1e-12)
    np.testing.assert_allclose(weighted.predict_proba(X), repeated.predict_proba(X), rtol=1e-9)


@pytest.mark.parametrize(
    ("class_weight", "factors"), [("balanced", [150 / 300, 150 / 90, 150 / 60]), ({"b": 3.0}, [1, 3, 1])]
)
def test_class_weights_are_weights_of_rows(class_weight, factors):
    y = np.repeat(["a", "b", "c"], [100, 30, 20])  # balanced: 150 rows / (3 classes * rows of the class)
    rows = np.repeat(factors, [100, 30, 20])
    # Unscaled: the scale is by the rows' own weights.
    found = TwoLayerClassifier(class_weight=class_weight, scale=None, **QUICK).fit(X, y)
    expected = TwoLayerClassifier(scale=None, **QUICK).fit(X, y, sample_weight=rows)
    np.testing.assert_allclose(found.loss_curve_, expected.loss_curve_, rtol=1e-12)


@pytest.mark.parametrize("early_stopping", [False, True])
def test_a_given_validation_set(early_stopping):
    order = np.random.default_rng(0).permutation(150)
    train, held_out = order[:100], order[100:]
    weights = np.arange(50) % 3
    model = TwoLayerClassifier(
        max_iter=100, n_iter_no_change=3, learning_rate_init=0.02, random_state=0, early_stopping=early_stopping
    )
    model.fit(X[train], NAMES[train], X_val=X[held_out], y_val=NAMES[held_out], sample_weight_val=weights)
    assert len(model.validation_scores_) == len(model.validation_loss_curve_) == len(model.loss_curve_) == model.n_iter_
    score = accuracy_score(NAMES[held_out], model.predict(X[held_out]), sample_weight=weights)
    log_probabilities = model.predict_log_proba(X[held_out])[np.arange(50), Y[held_out]]
    if early_stopping:
        assert model.n_iter_ < 100
        assert score == pytest.approx(max(model.validation_scores_)) == pytest.approx(model.best_validation_score_)
    else:
        assert score == pytest.approx(model.validation_scores_[-1])
        assert -np.average(log_probabilities, weights=weights) == pytest.approx(model.validation_loss_curve_[-1])
    assert model.t_ == 100 * model.n_iter_  # of all rows given: none was held out beside


def test_without_validation_set_there_are_no_scores():
    model = TwoLayerClassifier(**QUICK).fit(X, Y)
    assert model.validation_scores_ is model.validation_loss_curve_ is model.best_validation_score_ is None


@pytest.mark.parametrize(
    "schedule", ["linear", "cosine", fastnet.schedules.Linear(warmup=0.1), lambda k: 0.02 * (k < 9)]
)
@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_schedules(schedule, solver):
    options = {**QUICK, "learning_rate": schedule, "solver": solver, "shuffle": False, "alpha": 0.0, "batch_size": 150}
    options["epsilon"] = 1e-30  # too small to matter where it is added
    model = TwoLayerClassifier(scale=None, tol=0.0, **options).fit(X, Y)
    start = TwoLayerClassifier(scale=None, **{**options, "max_iter": 1, "learning_rate": lambda k: 0.0 * k}).fit(X, Y)
    net = start.network_  # its initial weights, of which a rate of 0 left all
    optimizer = fastnet.Adam(epsilon=1e-30) if solver == "adam" else fastnet.Momentum(nesterov=True)
    # Without L2 the core's own training is the same.
    options = {"reg": 0.0, "batch_size": None, "num_iters": 20, "learning_rate": 0.02}
    same = tables.SCHEDULE if schedule == "linear" else schedule
    losses = net.train(X, Y, optimizer=optimizer, schedule=same, **options)["loss_history"]
    np.testing.assert_allclose(model.loss_curve_, losses, rtol=1e-5)


def test_a_callback_sees_each_epoch_and_may_stop():
    seen = []

    def stop(progress):
        seen.append(progress)
        return progress.epoch == 3

    model = TwoLayerClassifier(callback=stop, batch_size=150, **QUICK).fit(X, Y)
    assert [progress.epoch for progress in seen] == [1, 2, 3]
    # An epoch's is the mean of its batches' by their rows: here of one, times 150, through 150.
    assert [progress.loss for progress in seen] == pytest.approx(model.loss_curve_, rel=1e-15)
    assert model.n_iter_ == 3


@pytest.mark.parametrize("kind", KINDS)
def test_threads_change_no_bit(kind):
    first, second = (kind(threads=threads, **QUICK).fit(X, Y).predict_proba(X) for threads in (1, 3))
    np.testing.assert_array_equal(first, second)


def test_pixels_are_multiplied_with_the_precision_asked_for():
    pixels = np.random.default_rng(4).integers(0, 256, (150, 40), dtype=np.uint8)
    fits = {
        precision: TwoLayerClassifier(matmul_precision=precision, **QUICK).fit(pixels, Y)
        for precision in ("highest", "medium")
    }
    assert fits["medium"].network_.matmul_precision == "medium"
    assert fits["medium"].loss_curve_ != fits["highest"].loss_curve_
    # The first epochs: later on losses part as trajectories do.
    np.testing.assert_allclose(fits["medium"].loss_curve_[:3], fits["highest"].loss_curve_[:3], rtol=1e-3)
    with pytest.raises(ValueError, match="a float64 model has no other"):
        TwoLayerClassifier(matmul_precision="medium").fit(X.astype(np.float64), Y)


def test_an_interrupt_leaves_a_fitted_estimator():
    def interrupt(progress):
        if progress.epoch == 2:
            raise KeyboardInterrupt

    with pytest.warns(UserWarning, match="training was interrupted"):
        model = TwoLayerClassifier(callback=interrupt, **QUICK).fit(X, Y)
    assert model.n_iter_ == 2
    assert model.predict(X).shape == (150,)


# --- what is refused ---

REFUSED = {
    "two hidden layers": ({"hidden_layer_sizes": (10, 10)}, r"\(10, 10\), expected one hidden layer"),
    "no hidden layer": ({"hidden_layer_sizes": ()}, "expected one hidden layer.*SoftmaxRegressionClassifier for none"),
    "no hidden units": ({"hidden_layer_sizes": 0}, "hidden_layer_sizes is 0, expected an integer of at least 1"),
    "a lone array": ({"hidden_layer_sizes": np.array(1.5)}, r"hidden_layer_sizes is array\(1.5\), expected an integer"),
    **{
        f"{name}: not comparable": ({name: pd.NA}, f"{name} is <NA>, expected")
        for name in ("activation", "solver", "scale", "shuffle", "warm_start", "early_stopping", "verbose")
    },
    "nesterovs_momentum": ({"solver": "sgd", "nesterovs_momentum": "no"}, "nesterovs_momentum is 'no', expected True"),
    "tanh": ({"activation": "tanh"}, "activation is 'tanh', expected 'relu'"),
    "lbfgs": ({"solver": "lbfgs"}, "solver is 'lbfgs', expected 'adam' or 'sgd'"),
    "alpha": ({"alpha": -1}, "alpha is -1, expected a finite number"),
    "batch_size": ({"batch_size": 0}, "batch_size is 0, expected an integer"),
    "learning_rate": ({"learning_rate": "fast"}, "learning_rate is 'fast', expected one of 'constant', 'invscaling', "),
    "learning_rate_init": ({"learning_rate_init": 0}, "learning_rate_init is 0, expected a finite number above 0"),
    "max_iter": ({"max_iter": 0}, "max_iter is 0, expected an integer"),
    "n_iter_no_change": ({"n_iter_no_change": 0}, "n_iter_no_change is 0"),
    "tol": ({"tol": np.nan}, "tol is nan"),
    "momentum": ({"solver": "sgd", "momentum": 1.0}, "momentum is 1.0"),
    "beta_1": ({"beta_1": 1.0}, "beta_1 is 1.0"),
    "epsilon": ({"epsilon": 1e-320}, "epsilon is 1e-320, expected at least"),
    "scale": ({"scale": "minmax"}, "scale is 'minmax', expected 'standard', 'mean' or None"),
    "validation_fraction": ({"early_stopping": True, "validation_fraction": 1.5}, "validation_fraction is 1.5"),
    "class_weight": ({"class_weight": "balance"}, "class_weight is 'balance'"),
    "matmul_precision": ({"matmul_precision": "low"}, "matmul_precision is 'low'"),
    "threads": ({"threads": 0}, "threads is 0"),
    "schedule": ({"learning_rate": lambda k: k - 1.0}, "returned -1.0 for iteration 0"),
    "callback": ({"callback": 3}, "callback is 3, expected a function"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_arguments_that_do_not_fit_are_refused(name):
    options, message = REFUSED[name]
    model = TwoLayerClassifier(warm_start=True, **QUICK).fit(X, Y)
    before = model.predict_proba(X), dict(vars(model))
    changed = clone(model).set_params(**options)
    with pytest.raises(ValueError, match=message):
        changed.fit(X, Y)
    assert not hasattr(changed, "network_")
    with pytest.raises(ValueError, match=message):
        model.set_params(**options).fit(X, Y)
    model.set_params(**{name: before[1][name] for name in options})
    np.testing.assert_array_equal(model.predict_proba(X), before[0])
    assert model.loss_curve_ == before[1]["loss_curve_"]


UNFIT = {
    "one class": (np.zeros(150), {}, "y has 1 class, .*, expected at least 2 classes"),
    "one class with weight": (Y, {"sample_weight": Y == 1}, r"all of 1 class, \[1\], expected at least 2"),
    "a lone row": (np.r_[3, Y[1:]], {"early_stopping": True}, r"the rarest class has 1 row\(s\), expected"),
    "several labels": (np.eye(3, dtype=int)[Y], {}, r"y has shape \(150, 3\), expected one label a row.*y.argmax"),
    "unseen labels": (NAMES, {"X_val": X, "y_val": np.where(Y, NAMES, "rose")}, r"y_val holds \['rose'\]"),
    "half a validation set": (Y, {"X_val": X}, "X_val and y_val go together"),
    "weights of none": (Y, {"sample_weight_val": np.ones(150)}, "sample_weight_val goes with X_val"),
    "too few weights": (Y, {"sample_weight": np.ones(149)}, r"sample_weight has shape \(149,\)"),
    "negative weights": (Y, {"sample_weight": -np.ones(150)}, r"sample_weight\[0\] is -1.0"),
    "no weights": (Y, {"sample_weight": np.zeros(150)}, "sample_weight holds zeros alone"),
    "nan weights": (Y, {"sample_weight": np.full(150, np.nan)}, r"sample_weight\[0\] is nan"),
}


@pytest.mark.parametrize("name", UNFIT)
def test_data_that_do_not_fit_are_refused(name):
    y, options, message = UNFIT[name]
    stopping = {"early_stopping": options.pop("early_stopping", False)} if "early_stopping" in options else {}
    model = TwoLayerClassifier(**QUICK, **stopping)
    with pytest.raises(ValueError, match=message):
        model.fit(X, y, **options)
    assert not hasattr(model, "network_")


def test_sparse_rows_are_refused_by_name():
    from scipy.sparse import csr_array

    with pytest.raises(TypeError, match="Sparse data was passed for X"):
        TwoLayerClassifier().fit(csr_array(X), Y)


def test_a_warm_start_with_other_classes_or_units_is_refused():
    model = TwoLayerClassifier(warm_start=True, **QUICK).fit(X, Y)
    with pytest.raises(ValueError, match=r"hidden_layer_sizes is \(50,\), expected \(100,\), as in the fit to go on"):
        clone(model).fit(X, Y).set_params(hidden_layer_sizes=50).fit(X, Y)
    with pytest.raises(ValueError, match=r"y has the classes \[0, 1\], expected those of the fit"):
        model.fit(X[:100], Y[:100])


@pytest.mark.parametrize("name", ["X", "y", "X_val", "y_val"])
def test_masked_elements_are_refused(name):
    given = {"X": X, "y": Y, "X_val": X, "y_val": Y}
    given[name] = np.ma.masked_array(given[name], mask=np.zeros(np.shape(given[name]), bool))
    given[name].mask[0] = True
    with pytest.raises(ValueError, match=f"{name} is a masked array with masked elements"):
        TwoLayerClassifier(max_iter=1).fit(**given)
