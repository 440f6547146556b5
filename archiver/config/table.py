"""
Every setting in one table: its name, what it may be, its default, what it is for.

Reading the file and the environment, ``config show``, the example file and the
README all follow this table; a setting is added here and in
:mod:`archiver.config.settings`, nowhere else.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SCOPES = ("owned", "all", "admin", "admin-all")

_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"0", "false", "no", "off"}


def _text(value: object) -> str:
    if isinstance(value, str) and value.strip():
        return value.strip()
    raise ValueError("a text that is not empty")


def _path(value: object) -> Path:
    if isinstance(value, Path):
        return value
    return Path(_text(value))


def _seconds(value: object, *, least: float = 0.05) -> float:
    try:
        number = float(value) if isinstance(value, (str, int, float)) else math.nan
    except ValueError:
        number = math.nan
    # Not below 50 ms: a mistaken 0 would ask the disk or the panel without pause.
    if isinstance(value, bool) or not least <= number <= 86_400:  # noqa: PLR2004  # said in the error
        raise ValueError("seconds, from 0.05 to 86400")
    return number


def _audit_seconds(value: object) -> float:
    try:
        number = _seconds(value, least=0.0)
    except ValueError:
        number = math.nan
    # 0: none. Else not below 20 s: two replays of one server are at least 15 s apart.
    if number == 0 or number >= 20:  # noqa: PLR2004  # said in the error
        return number
    raise ValueError("seconds, 0 or from 20 to 86400")


def _boolean(value: object) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in _TRUE | _FALSE:
        return value.lower() in _TRUE
    raise ValueError("true or false")


def _texts(value: object) -> tuple[str, ...]:
    """Read a list; in the environment it is one text with commas."""
    items = value.split(",") if isinstance(value, str) else value
    if isinstance(items, (list, tuple)) and items:
        return tuple(_text(item) for item in items)
    raise ValueError("a text or a list of texts")


def _paths(value: object) -> tuple[Path, ...]:
    if isinstance(value, (str, Path)):
        return (_path(value),)  # a comma may be part of a path
    if isinstance(value, (list, tuple)) and value:
        return tuple(_path(item) for item in value)
    raise ValueError("a path or a list of paths")


def _scope(value: object) -> str:
    if value in SCOPES:
        return str(value)
    raise ValueError("one of " + ", ".join(SCOPES))


@dataclass(frozen=True, slots=True)
class Setting:
    """
    One key of the configuration.

    Args:
        name: As in the file.
        read: Makes the value of what the file or the environment says, or raises
            ValueError with what is expected.
        default: Its value where nobody sets it, as ``config show`` and the README
            print it.
        doc: What it is for; complete sentences.
        example: A value in TOML, for the example file.

    """

    name: str
    read: Callable[[object], Any]
    default: str
    doc: str
    example: str


SETTINGS = (
    Setting(
        "data_dir",
        _path,
        "$STATE_DIRECTORY, else $XDG_DATA_HOME/archiver",
        "The directory of the archive. Only its owner can look into it.",
        '"/var/lib/archiver"',
    ),
    Setting(
        "database_url",
        _text,
        "archive.db in data_dir",
        "Where the lines are stored: a SQLite file or a PostgreSQL database.",
        '"postgresql://archiver@localhost/archiver"',
    ),
    Setting(
        "commit_interval",
        _seconds,
        "1.0",
        "Seconds between two commits. What was not committed in a crash comes back with the "
        "next replay; shorter means more writing.",
        "1.0",
    ),
    Setting(
        "stats_interval",
        _seconds,
        "10.0",
        "Seconds between two stored samples of CPU, memory and network of one server.",
        "10.0",
    ),
    Setting(
        "discovery_interval",
        _seconds,
        "180.0",
        "Seconds between two looks for new, renamed and deleted servers.",
        "180.0",
    ),
    Setting(
        "audit_interval",
        _audit_seconds,
        "900.0",
        "Seconds between two replays of a server that are asked for while connected, to find "
        "lines that its node dropped without a trace; only if lines came. 0: only where "
        "something hints at a loss.",
        "900.0",
    ),
    Setting(
        "compression",
        _boolean,
        "false",
        "Compress the sockets, where the daemon can. Saves traffic, costs half the speed.",
        "false",
    ),
    Setting(
        "trust_env",
        _boolean,
        "false",
        "Reach panels by the proxy and the certificates that HTTPS_PROXY, NO_PROXY, "
        "SSL_CERT_FILE and ~/.netrc name.",
        "false",
    ),
)

PANEL_SETTINGS = (
    Setting(
        "name",
        _text,
        "the host of url",
        "What the panel is called in messages.",
        '"main"',
    ),
    Setting(
        "url",
        _text,
        "required",
        "The address of the panel, as in a browser.",
        '"https://panel.example.com"',
    ),
    Setting(
        "api_key_file",
        _paths,
        "none",
        "A file that holds one client API key and nothing else; a list if there are several. "
        "Each key has its own rate limit.",
        '"/etc/archiver/panel.key"',
    ),
    Setting(
        "api_key_env",
        _texts,
        "none",
        "An environment variable that holds a client API key, instead of a file; also a list.",
        '"PANEL_API_KEY"',
    ),
    Setting(
        "servers",
        _texts,
        "*",
        "Which servers to record: identifiers or names, with * and ?.",
        '["survival-*", "1a2b3c4d"]',
    ),
    Setting(
        "scope",
        _scope,
        "all",
        "Which servers to ask the panel for: owned (by the key's user), all (also shared with "
        "that user), admin (the others, for administrators), admin-all (every one).",
        '"all"',
    ),
    Setting(
        "origin",
        _text,
        "scheme, host and port of url",
        "The Origin header for the sockets. Must equal 'remote' in the daemon's configuration.",
        '"https://panel.example.com"',
    ),
    Setting(
        "ca_file",
        _path,
        "the system's",
        "Certificates to trust for this panel and its nodes, in PEM.",
        '"/etc/archiver/ca.pem"',
    ),
    Setting(
        "allow_http",
        _boolean,
        "false",
        "Send the key over http:// to a host that is not this machine.",
        "false",
    ),
    Setting(
        "allow_control",
        _boolean,
        "false",
        "Let 'archiver send' and 'archiver power' act on this panel's servers.",
        "false",
    ),
)

NODE_SETTINGS = (
    Setting(
        "verify",
        _boolean,
        "true",
        "Verify the certificate of this node. false lets anyone between you and the node "
        "read the console.",
        "false",
    ),
    Setting(
        "ca_file",
        _path,
        "the panel's",
        "Certificates to trust for this node, in PEM.",
        '"/etc/archiver/node.pem"',
    ),
)

# The key itself is no setting: the variable stands for api_key_env = "ARCHIVER_API_KEY".
KEY_VARIABLE = "ARCHIVER_API_KEY"


def option(name: str) -> str:
    """Return the command line's name of the setting *name*, without its dashes."""
    return f"panel-{name}" if name in {"url", "name"} else name.replace("_", "-")


def variable(name: str) -> str:
    """Return the environment variable of the setting *name*."""
    return "ARCHIVER_" + option(name).replace("-", "_").upper()
