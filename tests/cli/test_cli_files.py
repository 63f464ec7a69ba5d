"""The folder of a command's results."""

import errno
import shutil
import tempfile
from pathlib import Path

import pytest

import fastnet
from fastnet.cli import files
from fastnet.cli.errors import CommandError, Misplaced
from fastnet.cli.files import output_folder, save


def test_the_output_folder_is_made_and_left_empty(tmp_path):
    folder = output_folder(tmp_path / "a" / "b")
    assert folder.is_dir()
    assert not list(folder.iterdir())
    assert output_folder(folder) == folder


def test_a_file_in_the_way_of_the_folder_is_named_with_the_mend(tmp_path):
    path = tmp_path / "out"
    path.touch()
    with pytest.raises(CommandError, match=r"out: .*--out"):
        output_folder(path)


def test_a_folder_that_cannot_be_written_is_named_with_the_mend(tmp_path, monkeypatch):
    def refuse(dir):  # a real folder would let the superuser write
        raise PermissionError(13, "Permission denied", str(dir))

    monkeypatch.setattr(files, "TemporaryFile", refuse)
    with pytest.raises(CommandError, match=r"cannot be written \(Permission denied\).*--out"):
        output_folder(tmp_path)


@pytest.fixture
def full_disk(monkeypatch, tmp_path):
    """A disk that is full, but for the system's temporary files."""
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))

    def write(path, *rest, original=fastnet.archive.write):
        if tmp_path / "temporary" not in path.parents:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        original(path, *rest)

    monkeypatch.setattr(fastnet.archive, "write", write)
    return tmp_path


def test_a_model_that_finds_the_disk_full_goes_elsewhere(full_disk):
    model = fastnet.SoftmaxClassifier(3, 2, seed=0)
    with pytest.raises(Misplaced, match=r"out/m\.npz: No space left on device; the model is in .*m\.npz") as caught:
        save(model, full_disk / "out" / "m.npz", None)
    assert full_disk / "temporary" in caught.value.path.parents
    assert (fastnet.load(caught.value.path).params["W"] == model.params["W"]).all()


def test_where_there_is_no_other_place_the_first_error_is_told(full_disk, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(full_disk / "nowhere"))
    with pytest.raises(OSError, match="No space left"):
        save(fastnet.SoftmaxClassifier(3, 2, seed=0), full_disk / "m.npz", None)


def test_a_training_ends_with_the_place_of_its_model(run, npz, full_disk):
    training = ("train", "npz", "--data", npz, "--iterations", "20", "--model", "softmax", "--json")
    result = run(*training)
    assert result.status == 1
    found = result.err.rstrip().rpartition("; the model is in ")[2]
    assert fastnet.load(found).input_size == 4


def test_data_of_the_same_name_do_not_take_each_others_place(run, npz, tmp_path):
    (tmp_path / "other").mkdir()
    other = shutil.copy(npz, tmp_path / "other")
    training = ("train", "npz", "--iterations", "20", "--model", "softmax", "--json", "--data")
    path = run(*training, npz).report["results"][0]["path"]
    before = Path(path).read_bytes()
    result = run(*training, other)
    assert result.status == 1
    assert f"{path}: a model of other data of this name; name another folder with --out" in result.error
    assert Path(path).read_bytes() == before
    assert run(*training, npz).status == 0  # the same once more
    assert run(*training, other, "--out", "elsewhere").status == 0
    Path(path).write_text("not yours")
    assert run(*training, npz).status == 1
    assert Path(path).read_text() == "not yours"
