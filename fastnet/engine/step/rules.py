"""Update rules, a line of a parameter at a time.

The backward pass calls `update` while the gradient of a line is still in the first-level cache, so no rule
costs another pass over memory.  The step sizes come as one row of coefficients a step, made by
fastnet.optimizers; `GRADIENT` stores the gradient instead of using it.

What a rule keeps is flushed: weights of features that are always 0 decay by L2, and velocities and moments without
a gradient by themselves, until they are subnormal, and a step would then take up to twice as long on Intel's CPUs, for
ever.  Of weights alone that were subnormal, their squares, of use in the loss, held a step up by a fifth already.
Flushing by the CPU's mode would cost less still, but x86 and ARM round differently to the smallest normal number.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numba.core import types
from numba.extending import NativeValue, models, overload, register_model, unbox

from fastnet.engine.compilation.kernel import KERNEL_OPTIONS, kernel
from fastnet.engine.emitting.lines import flush, flush_square, fma, load, splat, sqrt, store


class RuleType(types.Type):
    """The type of an update rule: a kernel is compiled for the rule it is called with."""

    def __init__(self, rule: str) -> None:
        self.rule = rule
        super().__init__(name=f"Rule({rule})")


@register_model(RuleType)
class _RuleModel(models.OpaqueModel):
    pass


@unbox(RuleType)
def _unbox_rule(typ: RuleType, obj: Any, c: Any) -> NativeValue:
    return NativeValue(c.context.get_dummy_value())


@dataclass(frozen=True)
class Rule:
    """A rule by name: gradient, sgd, momentum, nesterov, adam or adamw."""

    name: str

    @property
    def states(self) -> int:
        """Arrays of the parameter's shape that the rule keeps from step to step."""
        return {"gradient": 1, "sgd": 0, "momentum": 1, "nesterov": 1, "adam": 2, "adamw": 2}[self.name]

    @property
    def _numba_type_(self) -> RuleType:
        return RuleType(self.name)


GRADIENT = Rule("gradient")


def update(rule, parameter, i, j, gradient, c, k):
    """Update the line of parameter at [i, j]; return its new value.  c[k] are the step's coefficients."""
    raise NotImplementedError("compiled code only")


@overload(update, jit_options=KERNEL_OPTIONS)
def _update(rule, parameter, i, j, gradient, c, k):
    return _RULES[rule.rule]


def update_bias(rule, parameter, i, j, gradient, c, k):
    """The same for a bias, which does not decay."""
    raise NotImplementedError("compiled code only")


@overload(update_bias, jit_options=KERNEL_OPTIONS)
def _update_bias(rule, parameter, i, j, gradient, c, k):
    return _RULES["adam" if rule.rule == "adamw" else rule.rule]


def _store_gradient(rule, parameter, i, j, gradient, c, k):
    store(parameter.state1, i, j, gradient)
    return load(parameter.value, i, j)


def _sgd(rule, parameter, i, j, gradient, c, k):
    w = flush(fma(splat(-c[k, 0]), gradient, load(parameter.value, i, j)))
    store(parameter.value, i, j, w)
    return w


def _momentum(rule, parameter, i, j, gradient, c, k):
    v = flush(fma(splat(c[k, 1]), load(parameter.state1, i, j), splat(-c[k, 0]) * gradient))
    w = flush(load(parameter.value, i, j) + v)
    store(parameter.state1, i, j, v)
    store(parameter.value, i, j, w)
    return w


def _nesterov(rule, parameter, i, j, gradient, c, k):
    # w += -mu v_old + (1 + mu) v, which is mu v - lr g (CS231n notes, "Nesterov Momentum").
    step = splat(-c[k, 0]) * gradient
    mu = splat(c[k, 1])
    v = flush(fma(mu, load(parameter.state1, i, j), step))
    w = flush(load(parameter.value, i, j) + fma(mu, v, step))
    store(parameter.state1, i, j, v)
    store(parameter.value, i, j, w)
    return w


@kernel
def adam_step(parameter, w, i, j, gradient, c, k):
    """Adam's step from the line of weights w."""
    # Kingma and Ba, "Adam", 2015, algorithm 1.  c[k]: step size, beta1, 1 - beta1, beta2, 1 - beta2,
    # 1 / (1 - beta1**t), 1 / (1 - beta2**t), epsilon.
    m = flush(fma(splat(c[k, 1]), load(parameter.state1, i, j), splat(c[k, 2]) * gradient))
    v = flush_square(fma(splat(c[k, 3]), load(parameter.state2, i, j), splat(c[k, 4]) * gradient * gradient))
    direction = m * splat(c[k, 5]) / (sqrt(v * splat(c[k, 6])) + splat(c[k, 7]))
    w = flush(fma(splat(-c[k, 0]), direction, w))
    store(parameter.state1, i, j, m)
    store(parameter.state2, i, j, v)
    store(parameter.value, i, j, w)
    return w


def _adam(rule, parameter, i, j, gradient, c, k):
    return adam_step(parameter, load(parameter.value, i, j), i, j, gradient, c, k)


def _adamw(rule, parameter, i, j, gradient, c, k):
    # Loshchilov and Hutter, "Decoupled Weight Decay Regularization", 2019, algorithm 2: Adam's step from weights that
    # have shrunk.  c[k, 8]: 1 - step size * decay.
    return adam_step(parameter, load(parameter.value, i, j) * splat(c[k, 8]), i, j, gradient, c, k)


_RULES = {
    "gradient": _store_gradient,
    "sgd": _sgd,
    "momentum": _momentum,
    "nesterov": _nesterov,
    "adam": _adam,
    "adamw": _adamw,
}
