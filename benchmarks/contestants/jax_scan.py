"""JAX: all steps in one compiled scan, the data set on the device, parameters and state donated."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from benchmarks.contestants.library import library
from benchmarks.contestants.rules import STATES, updated
from benchmarks.problem import Problem


def _update(transposed: bool, problem: Problem):
    """One step of one net: update(kept, rate, reg, X, y) -> kept, loss; kept is as _start makes it."""
    jax, jnp = library("jax"), library("jax.numpy")
    first = "W1" if problem.H else "W"

    def scores_of(params, X):
        W = params[first].T if transposed else params[first]
        if not problem.H:
            return X @ W + params["b"]
        return jax.nn.relu(X @ W + params["b1"]) @ params["W2"] + params["b2"]

    def loss(params, reg, X, y):
        scores = scores_of(params, X)
        of_label = jnp.take_along_axis(scores, y[:, None], axis=1)[:, 0]
        data_loss = jnp.mean(jax.nn.logsumexp(scores, axis=1) - of_label)
        return data_loss + 0.5 * reg * sum(jnp.sum(w**2) for name, w in params.items() if name.startswith("W"))

    def update(kept, rate, reg, X, y):
        params, states, t = kept
        value, grads = jax.value_and_grad(loss)(params, reg, X, y)
        new = {name: updated(problem.rule, w, grads[name], states[name], t, rate) for name, w in params.items()}
        return ({n: v[0] for n, v in new.items()}, {n: v[1:] for n, v in new.items()}, t + 1), value

    return update


def _start(transposed: bool, problem: Problem) -> tuple[Any, ...]:
    """Parameters, the state of each, and the number of the first step."""
    first = "W1" if problem.H else "W"
    params = {name: np.float32(value) for name, value in problem.params().items()}
    if transposed:
        params[first] = params[first].T
    states = {name: tuple(np.zeros_like(w) for _ in range(STATES[problem.rule])) for name, w in params.items()}
    return params, states, np.float32(1)


def _train(transposed: bool, problem: Problem):
    """transposed keeps the first layer's weights as (H, D): with AVX2 the product for their gradient is then twice as
    fast."""
    jax, jnp = library("jax"), library("jax.numpy")
    update, reg = _update(transposed, problem), problem.reg

    @partial(jax.jit, donate_argnums=0)
    def descend(kept, X, y, mean, indices, learning_rate):
        def step(kept, rows):
            return update(kept, learning_rate, reg, X[rows].astype(jnp.float32) - mean, y[rows])

        return jax.lax.scan(step, kept, indices)

    kept = jax.device_put(_start(transposed, problem))
    data = jax.device_put((problem.X, np.int32(problem.y), np.float32(problem.mean), np.int32(problem.indices)))

    def train():
        nonlocal kept
        kept, losses = descend(kept, *data, np.float32(problem.learning_rate))
        return np.asarray(losses)

    return train


def _train_grid(transposed: bool, problems: Sequence[Problem]):
    """All nets of a grid in one scan, vmapped over their parameters, rates and strengths: they share each batch."""
    jax, jnp = library("jax"), library("jax.numpy")
    first = problems[0]
    update = _update(transposed, first)

    @partial(jax.jit, donate_argnums=0)
    def descend(kept, rates, regs, X, y, mean, indices):
        def step(kept, rows):
            images = X[rows].astype(jnp.float32) - mean
            return jax.vmap(update, in_axes=(0, 0, 0, None, None))(kept, rates, regs, images, y[rows])

        return jax.lax.scan(step, kept, indices)

    nets = jax.tree.map(lambda value: np.stack([value] * len(problems)), _start(transposed, first))
    rates, regs = (np.float32([getattr(p, name) for p in problems]) for name in ("learning_rate", "reg"))
    data = jax.device_put((first.X, np.int32(first.y), np.float32(first.mean), np.int32(first.indices)))

    def train():
        _, losses = descend(jax.device_put(nets), rates, regs, *data)
        return np.asarray(losses)[-1]

    return train


plain_grid, transposed_grid = partial(_train_grid, False), partial(_train_grid, True)
plain, transposed = partial(_train, False), partial(_train, True)
