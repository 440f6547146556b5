from pathlib import Path

import pytest

from archiver import errors
from archiver.config.settings import NodeSettings, Settings

URL = "https://panel.example.com"
PANEL = f'[[panels]]\nurl = "{URL}"\n'


def reveal(settings: Settings) -> list[str]:
    return [key.reveal() for key in settings.panels[0].api_keys]


def test_the_environment_is_enough_for_one_panel(loading):
    settings = loading(with_keys=True, ARCHIVER_PANEL_URL=URL + "/", ARCHIVER_API_KEY="ptlc_1")
    panel = settings.panels[0]
    assert (panel.name, panel.url, panel.origin) == ("panel.example.com", URL, URL)
    assert (panel.servers, panel.scope, panel.allow_control) == (("*",), "all", False)
    assert reveal(settings) == ["ptlc_1"]
    assert {n: o for n, _, o in settings.rows()}["panels[0].api_keys"] == "ARCHIVER_API_KEY"


def test_a_panel_may_have_several_keys(loading, home):
    for name in "ab":
        (home / name).write_text(f"ptlc_{name}\n", encoding="utf-8")
        (home / name).chmod(0o600)
    text = PANEL + 'api_key_file = ["a", "b"]\napi_key_env = "C"\n'
    assert reveal(loading(text, with_keys=True, C="ptlc_c")) == ["ptlc_a", "ptlc_b", "ptlc_c"]


def test_a_panel_says_how_its_nodes_are_trusted(loading, home):
    panel = loading(
        PANEL + 'ca_file = "ca.pem"\n[panels.nodes."Node.example.com"]\nverify = false\n'
        '[panels.nodes.other]\nca_file = "node.pem"\n'
    ).panels[0]
    assert panel.ca_file == home / "ca.pem"
    assert panel.nodes == {
        "node.example.com": NodeSettings(verify=False),
        "other": NodeSettings(ca_file=home / "node.pem"),
    }


def test_a_key_of_the_file_never_goes_to_another_host(loading, home):
    (home / "key").write_text("ptlc_file", encoding="utf-8")
    text = PANEL + 'api_key_file = "key"\nscope = "owned"\n'
    for url in ("https://evil.example.com", "http://panel.example.com", URL + ":8443"):
        with pytest.raises(errors.ConfigError):
            loading(text, with_keys=True, ARCHIVER_PANEL_URL=url)
    settings = loading(
        text, with_keys=True, ARCHIVER_PANEL_URL="https://other.example.com", ARCHIVER_API_KEY="k"
    )
    assert reveal(settings) == ["k"]
    assert settings.panels[0].scope == "all"


def test_the_same_panel_by_variable_keeps_the_file_s_settings(loading, home):
    (home / "key").write_text("ptlc_file", encoding="utf-8")
    text = '[[panels]]\nurl = "https://other.example.com"\n' + PANEL + 'api_key_file = "key"\n'
    settings = loading(text, with_keys=True, ARCHIVER_PANEL_URL=URL)
    assert [panel.url for panel in settings.panels] == [URL]
    assert reveal(settings) == ["ptlc_file"]


def test_a_key_by_variable_replaces_the_file_s(loading):
    text = PANEL + 'api_key_file = "/missing"\n'
    assert reveal(loading(text, with_keys=True, ARCHIVER_API_KEY="k")) == ["k"]


def test_a_key_by_option_replaces_the_variable_s(loading, home):
    (home / "key").write_text("ptlc_option", encoding="utf-8")
    options = {"url": URL, "api_key_file": str(home / "key")}
    assert reveal(loading(with_keys=True, options=options, ARCHIVER_API_KEY="k")) == ["ptlc_option"]


def test_a_variable_that_could_mean_two_panels_is_refused(loading):
    text = PANEL + '[[panels]]\nurl = "https://other.example.com"\n'
    with pytest.raises(errors.ConfigError, match=r"ARCHIVER_API_KEY is set, but .* 2 panels"):
        loading(text, ARCHIVER_API_KEY="k")


def test_a_key_without_a_panel_does_not_disturb_a_reader(loading):
    assert loading(ARCHIVER_API_KEY="k").panels == ()


@pytest.mark.parametrize(
    "url",
    [
        "panel.example.com",
        "ftp://panel.example.com",
        "https://user:secret@panel.example.com",
        "https://panel.example.com/?key=secret",
        "https://panel.example.com/#secret",
        "https://panel.example.com:port",
        "https://",
    ],
)
def test_what_is_no_panel_s_address_is_refused(loading, url):
    with pytest.raises(errors.ConfigError) as caught:
        loading(ARCHIVER_PANEL_URL=url)
    assert "secret" not in str(caught.value)


def test_http_is_for_this_machine_or_by_permission(loading):
    assert loading(ARCHIVER_PANEL_URL="http://127.0.0.1:8000").panels
    assert loading(ARCHIVER_PANEL_URL="http://[::1]:8000").panels
    url = "http://panel.example.com"
    with pytest.raises(errors.ConfigError, match="in the clear"):
        loading(ARCHIVER_PANEL_URL=url)
    assert loading(ARCHIVER_PANEL_URL=url, ARCHIVER_ALLOW_HTTP="yes").panels


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("[[panels]]\nname = 'x'\n", "panel 1 has no url"),
        ("[panels]\nurl = 'x'\n", "not a list of tables"),
        ("panels = [1]\n", "not a list of tables"),
        (PANEL + "nodes = 1\n", "nodes is not a table"),
        (PANEL + "[panels.nodes]\nhost = 1\n", "nodes is not a table"),
        (PANEL + PANEL, "there twice"),
    ],
)
def test_panels_that_cannot_be_meant_are_refused(loading, text, what):
    with pytest.raises(errors.ConfigError, match=what):
        loading(text)


def test_a_panel_without_a_key_cannot_be_recorded(loading):
    with pytest.raises(errors.ConfigError, match=r"no API key for panel 'panel\.example\.com'"):
        loading(PANEL, with_keys=True)


def test_a_key_that_all_can_read_is_a_warning(loading, home):
    (home / "key").write_text("k", encoding="utf-8")
    (home / "key").chmod(0o604)
    settings = loading(PANEL + 'api_key_file = "key"\n', with_keys=True)
    assert Path(settings.warnings[0].rpartition(" ")[2]) == home / "key"
