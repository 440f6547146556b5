"""
What is longer than the screen, through a pager.

Click starts it and waits for it. When to start it is decided here: less would end by
itself where all fits (-F), but not where it is to begin at the end, and other pagers
do neither.
"""

import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager

import click

from archiver.operations.export import Sink

# As git has them: end if all fits, let colours through, leave the screen as it is.
_LESS = "-FRX"


@contextmanager
def paged(environ: Mapping[str, str], *, wanted: bool, begin: str = "") -> Iterator[Sink]:
    """
    Give where to write what a person reads: the screen or, if it is longer, a pager.

    Where the person leaves the pager early, the context is left, too, without an error.

    Args:
        environ: PAGER, which is less if it is not set; empty or cat is none. LESS.
        wanted: False: no pager, as where standard output is no terminal.
        begin: Where less is to begin, as its option, such as +G: at the end.

    """
    name = environ.get("PAGER", "less").strip()
    if not wanted or name in {"", "cat"} or not (sys.stdin.isatty() and sys.stdout.isatty()):
        yield sys.stdout
        return
    os.environ.setdefault("LESS", f"{_LESS} {begin}")
    with ExitStack() as stack:
        screenful = _Screenful(lambda: stack.enter_context(click.get_pager_file()))
        stack.callback(screenful.end)
        yield screenful


class _Screenful:
    """
    Holds text back until the screen has no room for it; from then on a pager has all.

    Args:
        start: Starts the pager.

    """

    def __init__(self, start: Callable[[], Sink]) -> None:
        self._start = start
        self._columns, self._lines = shutil.get_terminal_size()
        self._height = 1  # with the prompt that comes below
        self._held: list[str] = []
        self._pager: Sink | None = None

    def write(self, text: str, /) -> object:
        """Write *text*, which ends a line."""
        if self._pager is not None:
            return self._pager.write(text)
        self._held.append(text)
        for line in click.unstyle(text).splitlines():
            self._height += 1 + max(0, len(line) - 1) // self._columns
        if self._height > self._lines:
            self._pager = self._start()
            self._pager.write("".join(self._held))
        return None

    def end(self) -> None:
        """Print what all fits."""
        if self._pager is None:
            sys.stdout.write("".join(self._held))
