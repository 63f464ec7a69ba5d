"""Names of classes and the shape of images are checked, come from a data set, and misspelt attributes are refused."""

import numpy as np
import pytest

import fastnet
from fastnet.data import Dataset


def small_model():
    return fastnet.TwoLayerNet(12, 5, 3)


def dataset(names=("a", "b", "c"), shape=(3, 2, 2)):
    return Dataset(np.zeros((3, 12), np.uint8), np.arange(3), label_names=names, image_shape=shape)


@pytest.mark.parametrize("names", [("a", "b", "c"), ["a", "b", "c"], np.array(["a", "b", "c"])])
def test_names_of_classes(names, tmp_path):
    model = small_model()
    model.label_names = names
    assert model.label_names == ("a", "b", "c")
    model.save(tmp_path / "model.npz")
    assert fastnet.load(tmp_path / "model.npz").label_names == ("a", "b", "c")


@pytest.mark.parametrize("names", [("a", "b"), (), "abc", (1, 2, 3), 5])
def test_names_of_another_number_or_kind_are_refused(names):
    model = small_model()
    model.label_names = ("a", "b", "c")
    with pytest.raises(ValueError, match=r"label_names are .*, expected a text for each of the 3 classes"):
        model.label_names = names
    assert model.label_names == ("a", "b", "c")


@pytest.mark.parametrize(
    ("shape", "message"),
    [((3, 2, 3), "18 numbers, expected the model's 12 inputs"), (12, "expected .channels"), ((3, -2, -2), "-2")],
)
def test_shapes_of_other_images_are_refused(shape, message):
    with pytest.raises(ValueError, match=message):
        small_model().image_shape = shape


def test_a_data_set_describes_a_model():
    model = small_model()
    model.describe(dataset())
    assert (model.label_names, model.image_shape) == (("a", "b", "c"), (3, 2, 2))
    for other in (dataset(names=("a", "b")), dataset(shape=(3, 2, 3))):
        with pytest.raises(ValueError, match="expected"):
            model.describe(other)
        assert (model.label_names, model.image_shape) == (("a", "b", "c"), (3, 2, 2))
    model.describe(dataset((), None))
    assert (model.label_names, model.image_shape) == (None, None)


@pytest.mark.parametrize(
    ("slip", "meant"), [("normalisation", "normalization"), ("labels_names", "label_names"), ("param", "params")]
)
def test_misspelt_attributes_are_refused(slip, meant):
    with pytest.raises(AttributeError, match=f"TwoLayerNet has no attribute '{slip}'; did you mean '{meant}'"):
        setattr(small_model(), slip, None)


def test_attributes_of_ones_own_are_not():
    model = small_model()
    model.comment = "mine"
    assert model.comment == "mine"


def test_sizes():
    model = small_model()
    assert (model.input_size, model.hidden_size, model.output_size) == (12, 5, 3)
    with pytest.raises(AttributeError):
        model.hidden_size = 7
