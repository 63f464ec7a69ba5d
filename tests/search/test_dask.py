"""A real Dask cluster of several processes on this machine."""

import logging
import os
import signal
import sys
from functools import partial

import joblib
import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV, cross_validate

import fastnet
from fastnet.searching import SearchError, dask
from fastnet.sklearn import TwoLayerClassifier

distributed = pytest.importorskip("distributed")

# distributed's own threads and sockets outlive a cluster that has lost a worker.
pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")]

GRID = {"learning_rate": [0.01, 0.1, 0.5], "reg": [0.0, 0.1]}


def cluster_of(workers):
    return distributed.LocalCluster(
        n_workers=workers, threads_per_worker=1, dashboard_address=None, silence_logs=logging.CRITICAL
    )


@pytest.fixture(scope="module")
def client():
    with cluster_of(2) as cluster, distributed.Client(cluster) as client:
        yield client


def pids(client):
    return client.run(os.getpid)


def test_two_processes_give_the_same_bits(search, facts, client, monkeypatch):
    assert len(set(pids(client).values())) == 2
    expected = facts(search(GRID))
    with client.get_executor() as executor:
        assert facts(search(GRID, executor=executor)) == expected


def test_the_data_is_scattered_once_and_not_sent_with_every_task(search, client, clouds, monkeypatch):
    scattered, submitted = [], []
    scatter, submit = type(client).scatter, type(client).submit

    def scattering(self, data, **options):
        scattered.append(options["broadcast"])
        return scatter(self, data, **options)

    def submitting(self, fn, *args, **options):
        submitted.append([type(argument) for argument in args])
        return submit(self, fn, *args, **options)

    monkeypatch.setattr(type(client), "scatter", scattering)
    monkeypatch.setattr(type(client), "submit", submitting)
    with client.get_executor() as executor:
        search(GRID, executor=executor)
    assert scattered == [True]
    assert len(submitted) == 6
    assert all(distributed.Future in types for types in submitted)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_worker_process_killed_in_mid_search_loses_nothing(search, facts, tmp_path, workers):
    """With the only one the data is lost too, and is scattered again to its successor."""
    file, left = tmp_path / "search.jsonl", [True]
    grid = {"num_iters": [20, 20_000, 20_001, 20_002]}
    expected = facts(search(grid, reg=0.1))

    def kill_one(progress):
        if left and left.pop():
            os.kill(next(iter(pids(client).values())), signal.SIGKILL)

    with cluster_of(workers) as cluster, distributed.Client(cluster) as client, client.get_executor() as executor:
        found = search(grid, reg=0.1, executor=executor, journal=file, callback=kill_one)
    assert not left
    assert facts(found) == expected
    assert len(file.read_text().splitlines()) == 1 + len(found.table)


def test_a_point_that_fails_is_a_row(search, client):
    with client.get_executor() as executor:
        found = search({"reg": [0.1, -1.0]}, executor=executor)
    assert [line["status"] for line in found.table] == ["done", "failed"]


def test_an_executor_of_a_client_that_has_closed_is_told(search, client):
    with distributed.Client(client.scheduler.address) as other:
        executor = other.get_executor()
    with pytest.raises(SearchError, match="the executor's Dask client is closed, expected a running one"):
        search(executor=executor)


def test_an_executor_that_is_shut_down_is_told(search, client):
    executor = client.get_executor()
    executor.shutdown()
    with pytest.raises(SearchError, match="the executor takes no work"):
        search(executor=executor)


def test_a_cluster_without_workers_is_told(search, monkeypatch):
    monkeypatch.setattr(dask, "WORKERS_SECONDS", 0.2)
    with (
        cluster_of(0) as cluster,
        distributed.Client(cluster) as client,
        client.get_executor() as executor,
        pytest.raises(SearchError, match=r"no worker in 0 s, expected at least one: start 'dask worker'"),
    ):
        search(executor=executor)


def test_versions_of_the_cluster_fit(client):
    dask.refuse_other_versions(client.get_versions(packages=list(dask.SAME)))


