"""``archiver db``: look after the database."""

import click

from archiver.cli import options
from archiver.cli.options import Command, Invocation
from archiver.cli.output import tell


@click.group()
def db() -> None:
    """Look after the database."""


@db.command(cls=Command, example="archiver db upgrade")
@options.pass_invocation
def upgrade(invocation: Invocation) -> None:
    """
    Bring the database to the revision that this program needs.

    Creates it if there is none. Stop 'archiver ingest' first; make a copy of the
    archive before a new version's first upgrade.
    """
    from archiver.store import database

    url = invocation.settings().database_url
    database.upgrade(url)
    tell(f"the archive is at revision {database.current(url)}")


@db.command(cls=Command, example="archiver db current")
@options.pass_invocation
def current(invocation: Invocation) -> int:
    """
    Print the database's revision.

    Exits with 1 if it is not the one that this program needs.
    """
    from archiver.store import database, revision

    found = database.current(invocation.settings().database_url)
    click.echo(found or "none")
    if found != revision.REVISION:
        tell(f"this program needs {revision.REVISION}: run 'archiver db upgrade'")
        return 1
    return 0
