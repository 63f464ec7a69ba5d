"""Recipes: from an image set to a two-layer net that is as accurate as it gets, in seconds. ::

    found = fastnet.recipes.fast(X_train, y_train, image_shape=(3, 32, 32))
    found.net.predict(X_test)

`lab` is the course's: raw pixels, plain descent.  `fast` and `best` train on the whitened components of each image, its
mirror image and shifted copies, as 8-bit codes, at the end without the shifts; then the whitening is folded into the
first layer, so that what comes back is a plain TwoLayerNet on raw pixels.  (Whitening: Coates, Ng and Lee 2011;
momentum: Sutskever et al. 2013; warm-up: Goyal et al. 2017, arXiv:1706.02677; cosine: Loshchilov and Hutter 2017,
arXiv:1608.03983; ending: He et al. 2019, arXiv:1909.09148.)
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import update_wrapper
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnet import checks, images
from fastnet.images import View
from fastnet.models import TwoLayerNet
from fastnet.normalization import Normalization
from fastnet.optimizers import Momentum
from fastnet.recipe_settings import Settings
from fastnet.schedules import Clock
from fastnet.training import Progress, check_callback
from fastnet.whitening import BLOCK_ROWS, Whitening

KEPT = 0.5  # of a budget: for training, however long the preparation takes
ENDLESS = 10**12  # iterations, where the clock says when to end
LAB_HIDDEN = 80
LAB_ITERATIONS = 4000


# The image as it is, and one shift.  Without it, as (-1, 0) and (1, 1), CIFAR-10's held-out images lose nothing (0.613
# after 10 epochs, 0.612 with it after 12, means of two splits), and Fashion-MNIST's, which are centred, four points
# (0.854, with it 0.897).  Without any shift CIFAR-10 loses half a point.  The ending and a reg of 1e-3, where 1.5e-3
# was without it, give Fashion-MNIST another 0.7 points, and CIFAR-10 nothing (means of one and of three seeds).
FAST = Settings(
    hidden_size=768, batch_size=400, learning_rate=0.3, reg=1e-3, epochs=12, shifts=((0, 0), (1, 1)), ending=0.3
)
# The ending, and a reg of 1e-3 where 1.5e-3 was without it: CIFAR-10's held-out images 0.653, 0.651 before;
# Fashion-MNIST's 0.902, which `fast` reaches as well (one seed each).
# Shorter trainings, 1024 hidden units and 36 epochs: an ending of a fifth gives Fashion-MNIST 0.893 instead of 0.887,
# the smaller reg as well 0.901, and CIFAR-10 nothing, which loses by an ending of a third (0.630, not 0.638).  Half of
# all views without shift throughout, in the place of an ending, give Fashion-MNIST as much and cost CIFAR-10 a point.
BEST = Settings(
    hidden_size=2048,
    batch_size=400,
    learning_rate=0.1,
    reg=1e-3,
    epochs=72,
    shifts=images.NINE_SHIFTS,
    ending=0.1,
)


@dataclass(frozen=True, eq=False)
class Trained:
    """What a recipe leaves.

    Attributes
    ----------
    net : TwoLayerNet on raw rows, with image_shape
    history : what train returned, on the components
    seconds : of compilation, whitening (its fit), projection (of all views), training and folding
    total : all seconds but those of compilation
    """

    net: TwoLayerNet
    history: dict[str, list[float]]
    seconds: dict[str, float]

    @property
    def total(self) -> float:
        """All seconds but those of compilation, which only the first run on a machine has."""
        return sum(self.seconds.values()) - self.seconds.get("compilation", 0.0)


class _Laps:
    """How long each part took."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def end(self, name: str) -> float:
        """End a part; returns its seconds."""
        now = time.perf_counter()
        self.seconds[name], self._last = now - self._last, now
        return self.seconds[name]


