"""One training step, and a whole training, against the readable code, at the lab's sizes."""

import numpy as np
import pytest

from benchmarks.contestants import CONTESTANTS, ours
from benchmarks.problem import TOLERANCE

NAMES = [name for name in CONTESTANTS if name.startswith(("fastnet", "NumPy"))]


def checked(name, problem):
    """The contestant's train(), compiled and compared with the reference."""
    contestant = CONTESTANTS[name]
    assert problem.loss_error(contestant.setup(problem)()) < TOLERANCE[contestant.dtype]
    return contestant.setup(problem)


@pytest.mark.benchmark(group="one training step")
@pytest.mark.parametrize("name", NAMES)
def test_step(benchmark, lab, name):
    losses = benchmark(checked(name, lab.with_steps(1)))
    assert np.isfinite(losses).all()


@pytest.mark.benchmark(group="whole train")
@pytest.mark.parametrize("name", NAMES)
def test_train(benchmark, lab, name):
    losses = benchmark.pedantic(checked(name, lab), rounds=5)
    assert len(losses) == lab.steps
    assert np.isfinite(losses).all()


@pytest.mark.benchmark(group="whole train")
@pytest.mark.parametrize("sampling", ["replacement", "shuffle"])
def test_train_with_validation(benchmark, lab, sampling):
    """As a user calls it: batches drawn, accuracy on 1000 images after every epoch."""
    net = ours.network(lab, np.float32)
    X_val, y_val = lab.X[:1000], lab.y[:1000]

    def train():
        options = {"learning_rate": lab.learning_rate, "num_iters": lab.steps, "sampling": sampling}
        return net.train(lab.X, lab.y, X_val, y_val, **options)

    history = benchmark.pedantic(train, rounds=5, warmup_rounds=1)
    assert len(history["loss_history"]) == lab.steps
    assert len(history["val_acc_history"]) == lab.steps // (len(lab.X) // 200)
