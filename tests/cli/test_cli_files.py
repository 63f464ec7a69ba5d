"""The folder of a command's results."""

import pytest

from fastnet.cli import files
from fastnet.cli.errors import CommandError
from fastnet.cli.files import output_folder


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
