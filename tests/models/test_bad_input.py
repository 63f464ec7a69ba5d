"""Input that does not fit is refused before anything is changed, by a message that says what was found and
what was expected."""

from types import SimpleNamespace

import numpy as np
import pytest
from against_reference import KINDS, bits, fastnet_model

import fastnet
from fastnet.engine import session

D, H, C = 6, 5, 3
X = np.random.default_rng(0).standard_normal((20, D)).astype(np.float32)
Y = np.random.default_rng(1).integers(0, C, 20)


def small_model(kind="two-layer", **options):
    return fastnet_model(kind, D, H, C, **{"std": 0.1, "seed": 0, **options})


def with_one(value):
    spoilt = X.astype(np.float64)
    spoilt[17, 4] = value
    return spoilt


def labels_with(value):
    spoilt = Y.copy()
    spoilt[11] = value
    return spoilt


FEATURES = {  # X -> what the message says of it
    "one row": (X[0], r"has shape \(6,\), expected 2 dimensions \(rows, 6\)"),
    "one row in a list": (X[0].tolist(), r"has shape \(6,\).*; one row is np.reshape\(X\w*, \(1, -1\)\)$"),
    "one image": (X[0].reshape(1, 2, 3), r"has shape \(1, 2, 3\).*; one row is np.reshape\(X\w*, \(1, -1\)\)$"),
    "images": (X.reshape(20, 2, 3), r"has shape \(20, 2, 3\).*; rows are np.reshape\(X\w*, \(len\(X\w*\), -1\)\)$"),
    "a number": (1.0, r"has shape \(\), expected 2 dimensions \(rows, 6\)$"),
    "nothing": (None, r"is None, expected an array"),
    "sparse": (SimpleNamespace(toarray=None), r"is sparse \(SimpleNamespace\), expected .* X\w*.toarray\(\)"),
    "no rows": (X[:0], "has no rows, expected at least one"),
    "no columns": (X[:, :0], "has 0 columns, expected the model's 6 inputs"),
    "too few columns": (X[:, :5], "has 5 columns, expected the model's 6 inputs"),
    "too many columns": (np.ones((20, 7)), "has 7 columns, expected the model's 6 inputs"),
    "nan": (with_one(np.nan), r"\[17, 4\] is nan, expected finite numbers"),
    "inf": (with_one(np.inf), r"\[17, 4\] is inf, expected finite numbers"),
    "minus inf": (with_one(-np.inf), r"\[17, 4\] is -inf, expected finite numbers"),
    "nan in float16": (with_one(np.nan).astype(np.float16), r"\[17, 4\] is nan, expected finite numbers"),
    "too large for float32": (
        with_one(-1e39),
        r"\[17, 4\] is -1e\+39, expected finite numbers that fit float32",
    ),
    "text": (X.astype(str), "has dtype <U32, expected uint8, float32 or float64"),
    "objects": (X.astype(object), "has dtype object, expected uint8, float32 or float64"),
    "complex": (X.astype(complex), "has dtype complex128, expected uint8, float32 or float64"),
    "dates": (X.astype("timedelta64[s]"), r"has dtype timedelta64\[s\], expected uint8, float32 or float64"),
}

LABELS = {
    "two dimensions": (Y.reshape(-1, 1), r"has shape \(20, 1\), expected 1 dimension of 20 labels"),
    "one-hot": (np.eye(C, dtype=int)[Y], r"has shape \(20, 3\), expected 1 dimension of 20 labels"),
    "a number": (1, r"has shape \(\), expected 1 dimension of 20 labels"),
    "too few": (Y[:19], "has 19 labels for 20 rows, expected one for each"),
    "too many": (np.append(Y, 0), "has 21 labels for 20 rows, expected one for each"),
    "none": (Y[:0], "has 0 labels for 20 rows, expected one for each"),
    "floats": (Y.astype(float), "has dtype float64, expected integer labels"),
    "booleans": (Y == 1, "has dtype bool, expected integer labels"),
    "text": (Y.astype(str), "has dtype <U21, expected integer labels"),
    "objects": (Y.astype(object), "has dtype object, expected integer labels"),
    "negative": (labels_with(-1), "holds -1, expected labels from 0 to 2"),
    "too large": (labels_with(C), "holds 3, expected labels from 0 to 2"),
    "huge": (labels_with(0).astype(np.uint64) + np.uint64(2**64 - 9), "expected labels from 0 to 2"),
}

