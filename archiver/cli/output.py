"""
Where output goes: data on stdout, what is said to a person on stderr.

Nothing that strangers wrote reaches a terminal but through here or ``visible``,
unless somebody asked to keep it.
"""

import sys
from collections.abc import Mapping
from typing import TextIO

import click

from archiver.operations.visible import visible_lines


def tell(text: str) -> None:
    """Say *text*, of one or more lines, to a person on stderr."""
    click.echo(visible_lines(text), err=True)


def has_colour(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Return whether *stream* is to be coloured: NO_COLOR, CLICOLOR_FORCE, a terminal."""
    if environ.get("NO_COLOR"):
        return False
    if environ.get("CLICOLOR_FORCE", "0") not in {"", "0"}:
        return True
    return stream.isatty() and environ.get("TERM") != "dumb"


class Screen:
    """A terminal for programs' formats: what it should not see, it sees as escapes."""

    def write(self, text: str, /) -> object:
        """Write *text*; only line feeds end a line."""
        return sys.stdout.write(visible_lines(text.replace("\r\n", "\n")))


def stdout(*, keep: bool = False) -> "Screen | TextIO":
    """Return where data goes; *keep*: unsafe characters go to a terminal too."""
    return sys.stdout if keep or not sys.stdout.isatty() else Screen()
