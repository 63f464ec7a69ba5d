"""Fetching CIFAR-10 from its official site."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from fastnet import checks
from fastnet.data.cifar10 import DISTRIBUTIONS
from fastnet.files import named, naming, sync
from fastnet.locks import locked_while_replaced

if TYPE_CHECKING:
    from http.client import HTTPResponse

SITE = "https://www.cs.toronto.edu/~kriz/"
TIMEOUT = 30.0  # seconds without a byte
CHUNK = 1 << 18

Progress = Callable[[int, int | None], None]


def download_cifar10(
    folder: str | os.PathLike[str],
    form: Literal["binary", "python"] = "binary",
    url: str | None = None,
    progress: Progress | None = None,
) -> Path:
    """Download CIFAR-10 (about 165 MB), check its MD5 and unpack it.

    What is already there is not fetched again. A transfer that broke off goes on where it stopped, if the
    server can do that. A file or folder gets its final name only when it is complete.

    Parameters
    ----------
    folder : path
        Receives the archive and the folder that it unpacks to (another 180 MB); made if it is not there.
    form : "binary" or "python"
    url : str, optional
        A mirror's address of the same archive.
    progress : callable, optional
        Called as `progress(bytes_so_far, bytes_in_all or None)` while the transfer runs.

    Returns
    -------
    pathlib.Path
        The unpacked folder, for `load_cifar10`.

    Raises
    ------
    ValueError
        If the form is unknown, or what arrives has not the official MD5.
    OSError
        If the transfer fails, or the disk; calling again goes on from there.  If another process or thread downloads
        to the same folder.
    """
    form = checks.one_of("form", form, tuple(DISTRIBUTIONS), f"one of {', '.join(DISTRIBUTIONS)}")
    if not (url is None or isinstance(url, str)):
        raise ValueError(f"url is {url!r}, expected the address of a mirror, or None")
    distribution = DISTRIBUTIONS[form]
    folder = named(folder)
    unpacked = folder / distribution.folder
    if unpacked.is_dir():
        return unpacked
    folder.mkdir(parents=True, exist_ok=True)
    archive = folder / distribution.archive
    with locked_while_replaced(unpacked):
        if not unpacked.is_dir():  # by now
            if not (archive.is_file() and _md5(archive) == distribution.md5):
                fetch(url or SITE + distribution.archive, archive, distribution.md5, progress)
            _unpack(archive, unpacked)
    return unpacked


def fetch(url: str, path: Path, md5: str, progress: Progress | None = None) -> None:
    """Download a file of known MD5 to `path` by way of `path` + ".part", which outlives a broken transfer."""
    part = path.with_name(path.name + ".part")
    resumed = _transfer(url, part, progress)
    if resumed and _md5(part) != md5:
        # The part was of another file, or the file has changed since: once more, from the start.
        part.unlink()
        _transfer(url, part, progress)
    if (found := _md5(part)) != md5:
        part.unlink()
        raise ValueError(f"{url}: what arrived has MD5 {found}: expected {md5}; try again, or name a mirror by url=")
    os.replace(part, path)  # its MD5 is looked at again, whatever a power cut has left of it


def _transfer(url: str, part: Path, progress: Progress | None) -> bool:
    """Complete `part` from the server; return whether bytes of an earlier transfer are still in it."""
    from http.client import HTTPException
    from urllib.error import HTTPError
    from urllib.request import Request, urlopen

    start = part.stat().st_size if part.exists() else 0
    request = Request(url, headers={"Range": f"bytes={start}-"} if start else {})
    try:
        with urlopen(request, timeout=TIMEOUT) as response:
            if response.status != 206:  # the server does not resume: it sends the whole file
                start = 0
            _save(response, part, start, progress)
    except HTTPError as error:
        error.close()
        if start and error.code == 416:  # nothing follows what is here: the MD5 tells whether that is all
            return True
        raise OSError(f"{url}: {error}") from error
    except (OSError, HTTPException) as error:
        raise OSError(f"{url}: {error}; what has arrived is kept: call again to go on") from error
    return start > 0


def _save(response: "HTTPResponse", part: Path, start: int, progress: Progress | None) -> None:
    length = response.headers["Content-Length"]
    total = start + int(length) if length else None
    done = start
    with open(part, "ab" if start else "wb") as file:
        while chunk := response.read1(CHUNK):
            with naming(part):
                file.write(chunk)
            done += len(chunk)
            if progress:
                progress(done, total)
    if total is not None and done < total:
        raise OSError(f"the connection ended after {done:,} of {total:,} bytes")


def _md5(path: Path) -> str:
    import hashlib

    with open(path, "rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _unpack(archive: Path, folder: Path) -> None:
    """Unpack a folder from the archive; nobody else may do so meanwhile."""
    import shutil
    import tarfile

    temporary = folder.with_name(f".fastnet-{folder.name}")
    shutil.rmtree(temporary, ignore_errors=True)  # what a process left that was killed
    try:
        with tarfile.open(archive) as tar, naming(folder):
            tar.extractall(temporary, filter="data")
            whole = temporary / folder.name
            for path in (*whole.iterdir(), whole):  # a folder that is there is not looked at again
                sync(path)
            os.replace(whole, folder)
            sync(folder.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
