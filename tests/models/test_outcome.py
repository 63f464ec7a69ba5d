"""A training that ends where it began is said aloud; one that learned something, or was a trial, is not."""

import numpy as np
import pytest
from against_reference import fastnet_model

X = np.random.default_rng(0).standard_normal((150, 4))
Y = np.arange(150) % 3
LEARNS = {"learning_rate": 0.5, "learning_rate_decay": 1.0, "reg": 0.0, "batch_size": 50}


def separated():
    return X + 4 * np.eye(3, 4)[Y]


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


@pytest.mark.parametrize("iterations", [199, 300])
def test_no_word_of_a_trial_or_of_one_that_learned(iterations):
    rate = 1e-6 if iterations == 199 else 0.5
    model = fastnet_model("two-layer", 4, 5, 3, std=1e-4 if iterations == 199 else 0.1, seed=0)
    model.train(separated(), Y, X[:5], np.zeros(5, int), num_iters=iterations, **LEARNS | {"learning_rate": rate})
