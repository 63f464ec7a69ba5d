"""What is told of a result: tables in Markdown, and the claim in a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Any

from benchmarks.contestants import BASE, MEDIUM
from benchmarks.sweep import OTHER64, OTHERS, OWN, OWN64
from fastnet.bench import Row, row

Result = dict[str, Any]


def markdown(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table, its first column to the left and the others to the right."""
    rule = ["---"] + ["---:"] * (len(heads) - 1)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (heads, rule, *rows))


def origin(result: Result) -> str:
    """Where and how it was measured: the last line of every table."""
    versions = ", ".join(f"{name} {number}" for name, number in result["versions"].items())
    return (
        f"`{result['command']}`, {result['date']}, {result['cpu']} ({result['vector unit']}), "
        f"{result['system']}, {_threads(result['threads'])}; medians of {result['rounds']} rounds, where ratios and "
        f"fractions are taken within each, so columns do not divide exactly.  {versions}; "
        f"NumPy's BLAS: {result['blas']}."
    )


# --- all contestants -------------------------------------------------------------------------------------


def compare_rows(result: Result) -> list[Row]:
    """Fastest first.  What multiplies in less than float32 is measured by the float32 peak, and may pass it."""
    contestants, peaks = result["contestants"], result["peak_flops_per_second"]
    base, flops = contestants[BASE]["seconds"], result["flops_per_step"] * result["steps"]
    rows = [
        row(name, c["seconds"], base, peaks.get(c["dtype"], peaks["float32"]), flops, result["steps"])
        for name, c in contestants.items()
    ]
    return sorted(rows, key=lambda r: r.ratio)


def compare(result: Result) -> str:
    def cells(r: Row) -> list[str]:
        name = f"**{r.name}**" if r.name.startswith("fastnet") else r.name
        error = result["contestants"][r.name]["loss_error"]
        percent = f"{100 * r.fraction:.0f} %"
        return [name, f"{r.ms:.2f}", _ratio(r.ratio, r.name), f"{r.gflops:.0f}", percent, _error(error)]

    heads = ("", "ms a step", "ratio", "GFLOP/s", "of the peak", "loss error")
    sizes = ", ".join(f"{letter}={size}" for letter, size in result["sizes"].items())
    peaks = ", ".join(f"{median(p) / 1e9:.0f} ({dtype})" for dtype, p in result["peak_flops_per_second"].items())
    lines = [
        markdown(heads, [cells(r) for r in compare_rows(result)]),
        "",
        f"A training step at {sizes}, of {result['num_train']:,} uint8 images ({result['images']}); "
        "*converted beforehand*, as the lab does: the clock starts when a float copy of them all is made.  "
        f"Peak: {peaks} GFLOP/s of multiply-adds.  {origin(result)}",
    ]
    lines += [f"Left out: {name}, {reason}." for name, reason in result["missing"].items()]
    return "\n".join(lines)


def claim(result: Result) -> str:
    """The comparison in a sentence: the fastest way found with each library, in no less than float32.

    And a second one on "medium", where it was measured.
    """
    rows = compare_rows(result)
    own = next(r for r in rows if r.name == BASE)
    fastest: dict[str, Row] = {}
    for r in rows:
        library = r.name.split()[0]
        if library != "fastnet" and result["contestants"][r.name]["dtype"] != "bfloat16":
            fastest.setdefault(library, r)
    others = [f"{r.ratio:.1f} times as fast as {library}" for library, r in fastest.items()]
    text = (
        f"A training step of the lab's network on CIFAR-10's sizes takes **{own.ms:.2f} ms** in float32 "
        f"on {result['threads']} cores of {result['cpu']}, {100 * own.fraction:.0f} % of their multiply-add "
        f"peak: {', '.join(others)}, each in the fastest way found ([numbers](#numbers))."
    )
    for r in rows:
        if r.name == MEDIUM:
            text += f'  With `matmul_precision="medium"`, which multiplies pixels as integers, **{r.ms:.2f} ms**.'
    return text


# --- sizes -----------------------------------------------------------------------------------------------


def sweep(result: Result) -> str:
    """fastnet's time, and those of the others over it."""
    points, points64 = result["points"], result["points64"]
    float32 = [name for who, name in OTHERS.items() if who != "bfloat16"]
    lost = _lost(points, OWN, float32) + _lost(points64, OWN64, [OTHER64])
    half = [_lost(points, own, [OTHERS["bfloat16"]]) for own in (OWN, MEDIUM)]
    return "\n".join(
        [
            _sizes(points, OWN, {'"medium"': MEDIUM, **OTHERS}),
            "",
            _sizes(points64, OWN64, {"NumPy": OTHER64}),
            "",
            f"Lost to another in the same type: {lost} of {len(points) + len(points64)}; "
            f'to PyTorch\'s bfloat16: {half[0]}, "medium" {half[1]}.  {origin(result)}',
        ]
    )


