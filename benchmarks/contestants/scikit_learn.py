"""scikit-learn's MLPClassifier, one partial_fit for each mini-batch."""

from __future__ import annotations

import numpy as np

from benchmarks.contestants.library import library
from benchmarks.problem import Converted, Problem


def partial_fit(problem: Problem):
    """Its L2 term is alpha / (2 N) * sum of squares, hence alpha = reg * N; float32 trains in float32."""
    neural_network = library("sklearn.neural_network")
    N = problem.indices.shape[1]
    model = neural_network.MLPClassifier(
        hidden_layer_sizes=(problem.H,), solver="sgd", momentum=0.0, nesterovs_momentum=False,
        alpha=problem.reg * N, batch_size=N, learning_rate_init=problem.learning_rate, shuffle=False,
    )  # fmt: skip
    X = Converted(problem, np.float32)
    classes = np.arange(problem.C)

    def step(rows):
        model.partial_fit(X[rows], problem.y[rows], classes=classes)
        return model.loss_

    step(problem.indices[0])  # makes the arrays, which the optimiser knows and changes in place
    params = problem.params()
    for name, array in zip(("W1", "W2", "b1", "b2"), model.coefs_ + model.intercepts_, strict=True):
        array[...] = params[name]
    return lambda: [step(rows) for rows in problem.indices]