def lab(
    X: Any,
    y: Any,
    image_shape: Sequence[int] | None = None,
    X_val: Any = None,
    y_val: Any = None,
    *,
    epochs: int | None = None,
    num_classes: int | None = None,
    seed: int = 0,
    threads: int | None = None,
    callback: Callable[[Progress], object] | None = None,
) -> Trained:
    """The "Two-layer network" lab: 80 hidden units on pixels less their mean, the defaults of `train`.

    Parameters
    ----------
    X : array (N, D) of uint8 or floats, not images alone
    epochs : int, default 4000 iterations' worth, as the command line's
    y, image_shape, X_val, y_val, num_classes, seed, threads, callback : as for `train`, and so are errors

    Returns
    -------
    Trained
    """
    inputs = np.shape(X)[-1] if np.ndim(X) else 0
    data = checks.features("X", X, inputs, np.dtype(np.float32))
    net = TwoLayerNet(inputs, LAB_HIDDEN, _classes(y, num_classes), seed=seed, threads=threads)
    net.image_shape = None if image_shape is None else images.shape_of_images(image_shape, inputs)
    laps = _Laps()
    net.normalization = Normalization.fit(data)
    num_iters = LAB_ITERATIONS if epochs is None else _iterations(epochs, len(data), 200)
    history = net.train(data, y, X_val, y_val, num_iters=num_iters, callback=callback)
    laps.end("training")
    return Trained(net, history, laps.seconds)


def fast(X: Any, y: Any, image_shape: Sequence[int], X_val: Any = None, y_val: Any = None, **options: Any) -> Trained:
    """FAST: each image and a shift of it, each mirrored, 768 hidden units, 12 epochs: some seconds on CIFAR-10.

    The last three tenths of them are without the shift.

    Parameters
    ----------
    X, y, image_shape, X_val, y_val, **options : as for `train`, and so are errors

    Returns
    -------
    Trained
    """
    return train(X, y, image_shape, X_val, y_val, **{"settings": FAST, **options})


def best(X: Any, y: Any, image_shape: Sequence[int], X_val: Any = None, y_val: Any = None, **options: Any) -> Trained:
    """BEST: nine shifts of each image, each mirrored, 2048 hidden units, 72 epochs: about a minute on CIFAR-10.

    The last tenth of them is without the shifts.

    Parameters
    ----------
    X, y, image_shape, X_val, y_val, **options : as for `train`, and so are errors

    Returns
    -------
    Trained

    Notes
    -----
    Beside X it takes 400 MB for CIFAR-10, of which 240 MB are the components of all views, a byte each.
    """
    return train(X, y, image_shape, X_val, y_val, **{"settings": BEST, **options})


