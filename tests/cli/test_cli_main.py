"""What all commands share: status, streams, and the report of the machine."""

import io
import json
import os
import platform
import shlex
import subprocess
import sys
from importlib.metadata import version

import numba
import numpy as np
import pytest

from fastnet._version import __version__
from fastnet.cli import main
from fastnet.cli.console import Console, one_line
from fastnet.cli.errors import CommandError, about

TRAINING = ("npz", "--data", "clouds.npz", "--iterations", "20")


def test_info_tells_versions_and_the_machine(run):
    report = run("info", "--json").report
    assert report["fastnet"] == __version__
    assert report["python"] == platform.python_version()
    assert report["numpy"] == np.__version__
    assert report["numba"] == numba.__version__
    assert report["llvmlite"] == version("llvmlite")
    text = run("info").out
    for key, value in report.items():
        assert key in text
        assert isinstance(value, str | int | list)
    assert {"threads"} <= report.keys()


def test_info_tells_of_a_cache_folder_that_cannot_be_written(run, monkeypatch, tmp_path):
    monkeypatch.setenv("FASTNET_CACHE_DIR", str(tmp_path / "a" / "b"))
    assert run("info", "--json").report["cache folder"] == str(tmp_path / "a" / "b")
    (tmp_path / "file").touch()
    monkeypatch.setenv("FASTNET_CACHE_DIR", str(tmp_path / "file"))
    assert "cannot be written" in run("info", "--json").report["cache folder"]
    monkeypatch.setenv("FASTNET_CACHE_DIR", str(tmp_path / "a" / "b"))
    monkeypatch.setattr("os.access", lambda path, mode: path != tmp_path)
    assert "cannot be written" in run("info", "--json").report["cache folder"]


def test_info_tells_the_workers_that_the_environment_asks_for(run, monkeypatch):
    monkeypatch.setenv("FASTNET_THREADS", "7")
    assert run("info", "--json").report["threads"] == 7
    monkeypatch.setenv("FASTNET_THREADS", "0")
    assert "FASTNET_THREADS is '0'" in run("info").out


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("reg=-1:\n  expected 0 or more"), "reg=-1: expected 0 or more"),
        (
            PermissionError(13, "Permission denied", "here.npz"),
            "here.npz: Permission denied",
        ),
        (OSError("disk full"), "disk full"),
        (MemoryError(), "MemoryError"),
    ],
)
def test_an_error_takes_one_line(error, line):
    assert one_line(error) == line


@pytest.mark.parametrize("error", [ValueError, OSError, ImportError, MemoryError, CommandError])
def test_what_a_user_can_mend_is_status_1_and_one_line(run, monkeypatch, error):
    monkeypatch.setattr("fastnet.cli.info.info", lambda: raise_(error("what\nis wrong")))
    result = run("info")
    assert (result.status, result.error) == (1, "fastnet: error: what is wrong")


def test_a_defect_keeps_its_traceback(run, monkeypatch):
    monkeypatch.setattr("fastnet.cli.info.info", lambda: raise_(KeyError("oops")))
    with pytest.raises(KeyError):
        run("info")


def test_ctrl_c_is_status_130(run, monkeypatch):
    monkeypatch.setattr("fastnet.cli.info.info", lambda: raise_(KeyboardInterrupt()))
    result = run("info")
    assert (result.status, result.error) == (130, "fastnet: interrupted")


def raise_(error):
    raise error


def test_json_has_no_nan_and_no_infinity(capsys):
    Console(json=True).finish({"loss": float("nan"), "rates": [1.5, float("inf")], "n": {"k": -float("inf")}})
    text = capsys.readouterr().out
    assert json.loads(text) == {"loss": None, "rates": [1.5, None], "n": {"k": None}}
    assert "NaN" not in text


def test_json_leaves_out_the_lines_for_people(capsys):
    console = Console(json=True)
    console.line("hello")
    console.finish({})
    assert capsys.readouterr().out == "{}\n"


