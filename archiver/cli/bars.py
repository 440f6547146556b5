"""Bars for long work, on a terminal; nothing elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Self

import click

_PATIENCE = 1.0  # seconds between two looks at a ticker, also before the first
_WIPE = "\r\x1b[2K"  # a line of a terminal

Watch = Callable[[int, int], None]  # how much is done, and how much there is


@contextmanager
def bar(what: str, unit: str = "lines") -> Iterator[Watch]:
    """
    Show a bar with rate and remaining time on stderr while the block runs.

    Args:
        what: What is being done, in front of the bar.
        unit: What is counted.

    """
    if not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, ProgressColumn, Task, TimeRemainingColumn
    from rich.text import Text

    class Rate(ProgressColumn):
        """So many a second."""

        def render(self, task: Task) -> Text:
            return Text("" if task.speed is None else f"{task.speed:,.0f} {unit}/s")

    columns = ("{task.description}", BarColumn(), "{task.percentage:>3.0f}%", Rate())
    console = Console(stderr=True, highlight=False)
    with Progress(
        *columns, TimeRemainingColumn(compact=True), console=console, transient=True
    ) as shown:
        task = shown.add_task(what, total=None)
        yield lambda done, total: shown.update(task, completed=done, total=total)


class Ticker:
    """
    A line on stderr that says how far work is which has no bar, once that takes a second.

    A context manager, which ends it.
    """

    def __init__(self) -> None:
        self._is_seen = sys.stderr.isatty()
        self._shown_at = time.monotonic()
        self._is_there = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def show(self, told: str) -> None:
        """Show *told* in the place of what was there, if it is time for that."""
        now = time.monotonic()
        if self._is_seen and now - self._shown_at > _PATIENCE:
            self._shown_at = now
            self._is_there = True
            click.echo(f"{_WIPE}{told}\r", nl=False, err=True)

    def end(self) -> None:
        """Leave no trace of it, as before anything else is written there, and show no more."""
        if self._is_there:
            click.echo(_WIPE, nl=False, err=True)
        self._is_seen = self._is_there = False
