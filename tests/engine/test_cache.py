"""The cache of compiled programs, each case in real second processes."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.engine.conftest import ROOT


@pytest.fixture
def warm(tmp_path, train):
    """A cache folder with the programs of the small training, and what that training gave."""
    folder = tmp_path / "cache"
    cold = train(FASTNET_CACHE_DIR=str(folder))
    assert (cold["hits"], cold["misses"]) == (0, 1)
    return folder, cold


def test_a_second_process_compiles_nothing_and_gets_the_same_bits(warm, train):
    folder, cold = warm
    again = train(FASTNET_CACHE_DIR=str(folder))
    assert (again["hits"], again["misses"]) == (1, 0)
    assert again["digest"] == cold["digest"]


def flipped(data, bit):
    """The data with one bit turned over."""
    damaged = bytearray(data)
    damaged[bit // 8] ^= 1 << bit % 8
    return bytes(damaged)


@pytest.mark.parametrize("damage", ["a flipped bit", "no end"])
def test_damaged_files_are_compiled_anew(warm, train, damage):
    folder, cold = warm
    for file in folder.iterdir():
        data = file.read_bytes()
        file.write_bytes(data[:-100] if damage == "no end" else flipped(data, 4 * len(data)))
    again = train(FASTNET_CACHE_DIR=str(folder))
    assert (again["hits"], again["misses"]) == (0, 1)
    assert again["digest"] == cold["digest"]
    assert train(FASTNET_CACHE_DIR=str(folder))["hits"] == 1


def test_no_damaged_file_is_unpickled(warm, monkeypatch, tmp_path):
    """Nor run: every bit that tells what follows, and a sample of all others."""
    from fastnet.engine.compilation import kernel
    from fastnet.engine.step import programs

    file = max(warm[0].glob("*.kernel"), key=lambda file: file.stat().st_size)  # the training program
    data, opened = file.read_bytes(), []
    monkeypatch.setattr(kernel._ProgramCache, "_file", lambda *_: file)
    monkeypatch.setattr(kernel.pickle, "loads", opened.append)
    bits = [*range(400), *np.random.default_rng(0).integers(0, 8 * len(data), 400), 8 * len(data) - 1]
    damaged = [flipped(data, bit) for bit in bits]
    damaged += [b"", data[:20], data[:-1], data + b"\0", data[kernel._DIGEST_BYTES :]]
    for bad in damaged:
        file.write_bytes(bad)
        assert load_anything(programs) is None
    assert opened == []
    file.write_bytes(data)
    load_anything(programs)
    assert len(opened) == 1
    # Whole, but another program's.
    file = file.rename(tmp_path / f"{'0' * 40}.kernel")
    load_anything(programs)
    assert len(opened) == 1


def load_anything(programs):
    """What the cache gives for a signature, whatever it is."""
    context = programs.train.targetctx
    return programs.train._cache.load_overload("any signature", context)


def test_programs_of_another_cpu_are_not_used(warm, train):
    folder, cold = warm
    other = train(FASTNET_CACHE_DIR=str(folder), NUMBA_CPU_NAME="generic")
    assert (other["hits"], other["misses"]) == (0, 1)
    assert other["unit"] != cold["unit"]
    assert other["loss"] == pytest.approx(cold["loss"], rel=1e-4)
    assert train(FASTNET_CACHE_DIR=str(folder))["hits"] == 1


def test_an_edit_of_another_file_of_the_engine_is_seen(warm, train, tmp_path):
    """What numba's own cache misses: the edited file is not the one the program stands in."""
    folder, cold = warm
    package = tmp_path / "copy"
    shutil.copytree(ROOT / "fastnet", package / "fastnet", ignore=shutil.ignore_patterns("__pycache__"))
    assert train(package=package, FASTNET_CACHE_DIR=str(folder))["hits"] == 1
    lines = package / "fastnet" / "engine" / "step" / "rules.py"
    text = lines.read_text()
    changed = text.replace("flush(fma(splat(-c[k, 0]), gradient", "flush(fma(splat(c[k, 0]), gradient")
    assert changed != text
    lines.write_text(changed)
    edited = train(package=package, FASTNET_CACHE_DIR=str(folder))
    assert (edited["hits"], edited["misses"]) == (0, 1)
    assert edited["digest"] != cold["digest"]  # uphill


