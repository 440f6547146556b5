"""
What readers ask of an archive, in SQL that both engines understand.

Every statement is a short transaction: lines are read in windows of at most 5,000
stored rows, whatever a filter lets through, so that no reader holds back the writer's
WAL. A listing is still consistent, because it leaves out every batch committed after
it began. That needs no more than the number of the last batch: transactions commit in
the order of their batches (``writes.load_counters``), so a snapshot that shows a batch
shows all before it, on PostgreSQL too.

``lines`` and ``iter_lines`` order the lines of one server by seq, and those of several
by (at, server_id, seq).
"""

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from operator import attrgetter
from typing import Any, Literal, NamedTuple, Self

from archiver.console.records import Flag
from archiver.query.words import DISGUISES
from archiver.store import location
from archiver.store.history import History
from archiver.store.partitions import Partitions
from archiver.store.rows import (
    CollectorRow,
    ConnectionRow,
    GapRow,
    LineRow,
    Mark,
    RunRow,
    ServerRow,
    StatusRow,
    TextRow,
)
from archiver.store.session import Session
from archiver.store.where import Where, pattern

WINDOW = 5_000  # stored rows that one statement may go through
_EVER = 2**62  # beyond every seq, id and time

_TABLES = (
    "servers",
    "runs",
    "connections",
    "lines",
    "gaps",
    "status_changes",
    "stats_samples",
    "events",
    "frames",
)


@dataclass(frozen=True, slots=True)
class LineFilter:
    """Which lines; None: no such bound. An empty tuple lets nothing through."""

    server_ids: tuple[int, ...] | None = None
    since: int | None = None  # at or after
    until: int | None = None  # before
    sources: tuple[int, ...] | None = None
    run_ids: tuple[int, ...] | None = None
    batch_until: int | None = None  # up to and with this batch
    level_from: int | None = None  # OpenTelemetry severity: of this level or worse
    # Of each clause the text, once folded, holds one part, all of which are ASCII. Lines
    # with a letter that SQL does not fold to ASCII are let through, for the matcher to judge.
    literals: tuple[tuple[str, ...], ...] = ()


