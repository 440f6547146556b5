"""
A read-only connection to an archive by DB-API alone, the same for both engines.

SQLAlchemy takes 0.4 s to import, which is most of what ``archiver logs`` takes, so
readers do without. Each statement is a transaction of its own: a read transaction
that stays open keeps SQLite from reusing its WAL (663 MB in two minutes, measured)
and PostgreSQL from vacuuming.
"""

import sqlite3
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import quote

from archiver import errors
from archiver.store import refusals, revision
from archiver.store.location import Location

_BUSY_TIMEOUT = 30.0  # seconds; readers of a WAL wait only while it is being recovered
_POSTGRESQL_OPTIONS = {
    "connect_timeout": 10,  # seconds
    "tcp_user_timeout": 30_000,  # ms; else a host that vanished is noticed after 15 min
}


class Session:
    """A read-only connection; ``?`` stands for a parameter on both engines."""

    def __init__(self, connection: Any, kind: type[Exception], where: Location) -> None:
        self.location: Final = where
        self._connection = connection
        self._kind = kind
        self._is_sqlite = where.path is not None
        # What finds a text in either case of its ASCII letters.
        self.like: Final = "LIKE" if self._is_sqlite else "ILIKE"

    @classmethod
    def open(cls, where: Location) -> "Session":
        """
        Connect; what is in the archive is not looked at.

        Raises:
            StoreError: There is no archive.
            RefusedError: The database refuses.

        """
        if where.path is None:
            connection, kind = connect_postgresql(where)
            with refusals.telling(kind, where):
                connection.autocommit = True
                connection.execute("SET default_transaction_read_only = on")
            return cls(connection, kind, where)
        try:
            is_there = where.path.is_file()
        except PermissionError as exc:  # a directory on the way may not be entered
            raise refusals.RefusedError(
                f"archive cannot be reached: {exc.strerror}",
                where=str(where),
                do="make the file and its directory accessible for this user",
                retryable=False,
            ) from exc
        if not is_there:
            raise revision.missing(where)
        with refusals.telling(sqlite3.Error, where):
            connection = sqlite3.connect(
                f"file:{quote(str(where.path.absolute()))}?mode=ro",
                uri=True,
                timeout=_BUSY_TIMEOUT,
                isolation_level=None,
                check_same_thread=False,
            )
            connection.execute("PRAGMA query_only = ON")
        return cls(connection, sqlite3.Error, where)

    @classmethod
    def open_archive(cls, where: Location) -> "Session":
        """
        Connect to an archive of this program's revision.

        Raises:
            SchemaOutOfDateError: It is of another revision.
            StoreError: There is no archive.
            RefusedError: The database refuses.

        """
        session = cls.open(where)
        try:
            revision.check(session.revision(), where)
        except BaseException:
            session.close()
            raise
        return session

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Run one statement in a transaction of its own and return all its rows."""
        if not self._is_sqlite:
            sql = sql.replace("?", "%s")
        with refusals.telling(self._kind, self.location):
            found: list[tuple[Any, ...]] = self._connection.execute(sql, parameters).fetchall()
        return found

    def revision(self) -> str | None:
        """Return the archive's revision; None: it has no tables."""
        if self._is_sqlite:
            known = "SELECT 1 FROM sqlite_schema WHERE name = 'alembic_version'"
        else:
            known = "SELECT 1 WHERE to_regclass('alembic_version') IS NOT NULL"
        if not self.rows(known):
            return None
        found = self.rows("SELECT version_num FROM alembic_version")
        return str(found[0][0]) if found else None

    def close(self) -> None:
        """Close the connection; a second time is harmless."""
        self._connection.close()


def connect_postgresql(where: Location) -> tuple[Any, type[Exception]]:
    """
    Connect to PostgreSQL; return the connection and the class of its errors.

    Raises:
        ConfigError: The driver is not installed, or does not know an option.
        RefusedError: The database refuses.

    """
    try:
        import psycopg  # noqa: PLC0415  # an extra; only PostgreSQL needs it
    except ImportError as exc:
        raise errors.ConfigError(
            "PostgreSQL needs the package psycopg",
            where=str(where),
            do="pip install 'console-archiver[postgres]'",
        ) from exc
    try:
        with refusals.telling(psycopg.Error, where):
            return psycopg.connect(**(_POSTGRESQL_OPTIONS | where.options)), psycopg.Error
    except psycopg.ProgrammingError as exc:
        raise errors.ConfigError(
            f"database URL has an {exc}".strip(),
            where=str(where),
            do="see 'Parameter Key Words' in PostgreSQL's documentation of libpq",
        ) from exc
