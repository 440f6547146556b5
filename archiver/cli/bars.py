"""Bars for long work, on a terminal; nothing elsewhere."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

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
