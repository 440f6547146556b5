"""``archiver servers``: the servers, as the panels call them."""

import click

from archiver.cli import options
from archiver.cli.options import Command, Invocation
from archiver.cli.output import tell

_NAMES = ("server", "server_name", "panel", "node", "uuid", "first_seen", "last_seen", "deleted")
_LESS = ("first_seen", "last_seen", "uuid", "panel")


@click.command(cls=Command, example="archiver servers --all")
@click.option("--all", "deleted", is_flag=True, help="Also those that no panel lists any more.")
@options.table_format
@options.pass_invocation
def servers(
    invocation: Invocation, /, *, deleted: bool, kind: str, utc: bool, tz: str | None
) -> int:
    """
    List the servers.

    The first column is what other commands take as SERVER; they take a name, a uuid
    or a glob too.
    """
    from archiver.cli.tables import moment, print_table

    zone = options.chosen_zone(utc=utc, tz=tz)
    with invocation.reader() as reader:
        rows = [
            (
                row.identifier,
                row.name,
                row.panel,
                row.node,
                row.uuid,
                moment(row.first_seen_at),
                moment(row.last_seen_at),
                moment(row.deleted_at),
            )
            for row in reader.servers(deleted=deleted)
        ]
    if not print_table(_NAMES, rows, kind, zone=zone, invocation=invocation, less=_LESS):
        tell("no servers")
        return 1
    return 0
