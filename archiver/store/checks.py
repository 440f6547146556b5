"""
What a verifier reads of an archive: rows in pages, and what SQL alone can judge.

Every statement is a short transaction that goes through at most :data:`PAGE` rows and
takes constant memory. The archive may be recorded into meanwhile, so what must agree
is read by one statement, or in an order in which it can only agree better.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Self, TypeVar

from archiver.store import location
from archiver.store.reads import Reader
from archiver.store.rows import CollectorRow
from archiver.store.session import Session

PAGE = 5_000  # rows that one statement may go through
GAP_PAGE = 200  # gaps, each with three look-ups among the lines
QUICK_BYTES = 64 * 2**20  # SQLite checks so much in well under a second
_EVER = 2**62  # beyond every seq and id
_IMPORT = 7  # records.Source

# Where a server's number is, each with an index that begins with it.
SERVER_TABLES = (
    "streams",
    "lines",
    "runs",
    "connections",
    "gaps",
    "status_changes",
    "stats_samples",
    "events",
    "frames",
)
# What is numbered -> the counter that numbers it.
NUMBERED = {
    "panels": "panel",
    "servers": "server",
    "runs": "run",
    "connections": "connection",
    "gaps": "gap",
    "events": "event",
    "status_changes": "status_change",
    "frames": "frame",
    "lines": "line",
}


class PlacedLine(NamedTuple):
    """A line, as far as its place is concerned."""

    seq: int
    id: int
    run_id: int | None
    connection_id: int | None
    batch: int
    source: int
    at: int
    at_kind: int
    observed_at: int
    earliest_at: int | None


class CommittedLine(NamedTuple):
    """A line, as far as its commit is concerned."""

    id: int
    batch: int


class CheckedRun(NamedTuple):
    """A run, as far as its times are concerned."""

    id: int
    server_id: int
    first_seen_at: int
    started_at: int | None
    ended_at: int | None


class CheckedGap(NamedTuple):
    """A gap, and what is stored at its ends and in it."""

    id: int
    server_id: int
    after_seq: int | None
    before_seq: int | None
    lower: int
    upper: int | None
    expected: int | None
    next_seq: int | None  # of its stream; None: there is no stream
    has_after: bool  # the line before it is stored, or there is none
    has_before: bool
    inside: int | None  # the first recorded line inside of it; None: none, or it is closed


class CheckedStatus(NamedTuple):
    """A change of status."""

    id: int
    server_id: int
    at: int
    status: str
    previous: str | None


class CheckedStream(NamedTuple):
    """What is remembered of a stream, and what is stored of it."""

    server_id: int
    next_seq: int
    confirmed_seq: int | None
    run_id: int | None
    has_run: bool  # its run is stored, or it has none
    keys: bytes | None
    newest_seq: int | None  # None: no line is stored


_Row = TypeVar("_Row", bound=tuple[Any, ...])


class Checks:
    """A read-only view of an archive for a verifier; used by one thread at a time."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.location = session.location

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

    def damages(self, *, is_recording: bool) -> tuple[list[str], str]:
        """
        Let the database check itself.

        On SQLite this is one long transaction, which a collector must not meet: while
        one records, a large file is not checked, and a small one quickly.

        Returns:
            What the database says is damaged, and what is so if that is nothing.

        """
        if self.location.path is None:
            return self._postgresql_damages()
        if is_recording and self.location.path.stat().st_size > QUICK_BYTES:
            return [], "not asked while a collector records: stop it to have that checked"
        pragma = "quick_check" if is_recording else "integrity_check"
        said = [str(row[0]) for row in self._session.rows(f"PRAGMA {pragma}")]
        return [] if said == ["ok"] else said, f"SQLite's {pragma} finds no damage"

    def _postgresql_damages(self) -> tuple[list[str], str]:
        damages = [
            f"index {name} is not valid"
            for (name,) in self._session.rows(
                "SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
                " WHERE NOT i.indisvalid AND c.relnamespace = current_schema()::regnamespace"
            )
        ]
        failures, checksums = self._session.rows(
            "SELECT checksum_failures, current_setting('data_checksums')"
            " FROM pg_stat_database WHERE datname = current_database()"
        )[0]
        if failures:
            damages.append(f"{failures} pages had a wrong checksum")
        return damages, f"all indexes are valid, checksums are {checksums}; pg_amcheck sees more"

    def collector(self) -> CollectorRow | None:
        """Return who records now; also one that died, until the next one starts."""
        return Reader(self._session).collector()

    def counter(self, name: str) -> int | None:
        """Return the last number given of this kind; None: there is no such counter."""
        found = self._session.rows("SELECT value FROM counters WHERE name = ?", (name,))
        return int(found[0][0]) if found else None

    def highest_id(self, table: str) -> int | None:
        """Return the highest id in a table of :data:`NUMBERED`; None: it is empty."""
        found: int | None = self._session.rows(f"SELECT max(id) FROM {table}")[0][0]  # noqa: S608  # constants
        return found

    def server_names(self) -> dict[int, str]:
        """Return the names of the servers that are known."""
        return dict(self._session.rows("SELECT id, name FROM servers"))

    def servers_without_panel(self) -> list[int]:
        """Return the servers whose panel is not there."""
        sql = "SELECT id FROM servers WHERE panel_id NOT IN (SELECT id FROM panels) ORDER BY id"
        return [row[0] for row in self._session.rows(sql)]

    def servers_in(self, table: str) -> Iterator[int]:
        """Yield the servers that a table of :data:`SERVER_TABLES` has rows of, in order."""
        last = -_EVER
        sql = f"SELECT min(server_id) FROM {table} WHERE server_id > ?"  # noqa: S608  # constants
        while (found := self._session.rows(sql, (last,))[0][0]) is not None:
            yield found
            last = found

    def lines_in_order(self, server_id: int) -> Iterator[list[PlacedLine]]:
        """Yield the lines of one server in pages, by seq; those with the same seq by id."""
        sql = (
            f"SELECT {', '.join(PlacedLine._fields)} FROM lines"  # noqa: S608  # constants
            " WHERE server_id = ? AND (seq, id) > (?, ?) ORDER BY seq, id LIMIT ?"
        )
        seq = key = -_EVER
        while page := self._rows(PlacedLine, sql, server_id, seq, key, PAGE):
            yield page
            seq, key = page[-1].seq, page[-1].id

    def lines_as_committed(self, newest: int) -> Iterator[list[CommittedLine]]:
        """Yield all lines in pages, by id, up to *newest*."""
        sql = "SELECT id, batch FROM lines WHERE id > ? AND id <= ? ORDER BY id LIMIT ?"
        last = -_EVER
        while page := self._rows(CommittedLine, sql, last, newest, PAGE):
            yield page
            last = page[-1].id

    def unknown_of(self, table: str, server_id: int, ids: Sequence[int]) -> list[int]:
        """Return which of *ids* are no rows of this server in ``runs`` or ``connections``."""
        marks = ", ".join("?" * len(ids))
        sql = f"SELECT id FROM {table} WHERE server_id = ? AND id IN ({marks})"  # noqa: S608  # constants
        known = {row[0] for row in self._session.rows(sql, (server_id, *ids))}
        return [key for key in ids if key not in known]

    def gap_ranges(self, server_id: int) -> list[tuple[int, int]]:
        """Return the seqs around each gap of one server, closed ones too, in order."""
        sql = (
            "SELECT after_seq, before_seq FROM gaps WHERE server_id = ?"
            " AND after_seq IS NOT NULL AND before_seq IS NOT NULL ORDER BY after_seq, before_seq"
        )
        return [(after, before) for after, before in self._session.rows(sql, (server_id,))]

    def runs(self) -> Iterator[CheckedRun]:
        """Yield all runs by id."""
        sql = f"SELECT {', '.join(CheckedRun._fields)} FROM runs WHERE id > ? ORDER BY id LIMIT ?"  # noqa: S608  # constants
        return self._by_id(CheckedRun, sql, PAGE)

    def status_changes(self) -> Iterator[CheckedStatus]:
        """Yield all changes of status by id."""
        sql = (
            f"SELECT {', '.join(CheckedStatus._fields)} FROM status_changes"  # noqa: S608  # constants
            " WHERE id > ? ORDER BY id LIMIT ?"
        )
        return self._by_id(CheckedStatus, sql, PAGE)

    def gaps(self) -> Iterator[CheckedGap]:
        """Yield all gaps by id."""
        return self._by_id(CheckedGap, _GAPS, GAP_PAGE)

    def streams(self) -> Iterator[CheckedStream]:
        """Yield all streams by server."""
        return self._by_id(CheckedStream, _STREAMS, GAP_PAGE)

    def orphaned_frames(self) -> int:
        """Return how many journaled frames are left though every collector has ended."""
        sql = "SELECT count(*) FROM frames WHERE NOT EXISTS (SELECT 1 FROM collectors)"
        return int(self._session.rows(sql)[0][0])

    def _by_id(self, kind: type[_Row], sql: str, size: int) -> Iterator[_Row]:
        last = -_EVER
        while page := self._rows(kind, sql, last, size):
            yield from page
            last = page[-1][0]

    def _rows(self, kind: type[_Row], sql: str, *parameters: object) -> list[_Row]:
        make = kind._make  # type: ignore[attr-defined]  # all are named tuples
        return [make(row) for row in self._session.rows(sql, parameters)]