def train(
    X: Any,
    y: Any,
    image_shape: Sequence[int],
    X_val: Any = None,
    y_val: Any = None,
    *,
    settings: Settings = FAST,
    epochs: int | None = None,
    seconds: float | None = None,
    num_classes: int | None = None,
    seed: int = 0,
    threads: int | None = None,
    callback: Callable[[Progress], object] | None = None,
    whitening: Whitening | None = None,
) -> Trained:
    """Train a TwoLayerNet on the whitened views of images.

    Parameters
    ----------
    X, y : uint8 images (N, D), pixels from 0 to 255, and integer labels (N,)
    image_shape : (channels, rows, columns) of a row of X
    X_val, y_val : images to score while training, or None
    settings : Settings, default FAST
    epochs : int, in the place of the settings'
    seconds : float, a budget in the place of epochs
        For preparation and training, compilation apart.  The schedule follows the clock; views that would not be ready
        by half of the time are left out, and half is for training in any case.  The one setting that gives up the
        same bits.
    num_classes : int, C; default one more than the largest label
    seed : int, of the whitening, the weights and the batches
    threads, callback : as for TwoLayerNet and its train; with seconds a Progress has the expected num_iters
    whitening : one that was fitted before, with image_shape where the settings want mirror images; default a new one

    Returns
    -------
    Trained

    Raises
    ------
    ValueError
        For input that does not fit, float images, and a budget too short for one step.
    KeyboardInterrupt
        For Ctrl-C while it trains; its `net` is the net as far as it got.
    """
    if not isinstance(settings, Settings):
        raise ValueError(f"settings is {settings!r}, expected a fastnet.recipes.Settings, as FAST or BEST")
    given = _Given.checked(X, y, image_shape, X_val, y_val, num_classes)
    images.sources_of(images.views(settings.shifts, settings.mirrored), given.image_shape)
    check_callback(callback)
    if whitening is not None and (not isinstance(whitening, Whitening) or len(whitening.mean) != given.rows.shape[1]):
        raise ValueError(f"whitening is {whitening!r}, expected a Whitening of {given.rows.shape[1]} features")
    if whitening is not None and settings.mirrored and whitening.signs is None:
        raise ValueError("the whitening knows no mirror images, expected one fitted with image_shape")
    if seconds is not None and epochs is not None:
        raise ValueError(f"epochs is {epochs!r} and seconds is {seconds!r}, expected one of them")
    budget = None if seconds is None else checks.positive("seconds", seconds)
    epochs = checks.whole("epochs", settings.epochs if epochs is None else epochs, 1)
    K = min(settings.components, *given.rows.shape) if whitening is None else len(whitening.offset)
    sizes = K, settings.hidden_size, given.num_classes
    net = TwoLayerNet(*sizes, std="he", seed=seed, threads=threads, matmul_precision="medium")
    options: dict[str, Any] = {
        "learning_rate": settings.learning_rate,
        "reg": settings.reg,
        "batch_size": min(settings.batch_size, (1 + settings.mirrored) * len(given.rows)),
        "sampling": settings.sampling(len(given.rows)),
        "optimizer": Momentum(settings.momentum, nesterov=True),
    }
    laps = _Laps()
    step = _compile(net, given, options)
    if budget is not None and budget * KEPT < step:
        raise ValueError(f"seconds is {seconds}, a step alone takes {step:.2g}: expected at least {step / KEPT:.2g}")
    laps.end("compilation")
    begin = time.perf_counter()
    if whitening is None:
        mirror = given.image_shape if settings.mirrored else None
        whitening = Whitening.fit(given.rows, K, settings.epsilon, image_shape=mirror, seed=seed)
    laps.end("whitening")
    codes = _codes(whitening, given, settings, None if budget is None else begin + (1 - KEPT) * budget, threads)
    codes_val = None if given.rows_val is None else whitening.transform(given.rows_val, np.uint8, threads)
    laps.end("projection")
    if budget is None:
        num_iters = _iterations(epochs, len(given.rows), options["batch_size"])
        options |= {"num_iters": num_iters, "schedule": settings.schedule, "callback": callback}
    else:
        clock = Clock(max(begin + budget - time.perf_counter(), KEPT * budget), settings.schedule)
        options |= {"num_iters": ENDLESS, "schedule": clock, "callback": _expecting(callback, clock)}
        options |= {"sampling": settings.sampling(len(given.rows), clock)}
    net.normalization = whitening.decoding
    labels = np.tile(given.labels, len(codes))
    try:
        history = net.train(codes.reshape(-1, K), labels, codes_val, given.labels_val, **options)
    except BaseException as error:
        if net.history.get("loss_history"):
            error.net = _on_pixels(net, whitening, given)  # type: ignore[attr-defined]  # no exception declares it
        raise
    laps.end("training")
    folded = _on_pixels(net, whitening, given)
    laps.end("folding")
    return Trained(folded, history, laps.seconds)


def _on_pixels(net: TwoLayerNet, whitening: Whitening, given: _Given) -> TwoLayerNet:
    """The net on raw rows, which are images."""
    folded = whitening.fold(net)
    folded.image_shape = given.image_shape
    return folded


