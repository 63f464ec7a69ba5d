"""The recipes in PyTorch, eager: its own products, autograd, fused SGD with Nesterov's momentum.

Its velocities are gradients, multiplied by the rate of the step that uses them; fastnet's have been multiplied by the
rates of the steps that they come from.  In bfloat16 the components are kept in it and products are automatically
cast; the parameters stay float32.
"""

from __future__ import annotations

from contextlib import nullcontext
from functools import partial

import numpy as np

from benchmarks.contestants import recipe
from benchmarks.contestants.library import library
from benchmarks.contestants.recipe import Found, Images, Plan
from fastnet.recipes import Settings

WARM_STEPS = 3


def run(dtype: str, settings: Settings, images: Images, seed: int, threads: int) -> Found:
    """Train on the components of all views and measure; some steps on random numbers come before the clock starts."""
    torch = library("torch")
    torch.set_num_threads(threads)
    kind = getattr(torch, dtype)
    cast = torch.autocast("cpu", dtype=kind) if kind == torch.bfloat16 else nullcontext()
    plan = Plan.of(settings, images, recipe.components(settings, images), seed)

    def network():
        (K, H), C = plan.params["W1"].shape, images.num_classes
        net = torch.nn.Sequential(torch.nn.Linear(K, H), torch.nn.ReLU(), torch.nn.Linear(H, C))
        with torch.no_grad():
            for layer, number in ((net[0], 1), (net[2], 2)):
                layer.weight.copy_(torch.from_numpy(plan.params[f"W{number}"].T))
                layer.bias.copy_(torch.from_numpy(plan.params[f"b{number}"]))
        return net

    def descend(Z, y, indices):
        net = network()
        weights, biases = ([getattr(layer, name) for layer in (net[0], net[2])] for name in ("weight", "bias"))
        groups = [{"params": weights, "weight_decay": settings.reg}, {"params": biases, "weight_decay": 0.0}]
        optimizer = torch.optim.SGD(groups, lr=1.0, momentum=settings.momentum, nesterov=True, fused=True)
        for rows, rate in zip(indices, plan.rates, strict=False):
            for group in optimizer.param_groups:
                group["lr"] = float(rate)
            with cast:
                loss = torch.nn.functional.cross_entropy(net(Z.index_select(0, rows)), y.index_select(0, rows))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return net

    def project(X, out, mean, matrix, offset):
        for part in recipe.blocks(len(X)):
            centred = torch.from_numpy(X[part]).float().sub_(mean).to(kind)
            out[part] = torch.addmm(offset, centred, matrix)

    def projected(X, projections, signs=None):
        views = 1 if signs is None else 2
        Z = torch.empty(len(projections), views, len(X), len(projections[0][2]), dtype=kind)
        for own, projection in zip(Z, projections, strict=True):
            mean, matrix, offset = map(torch.from_numpy, projection)
            project(X, own[0], mean, matrix.to(kind), offset.to(kind))
            if signs is not None:
                torch.mul(own[0], signs, out=own[1])
        return Z.reshape(-1, Z.shape[-1])

    def train():
        whitening = recipe.fitted(settings, images, seed)
        signs = None if whitening.signs is None else torch.from_numpy(whitening.signs).to(kind)
        Z = projected(images.X, list(recipe.projections(whitening, settings, images)), signs)
        y = torch.from_numpy(np.tile(images.y, len(Z) // len(images.y)))
        return whitening, descend(Z, y, torch.from_numpy(plan.indices))

    def predict(trained):
        whitening, net = trained
        with torch.no_grad(), cast:
            return net(projected(images.X_test, [recipe.projection(whitening)])).argmax(1).numpy()

    N, K = plan.indices.shape[1], len(plan.params["W1"])
    descend(torch.rand(N, K).to(kind), torch.zeros(N, dtype=torch.int64), torch.arange(N).repeat(WARM_STEPS, 1))
    return recipe.measured(train, predict, images)


float32, bfloat16 = partial(run, "float32"), partial(run, "bfloat16")
