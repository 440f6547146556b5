"""
What the index asks of the store: lines in the order of their commit, and which are sealed.

Needs no SQLAlchemy, as all reading. A partition replaces others in one transaction, so
that at any moment each sealed line is in exactly one partition, and all lines up to the
mark are sealed.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from archiver.store.rows import PartitionRow, RangeRow, SealedLine
from archiver.store.session import Session

if TYPE_CHECKING:
    from archiver.store.database import Database

PAGE = 5_000  # lines that one statement reads
RANGE = 1_024  # ids in which the lines of one server make a range
_RANGE_PAGE = 64 * RANGE  # ids that one statement looks at

_COLUMNS = ", ".join(PartitionRow._fields)
_LINE_COLUMNS = ", ".join(SealedLine._fields)


class Partitions:
    """
    The lines of an archive as the index sees them; used by one thread at a time.

    Args:
        session: Of the archive.

    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def rows(self) -> list[PartitionRow]:
        """Return all partitions, in the order of their lines."""
        sql = f"SELECT {_COLUMNS} FROM partitions ORDER BY first_id"  # noqa: S608  # constants
        return [PartitionRow(*row) for row in self._session.rows(sql)]

    def last_line_id(self) -> int:
        """Return the id of the line that was committed last; 0: none was."""
        sql = "SELECT value FROM counters WHERE name = 'line'"
        return int(self._session.rows(sql)[0][0])

    def rebuild_mark(self) -> int:
        """Return the id of the last partition that a rebuild has yet to replace; 0: none is."""
        sql = "SELECT value FROM counters WHERE name = 'rebuild'"
        return int(self._session.rows(sql)[0][0])

    def lines(self, first_id: int, last_id: int) -> Iterator[SealedLine]:
        """Yield the lines with these ids, both included, in the order of their commit."""
        sql = f"SELECT {_LINE_COLUMNS} FROM lines WHERE id BETWEEN ? AND ? ORDER BY id"  # noqa: S608  # constants
        for first in range(first_id, last_id + 1, PAGE):
            page = (first, min(first + PAGE - 1, last_id))
            yield from map(SealedLine._make, self._session.rows(sql, page))

    def count(self, first_id: int, last_id: int) -> int:
        """Return how many lines have these ids, both included."""
        sql = "SELECT count(*) FROM lines WHERE id BETWEEN ? AND ?"
        return int(self._session.rows(sql, (first_id, last_id))[0][0])

    def ranges(self, first_id: int, last_id: int) -> Iterator[RangeRow]:
        """
        Yield ranges that hold all lines with these ids, both included.

        Two of them may overlap, and lines with other ids may lie in them.
        """
        sql = (
            "SELECT server_id, min(seq), max(seq), min(at), max(at), count(*) FROM lines"
            " WHERE id BETWEEN ? AND ? GROUP BY server_id, id / ?"
        )
        for first in range(first_id, last_id + 1, _RANGE_PAGE):
            page = (first, min(first + _RANGE_PAGE - 1, last_id))
            yield from map(RangeRow._make, self._session.rows(sql, (*page, RANGE)))


def unsealed(rows: Sequence[PartitionRow], last_line_id: int) -> Iterator[tuple[int, int]]:
    """
    Yield the ranges of ids, both ends included, that no partition holds.

    Args:
        rows: All partitions, in the order of their lines.
        last_line_id: Where the archive ends.

    """
    first = 1
    for row in rows:
        if row.first_id > first:
            yield first, row.first_id - 1
        first = max(first, row.last_id + 1)
    if first <= last_line_id:
        yield first, last_line_id


def replace(database: "Database", new: PartitionRow, old: Sequence[int]) -> int:
    """
    Put a partition in the place of others and return its id.

    Args:
        database: The archive.
        new: Its id does not count: it gets one.
        old: The ids of those whose lines it holds.

    Raises:
        RefusedError: The database refuses, and nothing has changed.

    """
    from archiver.store import writes  # noqa: PLC0415  # readers do without SQLAlchemy

    with database.begin() as connection:
        counters = writes.load_counters(connection)
        counters["partition"] += 1
        gone = [(key,) for key in old]
        writes.execute(connection, "DELETE FROM partitions WHERE id = ?", gone)
        row = new._replace(id=counters["partition"])
        writes.insert(connection, writes.Insert("partitions", PartitionRow._fields), [tuple(row)])
        writes.save_counters(connection, counters)
    return row.id


def mark_rebuild(database: "Database", upto: int) -> None:
    """Note that all partitions up to this id are to be replaced; 0: that has been done."""
    from archiver.store import writes  # noqa: PLC0415

    with database.begin() as connection:
        writes.execute(
            connection, "UPDATE counters SET value = ? WHERE name = 'rebuild'", [(upto,)]
        )
