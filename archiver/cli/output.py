"""
Where output goes: data on stdout, what is said to a person on stderr.

Nothing that strangers wrote reaches a terminal but through here or ``visible``,
unless somebody asked to keep it.
"""

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, TextIO

import click

from archiver.operations.visible import visible_lines

if TYPE_CHECKING:
    from archiver.operations.export import Sink


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

    def __init__(self, file: "Sink | None" = None) -> None:
        self._file = file or sys.stdout

    def write(self, text: str, /) -> object:
        """Write *text*; only line feeds end a line."""
        return self._file.write(visible_lines(text.replace("\r\n", "\n")))


def stdout(file: "Sink | None" = None, *, keep: bool = False) -> "Sink":
    """
    Return where data goes.

    Args:
        file: What stands for standard output, such as a pager; None: itself.
        keep: Unsafe characters go to a terminal, too.

    """
    return (file or sys.stdout) if keep or not sys.stdout.isatty() else Screen(file)
