import pytest

from archiver import errors
from archiver.operations import demo


def test_a_directory_that_holds_something_else_is_left_alone(tmp_path):
    folder = tmp_path / "demo"
    folder.mkdir()
    (folder / "diary.txt").touch()
    with pytest.raises(errors.UsageError, match="holds something else"):
        demo.run(folder, print)
    assert [path.name for path in folder.iterdir()] == ["diary.txt"]


def test_a_directory_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(errors.StoreError, match="cannot be made"):
        demo.run(tmp_path / "file" / "demo", print)
