"""``archiver gaps``: where the archive knows that it is incomplete."""

import click

from archiver.cli import options
from archiver.cli.options import Command, Invocation
from archiver.cli.output import tell

_FIRST = ("gap", "server", "server_name", "run", "from", "to")
_LAST = ("reason", "closed")
_NAMES = (*_FIRST, "at_least", "at_most", "likely", *_LAST)
_NAMES_FOR_PEOPLE = (*_FIRST, "missing", *_LAST)
_LESS = ("run", "server", "gap", "reason")


@click.command(cls=Command, example="archiver gaps -S 1d")
@options.servers
@options.times
@click.option("--all", "closed", is_flag=True, help="Also those that were later found complete.")
@options.table_format
@options.pass_invocation
def gaps(
    invocation: Invocation,
    /,
    *,
    arguments: tuple[str, ...],
    names: tuple[str, ...],
    since: str | None,
    until: str | None,
    around: str | None,
    closed: bool,
    kind: str,
    utc: bool,
    tz: str | None,
) -> int:
    """
    List where lines are known to be missing.

    The oldest comes first, each with what is known of the number of lines that are
    missing: at least 12, up to 3, about 40 as the server printed before, or unknown
    how many. Programs get the three numbers, or null. No gap means that nothing is
    known to be missing: exit code 1.
    """
    from archiver.cli.line_printer import count_lost
    from archiver.cli.tables import moment, print_table

    zone = options.chosen_zone(utc=utc, tz=tz)
    first, last = options.chosen_times(since, until, around, now=invocation.clock(), zone=zone)
    is_for_people = kind == "text"
    with invocation.reader() as reader:
        server_ids = options.chosen_servers(reader, arguments, names)
        rows = [
            (
                row.id,
                row.identifier,
                row.server_name,
                row.run_id,
                moment(row.from_at),
                moment(row.to_at),
                *(
                    (count_lost(row.lower, row.upper, row.expected),)
                    if is_for_people
                    else (row.lower, row.upper, row.expected)
                ),
                row.reason,
                moment(row.closed_at),
            )
            for row in reader.gaps(server_ids, first, last)
            if closed or row.closed_at is None
        ]
    table = _NAMES_FOR_PEOPLE if is_for_people else _NAMES
    if not print_table(table, rows, kind, zone=zone, invocation=invocation, less=_LESS):
        tell("no gaps")
        return 1
    return 0
