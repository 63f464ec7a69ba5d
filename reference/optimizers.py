"""The update rules: given the gradients of the regularised loss, move the parameters in place.

    w a parameter   g its gradient   mu momentum   v velocity   m, s running means of g and g * g   t step

Sources: the CS231n notes "Neural networks part 3", cs231n.github.io (SGD, momentum, Nesterov momentum);
Kingma & Ba 2015, "Adam: a method for stochastic optimization", arXiv:1412.6980, algorithm 1; Loshchilov & Hutter
2019, "Decoupled weight decay regularization", arXiv:1711.05101, algorithm 2 (AdamW).
"""

import numpy as np

from reference.layers import Params


class SGD:
    def update(self, params: Params, grads: Params, learning_rate: float) -> None:
        for name, w in params.items():
            w -= learning_rate * grads[name]


class Momentum:
    def __init__(self, mu: float = 0.9) -> None:
        self.mu = mu
        self.v: Params = {}  # one velocity per parameter, at first 0

    def update(self, params: Params, grads: Params, learning_rate: float) -> None:
        for name, w in params.items():
            v = self.v[name] = self.mu * self.v.get(name, 0.0) - learning_rate * grads[name]
            w += v


class Nesterov(Momentum):
    def update(self, params: Params, grads: Params, learning_rate: float) -> None:
        for name, w in params.items():
            v_prev = self.v.get(name, 0.0)
            v = self.v[name] = self.mu * v_prev - learning_rate * grads[name]
            w += -self.mu * v_prev + (1.0 + self.mu) * v  # w stands at the look-ahead point


class Adam:
    def __init__(
        self, beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-8, weight_decay: float = 0.0
    ) -> None:
        self.beta1, self.beta2, self.epsilon, self.weight_decay = beta1, beta2, epsilon, weight_decay
        self.m: Params = {}
        self.s: Params = {}  # the paper's v
        self.t = 0  # 1 in the first update

    def update(self, params: Params, grads: Params, learning_rate: float) -> None:
        self.t += 1
        for name, w in params.items():
            g = grads[name]
            m = self.m[name] = self.beta1 * self.m.get(name, 0.0) + (1.0 - self.beta1) * g
            s = self.s[name] = self.beta2 * self.s.get(name, 0.0) + (1.0 - self.beta2) * g * g
            m_hat = m / (1.0 - self.beta1**self.t)  # m and s start at 0, which pulls them low at first
            s_hat = s / (1.0 - self.beta2**self.t)
            decay = self.weight_decay if w.ndim == 2 else 0.0  # of weights, not of biases
            w -= learning_rate * (m_hat / (np.sqrt(s_hat) + self.epsilon) + decay * w)
