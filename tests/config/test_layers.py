from pathlib import Path

import pytest

from archiver import errors
from archiver.config import layers


def test_the_user_s_file_goes_before_the_system_s(home):
    path = home / ".config" / "archiver" / "config.toml"
    environ = {"HOME": str(home)}
    assert layers.user_file(environ) == path
    path.parent.mkdir(parents=True)
    path.touch()
    assert layers.find_file(None, environ) == path


def test_a_named_file_goes_before_all_and_may_be_missing(home):
    environ = {"HOME": str(home), "ARCHIVER_CONFIG": "~/other.toml"}
    assert layers.find_file(None, environ) == Path("~/other.toml").expanduser()
    assert layers.find_file(home / "given.toml", environ) == home / "given.toml"


@pytest.mark.parametrize("folder", ["", ".", "relative"])
def test_no_file_of_the_current_directory_is_ever_read(home, monkeypatch, folder):
    monkeypatch.chdir(home)
    for path in (Path("config.toml"), Path("archiver/config.toml")):
        for place in (home, home / "relative"):
            (place / path).parent.mkdir(parents=True, exist_ok=True)
            (place / path).write_text("compression = true", encoding="utf-8")
    environ = {"HOME": str(home / "nobody"), "XDG_CONFIG_HOME": folder}
    found = layers.find_file(None, environ)
    assert found in {None, layers.SYSTEM_FILE}


def test_xdg_config_home_moves_the_file(home):
    environ = {"HOME": str(home), "XDG_CONFIG_HOME": "/x"}
    assert layers.user_file(environ) == Path("/x/archiver/config.toml")


@pytest.mark.parametrize(
    ("environ", "path"),
    [
        ({"STATE_DIRECTORY": "/var/lib/archiver", "XDG_DATA_HOME": "/x"}, "/var/lib/archiver"),
        ({"STATE_DIRECTORY": "/var/lib/a:/var/lib/b"}, "/var/lib/a"),
        ({"XDG_DATA_HOME": "/x"}, "/x/archiver"),
        ({"XDG_DATA_HOME": "x"}, "/home/me/.local/share/archiver"),
        ({}, "/home/me/.local/share/archiver"),
    ],
)
def test_the_archive_has_its_usual_place(environ, path):
    found = layers.default_data_dir({"HOME": "/home/me", **environ})
    assert found.value == Path(path)


def test_a_place_names_the_line_in_the_right_table(home):
    path = home / "c.toml"
    path.write_text(
        'name = 1\n[[panels]]\nurl = "a"\n[[ panels ]]  # second\nurl = "b"\n"name"="x"\n'
        '[panels.nodes."n.example.com"]\nverify = false\n',
        encoding="utf-8",
    )
    file = layers.read_file(path)
    assert file.place("name") == f"{path}, line 1"
    assert file.place("url", "panels", 0) == f"{path}, line 3"
    assert file.place("url", "panels", 1) == f"{path}, line 5"
    assert file.place("name", "panels", 1) == f"{path}, line 6"
    assert file.place("verify", "panels.nodes.n.example.com", 1) == f"{path}, line 8"
    assert file.place("missing") == str(path)


@pytest.mark.parametrize("content", [b"a = ", b"\xff\xfe", b"[[panels]\n"])
def test_a_file_that_is_not_toml_is_named(home, content):
    path = home / "c.toml"
    path.write_bytes(content)
    with pytest.raises(errors.ConfigError, match="not TOML") as caught:
        layers.read_file(path)
    assert caught.value.where == str(path)


def test_a_file_that_is_missing_is_named(home):
    with pytest.raises(errors.ConfigError, match="No such file"):
        layers.read_file(home / "c.toml")
