import tomllib
from dataclasses import fields
from pathlib import Path

import pytest

from archiver.config.settings import NodeSettings, PanelSettings, Settings
from archiver.config.table import NODE_SETTINGS, PANEL_SETTINGS, SETTINGS, variable

EVERY = [*SETTINGS, *PANEL_SETTINGS, *NODE_SETTINGS]
READ = {setting.name: setting.read for setting in EVERY}


@pytest.mark.parametrize(
    ("settings", "kind", "others"),
    [
        (SETTINGS, Settings, {"panels", "queries", "file", "origins", "warnings"}),
        (PANEL_SETTINGS, PanelSettings, {"api_keys", "nodes"}),
        (NODE_SETTINGS, NodeSettings, set()),
    ],
)
def test_the_table_names_every_setting_there_is(settings, kind, others):
    named = {setting.name for setting in settings} - {"api_key_file", "api_key_env"}
    assert named == {item.name for item in fields(kind)} - others


@pytest.mark.parametrize("setting", EVERY)
def test_each_example_is_a_value_that_the_setting_takes(setting):
    setting.read(tomllib.loads(f"value = {setting.example}")["value"])


@pytest.mark.parametrize("setting", [*SETTINGS, *NODE_SETTINGS])
def test_each_default_that_is_a_value_is_the_one_in_force(setting):
    kind = NodeSettings if setting in NODE_SETTINGS else Settings
    default = next(item.default for item in fields(kind) if item.name == setting.name)
    if isinstance(default, (bool, float)):
        assert setting.read(setting.default) == default


@pytest.mark.parametrize(
    ("name", "written", "value"),
    [
        ("data_dir", "/srv", Path("/srv")),
        ("commit_interval", 2, 2.0),
        ("commit_interval", "0.25", 0.25),
        ("audit_interval", 0, 0.0),
        ("audit_interval", "0.0", 0.0),
        ("audit_interval", 20, 20.0),
        ("compression", True, True),
        ("compression", "ON", True),
        ("compression", "0", False),
        ("servers", "a, b-*", ("a", "b-*")),
        ("servers", ["a, b"], ("a, b",)),
        ("api_key_file", "/a,b", (Path("/a,b"),)),
        ("api_key_file", Path("/a"), (Path("/a"),)),
        ("api_key_file", ["/a", "/b"], (Path("/a"), Path("/b"))),
        ("scope", "admin-all", "admin-all"),
        ("name", " main ", "main"),
    ],
)
def test_a_setting_reads_what_file_and_environment_say(name, written, value):
    assert READ[name](written) == value


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("data_dir", ""),
        ("data_dir", 5),
        ("commit_interval", 0),
        ("commit_interval", -1),
        ("commit_interval", True),
        ("commit_interval", "soon"),
        ("commit_interval", "nan"),
        ("commit_interval", [1]),
        ("audit_interval", 19.9),
        ("audit_interval", False),
        ("audit_interval", "never"),
        ("compression", 1),
        ("compression", "maybe"),
        ("servers", []),
        ("servers", [1]),
        ("servers", {}),
        ("api_key_file", []),
        ("scope", "everything"),
        ("scope", ["all"]),
        ("name", "  "),
    ],
)
def test_a_setting_refuses_what_cannot_be_meant(name, written):
    with pytest.raises(ValueError, match=r"^(a|seconds|true|one) ?"):
        READ[name](written)


def test_the_panel_s_variables_are_the_documented_ones():
    assert variable("url") == "ARCHIVER_PANEL_URL"
    assert variable("api_key_file") == "ARCHIVER_API_KEY_FILE"
    assert variable("data_dir") == "ARCHIVER_DATA_DIR"