@pytest.mark.parametrize(
    ("package", "found", "complaint"),
    [
        ("numpy", "1.0", "tcp://2 has numpy 1.0, expected 2.0"),
        ("fastnet-cpu", None, "tcp://2 has fastnet-cpu not installed, expected 0.1"),
        ("python", "3.10.1.final.0", "tcp://2 has python 3.10, expected 3.11"),
    ],
)
def test_versions_that_differ_are_named(package, found, complaint):
    here = {"python": "3.11.7.final.0", "fastnet-cpu": "0.1", "numpy": "2.0", "numba": "0.6", "dask": "1"}
    there = {**here, "dask": "2", "python": "3.11.9.final.0"}  # which change no bit
    versions = {
        "client": {"packages": here},
        "workers": {"tcp://1": {"packages": there}, "tcp://2": {"packages": {**there, package: found}}},
    }
    with pytest.raises(SearchError) as caught:
        dask.refuse_other_versions(versions)
    assert complaint in str(caught.value)
    assert "tcp://1" not in str(caught.value)
    assert "install the same there" in str(caught.value)


def test_a_worker_that_joins_later_has_its_versions_named_in_its_rows(search, client, clouds, monkeypatch):
    """As far as the workers can tell, the search is of another version of NumPy."""
    monkeypatch.setattr(
        dask, "refuse_other_versions", lambda versions: versions["client"]["packages"].update(numpy="9")
    )
    with client.get_executor() as executor, pytest.raises(SearchError) as caught:
        search({"reg": [0.1]}, executor=executor)
    (row,) = caught.value.search.table
    assert row["reason"] == f"SearchError: a Dask worker has numpy {np.__version__}, expected 9: install the same there"


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "127.0.0.1:1", "no://address", "tcp://"])
def test_an_address_that_does_not_answer_is_told(address, monkeypatch):
    monkeypatch.setattr(dask, "CONNECT_SECONDS", 0.5)
    with pytest.raises(ConnectionError, match=f"no Dask scheduler answers at {address}, expected one like tcp://HOST"):
        dask.connect(address)


def test_without_distributed_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ImportError, match=r'pip install "fastnet-cpu\[dask\]"'):
        dask.connect("tcp://127.0.0.1:1")


def test_a_net_comes_back_whole(search, client, clouds):
    build = partial(fastnet.SoftmaxClassifier, 2, 3, std=0.1)
    with client.get_executor() as executor:
        found = search({"reg": [0.1]}, build=build, executor=executor)
    np.testing.assert_array_equal(found.best_net.params["W"], search({"reg": [0.1]}, build=build).best_net.params["W"])


def test_an_interrupt_takes_the_waiting_tasks_back(search, client):
    def stop(progress):
        raise KeyboardInterrupt

    with client.get_executor() as executor, pytest.raises(KeyboardInterrupt):
        search({"num_iters": [10, *range(2000, 2100)]}, executor=executor, callback=stop)
    assert client.submit(abs, -1).result(timeout=60) == 1


@pytest.mark.parametrize("backend", ["loky", "dask"])
def test_estimators_under_joblib_have_the_bits_of_one_process(client, clouds, backend):
    """A grid search's tasks, as scikit-learn sends them to the processes of either backend."""
    options = {"client": client} if backend == "dask" else {}
    X, y, _, _ = clouds
    here = os.getpid()

    def elsewhere(estimator, X, y):
        return os.getpid() != here

    def searched():
        grid = GridSearchCV(
            TwoLayerClassifier((8,), max_iter=5, random_state=0),
            {"alpha": [1e-4, 1.0], "learning_rate": ["constant", "linear"]},
            scoring={"loss": "neg_log_loss", "elsewhere": elsewhere},
            refit="loss",
            cv=2,
        ).fit(X, y)
        folds = cross_validate(grid.best_estimator_, X, y, cv=2, return_estimator=True)["estimator"]
        losses = [grid.cv_results_[f"split{fold}_test_loss"].tolist() for fold in (0, 1)]
        arrays = [[array.tobytes() for array in fold.coefs_ + fold.intercepts_] for fold in folds]
        return grid, (losses, grid.best_params_, arrays)

    _, expected = searched()
    with joblib.parallel_config(backend, n_jobs=2, **options):
        grid, found = searched()
    assert grid.cv_results_["mean_test_elsewhere"].tolist() == [1.0] * 4
    assert found == expected
