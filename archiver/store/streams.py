"""
The stored end of one stream: what a collector must know to go on from there.

That is the keys of the newest lines with their places, rather than the lines: they
outlive rows that are deleted (:func:`keep_keys`), so that a replay which still shows
these lines does not bring them back.
"""

import struct
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

from sqlalchemy import Connection

from archiver.console.lines import comparison_key, hash_key
from archiver.console.records import Frame, Gap, Run, Source, StreamState
from archiver.store import writes

TAIL_LINES = 600  # newest stored lines that a replay is compared with

_KEYS_VERSION = 1  # first byte of streams.keys
_KEY = struct.Struct("<qBqqq")  # seq, source, run_id (0: none), observed_at, key


class TailLine(NamedTuple):
    """One stored line, as much of it as a replay is compared with."""

    seq: int
    source: int
    run_id: int | None
    observed_at: int
    raw_or_text: str | None  # as received; None: the row was deleted
    key: int = 0  # of a deleted line: lines.hash_key of its comparison key


@dataclass(frozen=True, slots=True)
class StoredStream:
    """What is stored of one server's stream."""

    state: StreamState
    tail: list[TailLine]  # the newest TAIL_LINES, deleted ones too, oldest first
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
    tail = _load_tail(connection, server_id)
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
        tail[0].seq if tail else 0,
    )
    return StoredStream(
        state=state,
        tail=tail,
        frames=[Frame(socket, bool(asked), at, text) for socket, asked, at, text in frames],
        status=tuple(statuses[0]) if statuses else None,
        run=_run(runs[0]) if runs else None,
        gaps=[Gap(*gap) for gap in gaps],
    )


def keep_keys(connection: Connection, server_id: int) -> None:
    """
    Store the keys of a stream's newest lines, so that they outlive the rows.

    Whatever deletes lines that may be among the newest calls this in its transaction
    before it deletes them; other writers then wait for the end of the transaction, so
    that none of the rows it deletes is newer than the keys. A collector that records
    meanwhile is not affected: it keeps the end of its streams in memory, and the keys
    are for the next one.

    A key is a hash: it cannot be read, but who has an idea of a deleted line can see
    whether it was this one, until ``TAIL_LINES`` newer lines have taken its place and
    keys are stored again.

    Args:
        connection: In a transaction that may write.
        server_id: Whose lines are going to be deleted.

    """
    writes.load_counters(connection)  # on PostgreSQL: keeps others from committing
    packed = b"".join(_pack(line) for line in _load_tail(connection, server_id))
    writes.execute(
        connection,
        "UPDATE streams SET keys = ? WHERE server_id = ?",
        [(bytes([_KEYS_VERSION]) + packed, server_id)],
    )


def unpack_keys(packed: bytes) -> list[TailLine]:
    """
    Return what :func:`keep_keys` stored, oldest first.

    Raises:
        ValueError: It is of another version, or cut.

    """
    if packed[:1] != bytes([_KEYS_VERSION]) or len(packed) % _KEY.size != 1:
        raise ValueError("not keys of this version")
    return [
        TailLine(seq, source, run_id or None, observed_at, None, key)
        for seq, source, run_id, observed_at, key in _KEY.iter_unpack(packed[1:])
    ]


def _pack(line: TailLine) -> bytes:
    key = line.key
    if line.raw_or_text is not None:
        key = hash_key(comparison_key(line.raw_or_text))
    return _KEY.pack(line.seq, line.source, line.run_id or 0, line.observed_at, key)


def _load_tail(connection: Connection, server_id: int) -> list[TailLine]:
    """
    Return the newest TAIL_LINES, stored and deleted ones, oldest first.

    Imported lines are none of them: they lie where no replay reaches, most of them
    below 0, where nothing was recorded.
    """
    stored = writes.fetch(
        connection,
        "SELECT seq, source, run_id, observed_at, coalesce(raw, text) FROM lines"
        " WHERE server_id = ? AND seq >= 0 AND source <> ? ORDER BY seq DESC LIMIT ?",
        (server_id, Source.IMPORT, TAIL_LINES),
    )
    packed = writes.fetch(
        connection,
        "SELECT keys FROM streams WHERE server_id = ? AND keys IS NOT NULL",
        (server_id,),
    )
    try:
        kept = unpack_keys(bytes(packed[0][0])) if packed else []
    except ValueError:
        kept = []  # to record is worth more than not to bring back; 'db verify' tells of it
    # Where the row is still there, it says more than the key: a run may have changed.
    tail = {line.seq: line for line in kept} | {row[0]: TailLine(*row) for row in stored}
    return [tail[seq] for seq in sorted(tail)[-TAIL_LINES:]]


def _select(kind: type[Any], rest: str) -> str:
    columns = ", ".join(field.name for field in fields(kind))
    return f"SELECT {columns} {rest}"


def _run(row: Any) -> Run:
    run = Run(*row)
    if run.out_of_memory is not None:
        run.out_of_memory = bool(run.out_of_memory)  # SQLite has numbers
    return run
