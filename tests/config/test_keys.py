from pathlib import Path

import pytest

from archiver import errors
from archiver.config import keys

KEY = "ptlc_0123456789"


@pytest.mark.parametrize("content", [KEY, f"{KEY}\n", f"  {KEY}\r\n"])
def test_a_key_file_may_end_in_a_line_break(tmp_path, content):
    path = tmp_path / "key"
    path.write_bytes(content.encode())
    path.chmod(0o600)
    warnings: list[str] = []
    assert keys.read_file(path, warnings).reveal() == KEY
    assert warnings == []


@pytest.mark.parametrize("content", ["", "\n", f"{KEY}\n{KEY}", "two words", "schlüssel", "a\x1bb"])
def test_what_is_no_key_is_refused_without_being_shown(tmp_path, content):
    path = tmp_path / "key"
    path.write_bytes(content.encode())
    with pytest.raises(errors.ConfigError) as caught:
        keys.read_file(path, [])
    assert str(path) in str(caught.value)
    assert not content.strip() or content.strip() not in str(caught.value)


def test_a_key_file_that_everyone_can_read_gets_a_warning(tmp_path):
    path = tmp_path / "key"
    path.write_text(KEY, encoding="utf-8")
    path.chmod(0o644)
    warnings: list[str] = []
    keys.read_file(path, warnings)
    assert warnings == [f"everyone can read the API key in {path}: chmod 600 {path}"]


def test_a_key_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(errors.ConfigError, match="No such file"):
        keys.read_file(tmp_path / "missing", [])


def test_a_device_without_an_end_is_no_key():
    with pytest.raises(errors.ConfigError):
        keys.read_file(Path("/dev/zero"), [])


def test_a_key_comes_from_a_variable():
    assert keys.read_variable("PANEL_KEY", {"PANEL_KEY": KEY}, "file").reveal() == KEY


@pytest.mark.parametrize("environ", [{}, {KEY: ""}])
def test_a_key_written_where_its_variable_s_name_belongs_is_not_shown(environ):
    with pytest.raises(errors.ConfigError) as caught:
        keys.read_variable(KEY, environ, "config.toml, line 7")
    assert KEY not in str(caught.value)
    assert "config.toml, line 7" in str(caught.value)
