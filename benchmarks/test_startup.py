"""What a process pays once, in processes of their own: each case is one process from its start to its end."""

import shutil

import pytest

from benchmarks import startup

CASES = {"nothing": "pass", "import numpy": "import numpy", "import fastnet": "import fastnet"}


@pytest.mark.benchmark(group="a process that does")
@pytest.mark.parametrize("name", CASES)
def test_import(benchmark, name):
    assert benchmark.pedantic(startup.start, args=[["-c", CASES[name]]], rounds=10) == ""


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache") / "programs"


@pytest.mark.benchmark(group="a process that does")
def test_first_train_cold(benchmark, cache):
    def setup():
        shutil.rmtree(cache, ignore_errors=True)
        return (cache, 1000), {}

    told = benchmark.pedantic(startup.measure, setup=setup, rounds=3)
    assert told["first train"] > told["import fastnet"] > 0


@pytest.mark.benchmark(group="a process that does")
def test_first_train_warm(benchmark, cache):
    before = startup.measure(cache, 1000)
    warm = benchmark.pedantic(startup.measure, args=(cache, 1000), rounds=10)
    assert warm["loss"] == before["loss"]
