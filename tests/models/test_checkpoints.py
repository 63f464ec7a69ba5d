"""Models on disk: what was saved comes back bit for bit, and what is no model is refused."""

import io
import json
import os
import pickle
import stat
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from against_reference import DTYPES, KINDS, bits, fastnet_model

import fastnet

D, H, C = 7, 9, 4
X = np.random.default_rng(0).integers(0, 256, (20, D), dtype=np.uint8)


def small_model(kind="two-layer", dtype=np.float32):
    model = fastnet_model(kind, D, H, C, std=0.1, dtype=dtype, seed=0)
    for value in model.params.values():
        value += 0.1
    return model


@pytest.fixture
def saved(tmp_path):
    """The path of a saved model that carries all a model can."""
    model = small_model()
    model.normalization = fastnet.Normalization.fit(X, scale=True)
    model.label_names, model.image_shape = ("cat", "dog", "Übung", ""), (7, 1)
    model.save(tmp_path / "model.npz")
    return tmp_path / "model.npz"


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
    model.params["b1"][:6] = [info.max, info.min, info.smallest_subnormal, -0.0, np.inf, np.nan]
    model.save(tmp_path / "model")
    assert bits(fastnet.load(tmp_path / "model")) == bits(model)


def test_a_loaded_model_goes_on_training(saved):
    loaded = fastnet.load(saved)
    before = loaded.params["W1"].copy()
    loaded.train(X, np.arange(20) % C, num_iters=2, batch_size=10)
    assert (loaded.params["W1"] != before).any()


@pytest.mark.parametrize("name", ["model", "model.npz", "model.dat", "ünï code"])
@pytest.mark.parametrize("as_text", [False, True])
def test_the_file_has_exactly_the_name_given(name, as_text, tmp_path):
    path = str(tmp_path / name) if as_text else tmp_path / name
    small_model().save(path)
    assert os.listdir(tmp_path) == [name]
    assert bits(fastnet.load(path)) == bits(small_model())


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such permissions")
def test_the_file_is_as_readable_as_any_other_new_one(tmp_path):
    (tmp_path / "other").write_text("")
    small_model().save(tmp_path / "model")
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("other", "model")]
    assert modes[0] == modes[1]


def test_saving_replaces_the_file_whole(saved):
    other = small_model("linear")
    other.save(saved)
    assert bits(fastnet.load(saved)) == bits(other)
    assert os.listdir(saved.parent) == ["model.npz"]


def test_the_unfinished_file_stands_beside_the_finished_one(tmp_path, monkeypatch):
    # On the same file system: elsewhere it could not be renamed.
    replaced = []
    monkeypatch.setattr(os, "replace", lambda *paths: replaced.append([Path(path).parent for path in paths]))
    small_model().save(tmp_path / "model")
    assert replaced == [[tmp_path, tmp_path]]


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


# --- what is no model ---


def test_a_missing_file_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.npz"):
        fastnet.load(tmp_path / "none.npz")
    with pytest.raises(OSError, match=tmp_path.name):
        fastnet.load(tmp_path)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no such folder: .*nowhere'"):
        fastnet.TwoLayerNet(2, 3, 4).save(tmp_path / "nowhere" / "model.npz")


def test_what_is_in_the_file_instead_is_told(tmp_path):
    path = tmp_path / "other.npz"
    path.write_bytes(b"\x89PNG")
    assert "no .npz archive" in refused(path)
    np.savez(path, X_train=np.zeros(3))
    assert "it holds X_train, expected a header" in refused(path)