def test_a_complaint_names_the_file_once(tmp_path):
    for message in ("X has 3 columns", f"{tmp_path}: X has 3 columns"):
        with pytest.raises(CommandError) as caught, about(tmp_path):
            raise ValueError(message)
        assert str(caught.value) == f"{tmp_path}: X has 3 columns"


def test_the_module_runs_as_the_script_does(spawn):
    process = spawn("info", "--json")
    out, err = process.communicate()
    assert (process.returncode, err) == (0, "")
    assert json.loads(out)["fastnet"] == __version__


# Ctrl-C as soon as NumPy is imported, the first of what takes time.
IMPORTING = """
import os, signal, sys

class Finder:
    def find_spec(name, path, target=None):
        if name == "numpy":
            os.kill(os.getpid(), signal.SIGINT)

signal.signal(signal.SIGINT, signal.default_int_handler)
sys.meta_path.insert(0, Finder)
from fastnet.__main__ import main
sys.exit(main())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_ctrl_c_while_the_command_line_is_imported_leaves_no_traceback():
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    result = subprocess.run([sys.executable, "-c", IMPORTING], capture_output=True, text=True, env=environment)
    assert (result.returncode, result.stdout, result.stderr) == (130, "", "")


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX pipes")
def test_a_reader_that_left_is_no_error(tmp_path):
    reader, writer = os.pipe()
    os.close(reader)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with open(writer, "wb") as gone:
        command = [sys.executable, "-m", "fastnet", "info"]
        result = subprocess.run(command, stdout=gone, stderr=subprocess.PIPE, text=True, cwd=tmp_path, env=environment)
    assert (result.returncode, result.stderr) == (141, "")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="of Linux")
@pytest.mark.parametrize("what", ["a reader that left", "a full disk"])
def test_lines_that_cannot_be_written_cost_no_training(tmp_path, npz, what):
    reader, writer = os.pipe()
    os.close(reader)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "fastnet", "train", *TRAINING]
    with open(writer, "wb") as gone, open("/dev/full", "wb") as full:
        stdout = gone if what == "a reader that left" else full
        result = subprocess.run(
            command, stdout=stdout, stderr=subprocess.PIPE, text=True, cwd=tmp_path, env=environment
        )
    assert result.returncode == (141 if stdout is gone else 1)
    assert ("No space left on device" in result.stderr) == (stdout is full)
    assert list((tmp_path / "fastnet-out").glob("*.npz"))


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="of Linux")
@pytest.mark.parametrize("command", [["--help"], ["--version"], ["train", "--help"]])
def test_help_that_cannot_be_written_is_a_line_of_error(tmp_path, command):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with open("/dev/full", "wb") as full:
        result = subprocess.run(
            [sys.executable, "-m", "fastnet", *command],
            stdout=full, stderr=subprocess.PIPE, text=True, cwd=tmp_path, env=environment,
        )  # fmt: skip
    assert (result.returncode, result.stderr.count("\n")) == (1, 1)
    assert "No space left on device" in result.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX descriptors")
@pytest.mark.parametrize(("closed", "command"), [(1, ["info"]), (2, ["train", *TRAINING]), (2, ["?"])])
def test_a_closed_stream_is_no_error(tmp_path, npz, closed, command):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    shell = f"exec {shlex.join([sys.executable, '-m', 'fastnet', *command])} {closed}>&-"
    result = subprocess.run(shell, shell=True, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (2 if command == ["?"] else 0, "")
    if command[0] == "train":
        assert "training accuracy" in result.stdout
        assert (tmp_path / "fastnet-out").is_dir()


@pytest.mark.parametrize("name", ["stdout", "stderr"])
def test_a_stream_that_somebody_closed_is_no_error(run, npz, monkeypatch, name):
    stream = io.StringIO()
    stream.close()
    monkeypatch.setattr(sys, name, stream)
    assert main(["train", *TRAINING]) == 0
