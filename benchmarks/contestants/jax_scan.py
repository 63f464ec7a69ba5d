"""JAX: all steps in one compiled scan, the data set on the device, the parameters donated."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from benchmarks.contestants.library import library
from benchmarks.problem import Problem


def _update(transposed: bool):
    """One step of one net: update(params, rate, reg, X, y) -> params, loss."""
    jax, jnp = library("jax"), library("jax.numpy")

    def loss(params, reg, X, y):
        W1 = params["W1"].T if transposed else params["W1"]
        hidden = jax.nn.relu(X @ W1 + params["b1"])
        scores = hidden @ params["W2"] + params["b2"]
        of_label = jnp.take_along_axis(scores, y[:, None], axis=1)[:, 0]
        data_loss = jnp.mean(jax.nn.logsumexp(scores, axis=1) - of_label)
        return data_loss + 0.5 * reg * (jnp.sum(params["W1"] ** 2) + jnp.sum(params["W2"] ** 2))

    def update(params, rate, reg, X, y):
        value, grads = jax.value_and_grad(loss)(params, reg, X, y)
        return jax.tree.map(lambda w, g: w - rate * g, params, grads), value

    return update


def _start(transposed: bool, problem: Problem) -> dict[str, NDArray[np.float32]]:
    params = {name: np.float32(value) for name, value in problem.params().items()}
    return {**params, "W1": params["W1"].T} if transposed else params


def _train(transposed: bool, problem: Problem):
    """transposed keeps W1 as (H, D): with AVX2 XLA's product for its gradient is then twice as fast."""
    jax, jnp = library("jax"), library("jax.numpy")
    update, reg = _update(transposed), problem.reg

    @partial(jax.jit, donate_argnums=0)
    def descend(params, X, y, mean, indices, learning_rate):
        def step(params, rows):
            return update(params, learning_rate, reg, X[rows].astype(jnp.float32) - mean, y[rows])

        return jax.lax.scan(step, params, indices)

    params = jax.device_put(_start(transposed, problem))
    data = jax.device_put((problem.X, np.int32(problem.y), np.float32(problem.mean), np.int32(problem.indices)))

    def train():
        nonlocal params
        params, losses = descend(params, *data, np.float32(problem.learning_rate))
        return np.asarray(losses)

    return train


def _train_grid(transposed: bool, problems: Sequence[Problem]):
    """All nets of a grid in one scan, vmapped over their parameters, rates and strengths: they share each batch."""
    jax, jnp = library("jax"), library("jax.numpy")
    first, update = problems[0], _update(transposed)

    @partial(jax.jit, donate_argnums=0)
    def descend(params, rates, regs, X, y, mean, indices):
        def step(params, rows):
            images = X[rows].astype(jnp.float32) - mean
            return jax.vmap(update, in_axes=(0, 0, 0, None, None))(params, rates, regs, images, y[rows])

        return jax.lax.scan(step, params, indices)

    nets = {name: np.stack([value] * len(problems)) for name, value in _start(transposed, first).items()}
    rates, regs = (np.float32([getattr(p, name) for p in problems]) for name in ("learning_rate", "reg"))
    data = jax.device_put((first.X, np.int32(first.y), np.float32(first.mean), np.int32(first.indices)))

    def train():
        _, losses = descend(jax.device_put(nets), rates, regs, *data)
        return np.asarray(losses)[-1]

    return train


plain_grid, transposed_grid = partial(_train_grid, False), partial(_train_grid, True)
plain, transposed = partial(_train, False), partial(_train, True)
