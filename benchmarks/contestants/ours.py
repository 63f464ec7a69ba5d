"""fastnet through its public `train`: checks, batches, history and all."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

import fastnet
from benchmarks.problem import Problem

OPTIMIZERS = {"sgd": fastnet.SGD(), "momentum": fastnet.Momentum(), "adam": fastnet.Adam()}


def network(problem: Problem, dtype: type) -> fastnet.TwoLayerNet | fastnet.SoftmaxClassifier:
    D = problem.X.shape[1]
    if problem.H:
        net = fastnet.TwoLayerNet(D, problem.H, problem.C, dtype=dtype, threads=problem.threads)
    else:
        net = fastnet.SoftmaxClassifier(D, problem.C, dtype=dtype, threads=problem.threads)
    net.params = problem.params()
    net.normalization = fastnet.Normalization(problem.mean)
    return net


def _train(dtype: type, problem: Problem, **options: Any):
    """options are further ones of `train`: a contestant for each of their values takes a line in the table."""
    net = network(problem, dtype)
    options |= {"learning_rate": problem.learning_rate, "learning_rate_decay": 1.0, "reg": problem.reg}
    options |= {"optimizer": OPTIMIZERS[problem.rule]}
    return lambda: net.train(problem.X, problem.y, indices=problem.indices, **options)["loss_history"]


float32, float64 = partial(_train, np.float32), partial(_train, np.float64)
