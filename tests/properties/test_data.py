"""Everything that the readers of data sets can be given: what it means, or ValueError, or OSError."""

import inspect

import numpy as np
import pytest
from hypothesis import given

import fastnet
from fastnet import data
from fastnet.searching.journal import Journal
from tests.properties.strategies import ANYTHING

NET = fastnet.SoftmaxClassifier(2, 3)
NAMED = {
    "load_cifar10": data.load_cifar10,
    "load_csv": data.load_csv,
    "load_csv_rows": data.load_csv_rows,
    "load_idx": data.load_idx,
    "load_npz": data.load_npz,
    "read_idx": data.read_idx,
    "load": fastnet.load,
    "save": NET.save,
    "checkpoint": lambda path: NET.train(np.zeros((4, 2)), [0, 1, 2, 0], num_iters=0, checkpoint=path),
    "journal": lambda path: Journal(path, {}).close(),
}


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("one,two,label\n1,2,a\n2,3,b\n3,4,a\n4,5,b\n")
    return path


def refused(call, *arguments, **settings):
    """Whether there is a ValueError or an OSError, instead of an answer; anything else is raised."""
    try:
        call(*arguments, **settings)
    except (ValueError, OSError):
        return True
    return False


@pytest.mark.parametrize("name", NAMED)
@given(value=ANYTHING)
def test_what_is_no_name_of_a_file_is_refused(name, value):
    if not isinstance(value, str) and not (name == "checkpoint" and value is None):
        assert refused(NAMED[name], value)


@pytest.mark.parametrize("setting", ["label", "features", "classes"])
@given(value=ANYTHING)
def test_settings_of_tables(setting, value, table):
    assert refused(data.load_csv, table, **{setting: value}) == (value is not None)
    if setting == "features":
        assert refused(data.load_csv_rows, table, value)  # None: all of them, the labels' too


@pytest.mark.parametrize("setting", inspect.signature(data.spiral).parameters)
@given(value=ANYTHING)
def test_settings_of_the_spiral(setting, value):
    if not isinstance(value, (int, np.integer)) or value < 10:  # more points are as many as there is memory for
        refused(data.spiral, **{setting: value})


@pytest.mark.parametrize("setting", inspect.signature(data.split_validation).parameters)
@given(value=ANYTHING)
def test_settings_of_splitting(setting, value):
    arguments = {"X": np.ones((10, 2)), "y": np.arange(10), "count": 3, "seed": 1, setting: value}
    refused(data.split_validation, **arguments)


@given(value=ANYTHING)
def test_form_of_a_download(value, tmp_path):
    assert refused(data.download_cifar10, tmp_path, value)


@given(value=ANYTHING)
def test_what_a_model_is_described_by(value):
    assert refused(NET.describe, value)
