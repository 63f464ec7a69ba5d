"""Test accuracy against seconds: the recipes of fastnet, the linear classifier, and the recipes in other libraries.

    python -m benchmarks.accuracy --cifar10 DIR --fashion DIR
    python -m benchmarks.accuracy --cifar10 DIR --gains

Seconds go from loaded images to a trained net; what is compiled first is left out, for everyone.  All train on the
whole training set, and the test set is looked at once, at the end; nothing was chosen by it.

Each training is written down as it ends, and what the results hold already, of the same machine, versions and settings,
is not done again: a measurement may be cut off, or done in parts (--only), and the same command goes on with it.

--gains says what each ingredient of `best` is worth on CIFAR-10: trained without it, and without 5,000 of the training
images, measured on those.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from benchmarks import machine, report
from benchmarks.contestants import recipe_jax, recipe_pytorch
from benchmarks.contestants.library import Unavailable
from benchmarks.contestants.recipe import Found, Images, fitted, measured
from benchmarks.tables import Result
from fastnet import Normalization, SoftmaxClassifier, TwoLayerNet, Whitening, images, recipes, schedules
from fastnet.data import load_cifar10, load_idx, split_validation
from fastnet.engine.compilation.cpu import usable_cores
from fastnet.images import View
from fastnet.recipes import Settings

Run = Callable[[Images, int, int], Found]  # by seed and threads
Measured = dict[str, Any]  # a contestant's or an ingredient's: its settings, and a number for each seed from 0
LAB_EPOCHS = 46
LINEAR = {"learning_rate": 1e-2, "reg": 3e-2, "batch_size": 200, "epochs": 12}
HELD_OUT = 5000
GAINS = replace(recipes.BEST, hidden_size=1024, epochs=40)  # a shorter `best`
VIEWS = images.views(images.FIVE_SHIFTS)


def lab(data: Images, seed: int, threads: int) -> Found:
    options = {"num_classes": data.num_classes, "threads": threads}
    recipes.lab(data.X, data.y, epochs=1, **options)  # compiles
    found = recipes.lab(data.X, data.y, epochs=LAB_EPOCHS, seed=seed, **options)
    return Found(found.total, found.net.predict(data.X_test) == data.y_test)


def linear(data: Images, seed: int, threads: int) -> Found:
    """The softmax classifier, standardised pixels, a rate that falls to zero."""
    options = {name: LINEAR[name] for name in ("learning_rate", "reg", "batch_size")}

    def train(iterations: int) -> Any:
        net = SoftmaxClassifier(data.X.shape[1], data.num_classes, std=0.0, seed=seed, threads=threads)
        net.normalization = Normalization.fit(data.X, scale=True)
        net.train(data.X, data.y, sampling="shuffle", schedule="linear", num_iters=iterations, **options)
        return net

    train(2)  # compiles
    iterations = LINEAR["epochs"] * len(data.X) // LINEAR["batch_size"]
    return measured(partial(train, iterations), lambda net: net.predict(data.X_test), data)


def fastnet(settings: Settings, data: Images, seed: int, threads: int) -> Found:
    options = {"settings": settings, "num_classes": data.num_classes, "seed": seed, "threads": threads}
    found = recipes.train(data.X, data.y, data.image_shape, **options)
    return Found(found.total, found.net.predict(data.X_test) == data.y_test)


@dataclass(frozen=True, eq=False)
class Contestant:
    """Who trains, and by what settings: with others its numbers are not the same measurement."""

    run: Run
    settings: str


def contestants() -> dict[str, Contestant]:
    found = {
        "fastnet, linear": Contestant(linear, repr(LINEAR)),
        "fastnet, lab": Contestant(lab, f"{LAB_EPOCHS} epochs"),
    }
    for name, settings in {"fast": recipes.FAST, "best": recipes.BEST}.items():
        runs = {
            "fastnet": partial(fastnet, settings),
            "PyTorch float32": partial(recipe_pytorch.float32, settings),
            "PyTorch bfloat16": partial(recipe_pytorch.bfloat16, settings),
            "JAX": partial(recipe_jax.run, settings),
        }
        found |= {f"{who}, {name}": Contestant(run, repr(settings)) for who, run in runs.items()}
    return found


def kept(found: dict[str, Measured], settings: dict[str, str], *numbers: str) -> dict[str, Measured]:
    """For each name what is there by those settings, to add numbers to, else nothing yet."""
    same = {name: own for name, own in found.items() if own.get("settings") == settings.get(name)}
    return {name: same.get(name) or {"settings": text} | {n: [] for n in numbers} for name, text in settings.items()}


def measure(
    named: dict[str, Contestant],
    data: Images,
    seeds: int,
    threads: int,
    only: Sequence[str] | None = None,
    found: Result | None = None,
) -> Iterator[Result]:
    """Seconds and accuracies of all, or some, in turn: each seed begins with another one.

    What there is after each training, beside what was found before.
    """
    sizes = {"train": len(data.X), "test": len(data.X_test)}
    if found is None or any(found[name] != size for name, size in sizes.items()):
        found = {**sizes, "contestants": {}, "missing": {}}
    settings = {name: contestant.settings for name, contestant in named.items()}
    each = found["contestants"] = kept(found["contestants"], settings, "seconds", "accuracy")
    names = [name for name in named if not only or name in only]
    found["missing"] = {name: reason for name, reason in found["missing"].items() if name not in names}
    for seed in range(seeds):
        first = seed % len(names)
        for name in names[first:] + names[:first]:
            if name in found["missing"] or len(each[name]["seconds"]) > seed:
                continue
            try:
                one = named[name].run(data, seed, threads)
            except Unavailable as reason:
                found["missing"][name] = str(reason)
                continue
            say(f"seed {seed}, {name}: {one.accuracy:.4f} in {one.seconds:.1f} s")
            each[name]["seconds"].append(one.seconds)
            each[name]["accuracy"].append(one.accuracy)
            yield found
    yield found


# --- what each ingredient is worth -----------------------------------------------------------------------

ALL = "all"
INGREDIENTS: dict[str, dict[str, Any]] = {
    ALL: {},
    "no shifts": {"shifts": ((0, 0),)},
    "neither shifts nor mirror images": {"shifts": ((0, 0),), "mirrored": False},
    "shifts to the end": {"ending": 0.0},
    "a constant rate after the warm-up": {"schedule": schedules.Constant(warmup=0.05)},
    "a linear schedule": {"schedule": schedules.Linear(warmup=0.05)},
    "no L2": {"reg": 0.0},
    "no momentum, ten times the rate": {"momentum": 0.0, "learning_rate": 10 * GAINS.learning_rate},
    "batches of half the size": {"batch_size": GAINS.batch_size // 2},
    "batches of twice the size": {"batch_size": GAINS.batch_size * 2},
}
PLAIN, AVERAGED = "plain PCA, not whitened", f"{ALL}, ten views averaged"


def plain(whitening: Whitening) -> Whitening:
    """The same components, as unlike in variance as they are: all divided by one number, their mean variance then 1."""
    norms = np.linalg.norm(whitening.matrix, axis=0)
    deviations = whitening.deviations / norms
    factor = 1 / np.sqrt(np.mean(deviations**2))
    return replace(whitening, matrix=whitening.matrix * (factor / norms), deviations=deviations * factor)


def gains(
    data: Images, settings: Settings, seeds: int, threads: int, found: dict[str, Measured] | None = None
) -> Iterator[dict[str, Measured]]:
    """The accuracies on held-out images of the recipe, of it without an ingredient, and of it with another one.

    What there is after each training, beside what was found before.
    """
    changed = {name: replace(settings, **changes) for name, changes in INGREDIENTS.items()}
    texts = {name: repr(own) for name, own in changed.items()} | dict.fromkeys((PLAIN, AVERAGED), repr(settings))
    found = kept(found or {}, texts, "accuracy")

    def note(name: str, net: TwoLayerNet, views: Sequence[View] | None = None) -> None:
        found[name]["accuracy"].append(float(np.mean(net.predict(data.X_test, views=views) == data.y_test)))
        say(f"seed {seed}, {name}: {found[name]['accuracy'][-1]:.4f}")

    for seed in range(seeds):
        train = partial(recipes.train, data.X, data.y, data.image_shape, seed=seed, threads=threads)
        for name in (*changed, PLAIN):
            if len(found[name]["accuracy"]) > seed:
                continue
            if name == PLAIN:
                note(name, train(settings=settings, whitening=plain(fitted(settings, data, seed))).net)
            else:
                net = train(settings=changed[name]).net
                if name == ALL:
                    note(AVERAGED, net, VIEWS)
                note(name, net)
            yield found
    yield found


# --- the command line ------------------------------------------------------------------------------------


def say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def image_sets(arguments: argparse.Namespace) -> Iterator[tuple[str, Images]]:
    for name, folder, load in (
        ("CIFAR-10", arguments.cifar10, load_cifar10),
        ("Fashion-MNIST", arguments.fashion, load_idx),
    ):
        if folder:
            d = load(folder)
            yield name, Images(d.X_train, d.y_train, d.X_test, d.y_test, d.image_shape, d.num_classes)


def command(sets: dict[str, Result]) -> str:
    """The words that measure what is there, in however many parts it was."""
    seeds = max(len(own["seconds"]) for found in sets.values() for own in found["contestants"].values())
    folders = {"CIFAR-10": "--cifar10 DIR", "Fashion-MNIST": "--fashion DIR"}
    return " ".join([f"--seeds {seeds}", *(word for title, word in folders.items() if title in sets)])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy", description=__doc__)
    parser.add_argument("--cifar10", metavar="DIR", help="a folder of CIFAR-10's files")
    parser.add_argument("--fashion", metavar="DIR", help="a folder of Fashion-MNIST's IDX files")
    parser.add_argument("--seeds", type=int, default=3)
    names = tuple(contestants())
    parser.add_argument("--only", nargs="+", choices=names, metavar="NAME", help=f"some of: {'; '.join(names)}")
    parser.add_argument("--gains", action="store_true", help="what each ingredient is worth, on CIFAR-10")
    arguments = parser.parse_args()
    if not arguments.cifar10 and (arguments.gains or not arguments.fashion):
        parser.error("expected --cifar10 DIR" + (" for --gains" if arguments.gains else ", --fashion DIR or both"))
    threads = usable_cores()
    name = "gains" if arguments.gains else "accuracy"
    if arguments.gains:
        head = machine.describe(f"--gains --seeds {arguments.seeds} --cifar10 DIR", threads, "accuracy")
        d = load_cifar10(arguments.cifar10)
        X, y, X_val, y_val = split_validation(d.X_train, d.y_train, HELD_OUT, seed=0)
        held_out = Images(X, y, X_val, y_val, d.image_shape, d.num_classes)
        sizes = {"train": len(X), "held_out": HELD_OUT, "hidden_size": GAINS.hidden_size, "epochs": GAINS.epochs}
        result = report.begun(name, head)
        if any(result.get(key) != size for key, size in sizes.items()):
            result = head | sizes
        for found in gains(held_out, GAINS, arguments.seeds, threads, result.get("ingredients")):
            report.save(name, result | {"ingredients": found})
    else:
        result = report.begun(name, machine.describe("", threads, "accuracy"))
        sets = result.setdefault("sets", {})
        for title, data in image_sets(arguments):
            given = contestants(), data, arguments.seeds, threads, arguments.only
            for found in measure(*given, sets.get(title)):
                sets[title] = found
                report.save(name, result | machine.describe(command(sets), threads, "accuracy"))
    for line in report.render(name):
        sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    main()
