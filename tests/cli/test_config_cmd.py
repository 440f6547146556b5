import json
import os
import stat
from pathlib import Path

import pytest


@pytest.fixture
def file() -> Path:
    return Path(os.environ["XDG_CONFIG_HOME"]) / "archiver" / "config.toml"


def test_a_file_is_made_once_and_is_found(archiver, file):
    missing = archiver("config", "path")
    assert (missing.code, missing.out) == (1, f"{file}\n")
    assert archiver("config", "init") == (0, f"{file}\n", "")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert archiver("config", "path") == (0, f"{file}\n", "")
    again = archiver("config", "init")
    assert again.code == 3
    assert "exists already" in again.err


def test_a_file_is_made_where_it_was_named(archiver, tmp_path):
    path = tmp_path / "own.toml"
    assert archiver("--config", str(path), "config", "init").out == f"{path}\n"
    assert archiver("--config", str(path), "config", "path").code == 0
    assert archiver("--config", str(path), "config", "show").code == 0


def test_settings_are_shown_with_their_origin_and_without_secrets(archiver, tmp_path, monkeypatch):
    path = tmp_path / "own.toml"
    path.write_text(
        'database_url = "postgresql://u:tops3cret@db/x"\n[[panels]]\nurl = "https://p.example"\n',
        encoding="utf-8",
    )
    monkeypatch.setenv("ARCHIVER_CONFIG", str(path))
    monkeypatch.setenv("ARCHIVER_API_KEY", "ptlc_tops3cret")
    monkeypatch.setenv("ARCHIVER_COMMIT_INTERVAL", "2")
    result = archiver("config", "show", "-o", "ndjson")
    rows = {row["setting"]: row for row in map(json.loads, result.out.splitlines())}
    assert result.code == 0
    assert "3cret" not in result.out + result.err
    assert rows["database_url"]["value"] == "postgresql://u:***@db/x"
    assert rows["database_url"]["from"] == f"{path}, line 1"
    assert rows["commit_interval"] == {
        "setting": "commit_interval",
        "value": "2.0",
        "from": "ARCHIVER_COMMIT_INTERVAL",
    }
    assert rows["panels[0].api_keys"]["from"] == "ARCHIVER_API_KEY"
    assert rows["panels[0].api_keys"]["value"] == "***"
    assert archiver("config", "show").out.splitlines()[0].split() == ["SETTING", "VALUE", "FROM"]


def test_a_mistake_in_the_file_is_an_error_of_every_command(archiver, file):
    file.parent.mkdir(parents=True)
    file.write_text("comit_interval = 1\n", encoding="utf-8")
    for command in (["logs"], ["config", "show"], ["ingest"], ["db", "current"]):
        result = archiver(*command)
        assert result.code == 3
        assert "did you mean 'commit_interval'?" in result.err


def test_a_key_that_all_can_read_is_a_warning_where_it_is_read(archiver, archive, tmp_path):
    key = tmp_path / "key"
    key.write_text("ptlc_1", encoding="utf-8")
    key.chmod(0o644)
    result = archiver("ingest", "--panel-url", "http://panel.example", "--api-key-file", str(key))
    assert result.code == 3  # not over http://
    quiet = archiver("logs")
    assert "key" not in quiet.err
