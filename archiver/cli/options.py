"""What commands share: their help, their options, and what these mean."""

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from archiver import errors
from archiver.cli.completion import complete_servers
from archiver.cli.output import tell

if TYPE_CHECKING:
    from archiver.config.settings import Settings
    from archiver.store.reads import LineFilter, Reader

_Command = TypeVar("_Command", bound=Callable[..., Any])

SOURCES = ("live", "replay", "daemon", "message", "install", "transfer", "import")
LEVELS = ("trace", "debug", "info", "warn", "error", "fatal")


def _now() -> int:
    return time.time_ns() // 1000


@dataclass(frozen=True, slots=True)
class Invocation:
    """One run of the program: what comes before the command, and its surroundings."""

    config: Path | None = None
    data_dir: Path | None = None
    verbosity: int = 0
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    clock: Callable[[], int] = _now

    def settings(self, *, with_keys: bool = False, **options: object) -> "Settings":
        """Read the settings; what the user should change is said on stderr."""
        from archiver.config.load import load

        settings = load(
            environ=self.environ,
            file=self.config,
            options={"data_dir": self.data_dir, **options},
            with_keys=with_keys,
        )
        for warning in settings.warnings:
            tell(f"Warning: {warning}")
        return settings

    def reader(self) -> "Reader":
        """Open the archive for reading."""
        from archiver.store.reads import Reader

        return Reader.open(self.settings().database_url)


pass_invocation = click.make_pass_decorator(Invocation)


@dataclass(frozen=True, slots=True)
class LineStyle:
    """How a command prints lines, as :func:`line_format` takes it."""

    zone: tzinfo  # of times in text
    kind: str = "text"  # or ndjson, csv, raw
    ansi: str | None = None  # strip, keep, escape; None: what suits the rest
    seqs: bool = False  # in text
    pager: bool = True  # where it is longer than the screen


