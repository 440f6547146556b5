"""Files that only their owner may read, and what is told where they cannot be made."""

import errno
import os
import stat
from pathlib import Path

import pytest

from archiver.store import private
from archiver.store.refusals import RefusedError


def test_a_file_and_its_directories_are_private(tmp_path):
    old = os.umask(0)
    try:
        os.close(private.open_file(tmp_path / "a" / "b" / "lock", "lock"))
    finally:
        os.umask(old)

    modes = [(tmp_path / name).stat().st_mode for name in ("a/b", "a/b/lock")]
    assert [stat.S_IMODE(mode) for mode in modes] == [0o700, 0o600]


def test_what_is_there_keeps_its_content_and_mode(tmp_path):
    path = tmp_path / "lock"
    path.write_text("x", encoding="utf-8")
    path.chmod(0o640)
    os.close(private.open_file(path, "lock"))

    assert path.read_text(encoding="utf-8") == "x"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


@pytest.mark.parametrize(
    ("name", "what", "where"),
    [
        ("file/lock", "its directory is a file", "file"),
        ("file/a/b/lock", "its directory is a file", "file"),
        ("link/lock", "its directory is a broken link", "link"),
        ("folder", "a directory is in its place", "folder"),
    ],
)
def test_what_is_in_the_way_is_named(tmp_path, name, what, where):
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("nowhere")
    (tmp_path / "folder").mkdir()

    with pytest.raises(RefusedError, match=f"lock cannot be made: {what}") as caught:
        private.open_file(tmp_path / name, "lock")
    assert caught.value.where == str(tmp_path / where)
    assert caught.value.do == "move that away, or name another place: see 'archiver config show'"
    assert not caught.value.retryable


def test_a_directory_that_refuses_is_told_in_the_system_s_words(tmp_path, monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(RefusedError, match="lock cannot be made: Permission denied") as caught:
        private.open_file(tmp_path / "lock", "lock")
    assert caught.value.do == "make the directory writable for this user"
