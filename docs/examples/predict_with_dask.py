"""The classes of more rows than fit one machine: a Dask array predicted block by block, where the blocks are.

A saved model is sent to the workers once; each block is read, scored and let go.  Needs dask[array], and
distributed for a cluster: with a Client open, the same code runs on it.
"""

from __future__ import annotations

import dask.array as da
import numpy as np

import fastnet


def predict(model: fastnet.TwoLayerNet | fastnet.SoftmaxClassifier, rows: da.Array) -> da.Array:
    """The labels (N,) of rows (N, D), as lazy as they are: blocks of whole rows, one worker thread each."""
    whole = rows.rechunk({1: rows.shape[1]})
    return whole.map_blocks(lambda block: model.predict(block, threads=1), dtype=np.int64, drop_axis=1)


if __name__ == "__main__":
    X = np.random.default_rng(0).integers(0, 256, (2_000, 3072), dtype=np.uint8)
    net = fastnet.TwoLayerNet(3072, 80, 10, seed=0)
    net.train(X, X[:, 0] % 10, num_iters=50, learning_rate=1e-6)
    many = da.random.default_rng(0).integers(0, 256, (50_000, 3072), dtype=np.uint8, chunks=(5_000, 3072))
    labels, counts = np.unique(predict(net, many).compute(), return_counts=True)
    print(dict(zip(labels.tolist(), counts.tolist(), strict=True)))
