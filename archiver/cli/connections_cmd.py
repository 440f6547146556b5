"""``archiver connections``: when and how consoles were listened to."""

import click

from archiver.cli import options
from archiver.cli.options import Command, Invocation
from archiver.cli.output import tell

_NAMES = (
    "connection",
    "server",
    "server_name",
    "opened",
    "authenticated",
    "closed",
    "code",
    "reason",
    "live",
    "recovered",
    "repeated",
    "renewals",
)
_LESS = ("renewals", "reason", "server", "authenticated", "code", "connection")
_MOST = 2**31


@click.command(cls=Command, example="archiver connections survival -S yesterday")
@options.servers
@click.option("-S", "--since", metavar="T", help="Only opened from T on, such as 2h.")
@click.option(
    "-n",
    "--lines",
    "count",
    callback=options.read_count,
    default="50",
    show_default=True,
    metavar="N|all",
    help="The newest so many connections, or all.",
)
@options.table_format
@options.pass_invocation
def connections(
    invocation: Invocation,
    /,
    *,
    arguments: tuple[str, ...],
    names: tuple[str, ...],
    since: str | None,
    count: int | None,
    kind: str,
    utc: bool,
    tz: str | None,
) -> int:
    """
    List the connections to consoles.

    The newest comes last. Each counts its lines: 'live' as they were printed,
    'recovered' from a replay and new, 'repeated' from a replay and already stored.
    """
    from archiver.cli.tables import moment, print_table

    zone = options.chosen_zone(utc=utc, tz=tz)
    first, _ = options.chosen_times(since, None, None, now=invocation.clock(), zone=zone)
    with invocation.reader() as reader:
        server_ids = options.chosen_servers(reader, arguments, names)
        rows = [
            (
                row.id,
                row.identifier,
                row.server_name,
                moment(row.opened_at),
                moment(row.authenticated_at),
                moment(row.closed_at),
                row.close_code,
                row.close_reason,
                row.lines_live,
                row.lines_recovered,
                row.lines_repeated,
                row.renewals,
            )
            for row in reader.connections(server_ids, first, count or _MOST)
        ]
    if not print_table(_NAMES, rows, kind, zone=zone, invocation=invocation, less=_LESS):
        tell("no connections")
        return 1
    return 0
