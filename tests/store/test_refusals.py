import sqlite3

import psycopg
import pytest

from archiver.store import location, refusals

WHERE = location.parse("sqlite:////srv/archive.db")


def of_sqlite(code: int) -> sqlite3.OperationalError:
    exc = sqlite3.OperationalError("told by SQLite")
    exc.sqlite_errorcode = code
    return exc


@pytest.mark.parametrize(
    ("exc", "what", "retryable"),
    [
        (of_sqlite(sqlite3.SQLITE_BUSY), "locked", True),
        (of_sqlite(sqlite3.SQLITE_BUSY_SNAPSHOT), "locked", True),
        (of_sqlite(sqlite3.SQLITE_FULL), "full", True),
        (of_sqlite(sqlite3.SQLITE_IOERR_FSYNC), "I/O error", True),
        (of_sqlite(sqlite3.SQLITE_READONLY_DBMOVED), "read-only", False),
        (of_sqlite(sqlite3.SQLITE_CORRUPT), "damaged", False),
        (of_sqlite(sqlite3.SQLITE_NOTADB), "not an archive", False),
        (psycopg.OperationalError("no route to host"), "cannot be reached", True),
        (psycopg.errors.ConnectionTimeout("timeout"), "cannot be reached", True),
        (psycopg.errors.AdminShutdown("bye"), "shutting down", True),
        (psycopg.errors.DiskFull("full"), "out of space", True),
        (psycopg.errors.ReadOnlySqlTransaction("standby"), "read-only", True),
        (psycopg.errors.LockNotAvailable("lock"), "locked", True),
        (psycopg.errors.DeadlockDetected("deadlock"), "rolled back", True),
        (psycopg.errors.InsufficientPrivilege("no"), "may not", False),
    ],
)
def test_refusal_says_what_where_and_what_to_do(exc, what, retryable):
    refused = refusals.explain(exc, WHERE)

    assert refused is not None
    assert what in refused.what
    assert refused.where == "/srv/archive.db"
    assert refused.do
    assert refused.retryable is retryable


@pytest.mark.parametrize(
    "exc",
    [
        of_sqlite(sqlite3.SQLITE_CONSTRAINT_UNIQUE),
        of_sqlite(sqlite3.SQLITE_ERROR),
        sqlite3.ProgrammingError("Cannot operate on a closed database."),
        psycopg.errors.UniqueViolation("twice"),
        psycopg.errors.UndefinedTable("no such table"),
        psycopg.DataError("NUL"),
        ValueError("ours"),
        None,
    ],
)
def test_bug_is_not_a_refusal(exc):
    assert refusals.explain(exc, WHERE) is None


def test_only_the_first_line_of_postgresql_is_told_because_the_next_may_quote_a_row():
    refused = refusals.explain(psycopg.errors.DiskFull("no space\nDETAIL: (secret)"), WHERE)

    assert "no space" in str(refused)
    assert "secret" not in str(refused)


def test_telling_keeps_the_cause_and_lets_bugs_pass():
    full = of_sqlite(sqlite3.SQLITE_FULL)

    with pytest.raises(refusals.RefusedError) as caught, refusals.telling(sqlite3.Error, WHERE):
        raise full
    assert caught.value.__cause__ is full
    with pytest.raises(sqlite3.ProgrammingError), refusals.telling(sqlite3.Error, WHERE):
        raise sqlite3.ProgrammingError
