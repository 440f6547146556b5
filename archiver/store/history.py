"""
What is recorded of a server beside its lines: statuses, listening, runs and their ends.

Needs no SQLAlchemy, as all reading. Every statement goes by an index and reads one
server, or the runs, of which a server has a few a day.
"""

from collections.abc import Sequence

from archiver.store.rows import HeardRow, LifeRow, SampleRow, StatusChangeRow
from archiver.store.session import Session

_EVER = 2**62  # beyond every time and seq
_SLACK = 60_000_000  # microseconds in which the output of a run that has ended still comes

_CHANGE_COLUMNS = ", ".join(f"t.{name}" for name in StatusChangeRow._fields[:-2])
_SAMPLE_COLUMNS = ", ".join(SampleRow._fields)

# `offline`, or the `starting` of the next run, is seen at the moment that ends a run.
_LIVES = """
    SELECT r.id, r.server_id, r.first_seen_at, r.noticed, r.started_at, r.ended_at,
        r.exit_code, r.out_of_memory, r.previous_at, r.next_at, e.previous, e.earliest_at,
        s.identifier, s.name
    FROM (
        SELECT runs.*, lag(first_seen_at) OVER w AS previous_at,
            lead(first_seen_at) OVER w AS next_at
        FROM runs WINDOW w AS (PARTITION BY server_id ORDER BY first_seen_at, id)
    ) r
    JOIN servers s ON s.id = r.server_id
    LEFT JOIN status_changes e ON e.id = (
        SELECT max(id) FROM status_changes
        WHERE server_id = r.server_id AND at = coalesce(r.ended_at, r.next_at)
            AND status IN ('offline', 'starting'))
"""


class History:
    """
    The history of an archive's servers; used by one thread at a time.

    Args:
        session: Of the archive.

    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def changes(
        self, server_id: int, since: int | None = None, until: int | None = None
    ) -> list[StatusChangeRow]:
        """Return the changes of status at or after *since*, with the one before, by time."""
        found = self._session.rows(
            f"SELECT {_CHANGE_COLUMNS}, s.identifier, s.name FROM status_changes t"  # noqa: S608  # constants
            " JOIN servers s ON s.id = t.server_id WHERE t.server_id = ? AND t.at < ? AND t.at >="
            " coalesce((SELECT max(at) FROM status_changes WHERE server_id = ? AND at < ?), ?)"
            " ORDER BY t.at, t.id",
            (
                server_id,
                _EVER if until is None else until,
                server_id,
                *[-_EVER if since is None else since] * 2,
            ),
        )
        return [StatusChangeRow._make(row)._replace(inferred=bool(row[7])) for row in found]

    def heard(self, server_id: int, since: int, until: int) -> list[HeardRow]:
        """Return the connections that were authenticated in this time, by time."""
        found = self._session.rows(
            "SELECT c.authenticated_at, c.closed_at, t.last_frame_at FROM connections c"
            " LEFT JOIN streams t ON t.server_id = c.server_id"
            " WHERE c.server_id = ? AND c.opened_at < ? AND c.authenticated_at < ?"
            " AND coalesce(c.closed_at, ?) > ? ORDER BY c.authenticated_at",
            (server_id, until, until, _EVER, since),
        )
        return [HeardRow._make(row) for row in found]

    def lives(self, server_ids: Sequence[int] | None = None) -> list[LifeRow]:
        """Return the runs of these servers, or of all, with their ends, oldest first."""
        where = ""
        if server_ids is not None:
            marks = ", ".join("?" * len(server_ids))
            where = f"WHERE r.server_id IN ({marks})" if server_ids else "WHERE 1 = 0"
        sql = f"{_LIVES} {where} ORDER BY r.first_seen_at, r.id"
        return [
            row if row.out_of_memory is None else row._replace(out_of_memory=bool(row[7]))
            for row in map(LifeRow._make, self._session.rows(sql, tuple(server_ids or ())))
        ]

    def last_sample(self, life: LifeRow) -> SampleRow | None:
        """Return the last sample of a run while it lived: the one of its end is all zero."""
        found = self._session.rows(
            f"SELECT {_SAMPLE_COLUMNS} FROM stats_samples WHERE server_id = ? AND run_id = ?"  # noqa: S608  # constants
            " AND at BETWEEN ? AND ? AND memory_bytes > 0 AND coalesce(state, '') <> 'offline'"
            " ORDER BY at DESC LIMIT 1",
            (life.server_id, life.id, life.first_seen_at, _end(life)),
        )
        return SampleRow(*found[0]) if found else None

    def seq_near_end(self, life: LifeRow) -> int | None:
        """Return the place of a line of a run, close to its last one; None: it has no lines."""
        found = self._session.rows(
            "SELECT seq FROM lines WHERE server_id = ? AND run_id = ? AND at BETWEEN ? AND ?"
            " ORDER BY at DESC LIMIT 1",
            (
                life.server_id,
                life.id,
                -_EVER if life.previous_at is None else life.previous_at,
                _end(life),
            ),
        )
        return int(found[0][0]) if found else None


def _end(life: LifeRow) -> int:
    """Return when nothing of a run comes any more."""
    return _EVER if life.over_at is None else life.over_at + _SLACK
