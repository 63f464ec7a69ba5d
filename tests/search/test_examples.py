"""The examples run, and do what they say."""

import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

import fastnet

EXAMPLES = Path(__file__).parents[2] / "docs/examples"

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


@pytest.fixture
def example(monkeypatch):
    monkeypatch.setattr(sys, "path", [str(EXAMPLES), *sys.path])
    return lambda name, as_name="example": runpy.run_path(str(EXAMPLES / name), run_name=as_name)


def test_optuna_finds_a_net_and_prunes_others(example):
    optuna = pytest.importorskip("optuna")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = example("optuna_pruning.py")["study"]
    ends = [trial.state for trial in study.trials]
    assert set(ends) == {optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED}
    assert study.best_value > 0.8
    pruned = next(trial for trial in study.trials if trial.state == optuna.trial.TrialState.PRUNED)
    assert 10 <= len(pruned.intermediate_values) < 30  # stopped on the way, an epoch each


def test_the_optuna_example_is_short():
    code = (EXAMPLES / "optuna_pruning.py").read_text("utf-8")
    assert sum(bool(line.strip()) for line in code.splitlines()) <= 20


def net_and_rows():
    net = fastnet.TwoLayerNet(6, 5, 4, std=1.0, seed=0)
    return net, np.random.default_rng(0).standard_normal((1000, 6)).astype(np.float32)


@pytest.mark.parametrize("chunks", [(1000, 6), (300, 6), (128, 2)])
def test_predicted_block_by_block(example, chunks):
    da = pytest.importorskip("dask.array")
    net, rows = net_and_rows()
    labels = example("predict_with_dask.py")["predict"](net, da.from_array(rows, chunks=chunks))
    assert labels.shape == (1000,)
    assert labels.chunks[0] == da.core.normalize_chunks((chunks[0],), (1000,))[0]
    # Not by a client that another test may have left, whose cluster is closed: that waits for ever.
    np.testing.assert_array_equal(labels.compute(scheduler="threads"), net.predict(rows))


@pytest.mark.filterwarnings("ignore")
def test_predicted_on_a_cluster(example):
    da, distributed = pytest.importorskip("dask.array"), pytest.importorskip("distributed")
    net, rows = net_and_rows()
    predict = example("predict_with_dask.py")["predict"]
    cluster = distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None)
    with cluster, distributed.Client(cluster):
        found = predict(net, da.from_array(rows, chunks=(100, 6))).compute()
    np.testing.assert_array_equal(found, net.predict(rows))


def test_the_example_of_many_rows_runs(example, capsys):
    pytest.importorskip("dask.array")
    example("predict_with_dask.py", "__main__")
    assert sum(eval(capsys.readouterr().out).values()) == 50_000