def _sizes(points: list[Result], own: str, others: dict[str, str]) -> str:
    rows = []
    for point in points:
        sizes = [str(point["sizes"].get(letter, "")) for letter in "NDHC"]
        model = "two-layer" if point["sizes"].get("H") else "linear"
        microseconds = _digits(1e6 * median(point["seconds"][own]) / point["steps"])
        ratios = [_ratio(r, name) if (r := _slower(point, own, name)) else "" for name in others.values()]
        rows.append([model, *sizes, point["rule"], microseconds, *ratios, _error(point["loss_error"])])
    heads = ("", *"NDHC", "rule", f"{own}, µs a step", *(f"{who} / fastnet" for who in others), "loss error")
    return markdown(heads, rows)


def _slower(point: Result, own: str, other: str) -> float | None:
    """How many times as long as fastnet the other takes, None where one of them has not been measured."""
    seconds = point["seconds"]
    if not {own, other} <= seconds.keys():
        return None
    return median(theirs / ours for ours, theirs in zip(seconds[own], seconds[other], strict=True))


def _lost(points: list[Result], own: str, others: list[str]) -> int:
    """Points at which one of the others is faster."""
    return sum(any((_slower(point, own, name) or 1.0) < 1.0 for name in others) for point in points)


# --- figures ---------------------------------------------------------------------------------------------


def figures(result: Result) -> str:
    """Ratios and fractions within a round, and medians of all else."""
    seconds, many = result["seconds"], f"predict {result['predicted']:,} images"
    speeds = [result["predict_flops"] / s for s in seconds["predict many, fastnet"]]
    fraction = median(own / most for own, most in zip(speeds, result["peak_flops_per_second"], strict=True))
    milliseconds = 1e3 * median(seconds["predict many, fastnet"])
    microseconds = 1e6 * median(seconds["predict one, fastnet"]) / result["single"]

    def faster(own: str, other: str) -> str:
        return _ratio(median(b / a for a, b in zip(seconds[own], seconds[other], strict=True)))

    def start(state: str, what: str) -> float:
        return median(of_round[state][what] for of_round in result["starts"])

    rows = [
        ("workers: one a core, times faster than one", faster("train, a worker a core", "train, 1 worker")),
        ("than four a core", faster("train, a worker a core", "train, 4 workers a core")),
        (f"{many}, ms", f"{milliseconds:.1f}"),
        ("of the multiply-add peak", f"{100 * fraction:.0f} %"),
        ("times faster than NumPy", faster("predict many, fastnet", "predict many, NumPy")),
        ("predict one image, µs", f"{microseconds:.0f}"),
        ("times faster than NumPy", faster("predict one, fastnet", "predict one, NumPy")),
        ("`import fastnet` over `import numpy`, ms", f"{1e3 * start('warm', 'import fastnet'):.0f}"),
        ("first `train` of a process, nothing compiled yet, s", f"{start('cold', 'first train'):.2f}"),
        ("compiled before, s", f"{start('warm', 'first train'):.2f}"),
        ("memory beside the data, compiling, MB", f"{1e-6 * start('cold', 'bytes beside the data'):.0f}"),
        ("compiled before, MB", f"{1e-6 * start('warm', 'bytes beside the data'):.0f}"),
    ]
    return "\n".join([markdown(("float32", ""), rows), "", origin(result)])


# --- precision -------------------------------------------------------------------------------------------


