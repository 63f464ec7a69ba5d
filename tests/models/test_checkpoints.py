"""Models on disk: what was saved comes back bit for bit, and nothing is lost by a save that fails."""

import json
import os

import numpy as np
import pytest
from against_reference import DTYPES, KINDS, bits
from saved_models import C, D, H, X, refused, rewritten, small_model

import fastnet


@pytest.mark.parametrize("scale", [None, False, True])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", KINDS)
def test_what_was_saved_comes_back(kind, dtype, scale, tmp_path):
    model = small_model(kind, dtype)
    if scale is not None:
        model.normalization = fastnet.Normalization.fit(X, scale=scale)
    model.save(tmp_path / "model.npz")
    loaded = fastnet.load(tmp_path / "model.npz")
    assert type(loaded) is type(model)
    assert (loaded.dtype, loaded.label_names, loaded.image_shape) == (model.dtype, None, None)
    assert bits(loaded) == bits(model)
    if scale is None:
        assert loaded.normalization is None
    else:
        assert loaded.normalization.mean.tobytes() == model.normalization.mean.tobytes()
        assert (loaded.normalization.scale is None) is not scale
    loaded.save(tmp_path / "again.npz")
    assert bits(fastnet.load(tmp_path / "again.npz")) == bits(model)


def test_names_and_shape_come_back(saved):
    loaded = fastnet.load(saved)
    assert loaded.label_names == ("cat", "dog", "Übung", "")
    assert loaded.image_shape == (7, 1)


def test_predictions_come_back(saved):
    model = small_model()
    model.normalization = fastnet.Normalization.fit(X, scale=True)
    np.testing.assert_array_equal(fastnet.load(saved).predict_proba(X), model.predict_proba(X))


def test_numbers_at_the_ends_of_their_type_come_back(tmp_path):
    model = small_model()
    info = np.finfo(np.float32)
    model.params["b1"][:5] = [info.max, info.max, info.min, info.smallest_subnormal, -0.0]
    model.save(tmp_path / "model")
    assert bits(fastnet.load(tmp_path / "model")) == bits(model)


UNFIT = {
    "nan": (lambda m: m.params["b1"].fill(np.nan), "b1 holds nan or infinity"),
    "infinity": (lambda m: m.params["W2"].fill(-np.inf), "W2 holds nan or infinity"),
    "another normalization": (
        lambda m: setattr(m, "normalization", fastnet.Normalization(np.zeros(D + 1))),
        f"{D + 1} features",
    ),
    "another shape": (
        lambda m: dict.__setitem__(m.params, "W1", np.zeros((H, D), np.float32)),
        rf"W1 is float32 of shape \({H}, {D}\), expected float32 of shape \({D}, {H}\)",
    ),
    "another dtype": (lambda m: dict.__setitem__(m.params, "b1", np.zeros(H)), "b1 is float64 of shape"),
    "what JSON has no word for": (lambda m: setattr(m, "trained_with", {"rate": object()}), "what no file can"),
}


@pytest.mark.parametrize("what", UNFIT)
def test_what_could_not_be_loaded_again_is_not_saved(saved, what):
    before = saved.read_bytes()
    model = small_model()
    spoil, message = UNFIT[what]
    spoil(model)
    with pytest.raises(ValueError, match=message):
        model.save(saved)
    assert saved.read_bytes() == before


def test_loaded_models_train_alike(saved):
    first, second = fastnet.load(saved), fastnet.load(saved)
    for model in (first, second):
        model.train(X, np.arange(20) % C, num_iters=2, batch_size=10)
    assert bits(first) == bits(second)
    fresh = small_model()
    assert fastnet.load(saved)._rng.integers(1 << 40) == fresh._rng.integers(1 << 40)


def test_a_loaded_model_goes_on_training(saved):
    loaded = fastnet.load(saved)
    before = loaded.params["W1"].copy()
    loaded.train(X, np.arange(20) % C, num_iters=2, batch_size=10)
    assert (loaded.params["W1"] != before).any()