class Reader:
    """A read-only view of an archive; used by one thread at a time."""

    def __init__(self, session: Session) -> None:
        self._session = session

    @classmethod
    def open(cls, url: str) -> Self:
        """
        Open the archive at *url* for reading.

        Raises:
            SchemaOutOfDateError: It is of another revision.
            StoreError: There is no archive, or it refuses.

        """
        return cls(Session.open_archive(location.parse(url)))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; a second time is harmless."""
        self._session.close()

    def partitions(self) -> Partitions:
        """Return the lines as the index sees them, by the same connection."""
        return Partitions(self._session)

    def history(self) -> History:
        """Return what is recorded beside the lines, by the same connection."""
        return History(self._session)

    def reopen(self) -> None:
        """
        Connect again, where the connection was lost.

        Raises:
            StoreError: As :meth:`open` does.

        """
        self._session.close()
        self._session = Session.open_archive(self._session.location)

    def last_batch(self) -> int:
        """Return the number of the newest batch; 0: nothing was committed yet."""
        return int(self._counter("batch"))

    def mark(self) -> Mark:
        """Return how far is committed; what is committed later lies behind it."""
        found = self._session.rows(
            "SELECT (SELECT value FROM counters WHERE name = 'batch'),"
            " (SELECT value FROM counters WHERE name = 'line'),"
            " (SELECT coalesce(max(id), 0) FROM gaps)"
        )
        return Mark._make(found[0])

    def collector(self) -> CollectorRow | None:
        """Return who records now; also one that died, until the next one starts."""
        found = self._session.rows("SELECT pid, host, since FROM collectors")
        return CollectorRow(*found[0]) if found else None

    def counts(self) -> dict[str, int]:
        """Return the number of rows of each table; takes time in a large archive."""
        return {
            table: int(self._session.rows(f"SELECT count(*) FROM {table}")[0][0])  # noqa: S608  # constants
            for table in _TABLES
        }

    def servers(self, *, deleted: bool = True) -> list[ServerRow]:
        """Return the servers by name; *deleted*: also those no longer listed."""
        return [
            ServerRow(*row)
            for row in self._session.rows(
                "SELECT s.id, p.name, s.identifier, s.uuid, s.name, s.node, s.first_seen_at,"
                " s.last_seen_at, s.deleted_at FROM servers s JOIN panels p ON p.id = s.panel_id"
                " ORDER BY s.name, s.id"
            )
            if deleted or row[-1] is None
        ]

    def runs(self, server_ids: Sequence[int] | None = None) -> list[RunRow]:
        """Return the runs of these servers, or of all, oldest first."""
        where = Where().among("t.server_id", server_ids)
        rows = self._of_servers(RunRow, "runs", where, "t.first_seen_at, t.id")
        return [
            row
            if row.out_of_memory is None
            else row._replace(out_of_memory=bool(row.out_of_memory))
            for row in rows
        ]

    def connections(
        self,
        server_ids: Sequence[int] | None = None,
        since: int | None = None,
        limit: int = 100,
    ) -> list[ConnectionRow]:
        """Return the newest connections opened at or after *since*, oldest first."""
        where = Where().among("t.server_id", server_ids).least("t.opened_at", since)
        order = f"t.opened_at DESC, t.id DESC LIMIT {int(limit)}"
        return self._of_servers(ConnectionRow, "connections", where, order)[::-1]

    def gaps(
        self,
        server_ids: Sequence[int] | None = None,
        since: int | None = None,
        until: int | None = None,
        *,
        before: Sequence[tuple[int, int]] = (),
    ) -> list[GapRow]:
        """
        Return the gaps that touch this time, closed ones too, oldest first.

        Args:
            server_ids: Only of these servers; None: of all.
            since: Only those that end at or after it.
            until: Only those that begin before it.
            before: (server_id, seq) of lines: with the gaps right before them, which
                may have ended before *since*.

        """
        where = Where().among("t.server_id", server_ids)
        if since is not None and before:
            pairs = ", ".join(["(?, ?)"] * len(before))
            where.add(
                f"(t.to_at >= ? OR (t.server_id, t.before_seq) IN (VALUES {pairs}))",
                since,
                *chain.from_iterable(before),
            )
        else:
            where.least("t.to_at", since)
        if until is not None:
            where.add("(t.from_at IS NULL OR t.from_at < ?)", until)
        return self._of_servers(GapRow, "gaps", where, "t.to_at, t.id")

    def gaps_after(self, after: int, server_ids: Sequence[int] | None = None) -> list[GapRow]:
        """
        Return the gaps with a larger ``id``, in its order: to follow.

        A collector commits all gaps that it has numbered at once, so none comes later
        with a smaller one.
        """
        where = Where().add("t.id > ?", after).among("+t.server_id", server_ids)
        return self._of_servers(GapRow, "gaps", where, "t.id")

    def gaps_among(self, server_id: int, first_seq: int, last_seq: int) -> list[GapRow]:
        """Return the gaps of one server that lie between two of its lines or touch them."""
        where = Where().add("t.server_id = ?", server_id)
        where.add("(t.after_seq IS NULL OR t.after_seq <= ?)", last_seq)
        where.add("(t.after_seq >= ? OR t.before_seq >= ?)", first_seq, first_seq)
        return self._of_servers(GapRow, "gaps", where, "t.to_at, t.id")

    def status_of_all(self, since: int) -> list[StatusRow]:
        """Return how each server stands, by name; "today" begins at *since*."""
        return [
            StatusRow._make((*row[:6], bool(row[6]), *row[7:]))
            for row in self._session.rows(_STATUS_OF_ALL, (since, since))
        ]

    def lines(
        self,
        wanted: LineFilter,
        *,
        after: int | None = None,
        limit: int,
        newest: bool = False,
    ) -> list[LineRow]:
        """
        Return at most *limit* lines.

        Args:
            wanted: Which lines.
            after: To follow: only lines with a larger ``id``, in order of commit. That
                order shows late inserts too, and never goes back.
            limit: At most so many.
            newest: The newest instead of the oldest; also returned oldest first.
                Newest by seq, or by time where *wanted* has a time or several servers.

        """
        if after is not None:
            size = min(WINDOW, max(8, limit))
            return list(islice(self._committed_after(after, wanted, size), limit))
        server_ids = self._server_ids(wanted)
        # A filter that lets little through makes the windows grow.
        size = min(WINDOW, max(8, 2 * limit // max(1, len(server_ids))))
        if len(server_ids) == 1 and wanted.since is None and wanted.until is None:
            scan = _Scan("seq", -_EVER, _EVER, size, WINDOW, newest)
            found = list(islice(self._read(server_ids[0], wanted, scan), limit))
            return found[::-1] if newest else found
        # One server's are chosen by time too: the index by time finds its ends at once.
        scan = _Scan("at", *_times(wanted), size, WINDOW, newest)
        found = list(islice(self._merged(server_ids, wanted, scan), limit))
        if len(server_ids) == 1:
            return sorted(found, key=attrgetter("seq"))
        return found[::-1] if newest else found

    def lines_around(self, server_id: int, seq: int, before: int, after: int) -> list[LineRow]:
        """
        Return lines of one server by seq, found by the index alone.

        Args:
            server_id: The server.
            seq: A place, whether a line is there or not.
            before: At most so many lines before the place.
            after: At most so many beside the first one at the place or behind it.

        """
        older = self._neighbours(server_id, "t.seq < ?", seq, "t.seq DESC", before)
        return older[::-1] + self._neighbours(server_id, "t.seq >= ?", seq, "t.seq", after + 1)

    def last_seq(self, server_id: int, before_id: int) -> int | None:
        """Return the largest seq among the lines with a smaller ``id``; None: there is none."""
        found = self._session.rows(
            "SELECT seq FROM lines WHERE server_id = ? AND +id < ? ORDER BY seq DESC LIMIT 1",
            (server_id, before_id),
        )
        return int(found[0][0]) if found else None

    def iter_lines(self, wanted: LineFilter) -> Iterator[LineRow]:
        """
        Yield all lines, of no later batch than the last one there is now.

        Takes constant memory, except that lines of one server with one and the same
        ``at`` are read together where several servers are asked for.
        """
        mark = self.last_batch()
        if wanted.batch_until is not None:
            mark = min(mark, wanted.batch_until)
        wanted = replace(wanted, batch_until=mark)
        server_ids = self._server_ids(wanted)
        if len(server_ids) == 1:
            return self._read(server_ids[0], wanted, self._seq_scan(server_ids[0], wanted))
        # Each server keeps a window in memory.
        size = max(50, WINDOW // max(1, len(server_ids)))
        scan = _Scan("at", *_times(wanted), size, size)
        return self._merged(server_ids, wanted, scan)

    def between(
        self, server_id: int, first_seq: int, last_seq: int, wanted: LineFilter
    ) -> list[LineRow]:
        """Return the lines of one server between two seqs, both included, by seq."""
        return self._between(LineRow, server_id, first_seq, last_seq, wanted)

    def texts_between(
        self, server_id: int, first_seq: int, last_seq: int, wanted: LineFilter
    ) -> list[TextRow]:
        """Return of the same lines what a query looks at: half the work."""
        return self._between(TextRow, server_id, first_seq, last_seq, wanted)

    def count_between(
        self, server_id: int, first_seq: int, last_seq: int, wanted: LineFilter
    ) -> int:
        """Return how many these lines are."""
        where = self._filtered(wanted).add("t.server_id = ?", server_id)
        where.add("t.seq BETWEEN ? AND ?", first_seq, last_seq)
        sql = f"SELECT count(*) FROM lines t{where}"  # noqa: S608  # constants
        return int(self._session.rows(sql, where.parameters)[0][0])

    def _between(
        self, kind: type[Any], server_id: int, first_seq: int, last_seq: int, wanted: LineFilter
    ) -> list[Any]:
        where = self._filtered(wanted).add("t.server_id = ?", server_id)
        where.add("t.seq BETWEEN ? AND ?", first_seq, last_seq)
        return self._of_servers(kind, "lines", where, "t.seq")

    def _counter(self, name: str) -> int:
        found = self._session.rows("SELECT value FROM counters WHERE name = ?", (name,))
        return int(found[0][0])

    def _server_ids(self, wanted: LineFilter) -> tuple[int, ...]:
        if wanted.server_ids is not None:
            return wanted.server_ids
        return tuple(row[0] for row in self._session.rows("SELECT id FROM servers ORDER BY id"))

    def _committed_after(self, after: int, wanted: LineFilter, size: int) -> Iterator[LineRow]:
        """Yield lines in order of commit, in windows of *size* ids, then twice as many."""
        newest = self._counter("line")
        while after < newest:
            last = min(after + size, newest)
            where = self._filtered(wanted).among("+t.server_id", wanted.server_ids)
            where.add("t.id BETWEEN ? AND ?", after + 1, last)
            yield from self._of_servers(LineRow, "lines", where, "t.id")
            after = last
            size = min(2 * size, WINDOW)

    def _merged(
        self, server_ids: Sequence[int], wanted: LineFilter, scan: "_Scan"
    ) -> Iterator[LineRow]:
        streams = [self._read(server_id, wanted, scan) for server_id in server_ids]
        order = attrgetter("at", "server_id", "seq")
        return heapq.merge(*streams, key=order, reverse=scan.newest)

    def _read(self, server_id: int, wanted: LineFilter, scan: "_Scan") -> Iterator[LineRow]:
        order = f"t.{scan.key} DESC, t.seq DESC" if scan.newest else f"t.{scan.key}, t.seq"
        for window in self._windows(server_id, scan):
            where = self._filtered(wanted).add("t.server_id = ?", server_id)
            where.add(f"t.{scan.key} BETWEEN ? AND ?", *window)
            yield from self._of_servers(LineRow, "lines", where, order)

    def _neighbours(
        self, server_id: int, condition: str, seq: int, order: str, limit: int
    ) -> list[LineRow]:
        where = Where().add("t.server_id = ?", server_id).add(condition, seq)
        return self._of_servers(LineRow, "lines", where, f"{order} LIMIT {int(limit)}")

    def _windows(self, server_id: int, scan: "_Scan") -> Iterator[tuple[int, int]]:
        """Yield both ends, inclusive, of each window of a scan; the last may hold nothing."""
        key, first, last, size = scan.key, scan.first, scan.last, scan.size
        sql = (
            f"SELECT {key} FROM lines WHERE server_id = ? AND {key} BETWEEN ? AND ?"  # noqa: S608  # constants
            f" ORDER BY {key} {'DESC' if scan.newest else 'ASC'} LIMIT 1 OFFSET ?"
        )
        while found := self._session.rows(sql, (server_id, first, last, size - 1)):
            end = int(found[0][0])
            size = min(2 * size, scan.most)
            if scan.newest:
                yield end, last
                last = end - 1
            else:
                yield first, end
                first = end + 1
        yield first, last

    def _seq_scan(self, server_id: int, wanted: LineFilter) -> "_Scan":
        """Return the scan by seq that covers a filter's range of time."""
        if wanted.since is None and wanted.until is None:
            return _Scan("seq", -_EVER, _EVER, WINDOW, WINDOW)
        least, largest = _EVER, -_EVER
        scan = _Scan("at", *_times(wanted), WINDOW, WINDOW)
        for window in self._windows(server_id, scan):
            low, high = self._session.rows(
                "SELECT min(seq), max(seq) FROM lines WHERE server_id = ? AND at BETWEEN ? AND ?",
                (server_id, *window),
            )[0]
            if low is not None:
                least, largest = min(least, low), max(largest, high)
        return _Scan("seq", least, largest, WINDOW, WINDOW)

    def _filtered(self, wanted: LineFilter) -> Where:
        """
        Return all of a filter but the servers.

        The plus signs keep a planner from going by these columns: what bounds a window
        is what the rows must be found by.
        """
        where = Where().least("+t.at", wanted.since)
        if wanted.until is not None:
            where.add("+t.at < ?", wanted.until)
        if wanted.batch_until is not None:
            where.add("t.batch <= ?", wanted.batch_until)
        where.among("t.source", wanted.sources).among("t.run_id", wanted.run_ids)
        where.least("t.level", wanted.level_from)
        like = f"t.text {self._session.like} ? ESCAPE '\\'"
        for clause in wanted.literals:
            disguises = [
                disguise
                for letter, disguise in DISGUISES.items()
                if any(letter in part.lower() for part in clause)
            ]
            parts = [like] * len(clause)
            if disguises:
                among = " OR ".join([like] * len(disguises))
                parts.append(f"t.flags & {int(Flag.ASCII)} = 0 AND ({among})")
            where.add(f"({' OR '.join(parts) or '1 = 0'})", *map(pattern, (*clause, *disguises)))
        return where

    def _of_servers(self, kind: type[Any], table: str, where: Where, order: str) -> list[Any]:
        """Select the rows of a table that has a server, with the server's names."""
        columns = ", ".join(f"t.{name}" for name in kind._fields[:-2])
        sql = (
            f"SELECT {columns}, s.identifier, s.name FROM {table} t"  # noqa: S608  # constants
            f" JOIN servers s ON s.id = t.server_id{where} ORDER BY {order}"
        )
        return [kind(*row) for row in self._session.rows(sql, where.parameters)]


