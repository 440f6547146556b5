"""``archiver import``: log files that already lie on disk."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import date, datetime, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING

import click

from archiver import errors
from archiver.cli import options
from archiver.cli.completion import complete_servers
from archiver.cli.options import Command, Invocation
from archiver.cli.output import tell
from archiver.operations.visible import visible

if TYPE_CHECKING:
    from archiver.operations.file_lines import FileLines
    from archiver.operations.import_files import Outcome

_NAME_WIDTH = 30  # characters of a file's name, from its end


@click.command(
    "import", cls=Command, example="archiver import logs/*.log.gz logs/latest.log -s survival"
)
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE..."
)
@click.option(
    "-s",
    "--server",
    "name",
    required=True,
    metavar="NAME",
    shell_complete=complete_servers,
    help="Whose lines they are: identifier, uuid or name.",
)
@click.option(
    "--date",
    "day",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="YYYY-MM-DD",
    help="The day of the first line, where lines claim no date. Default: the date in the "
    "file's name, else counted back from its time of modification.",
)
@options.zone
@options.pass_invocation
def import_(
    invocation: Invocation,
    /,
    *,
    files: tuple[Path, ...],
    name: str,
    day: datetime | None,
    utc: bool,
    tz: str | None,
) -> None:
    """
    Put log files into a server's history, at their places in time.

    Takes plain text, .gz, .zst, and NDJSON of 'archiver export lines'; - is standard
    input. Lines go before all that was recorded and into gaps. What was recorded or
    imported already is not stored again: the same file, or one that has grown, may be
    given any time, also while 'archiver ingest' records.

    A line has the time that it claims, read in the zone of --tz; one that claims none
    has that of the line before it. A line that may be one of the recorded ones next to
    it is stored, and 'archiver logs' marks it with a ?.

    Interrupted, the same command goes on where it was. Exits with 5 if a file is
    damaged, or if no number was left for a line; all the others are imported.
    """
    from archiver.operations.file_lines import FileLines
    from archiver.operations.import_files import check_zone, choose_server, import_lines
    from archiver.operations.log_files import LogFile
    from archiver.store.imports import Imports

    zone = options.chosen_zone(utc=utc, tz=tz)
    now = invocation.clock()
    first_day = None if day is None else day.toordinal() - date(1970, 1, 1).toordinal()
    settings = invocation.settings()
    done: list[tuple[FileLines, Outcome]] = []
    with ExitStack() as stack:
        archive = stack.enter_context(Imports.open(settings.database_url, settings.data_dir))
        server = choose_server(archive.servers(), name)
        opened = [stack.enter_context(LogFile(path)) for path in files]
        logs = [FileLines(file, zone, first_day, now) for file in opened]
        # All of them before the first is imported: then a mistake costs nothing.
        for lines in logs:
            file = lines.file
            with _bar(f"looking at {file.name}", file.size, "bytes") as show:
                lines.look(show)
        if not utc and tz is None and not all(lines.survey.is_ndjson for lines in logs):
            check_zone(archive, server, zone)
        try:
            for lines in logs:
                with _bar(lines.file.name, lines.survey.lines, "lines") as show:
                    outcome = import_lines(archive, server, lines, zone=zone, now=now, advance=show)
                done.append((lines, outcome))
                tell(f"{lines.file.name}: {_describe([(lines, outcome)], zone)}")
        except KeyboardInterrupt:
            tell("interrupted; the same command goes on where it was")
            raise
    if len(done) > 1:
        tell(f"{len(done)} files: {_describe(done, zone)}")
    _advise(done)
    _complain(done)


@contextmanager
def _bar(what: str, total: int, unit: str) -> Iterator[Callable[[int], object]]:
    """Show a bar on a terminal meanwhile; what it gives is told how much of *total* is done."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    with Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.percentage:3.0f}%"),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    ) as progress:
        number = progress.add_task(visible(what)[-_NAME_WIDTH:], total=total, rate="")
        (task,) = progress.tasks

        def show(done: int) -> None:
            rate = f"{task.speed:,.0f} {unit}/s" if task.speed else ""
            progress.update(number, completed=done, rate=rate)

        yield show


def _describe(done: "Sequence[tuple[FileLines, Outcome]]", zone: tzinfo) -> str:
    """Say what became of files."""
    from archiver.query.times import format_time

    outcomes = [outcome for _, outcome in done]
    times = [at for each in outcomes for at in (each.first_at, each.last_at) if at is not None]
    if not times:
        return "no lines"

    def total(count: str) -> int:
        return sum(getattr(outcome, count) for outcome in outcomes)

    counts = {
        "uncertain (?)": total("uncertain"),
        "already there": total("there"),
        "too recent": total("later"),
        "without a place": total("crowded"),
        "not valid UTF-8": sum(lines.survey.invalid for lines, _ in done),
    }
    gaps = total("closed")
    parts = [
        f"{total('new'):,} new of {total('lines'):,} lines",
        *(f"{count:,} {what}" for what, count in counts.items() if count),
        *([f"{gaps} gap{'s' * (gaps != 1)} closed"] if gaps else []),
        f"{format_time(min(times), zone)[:19]} to {format_time(max(times), zone)[:19]}",
    ]
    return ", ".join(parts)


def _advise(done: "Sequence[tuple[FileLines, Outcome]]") -> None:
    """Say what somebody should know who may not expect it."""
    if any(outcome.later for _, outcome in done):
        tell(
            "too recent: newer than what is recorded, or replays may still bring these lines; "
            "import again later, what is there is not stored twice"
        )
    for lines, _ in done:
        survey = lines.survey
        if survey.lines and not survey.is_ndjson and survey.first_time is None:
            tell(f"{lines.file.name}: no line claims a time; all are dated by the file (?)")
    if any(outcome.is_first for _, outcome in done):
        tell(
            "nothing was recorded of this server yet: its first replay may repeat "
            "the last of these lines"
        )


def _complain(done: "Sequence[tuple[FileLines, Outcome]]") -> None:
    """
    Raise if something could not be imported.

    Raises:
        IncompleteError: A file is damaged, or no number was left for a line.

    """
    damaged = [lines for lines, _ in done if lines.survey.damage is not None]
    if damaged:
        survey = damaged[0].survey
        more = f" (and {len(damaged) - 1} more files)" if len(damaged) > 1 else ""
        raise errors.IncompleteError(
            f"file is damaged: {survey.damage}{more}",
            where=f"{damaged[0].file.name}, after line {survey.lines}",
            do="get a whole copy and import that: what was read is imported, and not stored twice",
        )
    crowded = sum(outcome.crowded for _, outcome in done)
    if crowded:
        raise errors.IncompleteError(
            f"{crowded:,} lines have no place: no number is left between their neighbours",
            do="report this; the other lines are imported",
        )
