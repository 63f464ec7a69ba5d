"""What all tests share: the folder of compiled programs, and Ctrl-C."""

import os
import signal

from hypothesis import HealthCheck, settings

# `pytest tests/properties --hypothesis-profile long` looks for what the short form does not find.
for profile, examples in (("short", 100), ("long", 5000)):
    settings.register_profile(
        profile,
        max_examples=examples,
        derandomize=profile == "short",
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
settings.load_profile("short")


def pytest_addoption(parser):
    """The long forms of tests: see tests/models/test_killed_runs.py, tests/readers/test_mutations.py."""
    parser.addoption("--kills", type=int, default=3, help="how often a training is killed and resumed")
    parser.addoption("--killed-runs-report", metavar="FILE", help="where to write what came of it")
    parser.addoption("--mutations", type=int, default=150, help="how many damaged files of each format are read")
    parser.addoption("--mutations-report", metavar="FILE", help="where to write what came of them")


def pytest_configure(config):
    """Keep compiled programs beside pytest's own cache, not in the user's, unless told where.

    Kept between runs, they spare every run but the first the compilations; `pytest --cache-clear` forgets
    them.  Tests of the cache itself choose folders of their own.
    """
    cache = getattr(config, "cache", None)
    if cache is not None:  # None with -p no:cacheprovider
        os.environ.setdefault("FASTNET_CACHE_DIR", str(cache.mkdir("fastnet")))

    # A shell starts background jobs with SIGINT ignored, and so would be every process that the tests start and
    # interrupt: handled here, it is back at its default there.
    signal.signal(signal.SIGINT, signal.default_int_handler)
