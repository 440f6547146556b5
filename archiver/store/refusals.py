"""
What a database says when it refuses, told as one error: what, where, what to do.

Works on the drivers' own exceptions by their codes, so it needs neither of the
drivers to be imported. What is not in these tables is a bug, not a refusal, and
keeps its traceback.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from archiver import errors
from archiver.store.location import Location


class RefusedError(errors.StoreError):
    """
    The database refuses; ``retryable`` says whether the same again may succeed.

    Retryable is what passes by itself or by somebody's help from outside while the
    process keeps what it has: a lock, a full disk, a lost connection.
    """

    def __init__(self, what: str, *, where: str, do: str, retryable: bool) -> None:
        super().__init__(what, where=where, do=do)
        self.retryable = retryable


# Primary result code -> what, do, retryable.
_SQLITE = {
    sqlite3.SQLITE_BUSY: (
        "archive is locked by another process for more than 30 s",
        "find what holds it: fuser FILE",
        True,
    ),
    sqlite3.SQLITE_FULL: (
        "disk is full",
        "free space; recording goes on by itself",
        True,
    ),
    sqlite3.SQLITE_IOERR: (
        "disk reports an I/O error",
        "look at the kernel's log and at quotas",
        True,
    ),
    sqlite3.SQLITE_READONLY: (
        "archive is read-only",
        "make the file and its directory writable for this user",
        False,
    ),
    sqlite3.SQLITE_PERM: (
        "archive may not be opened",
        "make the file and its directory accessible for this user",
        False,
    ),
    sqlite3.SQLITE_CANTOPEN: (
        "archive cannot be opened",
        "make the file and its directory accessible for this user",
        False,
    ),
    sqlite3.SQLITE_CORRUPT: (
        "archive is damaged",
        "stop, keep a copy of the file, restore a backup or try sqlite3's .recover",
        False,
    ),
    sqlite3.SQLITE_NOTADB: (
        "file is not an archive",
        "name another file in database_url",
        False,
    ),
}

# SQLSTATE, whole or its class -> what, do, retryable.
# PostgreSQL 18, appendix A "PostgreSQL Error Codes".
_POSTGRESQL: dict[str | None, tuple[str, str, bool]] = {
    "08": ("connection to the database was lost", "see that PostgreSQL runs", True),
    "25006": ("database is read-only", "see whether it is a standby, or out of space", True),
    "40": ("transaction was rolled back by the database", "nothing: it is tried again", True),
    "42501": ("user may not do this", "grant the user its own schema", False),
    "53": ("database is out of space, memory or connections", "free what its log names", True),
    "55P03": ("archive is locked by another session", "look into pg_stat_activity", True),
    "57": ("database is shutting down or starting", "nothing: it is tried again", True),
    "58": ("database reports an I/O error", "look at its log", True),
}
# libpq gives no SQLSTATE where a connection fails, whatever the reason.
_UNREACHABLE = ("database cannot be reached", "see that it runs and lets this user in", True)


def explain(exc: BaseException | None, where: Location) -> RefusedError | None:
    """Turn a driver's exception into a refusal; None: it is not one."""
    if isinstance(exc, sqlite3.Error):
        code = getattr(exc, "sqlite_errorcode", None)  # None: raised by the module itself
        found = None if code is None else _SQLITE.get(code & 0xFF)
        said = getattr(exc, "sqlite_errorname", "")
    elif exc is not None and hasattr(exc, "sqlstate"):
        found = _POSTGRESQL.get(exc.sqlstate) or _POSTGRESQL.get((exc.sqlstate or "")[:2])
        # The first line only: what follows may quote a row.
        said = str(exc).strip().partition("\n")[0]
        if exc.sqlstate is None and _is_operational(exc):
            found, said = _UNREACHABLE, " ".join(str(exc).split())
    else:
        found = None
    if found is None:
        return None
    what, do, retryable = found
    return RefusedError(f"{what} ({said})", where=str(where), do=do, retryable=retryable)


def _is_operational(exc: BaseException) -> bool:
    # By name, because psycopg may not be there to compare with.
    return any(kind.__name__ == "OperationalError" for kind in type(exc).__mro__)


@contextmanager
def telling(kind: type[Exception], where: Location) -> Iterator[None]:
    """Tell the driver's errors of class *kind* as refusals; others pass."""
    try:
        yield
    except kind as exc:
        refused = explain(exc, where)
        if refused is None:
            raise
        raise refused from exc