class Command(click.Command):
    """A command whose help ends in an example that can be run as it stands."""

    def __init__(self, *args: Any, example: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.example = example

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse, with variables named after the options; Click names them after parameters."""
        for option in self.params:
            if isinstance(option, click.Option) and option.allow_from_autoenv:
                long = next(name for name in option.opts if name.startswith("--"))
                name = long[2:].replace("-", "_").upper()
                option.envvar = f"{ctx.auto_envvar_prefix}_{name}"
        return super().parse_args(ctx, args)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the environment's names and the example."""
        formatter.write_paragraph()
        prefix = ctx.auto_envvar_prefix
        if prefix and any(
            isinstance(p, click.Option) and p.allow_from_autoenv for p in self.params
        ):
            formatter.write_text(f"Each option is also {prefix}_<OPTION> in the environment.")
            formatter.write_paragraph()
        formatter.write_text("Example:")
        formatter.write_paragraph()
        formatter.write(f"  {self.example}\n")


def read_count(
    ctx: click.Context, param: click.Parameter, value: str, *, least: int = 1
) -> int | None:
    """Read a number from *least* on, or ``all``, which becomes None."""
    if value == "all":
        return None
    if value.isascii() and value.isdecimal() and int(value) >= least:
        return int(value)
    raise click.BadParameter(f"{value!r} is not a number from {least}, or all", ctx, param)


def servers(command: _Command) -> _Command:
    """Take servers by name, as arguments or by ``-s``; see :func:`chosen_servers`."""
    return click.argument(
        "arguments", nargs=-1, metavar="[SERVER]...", shell_complete=complete_servers
    )(server_option(command))


def server_option(command: _Command) -> _Command:
    """Take servers by name, by ``-s`` alone."""
    return click.option(
        "-s",
        "--server",
        "names",
        multiple=True,
        metavar="NAME|GLOB",
        shell_complete=complete_servers,
        help="Only this server: identifier, uuid, name, or a glob over them. Repeatable.",
    )(command)


def times(command: _Command) -> _Command:
    """Take a range of time; see :func:`chosen_times`."""
    command = click.option(
        "--around", metavar="T[±D]", help="Five minutes, or D, on both sides of T."
    )(command)
    command = click.option("-U", "--until", metavar="T", help="Only before T.")(command)
    return click.option(
        "-S",
        "--since",
        metavar="T",
        help="Only from T on: 2h, 1d12h, yesterday, 'today 18:00', 14:07, 2026-11-19, "
        "2026-11-19T18:00Z or epoch seconds.",
    )(command)


def zone(command: _Command) -> _Command:
    """Take the zone of times that are read and shown; see :func:`chosen_zone`."""
    command = click.option("--tz", metavar="ZONE", help="Times in ZONE, such as Europe/Berlin.")(
        command
    )
    return click.option("--utc", is_flag=True, help="Times in UTC instead of local time.")(command)


def lines(command: _Command) -> _Command:
    """Take what chooses lines; see :func:`chosen_lines`."""
    return servers(filters(command))


def filters(command: _Command) -> _Command:
    """Take what chooses lines beside their servers."""
    command = click.option(
        "--level",
        type=click.Choice(LEVELS),
        help="Only lines that name this level or a worse one.",
    )(command)
    command = click.option(
        "--run",
        metavar="N|last|previous",
        help="Only one run of the server: its number, or its last or last but one.",
    )(command)
    command = click.option(
        "--source",
        "sources",
        multiple=True,
        type=click.Choice(SOURCES),
        help="Only lines that came this way. Repeatable.",
    )(command)
    return times(command)


def follow(command: _Command) -> _Command:
    """Take whether to go on with what comes; see :func:`refuse_end`."""
    return click.option(
        "-f",
        "--follow",
        is_flag=True,
        help="Go on with lines as they are committed, until Ctrl-C (exit code 130).",
    )(command)


def line_format(command: _Command) -> _Command:
    """Take how lines are printed; the command gets it as ``style``, a :class:`LineStyle`."""

    @click.option(
        "-o",
        "--output",
        "kind",
        type=click.Choice(["text", "ndjson", "csv", "raw"]),
        default="text",
        help="Format: text for people, ndjson and csv for programs, raw as the server printed it.",
    )
    @click.option(
        "--ansi",
        type=click.Choice(["strip", "keep", "escape"]),
        help="Escape sequences in lines: leave out, print as they are, or show as \\u001b. "
        "Default: strip; keep for -o raw into a pipe or file.",
    )
    @click.option(
        "--seq",
        "seqs",
        is_flag=True,
        help="Show in text each line's seq, which 'archiver context' takes.",
    )
    @click.option(
        "--no-pager",
        is_flag=True,
        help="Print what is longer than the screen as it is. Default: through $PAGER, or less.",
    )
    @zone
    @wraps(command)
    def with_style(*args: Any, utc: bool, tz: str | None, no_pager: bool, **options: Any) -> object:
        given = {name: options.pop(name) for name in ("kind", "ansi", "seqs")}
        style = LineStyle(chosen_zone(utc=utc, tz=tz), pager=not no_pager, **given)
        return command(*args, style=style, **options)

    return cast("_Command", with_style)


def table_format(command: _Command) -> _Command:
    """Take the format of a table."""
    command = click.option(
        "-o",
        "--output",
        "kind",
        type=click.Choice(["text", "ndjson", "csv"]),
        default="text",
        help="Format; text is for people.",
    )(command)
    return zone(command)


def chosen_zone(*, utc: bool, tz: str | None) -> tzinfo:
    """Return the zone that ``--utc`` and ``--tz`` mean."""
    from archiver.cli.zones import find_zone

    if utc and tz is not None:
        raise errors.UsageError("--utc and --tz contradict each other", do="leave one out")
    return find_zone("UTC" if utc else tz)


def chosen_times(
    since: str | None, until: str | None, around: str | None, *, now: int, zone: tzinfo
) -> tuple[int | None, int | None]:
    """Return both ends of the range that was asked for, and say it on stderr."""
    from archiver.query.times import format_time, parse_around, parse_time

    if around is not None and (since is not None or until is not None):
        raise errors.UsageError(
            "--around contradicts --since and --until", do="leave one or the other out"
        )
    first: int | None = None
    last: int | None = None
    if around is not None:
        first, last = parse_around(around, now=now, zone=zone)
    else:
        if since is not None:
            first = parse_time(since, now=now, zone=zone)
        if until is not None:
            last = parse_time(until, now=now, zone=zone, is_end=True)
    if first is None and last is None:
        return None, None
    if first is not None and last is not None and first >= last:
        raise errors.UsageError("the range of time ends before it begins", do="swap its ends")
    begin = "the beginning" if first is None else format_time(first, zone)
    end = "now" if last is None else format_time(last, zone)
    tell(
        f"from {begin} to {end}, {getattr(zone, 'key', None) or zone.tzname(None) or 'local time'}"
    )
    return first, last


def refuse_end(chosen: Mapping[str, object]) -> None:
    """Refuse an end of time, from the options of :func:`times`, for what goes on."""
    for name in ("until", "around"):
        if chosen[name] is not None:
            raise errors.UsageError(f"--follow contradicts --{name}", do="leave one of them out")


def chosen_servers(
    reader: "Reader", arguments: tuple[str, ...], names: tuple[str, ...]
) -> tuple[int, ...] | None:
    """Return the servers that were named; None: none was, so all are meant."""
    from archiver.operations.select import select_servers

    wanted = (*arguments, *names)
    return select_servers(reader.servers(), wanted) if wanted else None


def chosen_lines(
    reader: "Reader",
    *,
    now: int,
    zone: tzinfo,
    names: tuple[str, ...],
    since: str | None,
    until: str | None,
    around: str | None,
    sources: tuple[str, ...],
    level: str | None,
    run: str | None,
    arguments: tuple[str, ...] = (),
) -> "LineFilter":
    """Return what the options of :func:`lines` mean."""
    from archiver.operations.select import select_runs
    from archiver.store.reads import LineFilter

    first, last = chosen_times(since, until, around, now=now, zone=zone)
    server_ids = chosen_servers(reader, arguments, names)
    return LineFilter(
        server_ids=server_ids,
        since=first,
        until=last,
        sources=tuple(SOURCES.index(source) + 1 for source in sources) or None,
        run_ids=None if run is None else select_runs(reader.runs(server_ids), run),
        # OpenTelemetry has four numbers to a level, the first from 1.
        level_from=None if level is None else 4 * LEVELS.index(level) + 1,
    )