def test_the_settings_of_its_training_come_back(tmp_path):
    model = small_model()
    assert model.trained_with is None
    options = {"schedule": fastnet.schedules.Linear(warmup=0.5), "class_weight": {1: np.float32(2)}, "num_iters": 2}
    model.train(X, np.arange(20) % C, batch_size=10, optimizer=fastnet.Momentum(0.5), **options)
    model.save(tmp_path / "model")
    found = fastnet.load(tmp_path / "model").trained_with
    assert found == model.trained_with
    told = {name: found[name] for name in ("learning_rate", "schedule", "class_weight", "num_iters", "optimizer")}
    assert told == {
        "learning_rate": 1e-3,
        "schedule": "Linear(warmup=0.5)",
        "class_weight": {"1": 2.0},
        "num_iters": 2,
        "optimizer": "Momentum(momentum=0.5, nesterov=False)",
    }


@pytest.mark.parametrize("name", ["model", "model.npz", "model.dat", "ünï code"])
@pytest.mark.parametrize("as_text", [False, True])
def test_the_file_has_exactly_the_name_given(name, as_text, tmp_path):
    path = str(tmp_path / name) if as_text else tmp_path / name
    small_model().save(path)
    assert os.listdir(tmp_path) == [name]
    assert bits(fastnet.load(path)) == bits(small_model())


def test_saving_replaces_the_file_whole(saved):
    other = small_model("linear")
    other.save(saved)
    assert bits(fastnet.load(saved)) == bits(other)
    assert os.listdir(saved.parent) == ["model.npz"]


@pytest.mark.parametrize("error", [OSError("No space left on device"), KeyboardInterrupt()])
def test_a_failed_save_leaves_the_old_file_and_nothing_else(saved, error, monkeypatch):
    before = saved.read_bytes()

    def fails_halfway(file, **arrays):
        file.write(b"PK half a file")
        raise error

    monkeypatch.setattr(np, "savez", fails_halfway)
    with pytest.raises(type(error)):
        small_model("linear").save(saved)
    assert saved.read_bytes() == before
    assert os.listdir(saved.parent) == ["model.npz"]


def test_saving_where_nothing_can_be_written(tmp_path):
    with pytest.raises(OSError, match="none"):
        small_model().save(tmp_path / "none" / "model.npz")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="folder"):
        small_model().save(tmp_path / "folder")
    assert os.listdir(tmp_path) == ["folder"]


def test_files_of_the_second_format_load(saved, format_2):
    assert bits(fastnet.load(format_2)) == bits(fastnet.load(saved))
    with np.load(format_2) as file:
        arrays = json.loads(str(file["header"]))["arrays"]
    refused(rewritten(format_2, {"arrays": arrays | {"mean": arrays["scale"]}}))  # another digest


def test_files_of_the_first_format_load(saved, format_1):
    old, new = fastnet.load(format_1), fastnet.load(saved)
    assert bits(old) == bits(new)
    assert (old.label_names, old.image_shape, old.matmul_precision) == (new.label_names, new.image_shape, "highest")
    np.testing.assert_array_equal(old.predict_proba(X), new.predict_proba(X))
    refused(rewritten(format_1, {"arrays": ["params.W1"]}))


def test_many_long_names_come_back_or_are_refused(tmp_path):
    model = fastnet.SoftmaxClassifier(15_000, 2)
    model.feature_names = [f"a column with a long name, {number}" for number in range(15_000)]
    model.save(tmp_path / "model")
    assert fastnet.load(tmp_path / "model").feature_names == model.feature_names
    model.feature_names = ["x" * 200] * 15_000
    with pytest.raises(ValueError, match="shorten the names"):
        model.save(tmp_path / "model")
    assert fastnet.load(tmp_path / "model").feature_names[7] == "a column with a long name, 7"
