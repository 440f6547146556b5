from pathlib import Path

import pytest

from archiver import errors

PANEL = '[[panels]]\nurl = "https://panel.example.com"\n'


def test_without_anything_the_defaults_hold(loading, home):
    settings = loading()
    assert settings.data_dir == home / ".local/share/archiver"
    assert settings.database_url == f"sqlite:///{settings.data_dir}/archive.db"
    assert (settings.commit_interval, settings.compression) == (1.0, False)
    assert settings.panels == ()


def test_option_over_variable_over_file_over_default(loading):
    text = 'data_dir = "/file"\ncommit_interval = 3\nstats_interval = 30\n'
    settings = loading(
        text,
        options={"data_dir": Path("/option"), "commit_interval": None},
        ARCHIVER_DATA_DIR="/variable",
        ARCHIVER_COMMIT_INTERVAL="2",
    )
    assert settings.data_dir == Path("/option")
    assert settings.commit_interval == 2.0
    assert settings.stats_interval == 30.0
    assert settings.discovery_interval == 180.0
    origins = {name: origin for name, _, origin in settings.rows()}
    assert origins["data_dir"] == "--data-dir"
    assert origins["commit_interval"] == "ARCHIVER_COMMIT_INTERVAL"
    assert origins["stats_interval"] == f"{settings.file}, line 3"
    assert origins["discovery_interval"] == "default"


def test_an_empty_variable_says_nothing(loading):
    assert loading('data_dir = "/file"', ARCHIVER_DATA_DIR="").data_dir == Path("/file")


def test_the_database_follows_the_data_directory(loading):
    assert loading(ARCHIVER_DATA_DIR="/srv").database_url == "sqlite:////srv/archive.db"
    url = "postgresql://archiver@db/archiver"
    assert loading(ARCHIVER_DATA_DIR="/srv", ARCHIVER_DATABASE_URL=url).database_url == url


def test_a_data_directory_on_the_command_line_means_the_archive_in_it(loading):
    url = "postgresql://archiver@db/archiver"
    settings = loading(
        f'database_url = "{url}"', options={"data_dir": "/srv"}, ARCHIVER_DATABASE_URL=url
    )
    assert settings.database_url == "sqlite:////srv/archive.db"


def test_a_path_in_the_file_is_relative_to_the_file(loading, home, monkeypatch):
    monkeypatch.chdir("/")
    assert loading('data_dir = "archive"').data_dir == home / "archive"
    assert loading('data_dir = "x"', ARCHIVER_DATA_DIR="archive").data_dir == Path("/archive")


@pytest.mark.parametrize(
    ("text", "name", "line", "nearest"),
    [
        ("databse_url = 1", "databse_url", 1, "database_url"),
        ("\npanel = 1", "panel", 2, "panels"),
        (PANEL + 'orgin = "x"', "orgin", 3, "origin"),
        (PANEL + "data_dir = 1", "data_dir", 3, None),
        (PANEL + '[panels.nodes."n"]\nverfy = false', "verfy", 4, "verify"),
    ],
)
def test_an_unknown_setting_is_refused_with_the_nearest_known(loading, text, name, line, nearest):
    with pytest.raises(errors.ConfigError) as caught:
        loading(text)
    assert caught.value.what == f"unknown setting {name!r}"
    assert caught.value.where is not None
    assert caught.value.where.endswith(f"given.toml, line {line}")
    assert caught.value.do is not None
    assert caught.value.do.startswith(f"did you mean {nearest!r}" if nearest else "known here")


def test_a_key_in_the_file_is_refused_without_being_shown(loading):
    with pytest.raises(errors.ConfigError) as caught:
        loading(PANEL + 'api_key = "ptlc_0123"')
    assert "api_key_file" in str(caught.value)
    assert "0123" not in str(caught.value)


def test_a_value_that_cannot_be_is_refused_with_its_place(loading):
    with pytest.raises(errors.ConfigError) as caught:
        loading('\ncommit_interval = "soon"')
    assert str(caught.value).startswith("commit_interval is 'soon', not seconds")
    assert "line 2" in str(caught.value)
    with pytest.raises(errors.ConfigError, match="ARCHIVER_COMPRESSION"):
        loading(ARCHIVER_COMPRESSION="perhaps")


def test_recording_without_a_panel_says_what_to_do(loading):
    with pytest.raises(errors.ConfigError, match="no panel is configured") as caught:
        loading(with_keys=True)
    assert caught.value.do is not None
    assert "archiver setup" in caught.value.do


def test_reading_needs_no_key(loading):
    panel = loading(PANEL + 'api_key_file = "/missing"').panels[0]
    assert panel.api_keys == ()