WORKERS = {
    "0": (0, "threads is 0, expected an integer of at least 1"),
    "-1": (-1, "threads is -1, expected an integer of at least 1"),
    "1.5": (1.5, "threads is 1.5, expected an integer of at least 1"),
    "1.0": (1.0, "threads is 1.0, expected an integer of at least 1"),
    "True": (True, "threads is True, expected an integer of at least 1"),
    "text": ("two", "threads is 'two', expected an integer of at least 1"),
    "a list": ([2], r"threads is \[2\], expected an integer of at least 1"),
}

NUMBERS = {
    "text": ("fast", "'fast', expected a finite number"),
    "a number's text": ("0.1", "'0.1', expected a finite number"),
    "nan": (np.nan, "nan, expected a finite number"),
    "inf": (np.inf, "inf, expected a finite number"),
    "negative": (-1e-9, "-1e-09, expected a finite number"),
    "nothing": (None, "None, expected a finite number"),
    "an array": (np.ones(2), "expected a finite number"),
    "complex": (1j, "1j, expected a finite number"),
}

COUNTS = {
    "negative": (-1, "-1, expected an integer of at least"),
    "a fraction": (2.5, "2.5, expected an integer of at least"),
    "a float": (2.0, "2.0, expected an integer of at least"),
    "True": (True, "True, expected an integer of at least"),
    "text": ("3", "'3', expected an integer of at least"),
}

ROWS = np.random.default_rng(2).integers(0, 20, (4, 5))


def rows_with(value):
    spoilt = ROWS.copy()
    spoilt[2, 3] = value
    return spoilt


# Arguments of train -> message; X and y are good where they are not given.
TRAIN = {
    **{f"X: {name}": ({"X": value}, f"X.*{message}") for name, (value, message) in FEATURES.items()},
    **{f"y: {name}": ({"y": value}, f"y.*{message}") for name, (value, message) in LABELS.items()},
    "y: nothing": ({"y": None}, "y is None, expected an array"),
    **{
        f"X_val: {name}": ({"X_val": value, "y_val": Y}, f"X_val.*{message}")
        for name, (value, message) in FEATURES.items()
        if value is not None
    },
    **{
        f"y_val: {name}": ({"X_val": X, "y_val": value}, f"y_val.*{message}")
        for name, (value, message) in LABELS.items()
    },
    "X_val alone": ({"X_val": X}, "X_val and y_val go together, found one without the other"),
    "y_val alone": ({"y_val": Y}, "X_val and y_val go together, found one without the other"),
    **{f"threads: {name}": ({"threads": value}, message) for name, (value, message) in WORKERS.items()},
    **{
        f"{argument}: {name}": ({argument: value}, f"{argument} is .*{message}")
        for argument in ("learning_rate", "learning_rate_decay", "reg")
        for name, (value, message) in NUMBERS.items()
    },
    "learning_rate_decay: 0": ({"learning_rate_decay": 0}, "learning_rate_decay is 0, expected .* above 0"),
    **{
        f"{argument}: {name}": ({argument: value}, f"{argument} is {message}")
        for argument in ("num_iters", "batch_size")
        for name, (value, message) in COUNTS.items()
    },
    "num_iters: nothing": ({"num_iters": None}, "num_iters is None, expected an integer of at least 0"),
    "batch_size: 0": ({"batch_size": 0}, "batch_size is 0, expected an integer of at least 1"),
    "sampling: another": (
        {"sampling": "epochs"},
        "sampling is 'epochs', expected 'replacement' or 'shuffle'",
    ),
    "sampling: nothing": ({"sampling": None}, "sampling is None, expected 'replacement' or 'shuffle'"),
    "shuffle: batch too large": (
        {"sampling": "shuffle", "batch_size": 21},
        "batch_size is 21, expected at most the 20 rows of X with shuffle",
    ),
    "indices: one dimension": (
        {"indices": ROWS[0]},
        r"indices have shape \(5,\), expected \(num_iters, batch_size\)",
    ),
    "indices: no steps": ({"indices": ROWS[:0]}, r"indices have shape \(0, 5\), expected .*, neither 0"),
    "indices: no rows": ({"indices": ROWS[:, :0]}, r"indices have shape \(4, 0\), expected .*, neither 0"),
    "indices: floats": ({"indices": ROWS / 1.0}, "indices has dtype float64, expected integer row numbers"),
    "indices: a mask": ({"indices": ROWS > 3}, "indices has dtype bool, expected integer row numbers"),
    "indices: negative": ({"indices": rows_with(-1)}, "indices holds -1, expected row numbers from 0 to 19"),
    "indices: too large": ({"indices": rows_with(20)}, "indices holds 20, expected row numbers from 0 to 19"),
    "optimizer: a name": ({"optimizer": "adam"}, r"optimizer is 'adam', expected .*Adam\(\)"),
    "optimizer: a class": ({"optimizer": fastnet.Adam}, r"optimizer is .*Adam.*, expected .*Adam\(\)"),
    "callback: not callable": ({"callback": 3}, "callback is 3, expected a function"),
}


