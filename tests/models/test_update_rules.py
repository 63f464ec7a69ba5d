"""Every optimiser, on both models, against `reference`; batches of one, two and three blocks of rows."""

import numpy as np
import pytest
from against_reference import KINDS, fastnet_model, reference_model, worst_error

import fastnet
import reference

D, H, C = 300, 21, 7  # features in two slices
RULES = {
    "sgd": (fastnet.SGD, reference.SGD, {}, {}, 0.5),
    "momentum": (fastnet.Momentum, reference.Momentum, {"momentum": 0.8}, {"mu": 0.8}, 0.1),
    "nesterov": (fastnet.Momentum, reference.Nesterov, {"momentum": 0.8, "nesterov": True}, {"mu": 0.8}, 0.1),
    "adam": (fastnet.Adam, reference.Adam, {"beta1": 0.8, "beta2": 0.99, "epsilon": 1e-6}, None, 1e-2),
}


def data():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((600, D)), rng.integers(0, C, 600)
    X[:, :C] += 2 * np.eye(C)[y]
    return X, y


def run_both(kind, rule, dtype, runs, **options):
    """Loss histories and parameters of fastnet and of the reference after so many runs of training."""
    ours, theirs, our_arguments, their_arguments, learning_rate = RULES[rule]
    their_arguments = our_arguments if their_arguments is None else their_arguments
    X, y = data()
    options = {
        "learning_rate": learning_rate,
        "learning_rate_decay": 0.95,
        "reg": 1e-2,
        "num_iters": 40,
        **options,
    }
    model = fastnet_model(kind, D, H, C, std=0.05, dtype=dtype, seed=1)
    expected = reference_model(kind, D, H, C, std=0.05, seed=1)
    losses, expected_losses = [], []
    for _ in range(runs):
        losses += model.train(X.astype(dtype), y, optimizer=ours(**our_arguments), **options)["loss_history"]
        optimizer = theirs(**their_arguments)
        expected_losses += expected.train(X, y, optimizer=optimizer, **options)["loss_history"]
    return losses, expected_losses, model.params, expected.params


@pytest.mark.parametrize("batch_size", [20, 400, 600])  # rows are worked off in blocks of at most 256
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("kind", KINDS)
def test_every_rule_on_every_model_is_the_references(kind, rule, batch_size):
    losses, expected_losses, params, expected = run_both(kind, rule, np.float64, 1, batch_size=batch_size)
    assert expected_losses[-1] < 0.9 * expected_losses[0]
    np.testing.assert_allclose(losses, expected_losses, rtol=1e-9)
    assert worst_error(params, expected) < 1e-9


@pytest.mark.parametrize("rule", ["sgd", "adam"])  # no number of theirs, and every number of adam's
def test_rules_in_float32(rule):
    losses, expected_losses, params, expected = run_both("two-layer", rule, np.float32, 1, batch_size=400)
    np.testing.assert_allclose(losses, expected_losses, rtol=1e-4)
    assert worst_error(params, expected) < 1e-3


@pytest.mark.parametrize("rule", ["momentum", "adam"])
def test_each_call_of_train_begins_with_a_new_state(rule):
    losses, expected_losses, params, expected = run_both("linear", rule, np.float64, 2, batch_size=20, num_iters=9)
    np.testing.assert_allclose(losses, expected_losses, rtol=1e-9)
    assert worst_error(params, expected) < 1e-9


def test_one_optimizer_serves_several_models():
    X, y = data()
    adam = fastnet.Adam()
    models = [fastnet_model("linear", D, H, C, dtype=np.float64, seed=1) for _ in range(2)]
    first, second = (model.train(X, y, optimizer=adam, num_iters=5, batch_size=20) for model in models)
    assert first == second


def test_defaults_are_the_references():
    adam, expected = fastnet.Adam(), reference.Adam()
    assert (adam.beta1, adam.beta2, adam.epsilon) == (expected.beta1, expected.beta2, expected.epsilon)
    assert fastnet.Momentum().momentum == reference.Momentum().mu
    assert not fastnet.Momentum().nesterov


@pytest.mark.parametrize(
    "optimizer", [None, fastnet.SGD(), fastnet.Momentum(0.0), fastnet.Momentum(0.0, nesterov=True)]
)
def test_plain_descent_by_four_names(optimizer):
    X, y = data()
    model = fastnet_model("linear", D, H, C, dtype=np.float64, seed=1)
    expected = reference_model("linear", D, H, C, seed=1)
    model.train(X, y, optimizer=optimizer, num_iters=5, batch_size=20)
    expected.train(X, y, num_iters=5, batch_size=20)
    assert worst_error(model.params, expected.params) < 1e-12
