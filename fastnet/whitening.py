"""PCA whitening: a data set's main directions, each brought to about the same variance. ::

    whitening = fastnet.Whitening.fit(X_train, components=300)
    codes = whitening.transform(X_train, np.uint8)
    net = fastnet.TwoLayerNet(300, 2048, 10, std="he")
    net.normalization = whitening.decoding
    net.train(codes, y_train, ...)
    whitening.fold(net).save("net.npz")        # the same two layers, on the rows of X_train

Letters: N rows, D features, K components.

    z = (x - mean) @ (V / sqrt(eigenvalues + epsilon * mean variance of a feature))

V are the first K eigenvectors of the covariance.  Without epsilon this is the whitening of Hyvärinen and Oja (2000,
section 5.2); epsilon keeps it from blowing up the noise (Krizhevsky 2009, appendix A; Coates and Ng 2011, section 3.2).
The eigenvectors are found by subspace iteration from a random start (Halko, Martinsson and Tropp 2011, algorithm 4.4)
and Rayleigh and Ritz's method: numpy.linalg.eigh, which finds them all, takes several times as long.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from fastnet import checks, images
from fastnet.checks import Array
from fastnet.classifier import Classifier
from fastnet.normalization import Normalization

FIT_ROWS = 10_000
REACH = 5.0  # standard deviations that codes cover on either side; with 4, nets lose 0.3 points on CIFAR-10
CENTRE = 127.5  # of the codes, 0 .. 255
OVERSAMPLING = 20  # columns of the subspace beyond the components asked for
ITERATIONS = 2  # each with two products
BLOCK_ROWS = 4800  # transformed together: whole blocks of the engine's, and too many to pack the matrix often
RANK = 1e-6  # of the largest variance: less is rounding
_FIT_BLOCK = 1000  # rows in floats at a time while fitting

Floats = NDArray[np.float64]
Net = TypeVar("Net", bound=Classifier)


@dataclass(frozen=True, eq=False)
class Whitening:
    """PCA whitening, `z = (x - mean) @ matrix + offset`; made by `fit`.

    Parameters
    ----------
    mean : float64 array (D,)
    matrix : float64 array (D, K)
    offset : float64 array (K,), zeros as fitted
    deviations : float64 array (K,)
        The standard deviation of each component of z over the rows fitted to.
    signs : float64 array (K,) or None
        1 for components that a mirror image has as well, -1 for those it has negated.
    """

    mean: Floats
    matrix: Floats
    offset: Floats
    deviations: Floats
    signs: Floats | None = None

    @classmethod
    def fit(
        cls,
        X: Any,
        components: int,
        epsilon: float = 1.0,
        *,
        image_shape: Sequence[int] | None = None,
        rows: int = FIT_ROWS,
        seed: int = 0,
    ) -> Whitening:
        """The whitening of X (N, D), uint8 or float, in memory or a memmap; floats are made of a block at a time.

        Parameters
        ----------
        X : array (N, D)
        components : int, K, at most D, and at most the rows fitted to
        epsilon : float of at least 0, default 1
            Added to each component's variance, in mean variances of a feature.
        image_shape : (channels, rows, columns), or None
            With it, mirror images count as further rows, and each component is symmetric or antisymmetric: `mirrored`
            makes a mirror image's components of the image's.
        rows : int, default 10,000: at most so many, drawn at random, are fitted to
        seed : int, of the draw and of the iteration's start: the same bits on the same machine

        Returns
        -------
        Whitening

        Raises
        ------
        ValueError
            For input that does not fit, and where a component would have no variance to divide by.
        """
        given = checks.array("X", X)
        data = checks.features("X", given, given.shape[-1] if given.ndim else 0, np.dtype(np.float64))
        rng = np.random.default_rng(checks.whole("seed", seed, 0))
        rows = min(checks.whole("rows", rows, 1), len(data))
        components = checks.whole("components", components, 1)
        epsilon = checks.non_negative("epsilon", epsilon, np.float32)
        for count, what in ((data.shape[1], "features of X"), (rows, "rows fitted to")):
            if components > count:
                raise ValueError(f"components is {components}, expected at most the {count} {what}")
        mirror = None
        if image_shape is not None:
            mirror = images.pixels(images.shape_of_images(image_shape, data.shape[1]), images.View(mirrored=True))
        sample = np.arange(rows) if rows == len(data) else np.sort(rng.choice(len(data), rows, replace=False))
        mean = Normalization.fit(data if rows == len(data) else data[sample]).mean
        if mirror is not None:
            mean = (mean + mean[mirror]) / 2
        parts = _parts(data.shape[1], mirror)
        with np.errstate(all="ignore"):
            covariances = _covariances(data, sample, mean, parts)
        if not all(np.isfinite(covariance).all() for covariance in covariances):
            raise ValueError("X has numbers whose squares are too large, expected features of a usual size")
        variances, V, signs = _principal(parts, covariances, components, rng)
        divisors = variances + epsilon * sum(map(np.trace, covariances)) / data.shape[1]
        none = np.flatnonzero(divisors <= RANK * variances[0])
        if len(none):
            raise ValueError(
                f"component {none[0]} has a variance of {variances[none[0]]:.3g}, nothing to divide by: "
                "expected fewer components or a larger epsilon"
            )
        deviations = np.sqrt(variances / divisors)
        return cls(mean, V / np.sqrt(divisors), np.zeros(components), deviations, None if mirror is None else signs)

    def transform(self, X: Any, dtype: DTypeLike = np.float32, threads: int | None = None) -> Array:
        """The components of rows, in blocks, as numbers or as codes.

        Parameters
        ----------
        X : array (N, D) of uint8, float32 or float64
        dtype : float32 (default), or uint8 for codes
        threads : workers, as for train

        Returns
        -------
        array (N, K) of that dtype

        Raises
        ------
        ValueError
            For X that does not fit, and for another dtype.

        Notes
        -----
        Codes are 8-bit numbers over 5 standard deviations on either side, cut off there; `decoding` undoes them.
        Those of uint8 rows are computed in integers of 16 bits (matmul_precision="medium").
        """
        D, K = self.matrix.shape
        data = checks.features("X", X, D, np.dtype(np.float32))
        coded = checks.dtype_of(dtype, (np.float32, np.uint8)) == np.uint8
        workers = checks.threads(threads)
        from fastnet.engine.session import Scorer  # imports Numba
        from fastnet.engine.step.memory import Layer, Source

        layer = Layer.zeros(D, K, np.dtype(np.float32))
        steps = 1 / self.decoding.mean_and_scale(np.dtype(np.float64))[1] if coded else 1.0
        layer.W[...] = self.matrix * steps
        layer.b[...] = self.offset * steps + (CENTRE if coded else 0.0)
        kind = np.promote_types(data.dtype, np.float32)  # the type in which rows lose their mean
        mean, ones = self.mean.astype(kind).reshape(1, -1), np.ones((1, D), kind)
        result = np.empty((len(data), K), np.uint8 if coded else np.float32)
        size = min(BLOCK_ROWS, len(data))
        scorer = Scorer((layer,), Source(data[:size], None, mean, ones), workers, "medium" if coded else "highest")
        for first in range(0, len(data), size):
            first = min(first, len(data) - size)  # a last block of another size would be another program to compile
            scores = scorer.run(Source(data[first : first + size], None, mean, ones))
            result[first : first + size] = np.rint(scores.clip(0, 255, out=scores), out=scores) if coded else scores
        return result

    @property
    def decoding(self) -> Normalization:
        """The normalisation that makes components of uint8 codes: that of a net that trains on them."""
        deviations = np.where(self.deviations > 0, self.deviations, 1.0)
        return Normalization(np.full(len(deviations), CENTRE), REACH / CENTRE * deviations)

    def mirrored(self, Z: Array) -> Array:
        """The components, or codes, of the mirror images of those whose components, or codes, are Z.

        Parameters
        ----------
        Z : array (N, K) of float32 or uint8, as `transform` makes it

        Returns
        -------
        array (N, K) of that dtype

        Raises
        ------
        ValueError
            For a whitening that was fitted without image_shape, and for another array.
        """
        if self.signs is None:
            raise ValueError("the whitening does not know mirror images, expected one fitted with image_shape")
        if not isinstance(Z, np.ndarray) or Z.ndim != 2 or Z.shape[1] != len(self.signs):
            found = f"of shape {Z.shape}" if isinstance(Z, np.ndarray) else f"{Z!r}"
            raise ValueError(f"Z is {found}, expected an array (N, {len(self.signs)}), as transform makes it")
        if checks.dtype_of(Z.dtype, (np.float32, np.uint8)) == np.uint8:
            return np.asarray(Z ^ np.where(self.signs < 0, 255, 0).astype(np.uint8))  # 255 - code
        return np.asarray(Z * self.signs.astype(Z.dtype))

    def of_view(self, image_shape: Sequence[int], view: images.View) -> Whitening:
        """The whitening that makes of an image what this one makes of a view of it.

        The matrix is moved instead of every image: each of its rows goes to the pixel that the view takes its own
        from.

        Parameters
        ----------
        image_shape : (channels, rows, columns)
        view : of fastnet.images.views

        Returns
        -------
        Whitening

        Raises
        ------
        ValueError
            For images of another shape, and a view that does not fit.
        """
        (source,) = images.sources_of([view], images.shape_of_images(image_shape, len(self.mean)))
        matrix = np.zeros_like(self.matrix)
        np.add.at(matrix, source, self.matrix)  # at the border one pixel may be taken several times
        offset = self.offset + (self.mean[source] - self.mean) @ self.matrix
        return Whitening(self.mean, matrix, offset, self.deviations)

    def fold(self, net: Net) -> Net:
        """A net on rows of D features that predicts what `net` predicts of their components, within rounding.

        Parameters
        ----------
        net : a TwoLayerNet or SoftmaxClassifier of K inputs
            Its normalization is None (trained on floats) or equal to `decoding` (trained on codes, whose rounding the
            folded net does without).  It is left as it is.

        Returns
        -------
        TwoLayerNet or SoftmaxClassifier
            Of the net's dtype; its normalization subtracts the mean.

        Raises
        ------
        ValueError
            For another one.
        """
        if not isinstance(net, Classifier) or net.input_size != len(self.offset):
            raise ValueError(f"net is {net!r}, expected a model of {len(self.offset)} inputs")
        given = net.normalization
        if given is not None and not _same(given, self.decoding):
            raise ValueError("the net has a normalization of its own, expected none, or the whitening's decoding")
        sizes = net._arguments() | {"input_size": len(self.mean)}
        folded = type(net)(**sizes, std=0.0, dtype=net.dtype)  # type: ignore[arg-type]  # each kind has its own sizes
        folded.threads, folded.label_names, folded.trained_with = net.threads, net.label_names, net.trained_with
        folded.normalization, folded.history = Normalization(self.mean), net.history
        weight, bias, *_ = net.params
        W = net.params[weight].astype(np.float64)
        folded.params = {**net.params, weight: self.matrix @ W, bias: net.params[bias] + self.offset @ W}
        return folded


def _same(a: Normalization, b: Normalization) -> bool:
    return np.array_equal(a.mean, b.mean) and a.scale is not None and np.array_equal(a.scale, np.asarray(b.scale))


@dataclass(frozen=True, eq=False)
class _Part:
    """New features, orthonormal combinations of old ones: weights * (x[left] + sign * x[right])."""

    left: NDArray[np.intp]
    right: NDArray[np.intp]
    sign: float
    weights: Floats

    def of(self, rows: Array, dtype: np.dtype[Any]) -> Array:
        """The new features (N, new) of rows (N, D): pairs are gathered before, and not after, they become floats."""
        combine = np.add if self.sign > 0 else np.subtract
        left, right = (rows.take(columns, axis=1) for columns in (self.left, self.right))
        return np.asarray(combine(left, right, dtype=dtype) * self.weights.astype(dtype))

    def lift(self, vectors: Array, features: int) -> Floats:
        """Vectors of new features (new, count) as vectors of the old ones (features, count)."""
        lifted = np.zeros((features, vectors.shape[1]))
        weighted = self.weights[:, np.newaxis] * vectors
        lifted[self.left] += weighted
        lifted[self.right] += self.sign * weighted
        return lifted


def _parts(features: int, mirror: NDArray[np.intp] | None) -> list[_Part]:
    """The features as they are; with a mirror the symmetric and the antisymmetric ones.

    Between these two a data set that holds each row's mirror image has no covariance: two problems of half the size.
    """
    every = np.arange(features)
    if mirror is None:
        return [_Part(every, every, 1.0, np.full(features, 0.5))]
    left, pairs = every[every <= mirror], every[every < mirror]
    halves = np.where(left < mirror[left], np.sqrt(0.5), 0.5)  # a pixel in the middle is its own mirror image
    symmetric = _Part(left, mirror[left], 1.0, halves)
    return [symmetric, _Part(pairs, mirror[pairs], -1.0, np.full(len(pairs), np.sqrt(0.5)))]


def _covariances(data: Array, sample: NDArray[np.intp], mean: Floats, parts: list[_Part]) -> list[Floats]:
    """Of each part's features, over the rows of the sample."""
    dtype = np.dtype(np.float64 if data.dtype == np.float64 else np.float32)
    centres = [part.of(mean.reshape(1, -1), np.dtype(np.float64)).astype(dtype) for part in parts]
    sums = [np.zeros((len(part.left), len(part.left)), dtype) for part in parts]
    for first in range(0, len(sample), _FIT_BLOCK):
        rows = data[sample[first : first + _FIT_BLOCK]]
        for total, centre, part in zip(sums, centres, parts, strict=True):
            features = part.of(rows, dtype)
            features -= centre
            total += features.T @ features
    return [total.astype(np.float64) / len(sample) for total in sums]


