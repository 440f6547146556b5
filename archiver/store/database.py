"""
One connection that may write, its settings, and the schema's revision.

SQLAlchemy is given ready connections (``creator``), so that no URL with a password
is ever inside an engine. Alembic is imported only where the schema changes.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine, NullPool, create_engine, event
from sqlalchemy.exc import DBAPIError

import archiver
from archiver import errors
from archiver.store import location, private, refusals, revision, session
from archiver.store.location import Location

if TYPE_CHECKING:
    from alembic.config import Config

# auto_vacuum comes first: once anything is in the file, also by WAL, it does nothing.
_PRAGMAS = (
    "PRAGMA auto_vacuum = INCREMENTAL",  # prune gives space back in small steps
    "PRAGMA journal_mode = WAL",  # readers go on while the writer writes
    "PRAGMA synchronous = FULL",  # committed is on the disk
    "PRAGMA wal_autocheckpoint = 20000",  # pages; 80 MB: few and large writes into the file
    "PRAGMA journal_size_limit = 100000000",  # bytes; a reader that lingered made it larger
    "PRAGMA secure_delete = ON",  # what was erased is not left in free pages
)
_BUSY_TIMEOUT = 30.0  # seconds


class Database:
    """An archive that this process writes to: one connection, one thread at a time."""

    def __init__(self, where: Location, engine: Engine) -> None:
        self.location = where
        self.engine = engine
        self._connection: Connection | None = None

    @classmethod
    def open(cls, url: str) -> "Database":
        """
        Prepare to write to the archive at *url*; nothing is connected yet.

        Creates the directory (0700) and the file (0600) of a SQLite archive; one
        that exists keeps its mode, an administrator may have given it a group.

        Raises:
            ConfigError: *url* is not the URL of an archive.
            RefusedError: The file cannot be made.

        """
        where = location.parse(url)
        if where.path is None:
            return cls(where, _postgresql_engine(where))
        # Before SQLite makes it: -wal and -shm take their mode from it.
        os.close(private.open_file(where.path, "archive"))
        return cls(where, _sqlite_engine(where.path, where))

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """
        Run one transaction that may write; others that write wait for its end.

        After any refusal the connection is dropped, and the next transaction makes
        a new one.

        Raises:
            RefusedError: The database refuses; nothing was written, or, when it
                refused at COMMIT, all of it may have been.

        """
        try:
            if self._connection is None:
                self._connection = self.engine.connect()
            with self._connection.begin():
                yield self._connection
        except DBAPIError as exc:
            self.close()
            refused = refusals.explain(exc.orig, self.location)
            if refused is None:
                raise
            raise refused from exc

    def upgrade(self) -> None:
        """
        Bring the schema to this program's revision, in one transaction.

        Raises:
            SchemaOutOfDateError: It is of a revision this program does not know.
            RefusedError: The database refuses.

        """
        import alembic.command  # noqa: PLC0415  # 0.2 s that only a change of the schema needs
        import alembic.util  # noqa: PLC0415

        with self.begin() as connection:
            try:
                alembic.command.upgrade(alembic_config(connection), "head")
            except alembic.util.CommandError as exc:
                raise errors.SchemaOutOfDateError(
                    f"archive is of a revision that was not known yet at {revision.REVISION!r}",
                    where=str(self.location),
                    do="install the newer archiver that made it",
                ) from exc

    def close(self) -> None:
        """Drop the connection, if there is one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def _sqlite_engine(path: Path, where: Location) -> Engine:
    opened = 0  # inode of the file that is connected

    def connect() -> sqlite3.Connection:
        nonlocal opened
        # isolation_level=None and an own BEGIN: what SQLAlchemy 2.1 recommends below
        # Python 3.12 (dialects/sqlite, "Enabling Non-Legacy SQLite Transactional Modes").
        connection = sqlite3.connect(
            f"file:{quote(str(path.absolute()))}?mode=rw",  # never a new file by accident
            uri=True,
            timeout=_BUSY_TIMEOUT,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            for pragma in _PRAGMAS:
                connection.execute(pragma)
            opened = path.stat().st_ino
        except BaseException:
            connection.close()
            raise
        return connection

    engine = create_engine("sqlite://", creator=connect, poolclass=NullPool, hide_parameters=True)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # SQLite would go on writing to a deleted file, and all of it would be lost.
        if not path.exists() or path.stat().st_ino != opened:
            raise refusals.RefusedError(
                "archive was moved or deleted while it is open",
                where=str(where),
                do="put it back and start again",
                retryable=False,
            )
        # IMMEDIATE waits for other writers here, where nothing is lost, instead of
        # failing at the first write of a transaction that began by reading.
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def _postgresql_engine(where: Location) -> Engine:
    def connect() -> Any:
        connection, _ = session.connect_postgresql(where)
        connection.execute("SET lock_timeout = '30s'")
        connection.commit()
        return connection

    return create_engine(
        "postgresql+psycopg://", creator=connect, poolclass=NullPool, hide_parameters=True
    )


def current(url: str) -> str | None:
    """
    Return the revision of the archive at *url*; None: it has no tables yet.

    Raises:
        StoreError: There is no archive, or it refuses.

    """
    with closing(session.Session.open(location.parse(url))) as reading:
        return reading.revision()


def check_revision(url: str) -> None:
    """
    Refuse an archive that is not of this program's revision.

    Raises:
        SchemaOutOfDateError: It is of another one.
        StoreError: There is no archive, or it refuses.

    """
    revision.check(current(url), location.parse(url))


def upgrade(url: str) -> None:
    """
    Bring the archive at *url* to this program's revision; create it if there is none.

    Raises:
        SchemaOutOfDateError: It is of a revision this program does not know.
        RefusedError: The database refuses.

    """
    database = Database.open(url)
    try:
        database.upgrade()
    finally:
        database.close()


def alembic_config(connection: Connection) -> "Config":
    """Return what Alembic must know to work on *connection*; needs no alembic.ini."""
    from alembic.config import Config  # noqa: PLC0415  # see upgrade

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(_migrations_folder()).replace("%", "%%"))
    return config


def _migrations_folder() -> Path:
    """Find the migrations: inside an installed package, beside an editable one."""
    package = Path(archiver.__file__).parent
    inside = package / "migrations"
    return inside if inside.is_dir() else package.parent / "migrations"
