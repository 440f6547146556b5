"""``archiver crashes``: runs that ended without a stop."""

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from archiver.cli import options
from archiver.cli.options import Command, Invocation
from archiver.cli.output import has_colour, tell

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import tzinfo

    from archiver.operations.crashes import Crash

_SECOND = 1_000_000
_NO_LIMIT = 2**62  # bytes: what daemons tell where there is none is about as large
_NAMES = (
    "run",
    "server",
    "server_name",
    "ending",
    "exit_code",
    "out_of_memory",
    "began_at",
    "ended_at",
    "ran_seconds",
    "memory_bytes",
    "memory_limit_bytes",
    "cpu_absolute",
    "sample_at",
    "last_seq",
    "last_lines",
)


@click.command(cls=Command, example="archiver crashes survival -S 7d")
@options.servers
@options.times
@click.option(
    "-n",
    "--lines",
    "count",
    type=click.IntRange(0, 1_000),
    default=5,
    show_default=True,
    metavar="N",
    help="The last so many lines of each, from 0 to 1000.",
)
@options.table_format
@options.pass_invocation
def crashes(
    invocation: Invocation,
    /,
    *,
    arguments: tuple[str, ...],
    names: tuple[str, ...],
    since: str | None,
    until: str | None,
    around: str | None,
    count: int,
    kind: str,
    utc: bool,
    tz: str | None,
) -> int:
    """
    List the runs that ended without a stop.

    The newest end comes last. 'out of memory', 'crashed' (with an exit code other
    than 0) and 'ended by itself' (with 0: a command in the game's own console) are
    what the daemon told. 'no stop seen': it told no code, and the server went offline
    straight from running or starting. A run that ended while nobody listened is not
    among them: 'archiver runs' has it.

    Each has its last lines and, from the last sample while it lived, its memory and
    cpu (100 % is one core). The number is what 'archiver logs --run' takes, 'last_seq'
    (in ndjson and csv) what 'archiver context' takes. CSV has the lines in one cell.
    """
    from archiver.cli.tables import print_table
    from archiver.operations.crashes import find_crashes

    zone = options.chosen_zone(utc=utc, tz=tz)
    first, last = options.chosen_times(since, until, around, now=invocation.clock(), zone=zone)
    with invocation.reader() as reader:
        server_ids = options.chosen_servers(reader, arguments, names)
        found = find_crashes(reader, server_ids, since=first, until=last, lines=count)
        if kind == "text":
            shown = _print_blocks(found, zone, colour=has_colour(sys.stdout, invocation.environ))
        else:
            rows = (_row(crash, is_csv=kind == "csv") for crash in found)
            shown = print_table(_NAMES, rows, kind, zone=zone, invocation=invocation)
    if not shown:
        tell("no crashes")
        return 1
    return 0


def _row(crash: "Crash", *, is_csv: bool) -> tuple[object, ...]:
    from archiver.cli.tables import moment

    life, sample = crash.life, crash.sample
    texts = [line.text for line in crash.lines]
    return (
        life.id,
        life.identifier,
        life.server_name,
        str(crash.ending),
        life.exit_code,
        life.out_of_memory,
        moment(life.began_at),
        moment(life.ended_at),
        None if crash.ran is None else crash.ran / _SECOND,
        None if sample is None else sample.memory_bytes,
        None if sample is None else sample.memory_limit_bytes,
        None if sample is None else sample.cpu_absolute,
        None if sample is None else moment(sample.at),
        crash.lines[-1].seq if crash.lines else None,
        "\n".join(texts) if is_csv else texts,
    )


def _print_blocks(crashes: "Iterable[Crash]", zone: "tzinfo", *, colour: bool) -> int:
    """Print crashes as people read them, and return how many there were."""
    from archiver.cli.line_printer import LinePrinter

    printer = LinePrinter(zone=zone, names=False, ansi="strip", bare=False, colour=colour)
    count = 0
    for count, crash in enumerate(crashes, 1):
        if count > 1:
            sys.stdout.write("\n")
        head = _head(crash)
        sys.stdout.write((click.style(head, bold=True) if colour else head) + "\n")
        sys.stdout.writelines(f"  {fact}\n" for fact in _facts(crash, zone))
        sys.stdout.writelines(f"  {printer.line(line)}" for line in crash.lines)
    return count


def _head(crash: "Crash") -> str:
    from archiver.operations.visible import visible

    code = crash.life.exit_code
    told = "" if code is None else f", exit code {code}"
    return f"run {crash.life.id} of {visible(crash.life.server_name)}: {crash.ending}{told}"


def _facts(crash: "Crash", zone: "tzinfo") -> Iterator[str]:
    """Yield when it ended and what it used, a line each."""
    from archiver.query.times import format_duration, format_time

    life, sample = crash.life, crash.sample
    if life.ended_at is None or crash.ran is None:
        yield "its end was not seen"
    else:
        least = "" if crash.is_whole else "at least "
        ended = format_time(life.ended_at, zone)[:19]
        yield f"ended {ended} after {least}{format_duration(crash.ran)}"
    if sample is not None:
        limit = ""
        if 0 < sample.memory_limit_bytes < _NO_LIMIT:
            part = sample.memory_bytes / sample.memory_limit_bytes
            limit = f" of {_size(sample.memory_limit_bytes)} ({part:.0%})"
        before = ""
        if life.ended_at is not None and life.ended_at >= sample.at:
            before = f", {format_duration(life.ended_at - sample.at)} before"
        yield f"memory {_size(sample.memory_bytes)}{limit}, cpu {sample.cpu_absolute:.0f}%{before}"


def _size(count: int) -> str:
    from rich.filesize import pick_unit_and_suffix

    unit, suffix = pick_unit_and_suffix(count, ["bytes", "KiB", "MiB", "GiB", "TiB"], 1024)
    return f"{count / unit:.1f} {suffix}"