def test_every_file_of_the_engine_is_in_the_key(tmp_path):
    shutil.copytree(ROOT / "fastnet", tmp_path / "fastnet", ignore=shutil.ignore_patterns("__pycache__"))
    code = """
from pathlib import Path
from fastnet.engine.compilation import kernel
digests = [kernel._environment_digest()]
files = sorted(Path(kernel.__file__).parents[1].rglob("*.py"))
for file in files:
    file.write_text(file.read_text() + "# edited\\n")
    digests.append(kernel._environment_digest())
assert len(files) > 5
assert len(set(digests)) == len(files) + 1
"""
    env = os.environ | {"PYTHONPATH": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120, env=env, cwd=tmp_path)


@pytest.mark.parametrize("place", ["missing", "below a file", "without permission"])
def test_a_folder_that_cannot_be_written_only_costs_time(place, tmp_path, train):
    folder = tmp_path / "cache"
    if place == "below a file":
        folder.write_text("no folder")
        folder = folder / "cache"
    elif place == "without permission":
        folder.mkdir(mode=0o500)
        if os.access(folder, os.W_OK):
            pytest.skip("this user may write everywhere: 'below a file' covers the failing write")
    else:
        folder = folder / "several" / "levels"
    result = train(FASTNET_CACHE_DIR=str(folder))
    assert (result["hits"], result["misses"]) == (0, 1)
    assert (list(folder.glob("*.kernel")) != []) == (place == "missing")


def test_two_processes_that_start_at_once_leave_whole_files(tmp_path, train, train_at_once):
    folder = tmp_path / "cache"
    first, second = train_at_once(FASTNET_CACHE_DIR=str(folder))
    assert first["digest"] == second["digest"]
    assert not list(folder.glob("*.part"))
    third = train(FASTNET_CACHE_DIR=str(folder))
    assert (third["hits"], third["digest"]) == (1, first["digest"])


def test_without_a_setting_the_cache_is_in_the_users_own_folder(monkeypatch):
    from fastnet.engine.compilation.kernel import cache_folder

    monkeypatch.delenv("FASTNET_CACHE_DIR", raising=False)
    assert cache_folder().name == "fastnet"
    assert Path.home() in cache_folder().parents or "XDG_CACHE_HOME" in os.environ


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="permissions that are no bits")
def test_a_folder_that_others_may_write_to_is_not_trusted(tmp_path, monkeypatch):
    from fastnet.engine.compilation import kernel

    folder = tmp_path / "cache"
    monkeypatch.setenv("FASTNET_CACHE_DIR", str(folder))
    asked = []

    def holds():
        asked.append(True)
        return True

    for _ in range(2):
        assert kernel.once_on_this_machine("a claim", holds)
    assert len(asked) == 1  # the second time it is kept
    (kept,) = folder.iterdir()
    for mode in (0o777, 0o770):
        folder.chmod(mode)
        kernel._warned.clear()
        with pytest.warns(UserWarning, match="other users may write to it; remove it, or empty it and") as caught:
            kernel.once_on_this_machine("a claim", holds)
        assert len(caught) == 1  # though it looks twice
    assert len(asked) == 3
    assert list(folder.iterdir()) == [kept]
    folder.chmod(0o700)
    if os.geteuid():
        monkeypatch.setattr(os, "geteuid", lambda: folder.stat().st_uid + 1)
    else:  # the system's own folders are trusted by all
        os.chown(folder, 1, -1)
    kernel._warned.clear()
    with pytest.warns(UserWarning, match="other users may write to it"):
        kernel.once_on_this_machine("a claim", holds)
    assert len(asked) == 4


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="permissions that are no bits")
@pytest.mark.parametrize("planted", ["by another user", "by the group", "by anyone"])
def test_a_file_that_others_may_have_written_is_not_trusted(tmp_path, monkeypatch, planted):
    """Put there while the folder was open to them, it is as good as any by its digest."""
    from fastnet.engine.compilation import kernel

    monkeypatch.setenv("FASTNET_CACHE_DIR", str(tmp_path / "cache"))
    asked = []

    def holds():
        asked.append(True)
        return True

    def ask():
        assert kernel.once_on_this_machine("a claim", holds)
        return len(asked)

    before = os.umask(0o002)  # as where each user has a group
    try:
        assert (ask(), ask()) == (1, 1)
        (kept,) = (tmp_path / "cache").iterdir()
        if planted != "by another user":
            kept.chmod(0o664 if planted == "by the group" else 0o646)
        elif os.geteuid() == 0:
            os.chown(kept, 1, -1)
        else:
            pytest.skip("only root may give a file away")
        assert (ask(), ask()) == (2, 2)  # another has taken its place
    finally:
        os.umask(before)
