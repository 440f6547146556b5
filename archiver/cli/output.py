"""
Text that is safe to print, and where it goes.

Console text, names and messages are written by strangers: a control character in
them could clear the screen, set its title or make one line look like another. So
nothing reaches a terminal but through here, unless somebody asked to keep it.
"""

import sys
from collections.abc import Mapping
from typing import TextIO

import click

# C0 but tab, DEL, C1, line separators, bidirectional embeddings and isolates.
_UNSAFE = (*range(9), *range(0xA, 0x20), *range(0x7F, 0xA0), 0x2028, 0x2029)
_BIDI = (*range(0x202A, 0x202F), *range(0x2066, 0x206A))
# A form that JSON reads back as the character itself.
_VISIBLE = {code: f"\\u{code:04x}" for code in (*_UNSAFE, *_BIDI)}
_VISIBLE_LINES = {code: shown for code, shown in _VISIBLE.items() if code != ord("\n")}


def visible(text: str) -> str:
    r"""Return *text* with unsafe characters as escapes such as ``\u001b``."""
    return text if text.isprintable() else text.translate(_VISIBLE)


def tell(text: str) -> None:
    """Say *text*, of one or more lines, to a person on stderr."""
    click.echo(text.translate(_VISIBLE_LINES), err=True)


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
        return sys.stdout.write(text.replace("\r\n", "\n").translate(_VISIBLE_LINES))


def stdout(*, keep: bool = False) -> "Screen | TextIO":
    """Return where data goes; *keep*: unsafe characters go to a terminal too."""
    return sys.stdout if keep or not sys.stdout.isatty() else Screen()
