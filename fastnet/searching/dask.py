"""A Dask cluster as a crew: the data scattered to every worker, and versions that fit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fastnet.searching.results import SearchError
from fastnet.searching.trial import Rows

CONNECT_SECONDS = 10.0  # to wait for a scheduler's answer
WORKERS_SECONDS = 30.0  # to wait for the first worker of a cluster
SAME = ("fastnet-cpu", "numpy", "numba")  # what the bits of a net, and the programs of the engine, depend on


def connect(address: str) -> Any:
    """A client of the scheduler at an address.

    Raises ImportError without the extra `dask`, ConnectionError where nobody answers.
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise ImportError('a Dask cluster needs distributed: pip install "fastnet-cpu[dask]"') from error
    try:
        return Client(address, timeout=CONNECT_SECONDS)
    except (OSError, ValueError) as error:
        raise ConnectionError(
            f"no Dask scheduler answers at {address}, expected one like tcp://HOST:8786: start it with 'dask scheduler'"
        ) from error


def scattering(executor: Any, rows: Rows) -> Callable[[], Any]:
    """What scatters the data to every worker of an executor's cluster, and returns Dask's future of it.

    Raises SearchError for a cluster without workers, or whose workers have other versions than this process.
    """
    client = executor._client
    if client.status != "running":
        raise SearchError(f"the executor's Dask client is {client.status}, expected a running one: make a new one")
    try:
        client.wait_for_workers(1, timeout=WORKERS_SECONDS)
    except TimeoutError as error:
        raise SearchError(
            f"the Dask cluster had no worker in {WORKERS_SECONDS:.0f} s, expected at least one: start 'dask worker'"
        ) from error
    versions = client.get_versions(packages=list(SAME))
    refuse_other_versions(versions)
    shared = Shared(rows, _relevant(versions["client"]))
    # Not by content: a second scattering after a loss must not find the lost one's name.
    return lambda: client.scatter(shared, broadcast=True, hash=False)


@dataclass(frozen=True)
class Shared:
    """The data, and the versions of the process that it is from: a worker may join when the others have been asked."""

    data: Rows
    versions: dict[str, str | None]

    def rows(self) -> Rows:
        """The data, on a worker.  Raises SearchError where that has other versions."""
        from distributed.versions import get_versions

        if wrong := _differences(_relevant(get_versions(packages=list(SAME))), self.versions):
            raise SearchError(f"a Dask worker has {', '.join(wrong)}: install the same there")
        return self.data


def refuse_other_versions(versions: dict[str, Any]) -> None:
    """Raise SearchError, naming each worker and package, where workers differ from the client."""
    here = _relevant(versions["client"])
    wrong = [
        f"{address} has {difference}"
        for address, worker in versions["workers"].items()
        for difference in _differences(_relevant(worker), here)
    ]
    if wrong:
        raise SearchError(f"the Dask workers differ from this process: {'; '.join(wrong)}: install the same there")


def _differences(there: dict[str, str | None], here: dict[str, str | None]) -> list[str]:
    return [
        f"{name} {found or 'not installed'}, expected {here[name]}"
        for name, found in there.items()
        if found != here[name]
    ]


def _relevant(versions: dict[str, Any]) -> dict[str, str | None]:
    packages = versions["packages"]
    python = ".".join(str(packages["python"]).split(".")[:2])
    return {"python": python, **{name: packages.get(name) for name in SAME}}
