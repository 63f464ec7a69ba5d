"""The recipes in JAX: all steps in one compiled scan, the components on the device, the parameters donated."""

from __future__ import annotations

import numpy as np

from benchmarks.contestants import recipe
from benchmarks.contestants.library import library
from benchmarks.contestants.recipe import Found, Images, Plan
from fastnet.recipes import Settings


def run(settings: Settings, images: Images, seed: int, threads: int) -> Found:
    """Train on the components of all views and measure; compiled, for these shapes, before the clock starts.

    JAX takes all cores, whatever threads says.
    """
    jax, jnp = library("jax"), library("jax.numpy")
    plan = Plan.of(settings, images, recipe.components(settings, images), seed)
    regular = {name: settings.reg if name.startswith("W") else 0.0 for name in plan.params}

    def scores_of(params, Z):
        return jax.nn.relu(Z @ params["W1"] + params["b1"]) @ params["W2"] + params["b2"]

    def loss(params, Z, y):
        scores = scores_of(params, Z)
        of_label = jnp.take_along_axis(scores, y[:, None], axis=1)[:, 0]
        return jnp.mean(jax.nn.logsumexp(scores, axis=1) - of_label)

    def descend(params, Z, y, indices, rates):
        def step(state, now):
            params, velocities = state
            rows, rate = now
            grads = jax.grad(loss)(params, Z[rows], y[rows])
            # PyTorch's and fastnet's: v = momentum * v - rate * g; w += momentum * v - rate * g.
            grads = {name: grads[name] + regular[name] * params[name] for name in params}
            momentum = settings.momentum
            velocities = {name: momentum * velocities[name] - rate * grads[name] for name in params}
            params = {name: params[name] + momentum * velocities[name] - rate * grads[name] for name in params}
            return (params, velocities), None

        (params, _), _ = jax.lax.scan(step, (params, jax.tree.map(jnp.zeros_like, params)), (indices, rates))
        return params

    def project(X, mean, matrix, offset):
        return (X.astype(jnp.float32) - mean) @ matrix + offset

    def projected(X, projections, signs=None):
        views = 1 if signs is None else 2
        Z = np.empty((len(projections), views, len(X), plan.params["W1"].shape[0]), np.float32)
        for own, projection in zip(Z, projections, strict=True):
            for part in recipe.blocks(len(X)):
                own[0, part] = product(X[part], *projection)
            if signs is not None:
                np.multiply(own[0], signs, out=own[1])
        return Z.reshape(-1, Z.shape[-1])

    def train():
        whitening = recipe.fitted(settings, images, seed)
        signs = None if whitening.signs is None else np.float32(whitening.signs)
        Z = projected(images.X, list(recipe.projections(whitening, settings, images)), signs)
        y = np.tile(np.int32(images.y), len(Z) // len(images.y))
        params = compiled(jax.device_put(plan.params), Z, y, np.int32(plan.indices), np.float32(plan.rates))
        return whitening, jax.block_until_ready(params)

    def predict(trained):
        whitening, params = trained
        Z = projected(images.X_test, [recipe.projection(whitening)])
        return np.asarray(scores_of(params, Z)).argmax(axis=1)

    views = len(settings.shifts) * (1 + settings.mirrored)
    rows, K, D = views * len(images.X), len(plan.params["W1"]), images.X.shape[1]
    shaped = jax.ShapeDtypeStruct
    product = jax.jit(project)
    product(images.X[next(recipe.blocks(len(images.X)))], *(np.zeros(s, np.float32) for s in (D, (D, K), K)))
    compiled = (
        jax.jit(descend, donate_argnums=0)
        .lower(
            plan.params,
            shaped((rows, K), np.float32),
            shaped((rows,), np.int32),
            shaped(plan.indices.shape, np.int32),
            shaped(plan.rates.shape, np.float32),
        )
        .compile()
    )
    return recipe.measured(train, predict, images)
