"""``archiver status``: am I recording now?"""

import click

from archiver.cli import options
from archiver.cli.options import Command, Invocation
from archiver.cli.output import tell

_NAMES = (
    "server",
    "server_name",
    "node",
    "status",
    "run_started",
    "connected",
    "connected_since",
    "last_line",
    "last_sign",
    "lines_today",
    "gaps_today",
)
_LESS = ("connected_since", "node", "run_started", "last_sign")


@click.command(cls=Command, example="archiver status")
@options.table_format
@options.pass_invocation
def status(invocation: Invocation, /, *, kind: str, utc: bool, tz: str | None) -> int:
    """
    Show whether recording works, and how each server stands.

    'last_sign' is when anything at all came from the server's socket; a server that
    is offline says nothing for hours. Exits with 1 if nothing records.
    """
    from archiver.cli.tables import moment, print_table
    from archiver.operations.status import read_status
    from archiver.query.times import format_time, midnight

    zone = options.chosen_zone(utc=utc, tz=tz)
    with invocation.reader() as reader:
        found = read_status(reader, today=midnight(invocation.clock(), zone))
    who = found.collector
    if who is None:
        tell("not recording: start 'archiver ingest'")
    else:
        name = f"process {who.pid} on {who.host} since {format_time(who.since, zone)[:19]}"
        unknown = " (on another host: not looked after)" if found.is_alive is None else ""
        if found.is_recording:
            tell(f"recording: {name}{unknown}")
        else:
            tell(f"not recording: {name} is dead; start 'archiver ingest'")
    rows = [
        (
            row.identifier,
            row.name,
            row.node,
            row.status,
            moment(row.run_started_at),
            # Only a collector can close a connection: a dead one's look open.
            row.connected and found.is_recording,
            moment(row.connection_opened_at) if found.is_recording else None,
            moment(row.last_line_at),
            moment(row.last_frame_at),
            row.lines_today,
            row.gaps_today,
        )
        for row in found.servers
        if row.deleted_at is None
    ]
    print_table(_NAMES, rows, kind, zone=zone, invocation=invocation, less=_LESS)
    return 0 if found.is_recording else 1