def refused(path):
    """The message of the ValueError, which names the file."""
    with pytest.raises(ValueError, match="not a model saved by fastnet") as caught:
        fastnet.load(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_a_truncated_file_is_refused(saved):
    data = saved.read_bytes()
    for length in [*range(0, len(data), 37), len(data) - 1]:
        saved.write_bytes(data[:length])
        refused(saved)


def test_a_flipped_bit_is_found_or_harmless(saved):
    data, expected = saved.read_bytes(), fastnet.load(saved)
    body, index = range(0, len(data) - 600, 11), range(len(data) - 600, len(data), 2)
    found = 0
    for position in (*body, *index):
        damaged = bytearray(data)
        damaged[position] ^= 1 << position % 8
        saved.write_bytes(damaged)
        try:
            loaded = fastnet.load(saved)
        except ValueError as error:
            found += str(saved) in str(error)
            continue
        # A date, a permission: nothing of the model.
        assert bits(loaded) == bits(expected)
        assert loaded.normalization.mean.tobytes() == expected.normalization.mean.tobytes()
        assert loaded.normalization.scale.tobytes() == expected.normalization.scale.tobytes()
        assert (loaded.label_names, loaded.image_shape) == (expected.label_names, expected.image_shape)
    assert found > (len(body) + len(index)) / 2


class _Exploit:
    def __reduce__(self):
        return os.mkdir, ("exploited",)


def array_file():
    file = io.BytesIO()
    np.save(file, np.zeros(3))
    return file.getvalue()


FOREIGN = {
    "nothing": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("not a model"),
    "a pickle": lambda path: path.write_bytes(pickle.dumps(_Exploit())),
    "an array": lambda path: path.write_bytes(array_file()),
    "other arrays": lambda path: np.savez(path, X=np.zeros(3)),
    "a pickled array": lambda path: np.savez(path, header=np.array([_Exploit()], dtype=object)),
    "a zip archive": lambda path: zipfile.ZipFile(path, "w").close(),
}


@pytest.mark.parametrize("what", FOREIGN)
def test_foreign_files_are_refused(what, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "foreign.npz"
    FOREIGN[what](path)
    refused(path)
    assert os.listdir(tmp_path) == ["foreign.npz"]  # no code in them was run


def rewritten(path, header=None, **arrays):
    """The saved model with entries of the header, or arrays, replaced; None removes one."""
    with np.load(path) as file:
        content = dict(file)
    content["header"] = np.array(json.dumps({**json.loads(str(content["header"])), **(header or {})}))
    content.update({name.replace("__", "."): array for name, array in arrays.items()})
    np.savez(path, **{name: array for name, array in content.items() if array is not None})
    return path


def test_rewriting_alone_is_not_refused(saved):
    expected = fastnet.load(saved)
    assert bits(fastnet.load(rewritten(saved))) == bits(expected)


SIZES = {"input_size": D, "hidden_size": H, "output_size": C}
WRONG_HEADERS = [
    {"format": 2},
    {"model": "Classifier"},
    {"model": "os.system"},
    {"dtype": "float16"},
    {"dtype": "object"},
    {"arguments": {**SIZES, "input_size": D + 1}},
    {"arguments": {**SIZES, "input_size": -1}},
    {"arguments": {**SIZES, "input_size": 10**15}},
    {"arguments": {"input_size": D, "output_size": C}},
    {"arguments": {**SIZES, "seed": "x"}},
    {"arguments": [D, H, C]},
    {"label_names": 3},
]


@pytest.mark.parametrize("header", WRONG_HEADERS, ids=json.dumps)
def test_a_wrong_header_is_refused(saved, header):
    refused(rewritten(saved, header))


@pytest.mark.parametrize(
    "arrays",
    [
        {"params__W1": None},
        {"mean": None},  # with a scale
        {"scale": None},
        {"params__W3": np.zeros(3)},
        {"params__W1": np.zeros((H, D))},
        {"params__W1": np.full((D, H), "a")},
        {"mean": np.zeros(D + 1), "scale": np.ones(D + 1)},
        {"mean": np.full(D, np.nan)},
    ],
    ids=lambda arrays: ", ".join(arrays),
)
def test_wrong_arrays_are_refused(saved, arrays):
    refused(rewritten(saved, **arrays))
