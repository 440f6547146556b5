"""Tables: for people aligned, for programs as NDJSON or CSV."""

import sys
from collections.abc import Iterable
from datetime import tzinfo

from archiver.cli.options import Invocation
from archiver.cli.output import has_colour, stdout, tell
from archiver.operations.export import Format, write_records
from archiver.operations.visible import visible
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
    invocation: Invocation,
    less: tuple[str, ...] = (),
) -> int:
    """
    Print *rows* and return how many there were.

    Args:
        names: Keys in NDJSON and CSV, headings elsewhere.
        rows: Values; None is unknown, :class:`Moment` a time.
        kind: ``text``, ``ndjson`` or ``csv``.
        zone: For times in text.
        invocation: Its environment decides on colours.
        less: What a terminal that is too narrow does without, the first first.

    """
    if kind != "text":
        chosen: Format = "csv" if kind == "csv" else "ndjson"
        records = (tuple(_machine(value, chosen) for value in row) for row in rows)
        return write_records(names, records, chosen, stdout())
    if sys.stdout.isatty():
        today = format_time(invocation.clock(), zone)[:11]
        cells = [[_person(value, zone, today) for value in row] for row in rows]
        _print_rich(names, cells, less, colour=has_colour(sys.stdout, invocation.environ))
        return len(cells)
    cells = [[_person(value, zone) for value in row] for row in rows]
    table = [[name.upper() for name in names], *cells] if cells else []
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        sys.stdout.write(line.rstrip() + "\n")
    return len(cells)


def _machine(value: object, kind: Format) -> object:
    if kind == "csv" and isinstance(value, bool):
        return "true" if value else "false"  # as in NDJSON, and not Python's words
    return format_iso(value) if isinstance(value, Moment) else value


def _person(value: object, zone: tzinfo, today: str = "") -> str:
    """Return *value* as text; *today*: a date to leave out of times."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Moment):
        return format_time(value, zone)[:19].removeprefix(today)
    return visible(str(value)) or "-"


def _print_rich(
    names: tuple[str, ...], cells: list[list[str]], less: tuple[str, ...], *, colour: bool
) -> None:
    from rich.cells import cell_len
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(
        file=sys.stdout, color_system="auto" if colour else None, highlight=False, soft_wrap=True
    )
    columns = {
        name: [name.replace("_", " "), *(row[number] for row in cells)]
        for number, name in enumerate(names)
        if cells
    }
    widths = {name: max(map(cell_len, column)) for name, column in columns.items()}
    empty = [name for name, column in columns.items() if set(column[1:]) == {"-"}]
    left_out = []
    for name in (*empty, *less):
        if sum(widths.values()) + 2 * len(widths) - 2 <= console.width:
            break
        if widths.pop(name, None) is not None and name not in empty:
            left_out.append(name)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold" * colour)
    for name in widths:
        table.add_column(Text(columns[name][0]), overflow="fold")
    for number in range(len(cells)):
        table.add_row(*(Text(columns[name][number + 1]) for name in widths))
    if cells:
        console.print(table)
    if left_out:
        tell(f"no room for {', '.join(left_out)}; -o csv has all")
