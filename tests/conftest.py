"""What all tests share: the folder of compiled programs."""

import os


def pytest_configure(config):
    """Keep compiled programs beside pytest's own cache, not in the user's, unless told where.

    Kept between runs, they spare every run but the first the compilations; `pytest --cache-clear` forgets
    them.  Tests of the cache itself choose folders of their own.
    """
    cache = getattr(config, "cache", None)
    if cache is not None:  # None with -p no:cacheprovider
        os.environ.setdefault("FASTNET_CACHE_DIR", str(cache.mkdir("fastnet")))