def runs_on(model):
    """The bits of training that follows."""
    return bits(model, model.train(X, Y, learning_rate=0.1, num_iters=6, batch_size=7))


@pytest.fixture(scope="module")
def unharmed():
    return {kind: runs_on(small_model(kind)) for kind in KINDS}


@pytest.mark.parametrize("case", TRAIN)
@pytest.mark.parametrize("kind", KINDS)
def test_train_refuses_and_nothing_is_lost(kind, case, unharmed):
    arguments, message = TRAIN[case]
    model = small_model(kind)
    before = bits(model)
    with pytest.raises(ValueError, match=message):
        model.train(**{"X": X, "y": Y, "num_iters": 3, "batch_size": 5, **arguments})
    assert bits(model) == before
    assert runs_on(model) == unharmed[kind]  # the generator stands where it stood


LOSS = {
    **{f"X: {name}": ({"X": value}, f"X.*{message}") for name, (value, message) in FEATURES.items()},
    **{f"y: {name}": ({"y": value}, f"y.*{message}") for name, (value, message) in LABELS.items()},
    **{f"reg: {name}": ({"reg": value}, f"reg is .*{message}") for name, (value, message) in NUMBERS.items()},
    **{f"threads: {name}": ({"threads": value}, message) for name, (value, message) in WORKERS.items()},
}


@pytest.mark.parametrize("case", LOSS)
def test_loss_refuses(case, unharmed):
    arguments, message = LOSS[case]
    model = small_model()
    with pytest.raises(ValueError, match=message):
        model.loss(**{"X": X, "y": Y, **arguments})
    assert runs_on(model) == unharmed["two-layer"]


@pytest.mark.parametrize("case", FEATURES)
@pytest.mark.parametrize("method", ["loss", "predict", "predict_proba"])
def test_predictions_refuse(method, case):
    value, message = FEATURES[case]
    with pytest.raises(ValueError, match=f"X.*{message}"):
        getattr(small_model(), method)(value)


@pytest.mark.parametrize("case", WORKERS)
@pytest.mark.parametrize("method", ["loss", "predict", "predict_proba"])
def test_predictions_refuse_workers(method, case):
    value, message = WORKERS[case]
    model = small_model()
    for _ in range(2):
        with pytest.raises(ValueError, match=message):
            getattr(model, method)(X, threads=value)
        model.predict(X, threads=1)  # memory kept for one worker must not serve True


def test_workers_are_checked_in_every_prediction(monkeypatch):
    model = small_model()
    model.predict(X)
    monkeypatch.setenv("FASTNET_THREADS", "two")
    with pytest.raises(ValueError, match="FASTNET_THREADS is 'two'"):
        model.predict(X)
    model.threads = 0
    with pytest.raises(ValueError, match="threads is 0"):
        model.predict(X)


def test_float64_takes_what_float32_cannot():
    assert np.isfinite(small_model(dtype=np.float64).loss(with_one(-1e39))).all()


SIZES = {
    **{name: (value, message) for name, (value, message) in COUNTS.items()},
    "zero": (0, "0, expected an integer of at least"),
    "nothing": (None, "None, expected an integer of at least"),
}
CONSTRUCTOR = {
    **{
        f"{argument}: {name}": ({argument: value}, f"{argument} is {message}")
        for argument in ("input_size", "hidden_size", "output_size")
        for name, (value, message) in SIZES.items()
    },
    "output_size: 1": ({"output_size": 1}, "output_size is 1, expected an integer of at least 2"),
    **{f"std: {name}": ({"std": value}, f"std is .*{message}") for name, (value, message) in NUMBERS.items()},
    **{
        f"dtype: {dtype}": ({"dtype": dtype}, f"dtype is .*{dtype}.*, expected float32 or float64")
        for dtype in ("float16", "int32", "uint8", "complex64", "object", "single precision", None)
    },
    "dtype: big-endian": ({"dtype": ">f4"}, "dtype is >f4, expected float32 or float64"),
    **{f"seed: {name}": ({"seed": value}, f"seed is {message}") for name, (value, message) in COUNTS.items()},
    **{f"threads: {name}": ({"threads": value}, message) for name, (value, message) in WORKERS.items()},
}


