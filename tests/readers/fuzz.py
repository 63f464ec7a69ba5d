"""A fuzzer that is guided by what its files reach: `python -m tests.readers.fuzz "IDX" -max_total_time=300`.

One of the formats of formats.py, then libFuzzer's own options and folders.  It stops at the first file that a reader
answers with anything but what it holds, a ValueError or an OSError, and keeps that as crash-...  Needs the extra fuzz.

`python -m tests.readers.fuzz --seconds 150 --report FILE` fuzzes each format in turn, and writes down what came of it.
"""

import argparse
import contextlib
import os
import platform
import re
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["fastnet", "tarfile", "zipfile", "gzip", "pickletools", "json"]):
    import fastnet
    from tests.readers.formats import formats

DONE = re.compile(r"^Done (\d+) runs", re.MULTILINE)
REACHED = re.compile(r"^#\d+\s+\w+\s+cov: (\d+) ft: \d+ corp: (\d+)/", re.MULTILINE)


def fuzz(name: str, options: list[str]) -> None:
    """Fuzz one format, beginning with its whole file."""
    warnings.simplefilter("error")
    folder, corpus = Path(tempfile.mkdtemp()), Path(tempfile.mkdtemp())
    form = formats(folder)[name]
    (corpus / "whole").write_bytes(form.content)
    (folder / "fuzzed").mkdir()
    path = folder / "fuzzed" / form.name

    def read(content: bytes) -> None:
        path.write_bytes(form.wrap(content))
        with contextlib.suppress(ValueError, OSError):
            form.read(path)

    atheris.Setup([sys.argv[0], *options, str(corpus)], read)
    atheris.Fuzz()  # ends the process


def fuzz_all(seconds: int, report: Path) -> None:
    """Fuzz every format for so many seconds; write a report, and end with an error where one was answered wrongly."""
    with tempfile.TemporaryDirectory() as folder:
        names = list(formats(Path(folder)))
    rows, failed = [], []
    for name in names:
        command = [sys.executable, "-m", "tests.readers.fuzz", name, f"-max_total_time={seconds}"]
        with tempfile.TemporaryDirectory() as folder:
            environment = os.environ | {"TMPDIR": folder}
            out = subprocess.run(command, env=environment, capture_output=True, text=True, errors="replace")
        done, reached = DONE.search(out.stderr), REACHED.findall(out.stderr)
        if out.returncode or done is None:
            failed.append(name)
            sys.stderr.write(f"{name}: {out.stdout[-4000:]}{out.stderr[-2000:]}")
            continue
        (first, _), (places, corpus) = reached[0], reached[-1]
        rows.append(f"| {name} | {int(done[1]):,} | {first} | {places} | {corpus} |\n")
        sys.stderr.write(rows[-1])
    if failed:
        sys.exit(f"wrongly answered: {', '.join(failed)}")
    report.write_text(
        f"""# {seconds} seconds of guided fuzzing of each format

atheris (libFuzzer), from one whole file each: it keeps what reaches places in the code that no file has reached before,
and goes on from there.  Nothing but contents, a ValueError or an OSError came out of any.  Places are those of Python
code, with those of the readers in the standard library; *whole* are those that the whole file reaches.

| format | files | places, whole | places, at the end | files that reached more |
| --- | ---: | ---: | ---: | ---: |
{"".join(rows)}
fastnet {fastnet.__version__}, Python {platform.python_version()}, {platform.system()}, {platform.machine()}.
Written by `python -m tests.readers.fuzz --seconds {seconds} --report FILE`.
""",
        "utf-8",
    )


def main() -> None:
    """One format by name, or all of them."""
    if sys.argv[1] != "--seconds":
        fuzz(sys.argv[1], sys.argv[2:])
        return
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, required=True)
    parser.add_argument("--report", type=Path, required=True)
    arguments = parser.parse_args()
    fuzz_all(arguments.seconds, arguments.report)


if __name__ == "__main__":
    main()
