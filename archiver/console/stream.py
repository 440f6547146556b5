"""
What one server's messages become: its lines, and all that is kept beside them.

Lines that arrive while a replay is asked for are held until it has come, so that
what was missed finds its place before them. Held frames are journaled; a process
that is killed while it holds loses nothing that it had committed.

Invariants: live lines keep the order in which the main socket brought them; a
line counted as live is never added from a replay too; nothing is aligned across
runs.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Protocol

from archiver.console import lines, messages
from archiver.console.events import Events, is_restoring
from archiver.console.joining import Joining, Showing, is_full, is_mixed, replay_size
from archiver.console.log import NEVER, Log, StoredLine
from archiver.console.messages import ConsoleOutput, Message, TextMessage
from archiver.console.records import (
    Connection,
    Event,
    Frame,
    Gap,
    Records,
    Run,
    Source,
    StatsSample,
    StreamState,
)
from archiver.console.runs import Runs
from archiver.console.samples import Samples
from archiver.console.separation import Heard, Reading, drop_unsure_end, separate_replay
from archiver.console.timing import Timing

HELD_LINES = 20_000  # more are not held for one replay
RECENT = 0.5  # seconds before an audit, of whose lines the asking socket may bring copies

OFFLINE = "the server is offline"  # why no replay was asked for

MOVE_BACK = 2_500_000  # microseconds before a boot that its first lines may be dated
MOVE_BACK_MOST = 1_000_000  # before `starting`, where the server was off until then

_RESTARTED = "restarted while not connected"
_STOPPED = "stopped while not connected"

# Known in another form, and not kept as events.
_NOT_EVENTS = (messages.Status, messages.Stats, messages.AuthSuccess)

_LINES_BESIDE: dict[type[Message], Source] = {
    messages.DaemonMessage: Source.DAEMON_MESSAGE,
    messages.InstallOutput: Source.INSTALL,
    messages.TransferLogs: Source.TRANSFER,
}


class Numbers(Protocol):
    """Gives numbers that were never given before in this archive."""

    def next_run_id(self) -> int:
        """Return the number of a new run."""

    def next_connection_id(self) -> int:
        """Return the number of a new connection."""

    def next_gap_id(self) -> int:
        """Return the number of a new gap."""

    def next_event_id(self) -> int:
        """Return the number of a new event."""


class Stream:
    """
    One server's stream.

    Args:
        server_id: The server's number in the archive.
        state: What was remembered; a new one for a new server.
        numbers: Gives ids.
        timing: Waits and intervals.
        run: The newest stored run; None if there is none.
        status: The newest stored status; None if there is none.

    """

    def __init__(
        self,
        server_id: int,
        state: StreamState,
        numbers: Numbers,
        timing: Timing,
        *,
        run: Run | None = None,
        status: str | None = None,
    ) -> None:
        self.server_id = server_id
        self.state = state
        self._numbers = numbers
        self._timing = timing
        self._runs = Runs(numbers.next_run_id, run, status)
        self._samples = Samples(timing.stats_interval)
        self._events = Events(numbers.next_event_id)
        self._log = Log(state, numbers.next_gap_id)
        self._log.run_id = self._runs.run_id
        self._last_line: float | None = None  # of the live path, monotonic seconds
        self._heard_at: int | None = None  # the main socket's last frame while lines are held
        self._withheld = False  # by the daemon: what comes is no sign that nothing is missed
        self._connection: Connection | None = None
        self._first_status = False  # the next status is the first of its connection
        self._absent_since: int | None = None  # what was printed since then may be missing
        self._recent = deque[Heard]()  # the lines of the last RECENT seconds that were not held
        # While a replay is under way
        self._holding = False
        self._is_audit = False  # the replay is asked for without a reason to miss anything
        self._suspected_from: int | None = None
        self._held: list[tuple[Source, Heard]] = []  # as the main socket brought them
        self._held_since = 0  # microseconds
        self._asked: list[Heard] = []  # as the asking socket brought them
        self._blank = 0  # lines that it brought and that were blank
        self._journaled = False  # frames of this stream are stored
        # Rows for the next batch
        self._frames: list[Frame] = []
        self._frames_done = False
        self._connections: list[Connection] = []
        self._changed_events: list[Event] = []
        self._stats_samples: list[StatsSample] = []

    def restore(
        self, stored: Iterable[StoredLine], gaps: Iterable[Gap], frames: Sequence[Frame]
    ) -> None:
        """
        Take up what an earlier process stored.

        Args:
            stored: The newest lines of the server, oldest first.
            gaps: Its gaps that are not closed and lie among those lines, oldest first.
            frames: Journaled frames of a replay that was never resolved, oldest first.

        """
        self._log.restore(stored, gaps)
        if not frames:
            return
        self._holding = self._journaled = True
        self._absent_since = self.state.last_frame_at
        self._held_since = frames[0].received_at
        self._log.connection_id = frames[0].connection_id
        for frame in frames:
            message, at = messages.parse_message(frame.frame), frame.received_at
            if isinstance(message, ConsoleOutput):
                self._receive_line(message.text, at, at / 1e6, asked=frame.asked)
            elif isinstance(message, TextMessage) and (source := _LINES_BESIDE.get(type(message))):
                self._add_live(source, Heard(0, at / 1e6, at, message.text))
        self.end_replay(
            frames[-1].received_at,
            asked_at=self._asked[0].mono if self._asked else None,
            cut="the collector ended during a replay",
        )
        self._log.connection_id = None
        self._last_line = None  # its clock was another process's

    # What happens to it

    def open_connection(self, at: int) -> None:
        """Note that a socket was opened."""
        self._connection = Connection(self._numbers.next_connection_id(), at)
        self._log.connection_id = self._connection.id
        self._touch_connection()

    def authenticate(self, at: int, mono: float) -> None:
        """Note that the connection is live; hold its lines until ``end_replay``."""
        if self._connection is not None:
            self._connection.authenticated_at = at
            self._touch_connection()
        self._runs.connect(at, mono)
        self._first_status = True
        self.hold(at)

    def hold(self, at: int) -> None:
        """Hold lines until ``end_replay``: before them, some may be missing."""
        self._absent_since = self.state.last_frame_at
        self._heard_at = self._held_since = at
        self._holding = True
        self._is_audit = self._withheld = False
        self._suspected_from = None

    def audit(self, at: int, suspected_from: int | None) -> None:
        """
        Hold lines until ``end_replay``: nothing should be missing before them.

        Args:
            at: When, microseconds.
            suspected_from: There is evidence that the daemon dropped lines since then;
                None: there is none.

        """
        self.hold(at)
        self._suspected_from = suspected_from
        self._absent_since = at
        self._is_audit = True

    def withhold(self) -> None:
        """Note that the daemon withholds lines; until ``hold``, or the next connection."""
        self._withheld = True

    def renew(self) -> None:
        """Note that the token was renewed: nothing else follows from it."""
        if self._connection is not None:
            self._connection.renewals += 1
            self._touch_connection()

    def receive(self, message: Message, frame: str, at: int, mono: float) -> None:
        """
        Take one message of the main socket.

        Args:
            message: What *frame* says.
            frame: As received, for the journal.
            at: When, microseconds since the epoch.
            mono: The same, monotonic seconds.

        """
        if isinstance(message, ConsoleOutput):
            if self._holding:
                self._journal(frame, at, asked=False)
            self._receive_line(message.text, at, mono, asked=False)
        elif isinstance(message, messages.Stats):
            self._receive_stats(message, at, mono)
        elif isinstance(message, messages.Status):
            self._receive_status(message.state, at, mono)
        elif isinstance(message, _NOT_EVENTS):
            pass
        elif (source := _LINES_BESIDE.get(type(message))) and not is_restoring(message):
            assert isinstance(message, TextMessage)
            if self._holding:
                self._journal(frame, at, asked=False)
            self._add_live(source, Heard(0, mono, at, message.text))
        else:
            connection_id = None if self._connection is None else self._connection.id
            event = self._events.receive(message, at, connection_id)
            if all(event is not row for row in self._changed_events):
                self._changed_events.append(event)
        self._note_life(at)

    def begin_replay(self) -> None:
        """Note that a replay is asked for: what the asking socket brought before is none."""
        self._asked.clear()
        self._blank = 0

    def receive_asked(self, message: Message, frame: str, at: int, mono: float) -> None:
        """Take one message of the asking socket; only console lines matter."""
        if isinstance(message, ConsoleOutput) and self._holding:
            self._journal(frame, at, asked=True)
            self._receive_line(message.text, at, mono, asked=True)

    def lose(self, count: int, since_at: int, until_at: int) -> None:
        """Note that *count* lines could not be queued: the archive fell behind."""
        self.end_replay(since_at, cut="the archive fell behind")
        reason = "lines came faster than they could be stored"
        self._log.note_gap(reason, since_at, until_at, lower=count, upper=count)

    def close_connection(self, code: int | None, reason: str, at: int) -> None:
        """Note that the socket was closed; *code* None: without a close frame."""
        self.end_replay(at, cut="the connection was lost")
        if self._connection is not None:
            self._connection.closed_at = at
            self._connection.close_code = code
            self._connection.close_reason = lines.searchable_text(reason)[:200]
            self._touch_connection()
            self._connection = self._log.connection_id = None

    def end_replay(
        self,
        at: int,
        *,
        asked_at: float | None = None,
        cut: str | None = None,
        is_alone: bool = False,
    ) -> None:
        """
        Resolve what is held: the replay, then the lines that came meanwhile.

        Args:
            at: When, microseconds.
            asked_at: When the replay was asked for, monotonic seconds; None: it was not.
            cut: Why there is no replay, or may be more of it; None: it is whole.
            is_alone: The main socket has asked, so live lines are in it, once.

        """
        if not self._holding:
            return
        held, self._held = self._held, []
        asked, self._asked = self._asked, []
        self._holding = False
        self._frames.clear()
        if self._journaled:
            self._journaled = False
            self._frames_done = True
        live = [heard for source, heard in held if source is Source.LIVE]
        readings: Iterator[Reading] = iter(())
        if is_alone and asked:
            readings = iter([Reading(asked, 0.0)])
        elif asked_at is not None:
            readings = self._read_replay(asked, live, asked_at, is_cut=cut is not None)
        since, self._absent_since = self._absent_since, None
        frames = len(asked) + self._blank
        usual = next(readings, None)
        if usual is not None and self._is_audit and live and is_mixed(self._log, usual):
            usual = None  # nothing is missing without it, and another one will come
        if usual is not None:
            assert asked_at is not None
            until, is_audit = self._held_since, self._is_audit
            showing = Showing(
                at=at,
                since=since,
                until=until,
                asked_at=asked_at,
                frames=frames,
                cut=cut,
                is_audit=is_audit,
                is_alone=is_alone,
                suspected_from=self._suspected_from,
            )
            joining = Joining(self._log, chain([usual], readings), held, showing)
            self._count_replay(*joining.run())
        else:
            is_missed = cut or since is not None or is_full(self._log, frames)
            if is_missed and cut != OFFLINE and not self._is_audit:
                self._log.miss_replay(at, since, cut or "the replay was empty")
            for source, heard in held:
                self._log.append(source, heard)
        if live:
            self._last_line = live[-1].mono
        self.state.last_frame_at = self._heard_at or at

    def _read_replay(
        self, asked: Sequence[Heard], live: Sequence[Heard], asked_at: float, *, is_cut: bool
    ) -> Iterator[Reading]:
        """Yield the ways to tell the replay from live lines in which it has a line."""
        window = self._timing.twin_window
        copied = [*self._recent, *live] if self._is_audit else live
        readings = separate_replay(asked, copied, asked_at=asked_at, window=window)
        if is_cut:
            readings = (drop_unsure_end(reading, live, window) for reading in readings)
        return (reading for reading in readings if reading.replay)

    # What comes of it

    def take(self) -> Records | None:
        """Return all that was added or changed since the last call; None: nothing."""
        if self._frames:
            self._journaled = True
        log, runs = self._log, self._runs
        self.state.run_id = runs.run_id
        log.confirm_by_age(replay_size(log))
        records = Records(
            server_id=self.server_id,
            state=self.state,
            lines=log.lines,
            runs=runs.changed,
            connections=self._connections,
            gaps=log.gaps,
            events=self._changed_events,
            status_changes=runs.changes,
            stats_samples=self._stats_samples,
            moved=log.moved,
            frames=self._frames,
            frames_done=self._frames_done,
        )
        if not records:
            return None
        log.lines, log.gaps, log.moved = [], [], []
        runs.changed, runs.changes = [], []
        self._connections, self._changed_events = [], []
        self._stats_samples, self._frames, self._frames_done = [], [], False
        return records

    # Its parts

    def _note_life(self, at: int) -> None:
        """Remember that up to now nothing was missed."""
        connection = self._connection
        if self._holding:
            self._heard_at = at
        elif connection is not None and connection.authenticated_at and not self._withheld:
            self.state.last_frame_at = at

    def _receive_line(self, raw: str, at: int, mono: float, *, asked: bool) -> None:
        if lines.is_daemon_line(raw):
            if not asked:  # the asking socket brings copies of them
                self._runs.receive_daemon_line(raw)
                self._add_live(Source.DAEMON, Heard(0, mono, at, raw))
            return
        key = lines.comparison_key(raw)
        if not key:
            self._blank += asked
            return  # a blank line: replays have them, the live path never does
        heard = Heard(lines.hash_key(key), mono, at, raw)
        if asked:
            self._asked.append(heard)
            return
        if not self._holding:  # else it may be the first of another run
            self._last_line = mono
            self._recent.append(heard)
            while self._recent[0].mono < mono - RECENT:
                self._recent.popleft()
        self._add_live(Source.LIVE, heard)

    def _add_live(self, source: Source, heard: Heard) -> None:
        if self._connection is not None and source is Source.LIVE:
            self._connection.lines_live += 1
            self._touch_connection()
        if not self._holding:
            self._log.append(source, heard)
            return
        self._held.append((source, heard))
        if len(self._held) > HELD_LINES:
            self.end_replay(heard.observed_at, cut="too many lines to hold")

    def _receive_status(self, status: str, at: int, mono: float) -> None:
        previous, run = self._runs.status, self._runs.run
        known_until = None
        if self._first_status:
            self._first_status = False
            known_until = self._absent_since or 0
        if self._runs.receive_status(status, at, mono, known_until=known_until):
            since = NEVER
            if known_until is None and run is not None and run.ended_at is not None:
                # Its first lines may have overtaken the status, the last ones of the
                # run before may have come behind `offline`: nearer to which?
                since = at - min(MOVE_BACK_MOST, (at - run.ended_at) // 2)
            self._begin_run(since)
            if known_until is not None and run is not None and previous not in {None, "offline"}:
                self._note_unseen(_RESTARTED, known_until or run.first_seen_at, at, run)
        elif known_until and status == "offline" and previous not in {None, "offline"}:
            self._note_unseen(_STOPPED, known_until, at, run)

    def _receive_stats(self, stats: messages.Stats, at: int, mono: float) -> None:
        previous = self._runs.run
        boot = self._runs.receive_stats(stats, at, mono, self._last_line)
        if self._runs.run is not previous:
            self._receive_boot(boot, at, previous)
        sample = self._samples.receive(stats, at, self._runs.run_id)
        if sample is not None:
            self._stats_samples.append(sample)

    def _receive_boot(self, boot: int | None, at: int, previous: Run | None) -> None:
        """Begin the run that a sample proves; *boot* None: only its state says so."""
        if boot is None:
            self._begin_run(NEVER)
        elif not self._holding:
            self._begin_run(boot - MOVE_BACK)
        elif not self._begin_run(boot) and (self._absent_since is not None or previous is not None):
            seen = None if previous is None else previous.first_seen_at
            since = seen if self._absent_since is None else self._absent_since
            assert since is not None
            self._note_unseen(_RESTARTED, since, at, previous)

    def _begin_run(self, since: int) -> bool:
        assert self._runs.run_id is not None
        return self._log.begin_run(self._runs.run_id, since)

    def _note_unseen(self, what: str, since: int, at: int, run: Run | None) -> None:
        """Note at once, in one transaction with the next run, that *run* has no end."""
        run_id = None if run is None else run.id
        self._log.note_gap(what, since, at, lower=0, upper=None, run_id=run_id)

    def _count_replay(self, new: int, known: int) -> None:
        if self._connection is not None:
            self._connection.lines_recovered += new
            self._connection.lines_repeated += known
            self._touch_connection()

    def _touch_connection(self) -> None:
        connection = self._connection
        if connection is not None and connection not in self._connections[-1:]:
            self._connections.append(connection)

    def _journal(self, frame: str, at: int, *, asked: bool) -> None:
        if self._connection is not None:
            self._frames.append(Frame(self._connection.id, asked, at, lines.scrub(frame)))
