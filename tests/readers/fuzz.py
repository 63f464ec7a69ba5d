"""A fuzzer that is guided by what its files reach: `python -m tests.readers.fuzz "IDX" -max_total_time=300`.

One of the formats of formats.py, then libFuzzer's own options and folders.  It stops at the first file that a reader
answers with anything but what it holds, a ValueError or an OSError, and keeps that as crash-...  Needs the extra fuzz.
"""

import contextlib
import sys
import tempfile
import warnings
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["fastnet", "tarfile", "zipfile", "gzip", "pickletools", "json"]):
    from tests.readers.formats import formats


def main() -> None:
    """Fuzz the format that is named first, beginning with its whole file."""
    warnings.simplefilter("error")
    folder, corpus = Path(tempfile.mkdtemp()), Path(tempfile.mkdtemp())
    form = formats(folder)[sys.argv[1]]
    (corpus / "whole").write_bytes(form.content)
    (folder / "fuzzed").mkdir()
    path = folder / "fuzzed" / form.name

    def read(content: bytes) -> None:
        path.write_bytes(form.wrap(content))
        with contextlib.suppress(ValueError, OSError):
            form.read(path)

    atheris.Setup([sys.argv[0], *sys.argv[2:], str(corpus)], read)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
