"""``archiver logs``: history, without a query."""

import sys
from typing import TYPE_CHECKING

import click

from archiver.cli import options
from archiver.cli.options import Command, Invocation
from archiver.cli.output import has_colour, stdout, tell

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from archiver.store.rows import GapRow, LineRow

_USUAL_COUNT = 50


@click.command(cls=Command, example="archiver logs survival --since 2h -n all")
@options.lines
@click.option(
    "-n",
    "--lines",
    "count",
    callback=options.read_count,
    default=str(_USUAL_COUNT),
    show_default=True,
    metavar="N|all",
    help="The newest so many lines, or all.",
)
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
@options.zone
@options.pass_invocation
def logs(
    invocation: Invocation,
    /,
    *,
    count: int | None,
    kind: str,
    ansi: str | None,
    utc: bool,
    tz: str | None,
    **chosen: object,
) -> int:
    """
    Print recorded lines, the newest last.

    A ~ behind a time: the line was found in a replay after a disconnect, and was
    printed at that time or before. A ? there: so too, but that it stands at the
    right place, or as often as it was printed, is likely and not proven.

    Where lines are known to be missing there is a line "-- gap: at least 12 lines,
    14:07:12 to 14:09:40, reconnect after 148 s --"; 'archiver gaps' lists them, and
    -o ndjson, csv and raw have lines alone. Nothing in a line can act on your
    terminal unless you say --ansi keep.
    """
    from archiver.cli.line_printer import LinePrinter
    from archiver.operations.export import write_lines
    from archiver.operations.show import show_lines
    from archiver.store.rows import LineRow

    zone = options.chosen_zone(utc=utc, tz=tz)
    with invocation.reader() as reader:
        wanted = options.chosen_lines(reader, now=invocation.clock(), zone=zone, **chosen)  # type: ignore[arg-type]  # as Click gave them
        rows = show_lines(reader, wanted, limit=count)
        gaps: list[GapRow] = []
        if kind in {"ndjson", "csv"}:
            shown = write_lines(
                _without_gaps(rows, gaps),
                "csv" if kind == "csv" else "ndjson",
                stdout(keep=ansi == "keep"),
            )
        else:
            printer = LinePrinter(
                zone=zone,
                names=wanted.server_ids is None or len(wanted.server_ids) > 1,
                ansi=ansi or ("keep" if kind == "raw" and not sys.stdout.isatty() else "strip"),
                bare=kind == "raw",
                colour=kind == "text" and has_colour(sys.stdout, invocation.environ),
            )
            shown = 0
            for row in _without_gaps(rows, gaps) if printer.bare else rows:
                if isinstance(row, LineRow):
                    sys.stdout.write(printer.line(row))
                    shown += 1
                else:
                    sys.stdout.write(printer.gap(row))
    if gaps:
        tell(f"{len(gaps)} gap{'s' * (len(gaps) != 1)} among them, see 'archiver gaps'")
    if not shown:
        tell("no lines")
        return 1
    if shown == count == _USUAL_COUNT:
        tell(f"the newest {count} lines; -n all for all")
    return 0


def _without_gaps(
    rows: "Iterable[LineRow | GapRow]", left_out: "list[GapRow]"
) -> "Iterator[LineRow]":
    """Yield the lines; put the gaps into *left_out*, to be told beside the data."""
    from archiver.store.rows import LineRow

    for row in rows:
        if isinstance(row, LineRow):
            yield row
        else:
            left_out.append(row)
