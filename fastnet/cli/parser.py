"""The words of the command line: commands, options and their help.

Options of `train` have no defaults here: an absent one stays absent, and the recipe of the data set
(recipes.py) supplies the value. So `--reg` is 0.001 for the spiral and 0.5 for images.
"""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

from fastnet import checks, streams, tables
from fastnet._version import __version__
from fastnet.cli.recipes import (
    AUTO,
    BOTH,
    LEAST_PARTS,
    MODELS,
    MOST_HELD_OUT,
    RECIPES,
    SEARCHED,
    Recipe,
    default,
)
from fastnet.schedules import NAMES

DATASETS = {
    "spiral": "three spiral arms in the plane, the case study's toy data (the default)",
    "cifar10": "CIFAR-10 from a folder or the official archive, binary or Python form",
    "idx": "MNIST, Fashion-MNIST and others of their form, plain or gzip",
    "npz": "a NumPy archive with X_train, y_train and perhaps X_test, y_test",
    "csv": "a table of numbers with a header; one column has the labels, numbers or text",
}


OF_SOME = {"download": False, "label": None, "recipe": None}  # options of some data sets, where they are not given


class Parser(argparse.ArgumentParser):
    """argparse, but errors take one line, and options are written out."""

    def __init__(self, **kwargs: Any) -> None:
        self.commands: Mapping[str, Parser] = {}  # the words that hand over to a parser of their own
        super().__init__(**kwargs, allow_abbrev=False, argument_default=argparse.SUPPRESS)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        # argparse would take the value of an unknown option for the next command, and blame the value; and of a
        # mistyped command it would blame the options.
        words = iter(args)
        for word in words:
            option, equals, _ = word.partition("=")
            action = self._option_string_actions.get(option)
            if action is None and option.startswith("--") and option != "--":
                self._refuse_option(option)
            elif action is not None and action.nargs is None and not equals:
                next(words, None)  # its value
            elif self.commands and not word.startswith("-"):
                if word not in self.commands:
                    self._refuse_command(word)
                break
        return super().parse_known_args(args, namespace)

    def _refuse_option(self, option: str) -> NoReturn:
        knowing = [name for name, parser in self.commands.items() if option in parser._option_string_actions]
        if knowing:
            self.error(f"option {option} goes behind {_any_of(knowing)}")
        parsers = [self, *self.commands.values()]
        known = {name[2:] for parser in parsers for name in parser._option_string_actions if name.startswith("--")}
        wanted = option.strip("-").replace("_", "-")
        initials = [name for name in known if wanted == "".join(part[0] for part in name.split("-"))]
        in_python = {argument: name for name, argument in SEARCHED.items()}.get(wanted.replace("-", "_"), wanted)
        near = [*initials, *difflib.get_close_matches(in_python.replace("_", "-"), sorted(known), n=1)][:1]
        self.error(f"option {option} is unknown here" + "".join(f"; did you mean --{name}?" for name in near))

    def _refuse_command(self, word: str) -> NoReturn:
        near = difflib.get_close_matches(word, self.commands, n=1)
        # MNIST is a data set of IDX files: the help says so.
        near = near or [
            name for name, parser in self.commands.items() if word.lower() in str(parser.description).lower()
        ]
        meant = f"did you mean {near[0]!r}?" if near else f"expected {_any_of(list(self.commands))}"
        self.error(f"there is no {word!r}; {meant}")

    def _print_message(self, message: str, file: Any = None) -> None:
        streams.write(file or sys.stderr, message)

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: error: {message} (see {self.prog} --help)\n")


def _any_of(words: Sequence[str]) -> str:
    return " or ".join([*filter(None, [", ".join(words[:-1])]), words[-1]])


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """The arguments, with the command's function as `run`; SystemExit where there is nothing to run."""
    parser = Parser(prog="fastnet", description="Train small neural networks on the CPU at the speed of the hardware.")
    parser.add_argument("--version", action="version", version=f"fastnet {__version__}")
    parser.set_defaults(json=False)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    _train(commands)
    _search(commands)
    _evaluate(commands)
    _predict(commands)
    _command(commands, "info", "show the CPU, what the kernels make of it, and all versions")
    _command(commands, "bench", "time a training step on this machine, beside NumPy and the CPU's limit")
    parser.commands = commands.choices
    arguments = parser.parse_args(sys.argv[1:] if argv is None else argv)
    arguments.run = lambda *given: import_module(f"fastnet.cli.{arguments.command}").run(*given)
    return arguments


def _command(commands: Any, name: str, text: str) -> Parser:
    parser: Parser = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    return parser


def _train(commands: Any) -> None:
    train = _command(commands, "train", "train on a data set; with none named, both models on the spiral")
    _options(train, "spiral")
    _checkpoints(train)
    datasets = train.add_subparsers(dest="dataset", metavar="DATASET", title="data sets")
    train.set_defaults(dataset="spiral", out=Path("fastnet-out"), **OF_SOME)
    train.set_defaults(checkpoint=None, checkpoint_every=None, resume=False)
    for name, text in DATASETS.items():
        parser = _dataset(datasets, name, text)
        _options(parser, name)
        images = name in ("cifar10", "idx")
        _checkpoints(parser, " (not with --recipe fast or best)" if images else "")
        if images:
            _image_recipe(parser)
    train.commands = datasets.choices


