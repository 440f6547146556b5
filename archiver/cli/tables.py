"""Tables: for people aligned, for programs as NDJSON or CSV."""

import sys
from collections.abc import Iterable, Mapping
from datetime import tzinfo

from archiver.cli.output import has_colour, stdout, visible
from archiver.operations.export import Format, write_records
from archiver.query.times import format_iso, format_time


class Moment(int):
    """A time in a table; anything else there is printed as it is."""


def moment(at: int | None) -> Moment | None:
    """Mark *at* as a time."""
    return None if at is None else Moment(at)


def print_table(
    names: tuple[str, ...],
    rows: Iterable[tuple[object, ...]],
    kind: str,
    *,
    zone: tzinfo,
    environ: Mapping[str, str],
) -> int:
    """
    Print *rows* and return how many there were.

    Args:
        names: Keys in NDJSON and CSV, headings elsewhere.
        rows: Values; None is unknown, :class:`Moment` a time.
        kind: ``text``, ``ndjson`` or ``csv``.
        zone: For times in text.
        environ: For colours.

    """
    if kind != "text":
        records = (tuple(_machine(value) for value in row) for row in rows)
        chosen: Format = "csv" if kind == "csv" else "ndjson"
        return write_records(names, records, chosen, stdout())
    cells = [[_person(value, zone) for value in row] for row in rows]
    if not cells:
        return 0
    if sys.stdout.isatty():
        _print_rich(names, cells, colour=has_colour(sys.stdout, environ))
    else:
        table = [[name.upper() for name in names], *cells]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        for row in table:
            line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            sys.stdout.write(line.rstrip() + "\n")
    return len(cells)


def _machine(value: object) -> object:
    return format_iso(value) if isinstance(value, Moment) else value


def _person(value: object, zone: tzinfo) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Moment):
        return format_time(value, zone)[:19]
    return visible(str(value)) or "-"


def _print_rich(names: tuple[str, ...], cells: list[list[str]], *, colour: bool) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in names:
        table.add_column(Text(name.replace("_", " ")))
    for row in cells:
        table.add_row(*map(Text, row))
    Console(file=sys.stdout, no_color=not colour, highlight=False).print(table)