class _Scan(NamedTuple):
    """
    A way through the lines of one server with ``first <= key <= last``.

    Goes in windows of *size* stored lines, then twice as many until *most*; more only
    where several share the key at a window's end.
    """

    key: Literal["at", "seq"]
    first: int
    last: int
    size: int
    most: int
    newest: bool = False  # from the newest to the oldest


def _times(wanted: LineFilter) -> tuple[int, int]:
    """Return both ends of a filter's range of time, inclusive."""
    return (
        -_EVER if wanted.since is None else wanted.since,
        _EVER if wanted.until is None else wanted.until - 1,
    )


_STATUS_OF_ALL = """
    SELECT s.id, s.identifier, s.name, s.node,
        (SELECT status FROM status_changes WHERE server_id = s.id
         ORDER BY at DESC, id DESC LIMIT 1),
        r.started_at,
        CASE WHEN c.closed_at IS NULL AND c.authenticated_at IS NOT NULL THEN 1 ELSE 0 END,
        CASE WHEN c.closed_at IS NULL THEN c.opened_at END,
        (SELECT max(at) FROM lines WHERE server_id = s.id),
        t.last_frame_at,
        (SELECT count(*) FROM lines WHERE server_id = s.id AND at >= ?),
        (SELECT count(*) FROM gaps WHERE server_id = s.id AND to_at >= ? AND closed_at IS NULL),
        s.deleted_at
    FROM servers s
    LEFT JOIN streams t ON t.server_id = s.id
    LEFT JOIN runs r ON r.id = t.run_id AND r.ended_at IS NULL
    LEFT JOIN connections c ON c.id = (
        SELECT id FROM connections WHERE server_id = s.id ORDER BY opened_at DESC, id DESC LIMIT 1)
    ORDER BY s.name, s.id
"""
