"""Saved models, whole ones."""

import json
import shutil

import numpy as np
import pytest
from saved_models import X, rewritten, small_model

import fastnet


@pytest.fixture
def saved(tmp_path):
    """The path of a saved model that carries all a model can."""
    model = small_model()
    model.normalization = fastnet.Normalization.fit(X, scale=True)
    model.label_names, model.image_shape = ("cat", "dog", "Übung", ""), (7, 1)
    model.save(tmp_path / "model.npz")
    return tmp_path / "model.npz"


@pytest.fixture
def format_2(saved):
    """The same model as the second format had it."""
    path = saved.with_name("digests.npz")
    shutil.copyfile(saved, path)
    rewritten(path, {"format": 2})
    return rewritten(path)  # with the digests of that one


@pytest.fixture
def format_1(saved):
    """The same model as the first format had it."""
    names = ["params.W1", "params.b1", "params.W2", "params.b2", "mean", "scale"]
    with np.load(saved) as file:
        header, arrays = json.loads(str(file["header"])), {name: file[name] for name in names}
    kept = {name: header[name] for name in ("model", "arguments", "dtype", "label_names", "image_shape")}
    path = saved.with_name("old.npz")
    np.savez(path, header=np.array(json.dumps({"format": 1, **kept, "arrays": names})), **arrays)
    return path
