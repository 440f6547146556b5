"""What a reader gets: one tuple per row, times in microseconds since the epoch, UTC."""

import json
from typing import NamedTuple

from archiver.console.endings import Ending, find_ending


class ServerRow(NamedTuple):
    """A server that is or was listed by a panel."""

    id: int
    panel: str
    identifier: str
    uuid: str
    name: str
    node: str
    first_seen_at: int
    last_seen_at: int
    deleted_at: int | None  # None: still listed


class LineRow(NamedTuple):
    """A line, and the server that printed it; see ``console.records.Line``."""

    id: int  # order of commit
    server_id: int
    seq: int
    run_id: int | None
    batch: int
    source: int
    at: int
    at_kind: int
    observed_at: int
    earliest_at: int | None
    timestamp: int | None
    level: int | None
    thread: str | None
    flags: int
    text: str
    raw: str | None
    identifier: str
    server_name: str


class TextRow(NamedTuple):
    """Of a line what a query looks at."""

    text: str
    source: int
    run_id: int | None
    level: int | None
    identifier: str
    server_name: str


class RunRow(NamedTuple):
    """A run; see ``console.records.Run``."""

    id: int
    server_id: int
    first_seen_at: int
    noticed: str
    started_at: int | None
    ended_at: int | None
    exit_code: int | None
    out_of_memory: bool | None
    identifier: str
    server_name: str


class ConnectionRow(NamedTuple):
    """A connection; see ``console.records.Connection``."""

    id: int
    server_id: int
    opened_at: int
    authenticated_at: int | None
    closed_at: int | None
    close_code: int | None
    close_reason: str | None
    lines_live: int
    lines_recovered: int
    lines_repeated: int
    renewals: int
    identifier: str
    server_name: str


class GapRow(NamedTuple):
    """A gap; see ``console.records.Gap``."""

    id: int
    server_id: int
    run_id: int | None
    after_seq: int | None
    before_seq: int | None
    from_at: int | None
    to_at: int
    reason: str
    lower: int
    upper: int | None
    expected: int | None
    closed_at: int | None
    identifier: str
    server_name: str


class StatusRow(NamedTuple):
    """How one server and its recording stand."""

    server_id: int
    identifier: str
    name: str
    node: str
    status: str | None  # None: never seen
    run_started_at: int | None  # of the run that goes on; None: none, or not known
    connected: bool  # its newest connection is open and authenticated
    connection_opened_at: int | None  # of the open connection; None: none is
    last_line_at: int | None
    last_frame_at: int | None  # last sign of life
    lines_today: int
    gaps_today: int
    deleted_at: int | None


class PartitionRow(NamedTuple):
    """A partition of the block index: all lines between two ids, both included."""

    id: int
    first_id: int
    last_id: int
    lines: int
    blocks: int
    earliest_at: int | None  # None: it has no lines
    latest_at: int | None
    directory: str  # under index/
    files: str  # JSON: name to [size, CRC-32] of each
    created_at: int

    def described(self) -> dict[str, tuple[int, int]]:
        """Return size and CRC-32 of each file, by its name."""
        return {name: (size, crc) for name, (size, crc) in json.loads(self.files).items()}


class SealedLine(NamedTuple):
    """What sealing needs of a line."""

    id: int
    server_id: int
    seq: int
    at: int
    source: int
    level: int | None
    text: str


class RangeRow(NamedTuple):
    """Lines of one server that were committed one after the other, as seen from outside."""

    server_id: int
    first_seq: int
    last_seq: int
    earliest_at: int
    latest_at: int
    lines: int


class CollectorRow(NamedTuple):
    """Who records now, or died without saying so."""

    pid: int
    host: str
    since: int


class Mark(NamedTuple):
    """How far an archive was written at one moment; all of it can be read."""

    batch: int
    line: int  # the last ``lines.id`` that was given
    gap: int  # the largest ``gaps.id``


class StatusChangeRow(NamedTuple):
    """A change of status; see ``console.records.StatusChange``."""

    id: int
    server_id: int
    run_id: int | None
    at: int
    earliest_at: int | None
    status: str
    previous: str | None
    inferred: bool
    identifier: str
    server_name: str


class HeardRow(NamedTuple):
    """A connection that was live for a while."""

    authenticated_at: int
    closed_at: int | None  # None: open, or its collector died
    last_frame_at: int | None  # the server's last sign of life; None: never


class LifeRow(NamedTuple):
    """A run with what was seen of its end; see ``console.records.Run``."""

    id: int
    server_id: int
    first_seen_at: int
    noticed: str
    started_at: int | None
    ended_at: int | None
    exit_code: int | None
    out_of_memory: bool | None
    previous_at: int | None  # when the run before was first seen; None: this is the first
    next_at: int | None  # when the next run was first seen; None: this is the newest
    last_status: str | None  # before the status that showed its end; None: none showed it
    absent_since: int | None  # nobody had listened since; None: its end was seen as it came
    identifier: str
    server_name: str

    @property
    def began_at(self) -> int:
        """When its process was started or, where that is not known, first seen."""
        return self.first_seen_at if self.started_at is None else self.started_at

    @property
    def over_at(self) -> int | None:
        """When it was seen to be over, if only by the next run; None: it was not."""
        return self.next_at if self.ended_at is None else self.ended_at

    @property
    def ending(self) -> Ending | None:
        """How it ended; None: it goes on."""
        return find_ending(
            exit_code=self.exit_code,
            out_of_memory=self.out_of_memory,
            last_status=self.last_status,
            was_seen=self.absent_since is None,
            is_over=self.over_at is not None,
        )


class SampleRow(NamedTuple):
    """Of a stats sample what a process used at one moment; see ``console.records.StatsSample``."""

    at: int
    memory_bytes: int
    memory_limit_bytes: int
    cpu_absolute: float  # percent of one core