def _has_line(seq: str) -> str:
    return (
        f"CASE WHEN {seq} IS NULL OR EXISTS (SELECT 1 FROM lines l"  # noqa: S608  # constants
        f" WHERE l.server_id = g.server_id AND l.seq = {seq}) THEN 1 ELSE 0 END"
    )


_GAPS = f"""
    SELECT g.id, g.server_id, g.after_seq, g.before_seq, g.lower, g.upper, g.expected,
        (SELECT s.next_seq FROM streams s WHERE s.server_id = g.server_id),
        {_has_line("g.after_seq")},
        {_has_line("g.before_seq")},
        CASE WHEN g.closed_at IS NULL THEN (
            SELECT l.seq FROM lines l WHERE l.server_id = g.server_id
            AND l.seq > coalesce(g.after_seq, -{_EVER}) AND l.seq < coalesce(g.before_seq, {_EVER})
            AND l.source <> {_IMPORT} ORDER BY l.seq LIMIT 1) END
    FROM gaps g WHERE g.id > ? ORDER BY g.id LIMIT ?
"""  # noqa: S608  # constants
_STREAMS = """
    SELECT t.server_id, t.next_seq, t.confirmed_seq, t.run_id,
        CASE WHEN t.run_id IS NULL OR EXISTS (SELECT 1 FROM runs r
            WHERE r.id = t.run_id AND r.server_id = t.server_id) THEN 1 ELSE 0 END,
        t.keys,
        (SELECT max(l.seq) FROM lines l WHERE l.server_id = t.server_id)
    FROM streams t WHERE t.server_id > ? ORDER BY t.server_id LIMIT ?
"""
