import re
import stat

import pytest

from archiver import errors
from archiver.config import example
from archiver.config.table import NODE_SETTINGS, PANEL_SETTINGS, SETTINGS


def test_the_example_as_it_is_changes_nothing(loading):
    assert loading(example.render()).panels == ()


def test_the_example_with_all_comments_taken_away_is_a_configuration(loading):
    lines = [
        line.removeprefix("# ")
        for line in example.render().splitlines()
        if re.match(r"# (\w+ = |\[)", line)
    ]
    settings = loading("\n".join(lines))
    assert len(lines) == len(SETTINGS) + len(PANEL_SETTINGS) + len(NODE_SETTINGS) + 4
    assert settings.panels[0].nodes["node.example.com"].verify is False
    assert settings.queries["crash"].startswith("level:fatal OR")


def test_the_readme_s_tables_have_a_row_for_each_setting():
    text = example.render_markdown()
    for setting in [*SETTINGS, *PANEL_SETTINGS, *NODE_SETTINGS]:
        assert f"| `{setting.name}`" in text


def test_a_new_file_is_private_and_never_written_over(tmp_path):
    path = tmp_path / "new" / "config.toml"
    example.write_private(path, "a = 1\n")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    with pytest.raises(errors.ConfigError, match="exists already"):
        example.write_private(path, "b = 2\n")
    assert path.read_text(encoding="utf-8") == "a = 1\n"


def test_a_file_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(errors.ConfigError, match="cannot be written") as caught:
        example.write_private(tmp_path / "file" / "config.toml", "")
    assert caught.value.where == str(tmp_path / "file" / "config.toml")
    assert caught.value.do == "make its directory writable for this user, or name another file"
