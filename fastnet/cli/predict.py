"""`fastnet predict`: the class of each sample in a file, with its name and probability."""

from __future__ import annotations

import argparse

import numpy as np

from fastnet.cli.console import Console, Report
from fastnet.cli.errors import about
from fastnet.cli.samples import read_samples
from fastnet.cli.sources import class_name, existing, saved_model


def run(arguments: argparse.Namespace, console: Console) -> Report:
    existing(arguments.file, "check FILE")
    model = saved_model(arguments.model)
    with about(arguments.file):
        samples = read_samples(arguments.file, model.input_size, model.image_shape, model.feature_names)
        probabilities = model.predict_proba(samples)
    predictions = [
        {"label": label, "name": class_name(label, model.label_names), "probability": float(row[label])}
        for label, row in zip(np.argmax(probabilities, axis=1).tolist(), probabilities, strict=True)
    ]
    report = {"model": str(arguments.model), "file": str(arguments.file), "predictions": predictions}
    if arguments.proba:
        names = [class_name(label, model.label_names) or str(label) for label in range(model.output_size)]
        console.line("\t".join(names))
        console.lines("\t".join(f"{p:.6f}" for p in row) for row in probabilities)
        return report | {"classes": names, "probabilities": probabilities.tolist()}
    console.lines(
        "\t".join(filter(None, [str(found["label"]), found["name"], f"{found['probability']:.4f}"]))
        for found in predictions
    )
    return report
