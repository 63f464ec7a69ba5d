"""Parameters are live arrays of the model; models can be copied and pickled."""

import copy
import pickle

import numpy as np
import pytest
from against_reference import DTYPES, KINDS, bits, error, fastnet_model

import fastnet
from fastnet import copying

D, H, C = 7, 9, 4
X = np.random.default_rng(0).standard_normal((20, D)).astype(np.float32)
Y = np.random.default_rng(1).integers(0, C, 20)
SHAPES = {
    "two-layer": {"W1": (D, H), "b1": (H,), "W2": (H, C), "b2": (C,)},
    "linear": {"W": (D, C), "b": (C,)},
}


def small_model(kind="two-layer", dtype=np.float32):
    return fastnet_model(kind, D, H, C, std=0.1, dtype=dtype, seed=0)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", KINDS)
def test_names_shapes_and_types(kind, dtype):
    model = small_model(kind, dtype)
    assert {name: value.shape for name, value in model.params.items()} == SHAPES[kind]
    assert list(model.params) == list(SHAPES[kind])
    assert {value.dtype for value in model.params.values()} == {np.dtype(dtype)}
    assert (model.input_size, model.output_size, model.dtype) == (D, C, dtype)
    assert f"input_size={D}" in repr(model)


def test_numbers_of_every_kind_are_sizes_and_seeds():
    sizes = np.int64(D), np.uint8(H), np.int32(C)
    assert bits(fastnet.TwoLayerNet(*sizes, std=np.float32(0.5), dtype="float64", seed=np.int64(3))) == bits(
        fastnet.TwoLayerNet(D, H, C, std=0.5, dtype=float, seed=3)
    )


def in_place(params, name, value):
    params[name][:] = value


def by_name(params, name, value):
    params[name] = value


def by_addition(params, name, value):
    params[name] += value - params[name]


def by_update(params, name, value):
    params.update({name: value})


def by_merging(params, name, value):
    params |= {name: value}


WAYS = [in_place, by_name, by_addition, by_update, by_merging]


@pytest.mark.parametrize("set_value", WAYS)
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_into_params_counts(kind, set_value):
    model = small_model(kind)
    rng = np.random.default_rng(2)
    arrays = dict(model.params)
    values = {name: rng.standard_normal(shape).astype(np.float32) for name, shape in SHAPES[kind].items()}
    for name, value in values.items():
        set_value(model.params, name, value)
    h = X if kind == "linear" else np.maximum(X @ values["W1"] + values["b1"], 0)
    W, b = list(values.values())[-2:]
    assert error(model.loss(X), h @ W + b) < 1e-5
    for name, array in arrays.items():
        assert model.params[name] is array  # the model's own, as before
        np.testing.assert_allclose(array, values[name], rtol=1e-6)  # addition rounds


def test_all_params_at_once():
    model, other = small_model(), fastnet_model("two-layer", D, H, C, std=0.1, seed=1)
    model.params = other.params
    assert bits(model) == bits(other)
    other.params["W1"][:] = 0  # copied, not shared
    assert model.params["W1"].any()
    model.params |= {"b1": np.ones(H)}
    np.testing.assert_array_equal(model.params["b1"], 1.0)
    hidden = np.maximum(X @ model.params["W1"] + 1.0, 0)
    assert error(model.loss(X), hidden @ model.params["W2"]) < 1e-5


def test_training_moves_the_arrays_themselves():
    model = small_model()
    W1 = model.params["W1"]
    before = W1.copy()
    model.train(X, Y, num_iters=3, batch_size=10, learning_rate=0.1)
    assert model.params["W1"] is W1
    assert not np.array_equal(W1, before)


def test_params_outlive_their_model():
    W1 = small_model().params["W1"]
    np.testing.assert_array_equal(W1, small_model().params["W1"])


