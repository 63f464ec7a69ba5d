"""The networks that the commands train: built from settings and from what is known of the data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastnet.classifier import Classifier
    from fastnet.data import Dataset
    from fastnet.normalization import Normalization


@dataclass(frozen=True)
class Facts:
    """What a network has from its data set."""

    inputs: int
    classes: int
    normalization: Normalization | None
    label_names: tuple[str, ...] | None
    image_shape: tuple[int, ...] | None
    feature_names: tuple[str, ...] | None

    @classmethod
    def of(cls, dataset: Dataset, X: Any, normalize: str) -> Facts:
        """The facts of a data set, normalised by its rows X: "mean", "standard" or "none"."""
        import fastnet

        fitted = None if normalize == "none" else fastnet.Normalization.fit(X, scale=normalize == "standard")
        names = dataset.label_names or None, dataset.image_shape, dataset.feature_names or None
        return cls(X.shape[1], dataset.num_classes, fitted, *names)


def network(
    facts: Facts,
    model: str,
    dtype: str,
    matmul_precision: str,
    hidden_size: int,
    std: float | str,
    seed: int | None = None,
) -> Classifier:
    """An untrained network."""
    import fastnet

    settings: dict[str, Any] = {"std": std, "dtype": dtype, "seed": seed, "matmul_precision": matmul_precision}
    net: Classifier = (
        fastnet.TwoLayerNet(facts.inputs, hidden_size, facts.classes, **settings)
        if model == "two-layer"
        else fastnet.SoftmaxClassifier(facts.inputs, facts.classes, **settings)
    )
    net.normalization = facts.normalization
    net.label_names, net.image_shape, net.feature_names = facts.label_names, facts.image_shape, facts.feature_names
    return net
