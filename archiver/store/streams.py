"""The stored end of one stream: what a collector must know to go on from there."""

from dataclasses import dataclass, fields
from typing import Any, NamedTuple

from sqlalchemy import Connection

from archiver.console.records import Frame, Gap, Run, StreamState
from archiver.store import writes

TAIL_LINES = 600  # newest stored lines that a replay is compared with


class TailLine(NamedTuple):
    """One stored line, as much of it as a replay is compared with."""

    seq: int
    source: int
    run_id: int | None
    observed_at: int
    raw_or_text: str  # as received


@dataclass(frozen=True, slots=True)
class StoredStream:
    """What is stored of one server's stream."""

    state: StreamState
    tail: list[TailLine]  # the newest TAIL_LINES, oldest first
    frames: list[Frame]  # of a replay that a crash cut short, in order of arrival
    status: tuple[str, int] | None  # the last one and when it was seen
    run: Run | None  # the current one; None: none, or its end was seen
    gaps: list[Gap]  # not closed and among the tail or behind it, oldest first


def load(connection: Connection, server_id: int) -> StoredStream:
    """Return the stored end of a stream; all empty where nothing is stored."""

    def rows(sql: str, *more: object) -> list[Any]:
        return writes.fetch(connection, sql, (server_id, *more))

    states = rows(_select(StreamState, "FROM streams WHERE server_id = ?"))
    state = StreamState(*states[0]) if states else StreamState()
    tail = rows(
        "SELECT seq, source, run_id, observed_at, coalesce(raw, text) FROM lines"
        " WHERE server_id = ? ORDER BY seq DESC LIMIT ?",
        TAIL_LINES,
    )
    frames = rows(
        "SELECT connection_id, asked, received_at, frame FROM frames"
        " WHERE server_id = ? ORDER BY id"
    )
    statuses = rows(
        "SELECT status, at FROM status_changes WHERE server_id = ?"
        " ORDER BY at DESC, id DESC LIMIT 1"
    )
    runs = rows(
        _select(Run, "FROM runs WHERE server_id = ? AND id = ? AND ended_at IS NULL"),
        state.run_id,
    )
    gaps = rows(
        _select(
            Gap,
            "FROM gaps WHERE server_id = ? AND closed_at IS NULL"
            " AND (before_seq IS NULL OR before_seq >= ?) ORDER BY id",
        ),
        tail[-1][0] if tail else 0,
    )
    return StoredStream(
        state=state,
        tail=[TailLine(*row) for row in reversed(tail)],
        frames=[Frame(socket, bool(asked), at, text) for socket, asked, at, text in frames],
        status=tuple(statuses[0]) if statuses else None,
        run=_run(runs[0]) if runs else None,
        gaps=[Gap(*gap) for gap in gaps],
    )


def _select(kind: type[Any], rest: str) -> str:
    columns = ", ".join(field.name for field in fields(kind))
    return f"SELECT {columns} {rest}"


def _run(row: Any) -> Run:
    run = Run(*row)
    if run.out_of_memory is not None:
        run.out_of_memory = bool(run.out_of_memory)  # SQLite has numbers
    return run