def _principal(
    parts: list[_Part], covariances: list[Floats], count: int, rng: np.random.Generator
) -> tuple[Floats, Floats, Floats]:
    """Of all parts together, the largest variances, their directions (D, count), and the signs of their parts."""
    features = sum(len(part.left) for part in parts)
    found = [_leading(C, count, rng) for C in covariances]
    variances = np.concatenate([values for values, _ in found])
    lifted = [part.lift(vectors, features) for part, (_, vectors) in zip(parts, found, strict=True)]
    signs = np.concatenate([np.full(V.shape[1], part.sign) for part, V in zip(parts, lifted, strict=True)])
    largest = np.argsort(-variances, kind="stable")[:count]
    return np.maximum(variances[largest], 0), np.concatenate(lifted, axis=1)[:, largest], signs[largest]


def _leading(C: Floats, count: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """The largest eigenvalues of a symmetric matrix, at most so many, and their eigenvectors in columns."""
    width = min(len(C), count + OVERSAMPLING)
    Q = rng.standard_normal((len(C), width))
    for _ in range(ITERATIONS):
        Q = np.linalg.qr(C @ (C @ Q))[0]
    values, vectors = np.linalg.eigh(Q.T @ C @ Q)
    return values[::-1][:count], (Q @ vectors)[:, ::-1][:, :count]
