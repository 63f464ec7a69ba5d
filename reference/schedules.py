"""Schedules: the factor of the learning rate in iteration k (from 0) of n, after `warm` iterations of warm-up.

Sources: Goyal et al. 2017, arXiv:1706.02677 (linear warm-up); Loshchilov & Hutter 2017, arXiv:1608.03983 (cosine,
without restarts).
"""

import numpy as np


def warm_up(k: int, warm: int) -> float:
    return min(1.0, (k + 1) / (warm + 1))  # 1 from iteration `warm` on


def epoch_decay(k: int, warm: int, per_epoch: int, factor: float) -> float:
    return warm_up(k, warm) * factor ** (k // per_epoch)


def step_decay(k: int, n: int, warm: int, at: tuple[float, ...], factor: float) -> float:
    """`factor` once more from each of the fractions `at` of the training on."""
    return warm_up(k, warm) * factor ** sum(k >= round(fraction * n) for fraction in at)


def linear(k: int, n: int, warm: int) -> float:
    return warm_up(k, warm) if k < warm else 1.0 - (k - warm) / (n - warm)


def cosine(k: int, n: int, warm: int) -> float:
    return warm_up(k, warm) if k < warm else float(0.5 + 0.5 * np.cos(np.pi * (k - warm) / (n - warm)))
