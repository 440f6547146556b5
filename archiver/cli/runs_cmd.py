"""``archiver runs``: the lives of the game processes."""

import click

from archiver.cli import options
from archiver.cli.options import Command, Invocation
from archiver.cli.output import tell

_NAMES = (
    "run",
    "server",
    "server_name",
    "first_seen",
    "started",
    "ended",
    "ending",
    "exit_code",
    "out_of_memory",
    "noticed",
)
_LESS = ("noticed", "first_seen", "server", "out_of_memory", "exit_code")


@click.command(cls=Command, example="archiver runs survival")
@options.servers
@options.table_format
@options.pass_invocation
def runs(
    invocation: Invocation,
    /,
    *,
    arguments: tuple[str, ...],
    names: tuple[str, ...],
    kind: str,
    utc: bool,
    tz: str | None,
) -> int:
    """
    List the lives of the game processes.

    The oldest comes first. The number is what 'archiver logs --run' takes. 'started'
    is known only where the daemon tells the uptime; 'noticed' says what showed us
    that the run is a new one: the first connection, a status, or the uptime.

    'ending' is 'stopped', one of those that 'archiver crashes' explains, or 'end not
    seen', where nobody listened; '-' or null: the run goes on.
    """
    from archiver.cli.tables import moment, print_table

    zone = options.chosen_zone(utc=utc, tz=tz)
    with invocation.reader() as reader:
        rows = [
            (
                row.id,
                row.identifier,
                row.server_name,
                moment(row.first_seen_at),
                moment(row.started_at),
                moment(row.ended_at),
                row.ending,
                row.exit_code,
                row.out_of_memory,
                row.noticed,
            )
            for row in reader.history().lives(options.chosen_servers(reader, arguments, names))
        ]
    if not print_table(_NAMES, rows, kind, zone=zone, invocation=invocation, less=_LESS):
        tell("no runs")
        return 1
    return 0
