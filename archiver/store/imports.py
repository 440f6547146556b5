"""
What an import reads and writes: rooms for lines of files, and these lines.

Beside a collector. It has the end of each stream in memory and gives out numbers
there, so nothing is put where it still may insert: only before all that was recorded,
and in gaps below the confirmed mark. Batches and ids come from ``counters`` inside of
each transaction, as the collector's do, and nothing of ``streams`` is changed.

Reads are short transactions on a connection of their own, so that a file can be read
and compared while others write.
"""

import fcntl
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Self

from archiver import errors
from archiver.console.placing import Spot, StoredLine
from archiver.console.records import Line
from archiver.store import location, private, writes
from archiver.store.database import Database
from archiver.store.reads import Reader
from archiver.store.rows import ServerRow
from archiver.store.session import Session

BATCH = 2_500  # lines of one transaction: a live commit waits no longer than for these
PAGE = 5_000  # rows that one statement may go through
NEWEST = 1_000  # lines among which a collector is asked what zone they show

_FILE_NAME = "import.lock"
_IMPORT = 7  # records.Source
_CONTAINER = "source IN (1, 2)"  # what log files hold: live and replayed lines
_EVER = 2**62  # beyond every seq and time
_MARGIN = 3_600_000_000  # microseconds that a host's clock may be off the collector's


class StoredRoom(NamedTuple):
    """Where lines may go: before all that was recorded, or in a gap."""

    gap_id: int | None  # None: before all, or behind all
    low: int | None  # seq of the line before it; None: there is none
    high: int  # of the line behind it
    since: int | None  # when it begins, by the collector's clock; None: it does not
    until: int  # when it ends
    is_settled: bool  # a collector inserts nothing there any more


class StoredImport(NamedTuple):
    """A line that was imported."""

    seq: int
    at: int
    text: str


