"""
What one transaction adds to an archive.

Every id that the archive alone knows is taken from ``counters`` inside the same
transaction, so a number is given exactly when its row is committed, also where
another process (an import) writes in between. All statements go as plain text with
tuples (``exec_driver_sql``): through SQLAlchemy's constructs a line costs six to ten
times as much.
"""

from collections.abc import Iterator, Sequence
from dataclasses import fields
from functools import cache
from itertools import chain
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection

from archiver.console import records

# Of one statement; SQLite takes 32,766 from 3.32 (2020) on, and each statement less
# is one less moment to lose the interpreter's lock.
SQLITE_PARAMETERS = 8_500


def fetch(connection: Connection, sql: str, parameters: Sequence[object] = ()) -> list[Any]:
    """Run one statement, with ``?`` for a parameter, and return its rows."""
    return list(connection.exec_driver_sql(_marked(connection, sql), tuple(parameters)))


def execute(connection: Connection, sql: str, rows: list[tuple[Any, ...]]) -> None:
    """Run one statement, with ``?`` for a parameter, once for each of *rows*."""
    if rows:
        connection.exec_driver_sql(_marked(connection, sql), rows)


def insert(connection: Connection, statement: "Insert", rows: list[tuple[Any, ...]]) -> None:
    """
    Insert *rows*.

    On SQLite many with one statement: the driver lets go of the interpreter's lock
    at each, and a busy event loop would then have it for 5 ms at a time. Their number
    is a power of two, so that there are few statements to prepare.
    """
    if connection.dialect.name != "sqlite":
        execute(connection, statement.text(1), rows)
        return
    size = 1 << (SQLITE_PARAMETERS // statement.columns).bit_length() - 1
    place = 0
    while place < len(rows):
        while size > len(rows) - place:
            size //= 2
        values = tuple(chain.from_iterable(rows[place : place + size]))
        connection.exec_driver_sql(statement.text(size), values)
        place += size


def _marked(connection: Connection, sql: str) -> str:
    return sql if connection.dialect.name == "sqlite" else sql.replace("?", "%s")


def load_counters(connection: Connection) -> dict[str, int]:
    """
    Return the last given numbers, and keep other writers from giving any.

    On SQLite the transaction itself does that (``BEGIN IMMEDIATE``); on PostgreSQL
    the locks on these rows do. So transactions commit in the order of their batches,
    and whoever sees a batch sees all before it.
    """
    sql = "SELECT name, value FROM counters"
    if connection.dialect.name != "sqlite":
        sql += " ORDER BY name FOR UPDATE"
    return dict(fetch(connection, sql))


def save_counters(connection: Connection, counters: dict[str, int]) -> None:
    """Store the last given numbers."""
    given = [(value, name) for name, value in counters.items()]
    execute(connection, "UPDATE counters SET value = ? WHERE name = ?", given)


class Insert:
    """
    An INSERT statement for tuples.

    Args:
        table: Where to.
        columns: What the tuples hold, in their order.
        replace: The columns of the key under which a row replaces an older one; none:
            a second row with the same key is an error.

    """

    def __init__(self, table: str, columns: Sequence[str], *, replace: Sequence[str] = ()) -> None:
        self.columns = len(columns)
        self._head = f"INSERT INTO {table} ({', '.join(columns)}) VALUES "  # noqa: S608  # constants
        self._marks = f"({', '.join('?' * len(columns))})"
        changes = ", ".join(f"{name} = excluded.{name}" for name in columns if name not in replace)
        self._tail = f" ON CONFLICT ({', '.join(replace)}) DO UPDATE SET {changes}"
        if not replace:
            self._tail = ""

    @cache  # noqa: B019  # the statements are constants of this module
    def text(self, rows: int) -> str:
        """Return the statement for so many rows at once, with ``?`` for each value."""
        return self._head + ", ".join([self._marks] * rows) + self._tail


def _names(kind: type[Any]) -> list[str]:
    return [field.name for field in fields(kind)]


_LINES = Insert("lines", ("id", "server_id", "batch", *records.Line._fields))
_STATUS_CHANGES = Insert("status_changes", ("id", "server_id", *records.StatusChange._fields))
_FRAMES = Insert("frames", ("id", "server_id", *records.Frame._fields))
_STATS_SAMPLES = Insert(
    "stats_samples",
    ("server_id", *records.StatsSample._fields),
    replace=("server_id", "at"),
)
_STATES = Insert("streams", ("server_id", *_names(records.StreamState)), replace=("server_id",))
# Statement, where in Records its rows are, and how a row becomes a tuple.
_BY_ID = [
    (
        Insert(name, ("server_id", *_names(kind)), replace=("id",)),
        attrgetter(name),
        attrgetter(*_names(kind)),
    )
    for name, kind in (
        ("runs", records.Run),
        ("connections", records.Connection),
        ("gaps", records.Gap),
        ("events", records.Event),
    )
]
_state_values = attrgetter(*_names(records.StreamState))


def append(
    connection: Connection, batch: Sequence[records.Records], counters: dict[str, int]
) -> None:
    """
    Write the records of any number of servers as batch ``counters['batch']``.

    Rows that carry an id (runs, connections, gaps, events) replace what is stored
    under it. Lines get theirs in the order given.

    Args:
        connection: In a transaction.
        batch: At most one for each server.
        counters: From :func:`load_counters`; raised here, saved by the caller.

    """

    def numbered(counter: str, rows: list[Any]) -> Iterator[tuple[int, Any]]:
        first = counters[counter] + 1
        counters[counter] += len(rows)
        return enumerate(rows, first)

    lines = [(of.server_id, line) for of in batch for line in of.lines]
    changes = [(of.server_id, change) for of in batch for change in of.status_changes]
    frames = [(of.server_id, frame) for of in batch for frame in of.frames]
    append_lines(connection, lines, counters)
    execute(
        connection,
        "UPDATE lines SET run_id = ? WHERE server_id = ? AND seq = ?",
        [(run_id, of.server_id, seq) for of in batch for seq, run_id in of.moved],
    )
    for statement, rows, values in _BY_ID:
        insert(
            connection,
            statement,
            [(of.server_id, *values(row)) for of in batch for row in rows(of)],
        )
    insert(
        connection,
        _STATUS_CHANGES,
        [(key, server, *change) for key, (server, change) in numbered("status_change", changes)],
    )
    insert(
        connection,
        _STATS_SAMPLES,
        [(of.server_id, *sample) for of in batch for sample in of.stats_samples],
    )
    execute(
        connection,
        "DELETE FROM frames WHERE server_id = ?",
        [(of.server_id,) for of in batch if of.frames_done],
    )
    insert(
        connection,
        _FRAMES,
        [(key, server, *frame) for key, (server, frame) in numbered("frame", frames)],
    )
    insert(connection, _STATES, [(of.server_id, *_state_values(of.state)) for of in batch])


def append_lines(
    connection: Connection, lines: Sequence[tuple[int, records.Line]], counters: dict[str, int]
) -> None:
    """Write lines, each with its server's number, as :func:`append` does; nothing else."""
    number, first = counters["batch"], counters["line"] + 1
    counters["line"] += len(lines)
    rows = [(key, server, number, *line) for key, (server, line) in enumerate(lines, first)]
    insert(connection, _LINES, rows)
