"""A training that ends where it began, or far above, is said aloud; one that learned, or was a trial, is not."""

import re

import numpy as np
import pytest
from against_reference import fastnet_model

import fastnet
from fastnet import outcome

X = np.random.default_rng(0).standard_normal((150, 4))
Y = np.arange(150) % 3
LEARNS = {"learning_rate": 0.5, "learning_rate_decay": 1.0, "reg": 0.0, "batch_size": 50}


def separated(distance=4):
    return X + distance * np.eye(3, 4)[Y]


def test_a_loss_that_stays_that_of_guessing():
    model = fastnet_model("two-layer", 4, 5, 3, std=1e-4, seed=0)
    with pytest.warns(
        UserWarning, match="after 250 iterations the loss is still ln 3, that of guessing: scale"
    ) as told:
        model.train(separated(), Y, num_iters=250, **LEARNS | {"learning_rate": 1e-6})
    assert told[0].filename == __file__  # the caller's line


def test_all_rows_of_the_validation_set_in_one_class():
    model = fastnet_model("linear", 4, 5, 3, std=0.0, seed=0)
    model.params["b"][:] = [0, 9, 0]
    with pytest.warns(UserWarning, match="all validation rows are given class 1: scale"):
        model.train(X, Y, X, Y, num_iters=200, **LEARNS | {"learning_rate": 1e-6})


def test_a_loss_that_ends_far_above_where_it_began_and_its_mend():
    """Bytes as they are, at the rate of train's defaults: pixels of CIFAR-10 do so, too."""
    pixels = (25 * separated(1) + 128).clip(0, 255).astype(np.uint8)
    model = fastnet.SoftmaxClassifier(4, 3, seed=0)
    with pytest.warns(UserWarning, match=r"after 200 iterations the loss is \d+.*, far above the 1\.\d+ that") as told:
        losses = model.train(pixels, Y, pixels, Y, num_iters=200, **LEARNS)["loss_history"]
    assert (len(told), told[0].filename) == (1, __file__)
    mean = np.mean(losses[-20:])
    assert re.search(rf"is {mean:.4g}, .* the {losses[0]:.4g} that", str(told[0].message))
    model = fastnet.SoftmaxClassifier(4, 3, seed=0)
    model.normalization = fastnet.Normalization.fit(pixels, scale=True)
    assert model.train(pixels, Y, num_iters=200, **LEARNS)["loss_history"][-1] < np.log(3)


@pytest.mark.parametrize(
    ("first", "last", "far"),
    [(0.1, 2.0, False), (0.1, 2.3, True), (5.0, 9.9, False), (5.0, 10.1, True), (5.0, np.inf, True)],
)
def test_far_above_is_twice_the_loss_of_guessing_and_of_the_beginning(first, last, far):
    """Twice ln 3 is 2.197: a net that begins well, as one that is trained further, may end anywhere below."""
    assert (outcome.complaint([first] * 180 + [last] * 20, 3) is not None) == far


@pytest.mark.parametrize("iterations", [199, 300])
def test_no_word_of_a_trial_or_of_one_that_learned(iterations):
    rate = 1e-6 if iterations == 199 else 0.5
    model = fastnet_model("two-layer", 4, 5, 3, std=1e-4 if iterations == 199 else 0.1, seed=0)
    model.train(separated(), Y, X[:5], np.zeros(5, int), num_iters=iterations, **LEARNS | {"learning_rate": rate})
