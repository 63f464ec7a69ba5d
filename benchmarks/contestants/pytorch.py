"""PyTorch: eager, and with the whole step compiled; in float32, and with products in bfloat16.

Of several ways to write each, the fastest here.  Eager: weight decay in the fused optimiser, so that autograd
does not go through the L2 term.  Compiled: gradient and update in one graph (a compiled loss with the
optimiser outside took 1.2 times as long).  bfloat16: under autocast, with weights, update and loss in float32 as
PyTorch advises; weights of bfloat16 themselves would lose updates below 1/256 of their size.
"""

from __future__ import annotations

import shutil
import sys
from functools import partial

from benchmarks.contestants.library import Unavailable, library
from benchmarks.contestants.rules import BETA1, BETA2, EPSILON, MOMENTUM, STATES, updated
from benchmarks.problem import Problem


def _tensors(torch, problem: Problem):
    """Images, labels, mean, indices, and the parameters by name."""
    if problem.threads is not None:
        torch.set_num_threads(problem.threads)
    arrays = (problem.X, problem.y, problem.mean.astype("float32"), problem.indices)
    params = {name: torch.tensor(v, dtype=torch.float32) for name, v in problem.params().items()}
    return *(torch.from_numpy(array) for array in arrays), params


def _optimizer(torch, problem: Problem, weights, biases):
    groups = [{"params": weights, "weight_decay": problem.reg}, {"params": biases}]
    if problem.rule == "adam":
        return torch.optim.Adam(groups, lr=problem.learning_rate, betas=(BETA1, BETA2), eps=EPSILON, fused=True)
    momentum = MOMENTUM if problem.rule == "momentum" else 0.0
    return torch.optim.SGD(groups, lr=problem.learning_rate, momentum=momentum, fused=True)


def _eager(bfloat16: bool, problem: Problem):
    torch = library("torch")
    X, y, mean, indices, params = _tensors(torch, problem)
    D, C = problem.X.shape[1], problem.C
    layers = [torch.nn.Linear(D, problem.H), torch.nn.Linear(problem.H, C)] if problem.H else [torch.nn.Linear(D, C)]
    net = torch.nn.Sequential(layers[0], torch.nn.ReLU(), layers[1]) if problem.H else layers[0]
    with torch.no_grad():
        for layer, weight, bias in zip(layers, list(params.values())[::2], list(params.values())[1::2], strict=True):
            layer.weight.copy_(weight.T)  # (H, D) and (C, H): PyTorch's own layout
            layer.bias.copy_(bias)
    weights = [layer.weight for layer in layers]
    optimizer = _optimizer(torch, problem, weights, [layer.bias for layer in layers])

    def step(rows):
        images = X.index_select(0, rows).float().sub_(mean)
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            loss = torch.nn.functional.cross_entropy(net(images), y[rows])
        optimizer.zero_grad()
        loss.backward()
        with torch.no_grad():
            loss += 0.5 * problem.reg * sum((weight * weight).sum() for weight in weights)
        optimizer.step()
        return loss.detach()

    return lambda: torch.stack([step(rows) for rows in indices]).numpy()


def _compiled(bfloat16: bool, problem: Problem):
    torch = library("torch")
    compilers = ("cl",) if sys.platform == "win32" else ("g++", "clang++")
    if not any(map(shutil.which, compilers)):
        raise Unavailable(f"torch.compile needs a C++ compiler ({' or '.join(compilers)})")
    torch.compiler.reset()  # after eight versions of one function it would run the others uncompiled
    X, y, mean, indices, params = _tensors(torch, problem)
    learning_rate = problem.learning_rate
    states = {name: [torch.zeros_like(w) for _ in range(STATES[problem.rule])] for name, w in params.items()}
    time = torch.zeros(())

    def loss_of(params, images, labels):
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            if problem.H:
                hidden = torch.relu(torch.addmm(params["b1"], images, params["W1"]))
                scores = torch.addmm(params["b2"], hidden, params["W2"])
            else:
                scores = torch.addmm(params["b"], images, params["W"])
        norm = sum((w**2).sum() for name, w in params.items() if name.startswith("W"))
        return torch.nn.functional.cross_entropy(scores.float(), labels) + 0.5 * problem.reg * norm

    @torch.compile
    def step(params, states, time, rows):
        images = X.index_select(0, rows).float() - mean
        grads, loss = torch.func.grad_and_value(loss_of)(params, images, y[rows])
        time.add_(1)
        for name, value in params.items():
            new = updated(problem.rule, value, grads[name], states[name], time, learning_rate)
            for old, now in zip((value, *states[name]), new, strict=True):
                old.copy_(now)
        return loss

    return lambda: torch.stack([step(params, states, time, rows) for rows in indices]).numpy()


eager, eager_bfloat16 = partial(_eager, False), partial(_eager, True)
compiled, compiled_bfloat16 = partial(_compiled, False), partial(_compiled, True)
