"""PyTorch: eager, and with the whole step compiled.

Of several ways to write each, the fastest here.  Eager: weight decay in the fused optimiser, so that autograd
does not go through the L2 term.  Compiled: gradient and update in one graph (a compiled loss with the
optimiser outside took 1.2 times as long).
"""

from __future__ import annotations

import shutil
import sys

from benchmarks.contestants.library import Unavailable, library
from benchmarks.problem import Problem


def _tensors(torch, problem: Problem):
    """Images, labels, mean, indices."""
    if problem.threads is not None:
        torch.set_num_threads(problem.threads)
    arrays = (problem.X, problem.y, problem.mean.astype("float32"), problem.indices)
    return tuple(torch.from_numpy(array) for array in arrays)


def eager(problem: Problem):
    torch = library("torch")
    X, y, mean, indices = _tensors(torch, problem)
    params = {name: torch.tensor(v, dtype=torch.float32) for name, v in problem.params().items()}
    net = torch.nn.Sequential(
        torch.nn.Linear(problem.X.shape[1], problem.H), torch.nn.ReLU(), torch.nn.Linear(problem.H, problem.C)
    )
    with torch.no_grad():
        for layer, number in ((net[0], 1), (net[2], 2)):
            layer.weight.copy_(params[f"W{number}"].T)  # (H, D) and (C, H): PyTorch's own layout
            layer.bias.copy_(params[f"b{number}"])
    weights = [net[0].weight, net[2].weight]
    groups = [{"params": weights, "weight_decay": problem.reg}, {"params": [net[0].bias, net[2].bias]}]
    optimizer = torch.optim.SGD(groups, lr=problem.learning_rate, fused=True)

    def step(rows):
        images = X.index_select(0, rows).float().sub_(mean)
        loss = torch.nn.functional.cross_entropy(net(images), y[rows])
        optimizer.zero_grad()
        loss.backward()
        with torch.no_grad():
            loss += 0.5 * problem.reg * sum((weight * weight).sum() for weight in weights)
        optimizer.step()
        return loss.detach()

    return lambda: torch.stack([step(rows) for rows in indices]).numpy()


def compiled(problem: Problem):
    torch = library("torch")
    compilers = ("cl",) if sys.platform == "win32" else ("g++", "clang++")
    if not any(map(shutil.which, compilers)):
        raise Unavailable(f"torch.compile needs a C++ compiler ({' or '.join(compilers)})")
    X, y, mean, indices = _tensors(torch, problem)
    params = {name: torch.tensor(v, dtype=torch.float32) for name, v in problem.params().items()}
    learning_rate = problem.learning_rate

    def loss_of(params, images, labels):
        hidden = torch.relu(torch.addmm(params["b1"], images, params["W1"]))
        scores = torch.addmm(params["b2"], hidden, params["W2"])
        norm = (params["W1"] ** 2).sum() + (params["W2"] ** 2).sum()
        return torch.nn.functional.cross_entropy(scores, labels) + 0.5 * problem.reg * norm

    @torch.compile
    def step(params, rows):
        images = X.index_select(0, rows).float() - mean
        grads, loss = torch.func.grad_and_value(loss_of)(params, images, y[rows])
        for name, value in params.items():
            value.sub_(learning_rate * grads[name])
        return loss

    return lambda: torch.stack([step(params, rows) for rows in indices]).numpy()
