"""JAX: all steps in one compiled scan, the data set on the device, parameters and state donated."""

from __future__ import annotations

from functools import partial

import numpy as np

from benchmarks.contestants.library import library
from benchmarks.contestants.rules import STATES, updated
from benchmarks.problem import REG, Problem


def _train(transposed: bool, problem: Problem):
    """transposed keeps the first layer's weights as (H, D): with AVX2 the product for their gradient is then twice as
    fast."""
    jax, jnp = library("jax"), library("jax.numpy")
    first = "W1" if problem.H else "W"

    def scores_of(params, X):
        W = params[first].T if transposed else params[first]
        if not problem.H:
            return X @ W + params["b"]
        return jax.nn.relu(X @ W + params["b1"]) @ params["W2"] + params["b2"]

    def loss(params, X, y):
        scores = scores_of(params, X)
        of_label = jnp.take_along_axis(scores, y[:, None], axis=1)[:, 0]
        data_loss = jnp.mean(jax.nn.logsumexp(scores, axis=1) - of_label)
        return data_loss + 0.5 * REG * sum(jnp.sum(w**2) for name, w in params.items() if name.startswith("W"))

    @partial(jax.jit, donate_argnums=0)
    def descend(kept, X, y, mean, indices, learning_rate):
        def step(kept, rows):
            params, states, t = kept
            value, grads = jax.value_and_grad(loss)(params, X[rows].astype(jnp.float32) - mean, y[rows])
            new = {
                name: updated(problem.rule, w, grads[name], states[name], t, learning_rate)
                for name, w in params.items()
            }
            return ({n: v[0] for n, v in new.items()}, {n: v[1:] for n, v in new.items()}, t + 1), value

        return jax.lax.scan(step, kept, indices)

    params = {name: np.float32(value) for name, value in problem.params().items()}
    if transposed:
        params[first] = params[first].T
    states = {name: tuple(np.zeros_like(w) for _ in range(STATES[problem.rule])) for name, w in params.items()}
    kept = jax.device_put((params, states, np.float32(1)))
    data = jax.device_put((problem.X, np.int32(problem.y), np.float32(problem.mean), np.int32(problem.indices)))

    def train():
        nonlocal kept
        kept, losses = descend(kept, *data, np.float32(problem.learning_rate))
        return np.asarray(losses)

    return train


plain, transposed = partial(_train, False), partial(_train, True)