class Imports:
    """An archive opened for an import; one at a time, by one thread."""

    def __init__(self, database: Database, session: Session, lock: int) -> None:
        self._database = database
        self._session = session
        self._lock = lock

    @classmethod
    def open(cls, url: str, data_dir: Path) -> Self:
        """
        Open the archive at *url*.

        Args:
            url: Database URL.
            data_dir: Directory of the lock that keeps a second import out.

        Raises:
            SchemaOutOfDateError: It is of another revision.
            StoreError: There is no archive, it refuses, or another import writes into it.

        """
        session = Session.open_archive(location.parse(url))
        try:
            lock = private.open_file(data_dir / _FILE_NAME, "lock")
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as exc:
                os.close(lock)
                raise errors.StoreError(
                    "another import writes into this archive",
                    where=str(session.location),
                    do="wait until it ends, then start this one again",
                ) from exc
            return cls(Database.open(url), session, lock)
        except BaseException:
            session.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._database.close()
        self._session.close()
        os.close(self._lock)

    def servers(self) -> list[ServerRow]:
        """Return the servers by name."""
        return Reader(self._session).servers()

    def last_batch(self) -> int:
        """Return the number of the newest batch."""
        return Reader(self._session).last_batch()

    def dated_lines(self, server_id: int) -> list[tuple[str, int]]:
        """Return text and claimed time, resolved, of the newest live lines that have one."""
        return [
            (text, timestamp)
            for text, timestamp in self._session.rows(
                "SELECT text, timestamp FROM (SELECT text, timestamp, source FROM lines"
                " WHERE server_id = ? AND seq >= 0 ORDER BY seq DESC LIMIT ?) newest"
                " WHERE source = 1 AND timestamp IS NOT NULL",
                (server_id, NEWEST),
            )
        ]

    def rooms(self, server_id: int) -> list[StoredRoom]:
        """Return the rooms of a server's stream in their order, the one behind all too."""
        first = self._lines(server_id, "seq >= 0", "seq", 1)
        if not first:
            return [StoredRoom(None, None, 0, None, _EVER, is_settled=True)]
        # Below 0, not below the first line: a replay may still show lines before that one.
        rooms = [StoredRoom(None, None, 0, None, first[0].at, is_settled=True)]
        rooms += (
            StoredRoom._make((*row[:-1], bool(row[-1])))
            for row in self._session.rows(
                "SELECT g.id, g.after_seq, g.before_seq, g.from_at, g.to_at,"
                " CASE WHEN g.before_seq <= s.confirmed_seq THEN 1 ELSE 0 END"
                " FROM gaps g JOIN streams s ON s.server_id = g.server_id"
                " WHERE g.server_id = ? AND g.closed_at IS NULL"
                " AND g.after_seq IS NOT NULL AND g.before_seq IS NOT NULL ORDER BY g.after_seq",
                (server_id,),
            )
        )
        (newest,) = self._lines(server_id, "seq >= 0", "seq DESC", 1)
        rooms.append(StoredRoom(None, newest.seq, _EVER, newest.at, _EVER, is_settled=False))
        return rooms

    def lines_before(self, server_id: int, seq: int, limit: int) -> list[StoredLine]:
        """Return the recorded lines up to *seq*, newest first."""
        return self._lines(server_id, f"{_CONTAINER} AND seq <= ?", "seq DESC", limit, seq)

    def lines_behind(self, server_id: int, seq: int, limit: int) -> list[StoredLine]:
        """Return the recorded lines from *seq* on, oldest first."""
        return self._lines(server_id, f"{_CONTAINER} AND seq >= ?", "seq", limit, seq)

    def _lines(
        self, server_id: int, where: str, order: str, limit: int, *parameters: object
    ) -> list[StoredLine]:
        sql = (
            f"SELECT {', '.join(StoredLine._fields)} FROM lines"  # noqa: S608  # constants
            f" WHERE server_id = ? AND {where} ORDER BY {order} LIMIT ?"
        )
        found = self._session.rows(sql, (server_id, *parameters, limit))
        return [StoredLine(*row) for row in found]

    def imported(
        self, server_id: int, since: int, until: int, batch: int
    ) -> Iterator[StoredImport]:
        """Yield what was imported up to a batch, dated from *since* to *until*, by time."""
        sql = (
            "SELECT at, seq, text, source, batch FROM lines WHERE server_id = ?"
            " AND (at, seq) > (?, ?) AND at <= ? ORDER BY at, seq LIMIT ?"
        )
        at, seq = since - 1, _EVER
        while page := self._session.rows(sql, (server_id, at, seq, until, PAGE)):
            for at, seq, text, source, number in page:  # the last goes on below
                if source == _IMPORT and number <= batch:
                    yield StoredImport(seq, at, text)
            if len(page) < PAGE:
                return

    def last_until(self, server_id: int, room: StoredRoom, at: int) -> Spot | None:
        """Return the last imported line of a room that is no later than *at*; None: none is."""
        low = -_EVER if room.low is None else room.low
        since = -_EVER if room.since is None else room.since - _MARGIN
        found = self._session.rows(
            "SELECT seq, at FROM lines WHERE server_id = ? AND at BETWEEN ? AND ?"
            " AND seq > ? AND seq < ? ORDER BY at DESC, seq DESC LIMIT 1",
            (server_id, since, at, low, room.high),
        )
        return Spot(*found[0]) if found else None

    def next_in(self, server_id: int, room: StoredRoom, seq: int | None) -> Spot | None:
        """Return the first imported line of a room behind *seq*, or of all; None: none is."""
        if seq is None:
            seq = -_EVER if room.low is None else room.low
        found = self._session.rows(
            "SELECT seq, at FROM lines WHERE server_id = ? AND seq > ? AND seq < ?"
            " ORDER BY seq LIMIT 1",
            (server_id, seq, room.high),
        )
        return Spot(*found[0]) if found else None

    def add(self, server_id: int, lines: Sequence[Line]) -> None:
        """
        Store lines in one transaction; all of them are committed when it returns.

        Raises:
            RefusedError: The database refuses.

        """
        with self._database.begin() as connection:
            counters = writes.load_counters(connection)
            counters["batch"] += 1
            writes.append_lines(connection, [(server_id, line) for line in lines], counters)
            # A server of which nothing was recorded yet; a collector replaces this.
            writes.execute(
                connection,
                "INSERT INTO streams (server_id, next_seq) VALUES (?, 0) ON CONFLICT DO NOTHING",
                [(server_id,)],
            )
            writes.save_counters(connection, counters)

    def close_gaps(self, gap_ids: Sequence[int], at: int) -> None:
        """Note that gaps were found complete."""
        with self._database.begin() as connection:
            writes.load_counters(connection)  # on PostgreSQL: in the order of other writers
            writes.execute(
                connection,
                "UPDATE gaps SET closed_at = ? WHERE id = ? AND closed_at IS NULL",
                [(at, gap_id) for gap_id in gap_ids],
            )
