import pytest

from archiver import errors
from archiver.index.lock import UpdateLock


def test_lock_is_held_by_one_at_a_time(tmp_path):
    path = tmp_path / "new" / "index"
    lock = UpdateLock(path)
    with pytest.raises(errors.IndexUnavailableError, match="another process") as caught:
        UpdateLock(path)
    assert caught.value.do == "wait until it has ended"
    lock.release()
    UpdateLock(path).release()


def test_directory_is_for_its_owner_alone(tmp_path):
    UpdateLock(tmp_path / "index").release()
    assert (tmp_path / "index").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "index" / "update.lock").stat().st_mode & 0o777 == 0o600


def test_place_that_cannot_be_a_directory_is_told(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(errors.IndexUnavailableError, match="cannot be written"):
        UpdateLock(tmp_path / "file" / "index")


def test_directory_that_others_can_change_is_not_written(tmp_path):
    index_dir = tmp_path / "index"
    UpdateLock(index_dir).release()
    index_dir.chmod(0o777)
    with pytest.raises(errors.IndexUnavailableError, match="other users can change it") as caught:
        UpdateLock(index_dir)
    assert caught.value.where == str(index_dir)
    assert "chmod go-w" in str(caught.value.do)