def _checkpoints(parser: Parser, limit: str = "") -> None:
    """The options by which a training that is stopped or killed goes on."""
    help = f"keep the training in FILE while it goes on, and when a signal ends it{limit}"
    parser.add_argument("--checkpoint", type=Path, metavar="FILE", help=help)
    help = "between two checkpoints (default 10)"
    parser.add_argument("--checkpoint-every", type=float, metavar="SECONDS", help=help)
    parser.add_argument(
        "--resume", action="store_true", help="go on from the checkpoint, if there is one, and say where"
    )


def _image_recipe(parser: Parser) -> None:
    """The recipes of fastnet.recipes, and how long they train."""
    help = (
        "how to train: as the lab does, fast, or as accurately as this network gets in a minute (default lab); of fast "
        "and best --epochs counts the images, mirrored and shifted ones like others, and has a default of its own"
    )
    parser.add_argument("--recipe", choices=("lab", "fast", "best"), help=help)
    help = "of fast and best: prepare and train for X seconds, beside compilation; not the same bits each time"
    parser.add_argument("--seconds", type=float, metavar="X", help=help)


def _dataset(datasets: Any, name: str, text: str) -> Parser:
    """The parser of a data set, with the options that say where it is."""
    parser = _command(datasets, name, text)
    if name != "spiral":
        help = {"cifar10": "folder or archive", "idx": "folder", "npz": "file", "csv": "file"}[name]
        parser.add_argument("--data", type=Path, required=True, metavar="PATH", help=help)
    if name == "csv":
        parser.add_argument("--label", metavar="COLUMN", help="the column of the labels (default 'label', or the last)")
    if len(RECIPES[name]) > 1:
        help = "what the hyper-parameters start from: the lab's, or what trains a table (default table)"
        parser.add_argument("--recipe", choices=tuple(RECIPES[name]), help=help)
    if name == "cifar10":
        help = "fetch the data into PATH if it is not there"
        parser.add_argument("--download", action="store_true", help=help)
    return parser


def _search(commands: Any) -> None:
    search = _command(commands, "search", "train a net for each combination of hyper-parameters and keep the best")
    datasets = search.add_subparsers(dest="dataset", metavar="DATASET", title="data sets", required=True)
    search.set_defaults(out=Path("fastnet-out"), journal=None, dask=None, workers=None, halving=None, **OF_SOME)
    for name, text in DATASETS.items():
        if name == "spiral":  # it has no rows to spare for validation
            continue
        parser = _dataset(datasets, name, text)
        help = "keep finished nets in FILE; the same search resumes from it"
        parser.add_argument("--journal", type=Path, metavar="FILE", help=help)
        help = "train on the Dask cluster whose scheduler is at ADDRESS"
        parser.add_argument("--dask", metavar="ADDRESS", help=help)
        help = "nets that train at once, a thread each (default as many as there are cores)"
        parser.add_argument("--workers", type=_whole(1), metavar="N", help=help)
        help = "successive halving by this factor: all start, the best N-th parts go on"
        parser.add_argument("--halving", type=_whole(2), metavar="N", help=help)
        _options(parser, name, several=tuple(SEARCHED), without=("threads", "epochs"))
    search.commands = datasets.choices


def _evaluate(commands: Any) -> None:
    evaluate = _command(commands, "evaluate", "measure a saved model on the test part of a data set")
    evaluate.add_argument("model", type=Path, metavar="MODEL", help="a model that train saved")
    help = "CIFAR-10 folder or archive, folder of IDX files, .npz or .csv file: found by looking"
    evaluate.add_argument("--data", type=Path, required=True, metavar="PATH", help=help)
    evaluate.add_argument("--label", metavar="COLUMN", help="of a .csv file, the column of the labels")
    evaluate.set_defaults(label=None)


def _predict(commands: Any) -> None:
    predict = _command(commands, "predict", "name the class of each sample in a file, one line a sample")
    predict.description = (
        "Name the class of each sample in a file. A line has, with tabs between, the number of the class, its name "
        "where the model has names, and its probability; with --proba, the probability of every class."
    )
    predict.add_argument("model", type=Path, metavar="MODEL", help="a model that train saved")
    help = "samples: .npy, .npz, .csv, CIFAR-10 .bin batch, IDX images, or one picture (.png, .jpg; resized)"
    predict.add_argument("file", type=Path, metavar="FILE", help=help)
    help = "write the probabilities of all classes, below a line of their names"
    predict.add_argument("--proba", action="store_true", help=help)
    predict.set_defaults(proba=False)