@pytest.mark.parametrize("case", CONSTRUCTOR)
@pytest.mark.parametrize("kind", [fastnet.TwoLayerNet, fastnet.SoftmaxClassifier])
def test_constructors_refuse(kind, case):
    arguments, message = CONSTRUCTOR[case]
    sizes = {"input_size": D, "hidden_size": H, "output_size": C}
    if kind is fastnet.SoftmaxClassifier:
        del sizes["hidden_size"]
        if "hidden_size" in arguments:
            pytest.skip("a linear classifier has no hidden units")
    with pytest.raises(ValueError, match=message):
        kind(**{**sizes, **arguments})


@pytest.mark.parametrize(
    ("kind", "sizes", "size"),
    [
        (fastnet.TwoLayerNet, (10**12, 80, 10), "320,000,000,003,560"),
        (fastnet.TwoLayerNet, (100, 10**13, 10), "4,440,000,000,000,040"),
        (fastnet.SoftmaxClassifier, (10**18, 10**18), "4,000,000,000,000,000,004,000,000,000,000,000,000"),
    ],
)
def test_a_model_that_memory_is_too_small_for_says_how_many_bytes_it_takes(kind, sizes, size):
    with pytest.raises(MemoryError, match=f"parameters of {' x '.join(map(str, sizes))} take {size} bytes"):
        kind(*sizes)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: fastnet.Momentum(1.0), r"momentum is 1.0, expected a number in \[0, 1\)"),
        (lambda: fastnet.Momentum(-0.1), r"momentum is -0.1, expected a number in \[0, 1\)"),
        (lambda: fastnet.Momentum(np.nan), r"momentum is nan, expected a number in \[0, 1\)"),
        (lambda: fastnet.Adam(beta1=1.0), r"beta1 is 1.0, expected a number in \[0, 1\)"),
        (lambda: fastnet.Adam(beta2=-1), r"beta2 is -1, expected a number in \[0, 1\)"),
        (lambda: fastnet.Adam(epsilon=-1e-8), "epsilon is -1e-08, expected a finite number above 0"),
        (lambda: fastnet.Adam(epsilon="small"), "epsilon is 'small', expected a finite number above 0"),
    ],
)
def test_optimizers_refuse(make, message):
    with pytest.raises(ValueError, match=message):
        make()


# --- the number of workers ---

GARBAGE = ["0", "-1", "1.5", "two", "2 workers", "0x2", "²"]


@pytest.mark.parametrize("text", GARBAGE)
def test_a_garbled_environment_variable_is_refused(text, monkeypatch, unharmed):
    model = small_model()
    monkeypatch.setenv("FASTNET_THREADS", text)
    message = f"FASTNET_THREADS is '{text}', expected an integer of at least 1"
    for call in (
        small_model,
        lambda: model.loss(X),
        lambda: model.loss(X, Y),
        lambda: model.train(X, Y),
        lambda: model.predict(X),
    ):
        with pytest.raises(ValueError, match=message):
            call()
    model.loss(X, threads=1)  # who says how many does not need it
    monkeypatch.delenv("FASTNET_THREADS")
    assert runs_on(model) == unharmed["two-layer"]


@pytest.mark.parametrize(
    ("argument", "own", "variable", "expected"),
    [
        (3, 2, "5", 3),
        (None, 2, "5", 2),
        (None, None, "5", 5),
        (None, None, " 5 ", 5),
        (None, None, "", None),
        (None, None, None, None),
        (np.int64(4), None, None, 4),
    ],
)
def test_the_argument_comes_before_the_models_before_the_environments(argument, own, variable, expected, monkeypatch):
    asked = []

    class Trainer(session.Trainer):
        def __init__(self, layers, source, rows, rule, threads=None, *others, **named):
            asked.append(threads)
            super().__init__(layers, source, rows, rule, threads, *others, **named)

    monkeypatch.setattr(session, "Trainer", Trainer)
    if variable is None:
        monkeypatch.delenv("FASTNET_THREADS", raising=False)
    else:
        monkeypatch.setenv("FASTNET_THREADS", variable)
    model = small_model(threads=own)
    model.train(X, Y, num_iters=1, batch_size=5, threads=argument)
    model.loss(X, Y, threads=argument)
    assert asked == [expected, expected]
