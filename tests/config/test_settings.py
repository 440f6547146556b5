from pathlib import Path

import pytest

from archiver.config.secret import Secret
from archiver.config.settings import (
    NodeSettings,
    PanelSettings,
    Settings,
    is_loopback,
    mask,
    origin_of,
)


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://panel.example.com", "https://panel.example.com"),
        ("https://Panel.Example.com:443/sub/", "https://panel.example.com"),
        ("http://panel.example.com:8080", "http://panel.example.com:8080"),
        ("http://panel.example.com:443", "http://panel.example.com:443"),
        ("https://[2001:DB8::1]:8443/x", "https://[2001:db8::1]:8443"),
    ],
)
def test_the_origin_is_what_a_browser_sends(url, origin):
    assert origin_of(url) == origin


@pytest.mark.parametrize("url", ["", "panel.example.com", "https://", "https://host:port"])
def test_what_has_no_host_has_no_origin(url):
    with pytest.raises(ValueError, match=r"host|Port"):
        origin_of(url)


@pytest.mark.parametrize("host", ["localhost", "a.localhost", "127.0.0.1", "127.9.9.9", "::1"])
def test_this_machine_is_loopback(host):
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["localhost.example.com", "10.0.0.1", "127.0.0.1.example", ""])
def test_another_machine_is_not_loopback(host):
    assert not is_loopback(host)


@pytest.mark.parametrize(
    ("url", "masked"),
    [
        ("sqlite:////srv/a@b/archive.db", "sqlite:////srv/a@b/archive.db"),
        ("postgresql://archiver@host/x", "postgresql://archiver@host/x"),
        ("postgresql://archiver:tops@host/x", "postgresql://archiver:***@host/x"),
        ("postgresql://archiver:tops@/cret@host/x", "postgresql://archiver:***@host/x"),
        ("postgresql://host/x?password=tops&a=b", "postgresql://host/x?password=***&a=b"),
    ],
)
def test_a_database_password_is_masked(url, masked):
    assert mask(url) == masked


def test_no_secret_is_in_what_settings_print():
    settings = Settings(
        data_dir=Path("/srv"),
        database_url="postgresql://u:tops3cret@host/x",
        panels=(
            PanelSettings(
                name="main",
                url="https://panel.example.com",
                origin="https://panel.example.com",
                api_keys=(Secret("ptlc_tops3cret"),),
                nodes={"node.example.com": NodeSettings(verify=False)},
            ),
        ),
    )
    rows = list(settings.rows())
    assert "3cret" not in repr(settings)
    assert "3cret" not in repr(rows)
    assert ("panels[0].api_keys", "***", "default") in rows
    assert ("compression", "false", "default") in rows
    assert ("panels[0].nodes.'node.example.com'.verify", "false", "default") in rows
    assert ("panels[0].nodes.'node.example.com'.ca_file", "-", "default") in rows
