"""Whoever is timed does the reference's work: the losses of a whole trajectory agree."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks import problem
from benchmarks.contestants import BASE, CONTESTANTS, Unavailable, library
from benchmarks.problem import TOLERANCE, synthetic

# The warnings of other libraries are theirs.
pytestmark = pytest.mark.filterwarnings("ignore")

TWO_LAYER = synthetic(N=20, D=48, H=17, C=5, steps=30, num_train=300, threads=2)
LINEAR = replace(TWO_LAYER, H=0)


def train(name, given):
    try:
        return CONTESTANTS[name].setup(given)()
    except Unavailable as reason:  # its library is an extra; the message says which is missing
        pytest.skip(str(reason))


@pytest.mark.parametrize("name", CONTESTANTS)
def test_two_layer_trajectory(name):
    error = TWO_LAYER.loss_error(train(name, TWO_LAYER))
    assert error < TOLERANCE[CONTESTANTS[name].dtype]


@pytest.mark.parametrize("rule", ["momentum", "adam"])
@pytest.mark.parametrize("name", [name for name, contestant in CONTESTANTS.items() if contestant.linear])
def test_trajectory_of_other_rules(name, rule):
    given = replace(TWO_LAYER, rule=rule)
    losses = given.reference_losses()
    assert abs(losses[-1] / losses[0] - 1) > TOLERANCE["bfloat16"]  # it moves by more than is let pass
    assert given.loss_error(train(name, given), losses) < TOLERANCE[CONTESTANTS[name].dtype]


@pytest.mark.parametrize("name", [name for name, contestant in CONTESTANTS.items() if contestant.linear])
def test_linear_trajectory(name):
    error = LINEAR.loss_error(train(name, LINEAR))
    assert error < TOLERANCE[CONTESTANTS[name].dtype]


@pytest.mark.parametrize("name", ["fastnet float32", "NumPy float32", "PyTorch eager", "JAX jit + scan"])
def test_training_goes_on_where_it_stood(name):
    """A second turn must not begin anew: its time would be that of other weights."""
    try:
        turn = CONTESTANTS[name].setup(TWO_LAYER)
    except Unavailable as reason:  # its library is an extra; the message says which is missing
        pytest.skip(str(reason))
    first = np.array(turn())
    assert np.mean(turn()) < first.mean()


@pytest.mark.parametrize(
    "wrong",
    [
        lambda given: np.zeros(given.steps),
        lambda given: given.reference_losses() * 1.01,
        lambda given: replace(given, indices=given.indices[::-1]).reference_losses(),
        lambda given: replace(given, mean=given.mean + 1.0).reference_losses(),
    ],
    ids=["zeros", "1 % off", "batches in another order", "another mean"],
)
@pytest.mark.parametrize("given", [TWO_LAYER, LINEAR], ids=["two-layer", "linear"])
def test_the_check_finds_other_work(given, wrong):
    assert not given.loss_error(wrong(given)) < TOLERANCE["float32"]


def test_the_check_finds_another_step_size(monkeypatch):
    expected, rate = TWO_LAYER.reference_losses(), TWO_LAYER.learning_rate
    monkeypatch.setattr(problem.Problem, "learning_rate", 1.05 * rate)
    assert not TWO_LAYER.loss_error(TWO_LAYER.reference_losses(), expected) < TOLERANCE["float32"]


def test_the_check_finds_another_l2_strength():
    other = replace(TWO_LAYER, reg=1.05 * TWO_LAYER.reg)
    assert not TWO_LAYER.loss_error(other.reference_losses()) < TOLERANCE["float32"]


def test_the_check_wants_every_loss():
    with pytest.raises(ValueError, match="shape"):
        TWO_LAYER.loss_error(np.ones(TWO_LAYER.steps - 1))


def test_a_missing_library_is_told():
    with pytest.raises(Unavailable, match="no_such_library is not installed"):
        library.library("no_such_library.part")


def test_the_base_of_all_ratios_is_there():
    assert BASE in CONTESTANTS
