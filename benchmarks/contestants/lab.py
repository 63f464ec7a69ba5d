"""The lab's NumPy code, which is the reference as it stands, in two types and two ways to feed it.

The lab converts the whole data set to float64 beforehand, 1.1 GB for CIFAR-10, and so saves the conversion of
each mini-batch: work that all others do.  The other rows convert each mini-batch.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from benchmarks.problem import Converted, Problem, train_reference


def _train(dtype: type, problem: Problem):
    return train_reference(problem, dtype, Converted(problem, dtype))


def _train_beforehand(dtype: type, problem: Problem):
    X = problem.X.astype(dtype)
    X -= problem.mean.astype(dtype)
    return train_reference(problem, dtype, X)


float32, float64 = partial(_train, np.float32), partial(_train, np.float64)
float32_beforehand, float64_beforehand = (
    partial(_train_beforehand, np.float32),
    partial(_train_beforehand, np.float64),
)