@dataclass(frozen=True, eq=False)
class _Given:
    """What a caller brought, checked."""

    rows: NDArray[np.uint8]
    labels: NDArray[np.int64]
    image_shape: tuple[int, int, int]
    num_classes: int
    rows_val: NDArray[np.uint8] | None = None
    labels_val: NDArray[np.int64] | None = None

    @classmethod
    def checked(cls, X: Any, y: Any, image_shape: Any, X_val: Any, y_val: Any, num_classes: Any) -> _Given:
        rows, shape = images.uint8_images(X, image_shape)
        C = _classes(y, num_classes)
        labels = checks.labels("y", y, len(rows), C)
        if (X_val is None) != (y_val is None):
            raise ValueError("X_val and y_val go together, found one without the other")
        if X_val is None:
            return cls(rows, labels, shape, C)
        rows_val, _ = images.uint8_images(X_val, shape, "X_val")
        return cls(rows, labels, shape, C, rows_val, checks.labels("y_val", y_val, len(rows_val), C))


def _classes(y: Any, num_classes: int | None) -> int:
    if num_classes is not None:
        return checks.whole("num_classes", num_classes, 2)
    labels = np.asarray(y)
    return max(2, int(labels.max()) + 1) if labels.size and labels.dtype.kind in "ui" else 2


def _iterations(epochs: int, rows: int, batch_size: int) -> int:
    return max(1, checks.whole("epochs", epochs, 1) * rows // batch_size)


def _compile(net: TwoLayerNet, given: _Given, options: dict[str, Any]) -> float:
    """Have the programs compiled, or loaded, that the recipe will run; the seconds of one training step after it.

    The quickest of a few: what else the machine does for a moment is no reason to refuse a budget.

    With a rate of 0 and rows that are given, neither the net nor its random numbers notice.
    """
    D, K = given.rows.shape[1], net.input_size
    blank = Whitening(np.full(D, 127.5), np.zeros((D, K)), np.zeros(K), np.ones(K))
    net.normalization = blank.decoding
    if given.rows_val is not None:
        blank.transform(given.rows_val[:BLOCK_ROWS], np.uint8)
        net.loss(np.zeros((len(given.rows_val), K), np.uint8))
    codes = blank.transform(given.rows[:BLOCK_ROWS], np.uint8)
    still = options | {"learning_rate": 0.0, "schedule": "constant"}
    indices = np.zeros((1, options["batch_size"]), np.int64)
    seconds = []
    for _ in range(4):
        begin = time.perf_counter()
        net.train(codes, np.zeros(len(codes), np.int64), indices=indices, **still)
        seconds.append(time.perf_counter() - begin)
    return min(seconds)


def _codes(
    whitening: Whitening, given: _Given, settings: Settings, until: float | None, threads: int | None
) -> NDArray[np.uint8]:
    """The codes (views, N, K) of all views; of so many as are ready by the time `until`, but those of one shift."""
    each = 1 + settings.mirrored
    codes = np.empty((each * len(settings.shifts), len(given.rows), len(whitening.offset)), np.uint8)
    done = 0
    for shift in settings.shifts:
        began = time.perf_counter()
        seen = whitening.of_view(given.image_shape, View(*shift))
        codes[done] = seen.transform(given.rows, np.uint8, threads)
        if settings.mirrored:
            codes[done + 1] = whitening.mirrored(codes[done])
        done += each
        now = time.perf_counter()
        if until is not None and now + (now - began) > until:
            break
    return codes[:done]


def _expecting(callback: Callable[[Progress], object] | None, clock: Clock) -> Callable[[Progress], object] | None:
    """The callback, told how many iterations there will be at this pace; called when it asks to be."""
    if callback is None:
        return None

    def told(progress: Progress) -> object:
        return callback(
            replace(progress, num_iters=max(progress.iteration, round(progress.iteration / clock.passed())))
        )

    return update_wrapper(told, callback, assigned=("every_epoch", "steps_to_call"), updated=())
