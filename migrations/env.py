"""
Runs the migrations: on the connection that the archiver hands over, or, for the
`alembic` command, on the archive named by `-x url=...` or ARCHIVER_DATABASE_URL.
"""

import os

from alembic import context
from alembic.util import CommandError
from sqlalchemy import Connection

from archiver.store import database, tables


def run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=tables.metadata,
        compare_type=True,
        render_as_batch=True,  # SQLite changes a table only by copying it
    )
    with context.begin_transaction():
        context.run_migrations()


if context.is_offline_mode():
    raise CommandError("--sql is not supported: the views differ from engine to engine")

given = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    url = context.get_x_argument(as_dictionary=True).get("url")
    url = url or os.environ.get("ARCHIVER_DATABASE_URL")
    if not url:
        raise CommandError("no archive: pass -x url=..., or set ARCHIVER_DATABASE_URL")
    archive = database.Database.open(url)
    try:
        with archive.begin() as own:
            run(own)
    finally:
        archive.close()
