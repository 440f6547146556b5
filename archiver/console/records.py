"""
What a stream gives the archive: the rows of one server, before they have a table.

All times are integers, microseconds since the epoch in UTC. Values that the
archive numbers (runs, connections, gaps, events) carry their id from the start:
one writer gives them out, so a row can be written again when more is known.
"""

from dataclasses import dataclass, field
from enum import IntEnum, IntFlag
from typing import NamedTuple


class Source(IntEnum):
    """Where a line came from; ``lines.source``."""

    LIVE = 1  # as it was printed
    REPLAY = 2  # from a replay, and new there: recovered
    DAEMON = 3  # the daemon's own words inside console output; never replayed
    DAEMON_MESSAGE = 4  # install and restore progress
    INSTALL = 5  # the installer's output; only administrators get it
    TRANSFER = 6  # the transfer's log; only administrators get it
    IMPORT = 7  # from a log file on disk


class AtKind(IntEnum):
    """How ``lines.at`` is known."""

    OBSERVED = 1  # live: when it arrived
    CLAIMED = 2  # the line's own time, resolved
    BEFORE = 3  # replayed: it was printed no later than this


class Flag(IntFlag):
    """What is special about one line; ``lines.flags``."""

    UNCERTAIN = 1  # its place or its number of copies is the likeliest, not proven
    PARTIAL = 2  # its beginning is missing
    TRUNCATED = 4  # a piece of a line longer than the daemon sends whole
    ASCII = 8  # the text is pure ASCII, so SQL folds its case as the matcher does


class Line(NamedTuple):
    """One console line at its place in its stream."""

    seq: int  # place in the stream: ordered, sparse, never changed once committed
    run_id: int | None  # None: printed outside any known run
    source: int  # Source
    at: int  # the best time there is; what filters by time use
    at_kind: int  # AtKind
    observed_at: int  # when the archiver saw it
    earliest_at: int | None  # replayed: not printed before this; None: no lower bound
    timestamp: int | None  # what the line itself claims; None: nothing, or not resolved
    level: int | None  # OpenTelemetry severity number; None: not claimed
    thread: str | None  # None: not claimed
    flags: int  # Flag
    connection_id: int | None  # None: imported
    text: str  # searchable: no escape sequences, no control characters
    raw: str | None  # as received; None: the same as text


@dataclass(slots=True)
class Run:
    """One life of the game process."""

    id: int
    first_seen_at: int
    noticed: str  # how: 'first' connection, 'status' or 'uptime'
    started_at: int | None = None  # running minimum of now - uptime; None without uptime
    ended_at: int | None = None
    exit_code: int | None = None
    out_of_memory: bool | None = None


@dataclass(slots=True)
class Connection:
    """One WebSocket that listened to this server, from open to close."""

    id: int
    opened_at: int
    authenticated_at: int | None = None  # None: never
    closed_at: int | None = None  # None: open, or its end was not seen
    close_code: int | None = None
    close_reason: str | None = None
    lines_live: int = 0
    lines_recovered: int = 0  # replayed and new
    lines_repeated: int = 0  # replayed and already stored
    renewals: int = 0  # of its token


@dataclass(slots=True)
class Gap:
    """A place where the archive knows that it may be incomplete."""

    id: int
    after_seq: int | None  # the line before it; None: nothing is stored before
    before_seq: int | None  # the line after it; None: nothing yet
    from_at: int | None  # None: no lower bound
    to_at: int
    reason: str  # words for a person, such as 'reconnect after 148 s'
    lower: int  # at least so many lines are missing
    upper: int | None  # at most so many; None: unknown
    expected: int | None = None  # the likeliest number; None: no basis
    run_id: int | None = None
    closed_at: int | None = None  # later found complete; None: still a gap


class StatusChange(NamedTuple):
    """A server went from one status to another."""

    run_id: int | None
    at: int
    earliest_at: int | None  # None: seen live; else the last moment of the previous status
    status: str  # offline, starting, running, stopping
    previous: str | None  # None: the first that was ever seen
    inferred: bool  # repaired from the state in a stats sample


class StatsSample(NamedTuple):
    """Resources at one moment; counters are of the current run."""

    at: int
    run_id: int | None
    memory_bytes: int
    memory_limit_bytes: int
    cpu_absolute: float  # percent of one core
    rx_bytes: int
    tx_bytes: int
    disk_bytes: int
    disk_read_bytes: int | None  # None: the daemon does not say
    disk_write_bytes: int | None
    uptime_ms: int | None  # None: the daemon does not say
    state: str | None


@dataclass(slots=True)
class Event:
    """Anything else that was received, whole; repeats are counted."""

    id: int
    at: int
    event: str
    args: str  # JSON text of a list
    connection_id: int | None
    count: int = 1
    last_at: int | None = None  # of the last repeat; None: not repeated


class Frame(NamedTuple):
    """One raw frame, journaled while a replay is unresolved."""

    connection_id: int
    asked: bool  # True: from the socket that asked for the replay
    received_at: int
    frame: str


@dataclass(slots=True)
class StreamState:
    """What ingest must remember of one server between two processes."""

    next_seq: int = 0
    run_id: int | None = None
    confirmed_seq: int | None = None  # below it no insertion is expected; None: nothing is
    replay_size: int | None = None  # learned; None: assume 150
    rate: float | None = None  # lines a second; None: not known yet
    last_frame_at: int | None = None  # last sign of life; None: never


@dataclass(slots=True)
class Records:
    """All that one server adds to the archive in one transaction."""

    server_id: int
    state: StreamState
    lines: list[Line] = field(default_factory=list)  # in any order; seq says which
    runs: list[Run] = field(default_factory=list)  # new or changed
    connections: list[Connection] = field(default_factory=list)  # new or changed
    gaps: list[Gap] = field(default_factory=list)  # new or changed
    events: list[Event] = field(default_factory=list)  # new or changed
    status_changes: list[StatusChange] = field(default_factory=list)
    stats_samples: list[StatsSample] = field(default_factory=list)
    moved: list[tuple[int, int]] = field(default_factory=list)  # (seq, run_id) of stored lines
    frames: list[Frame] = field(default_factory=list)  # to journal
    frames_done: bool = False  # the journal of this server is resolved: empty it first

    def __bool__(self) -> bool:
        """Return whether there is anything to store; a change of state alone is not."""
        return self.frames_done or any(
            (
                self.lines,
                self.runs,
                self.connections,
                self.gaps,
                self.events,
                self.status_changes,
                self.stats_samples,
                self.moved,
                self.frames,
            )
        )
