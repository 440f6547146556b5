"""The configuration as words: a commented example file, and the README's table."""

import os
import textwrap
from pathlib import Path

from archiver import errors
from archiver.config.table import NODE_SETTINGS, PANEL_SETTINGS, SETTINGS, Setting, variable

_INTRODUCTION = """\
# Configuration of archiver. Options and ARCHIVER_* variables go over this file.
# 'archiver config show' prints the settings in force and where each came from.
# API keys do not belong in here: write each into a file of its own, mode 0600.
"""


_QUERIES = """\
# Queries to search for by a name: archiver search @crash -S 7d
# [queries]
# crash = 'level:fatal OR "out of memory" OR "crash report"'
"""


def render() -> str:
    """Return an example file; every line of it is a comment."""
    parts = [_INTRODUCTION, *(_describe(setting) for setting in SETTINGS)]
    parts += ["# One or more panels.\n# [[panels]]\n", *(_describe(s) for s in PANEL_SETTINGS)]
    parts += ['# A node that needs its own trust.\n# [panels.nodes."node.example.com"]\n']
    parts += [_describe(setting) for setting in NODE_SETTINGS]
    parts.append(_QUERIES)
    return "\n".join(parts)


def _describe(setting: Setting) -> str:
    words = f"{setting.doc} Default: {setting.default}."
    comment = textwrap.indent(textwrap.fill(words, 90), "# ")
    return f"{comment}\n# {setting.name} = {setting.example}\n"


def render_markdown() -> str:
    """Return the README's tables of settings."""
    lines = []
    for title, settings in (
        ("Setting", SETTINGS),
        ("In `[[panels]]`", PANEL_SETTINGS),
        ('In `[panels.nodes."host"]`', NODE_SETTINGS),
    ):
        lines += [f"| {title} | Default | Meaning |", "|---|---|---|"]
        for setting in settings:
            name = f"`{setting.name}`"
            if settings is not NODE_SETTINGS and setting.name != "api_key_env":
                name += f" (`{variable(setting.name)}`)"
            lines.append(f"| {name} | {setting.default} | {setting.doc} |")
        lines.append("")
    return "\n".join(lines)


def write_private(path: Path, text: str) -> None:
    """
    Write a new file that only its owner may read, and its directory if need be.

    Raises:
        ConfigError: The file exists, or cannot be written.

    """
    if os.path.lexists(path):
        raise errors.ConfigError(
            "file exists already", where=str(path), do="edit it, or move it away first"
        )
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Not chmod afterwards: the mode must be there before the first byte.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as exc:
        raise errors.ConfigError(
            f"file cannot be written: {exc.strerror}",
            where=str(path),
            do="make its directory writable for this user, or name another file",
        ) from exc