def precision(result: Result) -> str:
    """A column for each matmul_precision; times over float32's, the lab's runs by their spread."""
    seconds, errors, runs, starts = (result[name] for name in ("seconds", "errors", "runs", "starts"))
    modes = list(errors)

    def faster(what: str) -> list[str]:
        base = seconds[f"{what}, {modes[0]}"]
        return [_ratio(median(b / a for a, b in zip(seconds[f"{what}, {mode}"], base, strict=True))) for mode in modes]

    def spread(what: str, digits: int) -> list[str]:
        return [f"{min(v):.{digits}f} to {max(v):.{digits}f}" for v in ([run[what] for run in runs[m]] for m in modes)]

    def start(state: str) -> list[str]:
        return [f"{median(of_round[mode][state]['first train'] for of_round in starts):.2f}" for mode in modes]

    rows = [
        ["a training step, times as fast as *highest*", *faster("train")],
        ["by one worker", *faster("train, 1 worker")],
        [f"predict {result['predicted']:,} images", *faster("predict many")],
        ["predict one image", *faster("predict one")],
        ["loss of 20 steps, largest distance from float64's", *(_error(errors[mode]) for mode in modes)],
        [f"the lab's run, {len(runs[modes[0]])} seeds: loss of the training images", *spread("loss", 4)],
        ["accuracy on the test images", *spread("accuracy", 4)],
        ["first `train` of a process, nothing compiled yet, s", *start("cold")],
        ["compiled before, s", *start("warm")],
    ]
    return "\n".join([markdown(("CIFAR-10, float32", *modes), rows), "", origin(result)])


# --- phases ----------------------------------------------------------------------------------------------


def phases(result: Result) -> str:
    """Each phase beside its bound: its multiply-adds at the peak of the same round."""
    rows = []
    for name, seconds in result["seconds"].items():
        flops = result["flops"][name] * result["repeats"]
        bounds = [flops / peak for peak in result["peak_flops_per_second"]]
        share = median(s / whole for s, whole in zip(seconds, result["seconds"]["whole step"], strict=True))
        fraction = median(bound / s for bound, s in zip(bounds, seconds, strict=True))
        microseconds, bound = (1e6 * median(values) / result["repeats"] for values in (seconds, bounds))
        rows.append([name, f"{microseconds:.0f}", f"{bound:.0f}", f"{100 * fraction:.0f} %", f"{100 * share:.0f} %"])
    heads = ("float32, one worker", "µs", "bound, µs", "bound / time", "share of the step")
    return "\n".join([markdown(heads, rows), "", origin(result)])


# --- the lab's grid --------------------------------------------------------------------------------------


def grid(result: Result) -> str:
    base = result["contestants"]["fastnet.search"]["seconds"]
    rows = []
    for name, contestant in result["contestants"].items():
        ratio = median(own / ours for own, ours in zip(contestant["seconds"], base, strict=True))
        title = f"**{name}**" if name.startswith("fastnet") else name
        error = _error(contestant["loss_error"])
        rows.append((ratio, [title, f"{median(contestant['seconds']):.1f}", _ratio(ratio), error]))
    eight = result["eight nets"]
    pairs = zip(*(eight["seconds"][name] for name in ("side by side", "alone")), strict=True)
    lines = [
        markdown(("", "seconds", "ratio", "loss error"), [cells for _, cells in sorted(rows)]),
        "",
        f"{result['nets']} nets of the lab's size, {result['steps']:,} steps each.  Eight nets, {eight['steps']:,} "
        "steps each: side by side, a worker each, their accuracies measured, they take "
        f"**{median(a / b for a, b in pairs):.2f}** of the time that they take one after another with "
        f"{_threads(result['threads'])} and without that.  {origin(result)}",
    ]
    lines += [f"Left out: {name}, {reason}." for name, reason in result["missing"].items()]
    return "\n".join(lines)


# --- cells -----------------------------------------------------------------------------------------------


def _threads(count: int) -> str:
    return f"{count} thread" + "s" * (count != 1)


def _ratio(ratio: float, name: str = "") -> str:
    """Of the time of that name over fastnet's: another's, unless it says otherwise."""
    return f"**{ratio:.2f}, lost**" if ratio < 1 and not name.startswith("fastnet") else f"{ratio:.2f}"


def _error(error: float) -> str:
    return f"{error:.0e}" if error else "0"


def _digits(number: float) -> str:
    return f"{number:.1f}" if number < 100 else f"{number:,.0f}"


# --- first try -------------------------------------------------------------------------------------------


