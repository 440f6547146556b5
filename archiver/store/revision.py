"""
The revision of the schema that this program reads and writes.

A constant, so that looking whether an archive fits costs no import of Alembic; a
test holds it equal to the newest migration.
"""

from archiver import errors
from archiver.store.location import Location

REVISION = "0002"


def check(found: str | None, where: Location) -> None:
    """
    Refuse an archive of another revision.

    Args:
        found: What the archive says; None: it has no tables.
        where: The archive, for the error.

    Raises:
        SchemaOutOfDateError: It is of another revision, older or newer.
        StoreError: It has no tables.

    """
    if found is None:
        raise missing(where)
    if found != REVISION:
        raise errors.SchemaOutOfDateError(
            f"archive is of revision {found!r}, this program needs {REVISION!r}",
            where=str(where),
            do="run 'archiver db upgrade'; if that does not know the revision, "
            "install the newer archiver that made it",
        )


def missing(where: Location) -> errors.StoreError:
    """Return the error for an archive that is not there yet."""
    return errors.StoreError(
        "there is no archive yet",
        where=str(where),
        do="run 'archiver ingest' (it creates the archive)",
    )