REFUSED = {
    "a wrong shape": (
        lambda p: p.__setitem__("W1", np.zeros((H, D))),
        r"W1 has shape \(9, 7\), expected \(7, 9\)",
    ),
    "a number": (lambda p: p.__setitem__("b1", 0.0), r"b1 has shape \(\), expected \(9,\)"),
    "text": (lambda p: p.__setitem__("b2", ["a"] * C), "b2 has dtype <U1, expected numbers"),
    "another name": (lambda p: p.__setitem__("W3", 1.0), "no parameter 'W3', expected one of W1, b1, W2, b2"),
    "an update of another name": (lambda p: p.update(W3=1.0), "no parameter 'W3'"),
    "a merge of a wrong shape": (
        lambda p: p.__ior__({"b1": np.zeros(3)}),
        r"b1 has shape \(3,\), expected \(9,\)",
    ),
    "a default of another name": (lambda p: p.setdefault("W3", 1.0), "none can be removed or added"),
    "del": (lambda p: p.__delitem__("W1"), "none can be removed or added"),
    "pop": (lambda p: p.pop("W1"), "none can be removed or added"),
    "popitem": (lambda p: p.popitem(), "none can be removed or added"),
    "clear": (lambda p: p.clear(), "none can be removed or added"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_params_refuse(case):
    model = small_model()
    act, message = REFUSED[case]
    with pytest.raises(ValueError, match=message):
        act(model.params)
    assert bits(model) == bits(small_model())
    np.testing.assert_array_equal(model.loss(X), small_model().loss(X))


WHOLE = {name: np.ones(shape) for name, shape in SHAPES["two-layer"].items()}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"W1": WHOLE["W1"]}, "params are W1, expected W1, b1, W2, b2"),
        ({**WHOLE, "W3": 1.0}, "params are W1, b1, W2, b2, W3, expected"),
        ({**WHOLE, "b2": np.ones(3)}, r"b2 has shape \(3,\), expected \(4,\)"),
        ({**WHOLE, "b2": ["a"] * C}, "b2 has dtype <U1, expected numbers"),
    ],
)
def test_setting_all_params_is_all_or_nothing(values, message):
    model = small_model()
    with pytest.raises(ValueError, match=message):
        model.params = values
    assert bits(model) == bits(small_model())


# --- copies ---


def dressed(kind):
    """A trained model with all that a model can carry."""
    model = small_model(kind)
    model.normalization = fastnet.Normalization.fit(X, scale=True)
    model.label_names, model.image_shape, model.threads = ("a", "b", "c", "d"), (7,), 2
    model.train(X, Y, num_iters=3, batch_size=10, learning_rate=0.1)
    return model


COPIES = {
    "deepcopy": copy.deepcopy,
    "pickle": lambda model: pickle.loads(pickle.dumps(model)),
    "old pickle": lambda model: pickle.loads(pickle.dumps(model, protocol=2)),
}


@pytest.mark.parametrize("how", COPIES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_copy_goes_on_as_its_model_would(kind, how):
    model = dressed(kind)
    twin = COPIES[how](model)
    assert type(twin) is type(model)
    assert bits(twin) == bits(model)
    assert (twin.label_names, twin.image_shape, twin.threads) == (model.label_names, model.image_shape, 2)
    np.testing.assert_array_equal(twin.normalization.scale, model.normalization.scale)
    assert twin.dtype == model.dtype
    before = bits(model)
    # The same seed's next batches, on arrays of its own.
    history = twin.train(X, Y, num_iters=5, batch_size=10, learning_rate=0.1)
    assert bits(model) == before
    assert bits(model, model.train(X, Y, num_iters=5, batch_size=10, learning_rate=0.1)) == bits(twin, history)
    twin.params["b2" if kind == "two-layer" else "b"] = np.arange(C)
    np.testing.assert_array_equal(twin.loss(X).argmax(axis=1), twin.predict(X))


@pytest.mark.parametrize("kind", KINDS)
def test_a_pickle_of_another_version_is_refused_by_name(kind):
    state = dressed(kind).__getstate__()
    assert small_model(kind).__getstate__().keys() == {*copying.KEPT, "params"}  # what is not kept is made anew
    for name in (*copying.KEPT, "params"):
        older = {other: value for other, value in state.items() if other != name}
        with pytest.raises(ValueError, match=f"pickled by another version of fastnet, without {name}: save it there"):
            small_model(kind).__setstate__(older)


def test_a_shallow_copy_has_weights_of_its_own():
    model = dressed("two-layer")
    twin = copy.copy(model)
    twin.params["W1"][:] = 0
    assert model.params["W1"].any()


def test_params_copied_without_their_model_are_a_plain_dictionary():
    model = small_model()
    for copied in (copy.deepcopy(model.params), pickle.loads(pickle.dumps(model.params))):
        assert type(copied) is dict
        copied["W1"][:] = 0
        copied["more"] = 1
    assert bits(model) == bits(small_model())