def first_try(result: Result) -> str:
    """Accuracy and seconds of defaults, fastnet's beside MLPClassifier's."""

    def cells(name: str, found: Result) -> list[str]:
        rows, columns = found["shape"]
        ours, theirs = found["fastnet"], found["MLPClassifier"]
        faster = median(t / o for o, t in zip(ours["seconds"], theirs["seconds"], strict=True))
        return [
            name,
            f"{rows:,} x {columns}",
            *(f"{sum(part['accuracy']) / len(part['accuracy']):.3f}" for part in (ours, theirs)),
            *(f"{median(part['seconds']):.2f}" for part in (ours, theirs)),
            f"{faster:.1f}",
            f"{found['compilation']:.1f}",
        ]

    heads = ("", "rows", "accuracy", "MLPClassifier's", "seconds", "MLPClassifier's", "ratio", "compiling")
    splits = sorted({len(found["fastnet"]["seconds"]) for found in result["sets"].values()}, reverse=True)
    versions = ", ".join(f"{name} {number}" for name, number in result["versions"].items())
    lines = [
        markdown(heads, [cells(name, found) for name, found in result["sets"].items()]),
        "",
        "`TwoLayerClassifier()` on tables as they come, beside `make_pipeline(StandardScaler(), MLPClassifier())`, the "
        "same random states on the same rows.  Accuracy on the quarter of the rows that was held out, mean of "
        f"{' or, of large sets, '.join(map(str, splits))} splits; seconds of a fit and their ratio, medians; "
        "*compiling* is the first fit on such rows, of one epoch, seconds too; the cache of compiled programs was "
        f"{result.get('cache', 'one that earlier runs had filled')}.  "
        f"`{result['command']}`, {result['date']}, {result['cpu']} ({result['vector unit']}), {result['system']}, "
        f"{_threads(result['threads'])}.  {versions}.",
    ]
    return "\n".join(lines)


# --- accuracy --------------------------------------------------------------------------------------------

OFFICIAL = {"CIFAR-10": (50_000, 10_000), "Fashion-MNIST": (60_000, 10_000)}  # training and test images


def accuracy(result: Result) -> str:
    """Test accuracy and seconds of every contestant, the quickest first, an image set after the other."""
    lines = []
    for title, found in result["sets"].items():
        measured = {name: own for name, own in found["contestants"].items() if own["seconds"]}
        rows = sorted((median(own["seconds"]), name, own["accuracy"]) for name, own in measured.items())
        cells = [
            [
                f"**{name}**" if name.startswith("fastnet") else name,
                f"{seconds:.1f}",
                f"{sum(values) / len(values):.4f}",
                f"{min(values):.4f} to {max(values):.4f}",
                str(len(values)),
            ]
            for seconds, name, values in rows
        ]
        lines += [markdown((title, "seconds", "test accuracy", "lowest and highest", "seeds"), cells), ""]
        lines += [_sizes_of(title, found["train"], found["test"])]
        lines += [f"Left out: {name}, {reason}." for name, reason in found["missing"].items()]
        unknown = [name for name in found["contestants"] if name not in {*measured, *found["missing"]}]
        lines += [f"Not measured: {'; '.join(unknown)}."] if unknown else []
        lines += [""]
    lab = "fastnet, lab"
    epochs = sorted({f["contestants"][lab]["settings"] for f in result["sets"].values() if lab in f["contestants"]})
    ran = f"  *lab* ran for {' or '.join(epochs)}: longer than its own 4000 steps." if epochs else ""
    return "\n".join([*lines, f"Seconds are medians, accuracies means.{ran}  {_run(result)}"])


def _sizes_of(title: str, train: int, test: int) -> str:
    text = f"{train:,} training and {test:,} test images"
    if (official := OFFICIAL.get(title)) in (None, (train, test)):
        return f"{text}."
    return f"{text}: the copy measured has no more, the official one {official[0]:,} and {official[1]:,}."


def gains(result: Result) -> str:
    """What each ingredient is worth: the points that go or come where it is changed."""
    measured = {name: own["accuracy"] for name, own in result["ingredients"].items() if own["accuracy"]}
    means = {name: sum(values) / len(values) for name, values in measured.items()}
    whole = means["all"]
    cells = [
        [
            name,
            f"{mean:.4f}",
            f"{100 * (mean - whole):+.1f}" if name != "all" else "",
            f"{min(measured[name]):.4f} to {max(measured[name]):.4f}",
            str(len(measured[name])),
        ]
        for name, mean in means.items()
    ]
    lines = [
        markdown(("", "accuracy", "points", "lowest and highest", "seeds"), cells),
        "",
        f"{result['hidden_size']:,} hidden units, {result['epochs']} epochs of {result['train']:,} images; "
        f"{result['held_out']:,} held-out images, means of all seeds.  {_run(result)}",
    ]
    return "\n".join(lines)


def _run(result: Result) -> str:
    """Where and how it was measured."""
    versions = ", ".join(f"{name} {number}" for name, number in result["versions"].items())
    return (
        f"`{result['command']}`, {result['date']}, {result['cpu']} ({result['vector unit']}), {result['system']}, "
        f"{_threads(result['threads'])}.  {versions}."
    )
