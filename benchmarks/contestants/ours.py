"""fastnet through its public `train`: checks, batches, history and all."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

import fastnet
from benchmarks.problem import Problem

OPTIMIZERS = {"sgd": fastnet.SGD(), "momentum": fastnet.Momentum(), "adam": fastnet.Adam()}


def network(
    problem: Problem, dtype: type, matmul_precision: str = "highest"
) -> fastnet.TwoLayerNet | fastnet.SoftmaxClassifier:
    kind = fastnet.TwoLayerNet if problem.H else fastnet.SoftmaxClassifier
    sizes = [size for size in (problem.X.shape[1], problem.H, problem.C) if size]
    net = kind(*sizes, dtype=dtype, threads=problem.threads, matmul_precision=matmul_precision)
    net.params = problem.params()
    net.normalization = fastnet.Normalization(problem.mean)
    return net


def _train(dtype: type, matmul_precision: str, problem: Problem):
    net = network(problem, dtype, matmul_precision)
    options: dict[str, Any] = {"learning_rate": problem.learning_rate, "learning_rate_decay": 1.0, "reg": problem.reg}
    options["optimizer"] = OPTIMIZERS[problem.rule]
    return lambda: net.train(problem.X, problem.y, indices=problem.indices, **options)["loss_history"]


float32, float64 = partial(_train, np.float32, "highest"), partial(_train, np.float64, "highest")
high, medium = partial(_train, np.float32, "high"), partial(_train, np.float32, "medium")
TRAININGS = {"highest": float32, "high": high, "medium": medium}  # of float32 models, by matmul_precision