def _whole(least: int, word: str | None = None) -> Callable[[str], int | None]:
    """The type of an option that is a whole number, at least so large; or the word, which gives None."""

    def read(text: str) -> int | None:
        if text == word:
            return None
        try:
            number = int(text)
        except ValueError:
            number = least - 1
        if number < least:
            expected = f"a whole number from {least} on" + (f", or {word!r}" if word else "")
            raise argparse.ArgumentTypeError(f"{text!r}, expected {expected}")
        return number

    return read


def _real(check: Callable[[str, Any], float], word: str | None = None) -> Callable[[str], float | str]:
    """The type of an option that is a number which the check lets through, or the word."""

    def read(text: str) -> float | str:
        if text == word:
            return text
        try:
            number = float(text)
        except ValueError:
            raise argparse.ArgumentTypeError(
                f"{text!r}, expected a number" + (f", or {word!r}" if word else "")
            ) from None
        try:
            return check("it", number)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return read


_OPTIONS: dict[str, dict[str, Any]] = {
    "model": {"choices": MODELS, "help": "which network to train"},
    "hidden": {"type": _whole(1), "help": "hidden units of the two-layer network"},
    "learning_rate": {"type": _real(checks.non_negative), "help": "step size"},
    "reg": {"type": _real(checks.non_negative), "help": "strength of the L2 regularisation, 0.5 * reg * sum(W**2)"},
    "schedule": {
        "choices": ("decay", *NAMES),
        "help": "of the learning rate",
    },
    "decay": {"type": _real(checks.positive), "help": "factor on the learning rate after each epoch"},
    "warmup": {"type": _real(checks.open_unit), "help": "fraction of the training over which the learning rate rises"},
    "iterations": {"type": _whole(1), "help": "steps"},  # a model takes none as well, but there is nothing to report
    "epochs": {"type": _whole(1), "help": "steps, counted by times through the training rows"},
    "batch_size": {"type": _whole(1, "full"), "help": "rows a step, or 'full' for all of them"},
    "sampling": {"choices": ("replacement", "shuffle"), "help": "how the rows of a batch are drawn"},
    "optimizer": {"choices": ("sgd", "momentum", "nesterov", "adam"), "help": "update rule"},
    "momentum": {"type": _real(checks.open_unit), "help": "of momentum and nesterov"},
    "beta1": {"type": _real(checks.open_unit), "help": "of adam"},
    "beta2": {"type": _real(checks.open_unit), "help": "of adam"},
    "epsilon": {"type": _real(checks.positive), "help": "of adam"},
    "std": {"type": _real(checks.non_negative, "he"), "help": "standard deviation of the initial weights, or 'he'"},
    "normalize": {
        "choices": ("mean", "standard", "none"),
        "help": "subtract each feature's mean; standard also divides by its deviation",
    },
    "validation": {"type": _whole(0), "help": "training rows held out to measure accuracy while training"},
    "dtype": {"choices": ("float32", "float64"), "help": "of the weights and all arithmetic"},
    "matmul_precision": {
        "choices": checks.PRECISIONS,
        "help": "of the first layer's products on uint8 data: float32, or integers of 24 or 16 bits, which is faster",
    },
    "seed": {"type": _whole(0), "help": "of the initial weights, the batches and the split"},
    "threads": {"type": _whole(1), "help": "workers; the result is the same for any number"},
}
_AUTOMATIC = {
    "batch_size": f"{tables.MOST_IN_A_BATCH}, at most 1/{tables.LEAST_BATCHES} of the rows",
    "epochs": "as --iterations says",
    "iterations": f"{tables.EPOCHS} epochs, at least {tables.LEAST_STEPS} steps",
    "threads": "as many as the work is worth",
    "validation": f"{MOST_HELD_OUT}, at most 1/{LEAST_PARTS} of the rows",
}


def _options(parser: Parser, dataset: str, several: Sequence[str] = (), without: Sequence[str] = ()) -> None:
    """The hyper-parameters; some of them with several values each."""
    help = "folder for the models and pictures (default fastnet-out)"
    parser.add_argument("--out", type=Path, metavar="DIR", help=help)
    group = parser.add_argument_group("hyper-parameters")
    for field in fields(Recipe):
        if field.name in without:
            continue
        words = dict(_OPTIONS[field.name])
        words["help"] += f" (default {_default(dataset, field.name)})"
        if "choices" not in words:
            words["metavar"] = "X" if isinstance(getattr(Recipe, field.name), float) else "N"
        if field.name in several:
            words["nargs"] = "+"
        group.add_argument(f"--{field.name.replace('_', '-')}", **words)


def _default(dataset: str, name: str) -> str:
    starts = default(dataset)
    if name == "model":
        return "both" if dataset in BOTH else starts[0].model
    values = [getattr(recipe, name) for recipe in starts]
    if len(set(values)) > 1:
        return ", ".join(f"{value} for {recipe.model}" for value, recipe in zip(values, starts, strict=True))
    if values[0] is None and name == "batch_size":
        return "full"
    if name in _AUTOMATIC and values[0] in (None, AUTO) and not (name == "validation" and values[0] == 0):
        return _AUTOMATIC[name]
    return str(values[0])
