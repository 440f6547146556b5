"""One server's console in virtual time: frames in, rows out."""

import json
from collections.abc import Callable
from dataclasses import replace
from heapq import heappop, heappush
from itertools import count
from random import Random
from typing import Any

import pytest

from archiver.console.log import StoredLine
from archiver.console.procedure import (
    Action,
    CloseAsking,
    CloseMain,
    OpenAsking,
    Procedure,
    WantToken,
)
from archiver.console.records import (
    Connection,
    Event,
    Flag,
    Frame,
    Gap,
    Line,
    Records,
    Run,
    Source,
    StatsSample,
    StatusChange,
    StreamState,
)
from archiver.console.stream import Stream
from archiver.console.timing import Timing

START = 1_700_000_000_000_000  # microseconds: the wall clock when the monotonic one is at 0
LINK = 0.001  # seconds from one end of a socket to the other
STORED_TAIL = 600  # lines that the store gives back after a restart
THROTTLES = "Server is outputting console data too quickly -- throttling..."
DAEMON_LINE = "\x1b[33m\x1b[1m[Pterodactyl Daemon]:\x1b[39m {}\x1b[0m"


class Archive:
    """What was committed; gives numbers, and a stream back after a restart."""

    def __init__(self) -> None:
        self.state = StreamState()
        self.lines: dict[int, Line] = {}
        self.gaps: dict[int, Gap] = {}
        self.runs: dict[int, Run] = {}
        self.connections: dict[int, Connection] = {}
        self.events: dict[int, Event] = {}
        self.status_changes: list[StatusChange] = []
        self.samples: list[StatsSample] = []
        self.frames: list[Frame] = []
        self._numbers = count(1)

    def next_run_id(self) -> int:
        return next(self._numbers)

    next_connection_id = next_gap_id = next_event_id = next_run_id

    def commit(self, records: Records | None) -> None:
        """Store copies, as a database does; a number that is taken must not come again."""
        if records is None:
            return
        confirmed = self.state.confirmed_seq
        self.state = replace(records.state)
        assert confirmed is None or (self.state.confirmed_seq or 0) >= confirmed
        assert all(confirmed is None or line.seq > confirmed for line in records.lines)
        if records.frames_done:
            self.frames.clear()
        self.frames += records.frames
        for line in records.lines:
            assert line.seq not in self.lines
            self.lines[line.seq] = line
        for seq, run_id in records.moved:
            self.lines[seq] = self.lines[seq]._replace(run_id=run_id)
        self.runs |= {row.id: replace(row) for row in records.runs}
        self.gaps |= {row.id: replace(row) for row in records.gaps}
        self.connections |= {row.id: replace(row) for row in records.connections}
        self.events |= {row.id: replace(row) for row in records.events}
        self.status_changes += records.status_changes
        self.samples += records.stats_samples

    def in_order(self) -> list[Line]:
        """All lines by their place."""
        return [self.lines[seq] for seq in sorted(self.lines)]

    def open_gaps(self) -> list[Gap]:
        """Gaps that were not found complete, oldest first."""
        return [gap for _, gap in sorted(self.gaps.items()) if gap.closed_at is None]

    def load(self, timing: Timing) -> Stream:
        """Give a new process what the store would."""
        run = self.runs.get(self.state.run_id or 0)
        status = self.status_changes[-1].status if self.status_changes else None
        stream = Stream(
            1,
            replace(self.state),
            self,
            timing,
            run=replace(run) if run is not None and run.ended_at is None else None,
            status=status,
        )
        tail = self.in_order()[-STORED_TAIL:]
        oldest = tail[0].seq if tail else 0
        stream.restore(
            [
                StoredLine(
                    line.seq,
                    line.run_id,
                    line.source,
                    line.observed_at,
                    line.text if line.raw is None else line.raw,
                )
                for line in tail
            ],
            [
                replace(gap)
                for gap in self.open_gaps()
                if gap.before_seq is None or gap.before_seq >= oldest
            ],
            list(self.frames),
        )
        return stream


class Socket:
    """The daemon's end of one WebSocket: frames arrive in order, each after its delay."""

    def __init__(self) -> None:
        self.is_open = True
        self.is_subscribed = False
        self.arrives = 0.0  # the last frame sent, monotonic


class Wire:
    """
    Drives a procedure and a stream as the ingest driver does, against a small daemon.

    The daemon answers `auth` and `send stats` by itself; replays and live lines
    come from the test. Time passes only in `pass_time`.
    """

    def __init__(self, timing: Timing | None = None) -> None:
        self.timing = timing or Timing()
        self.archive = Archive()
        self.stream = self.archive.load(self.timing)
        self.procedure: Procedure | None = None
        self.main: Socket | None = None
        self.asking: Socket | None = None
        self.now = 1000.0
        self.jump = 0  # microseconds that the wall clock was set forward
        # The daemon
        self.status = "running"
        self.booted: float | None = 0.0  # None: no uptime in its stats
        self.counted = 0.0  # when its uptime was looked at last
        self.answers = {"auth", "auth again", "send stats", "asking"}
        self.refuses_asking = False  # the host gives no second socket
        self.expired = False  # the token: everything is withheld until the next auth
        self.token_delay = 0.05
        # What was seen
        self.sent: list[tuple[float, bool, str]] = []  # when, on the asking socket, event
        self.opened: list[float] = []  # when the asking socket was to open
        self.refused: CloseMain | None = None
        self.wanted: list[str] = []
        self._later: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()

    @property
    def at(self) -> int:
        """Wall clock, microseconds."""
        return START + round(self.now * 1_000_000) + self.jump

    # Time

    def later(self, delay: float, happen: Callable[[], None]) -> None:
        """Let *happen* be called when *delay* seconds have passed."""
        heappush(self._later, (self.now + delay, next(self._order), happen))

    def pass_time(self, seconds: float, *, until: Callable[[], bool] = bool) -> None:
        """Let that much time pass, or less: *until* it is true."""
        end = self.now + seconds
        for _ in range(1_000_000):
            due = None if self.procedure is None else self.procedure.next_due()
            event = self._later[0][0] if self._later else None
            moment = min((t for t in (due, event) if t is not None), default=end)
            if until() or moment > end:
                break
            self.now = max(self.now, moment)
            if event is not None and event <= self.now:
                heappop(self._later)[2]()
            elif due is not None and self.procedure is not None and due <= self.now:
                self.procedure.advance(self.at, self.now)
                self.settle()
            else:
                break
        else:
            pytest.fail("time stands still")
        if not until():
            self.now = end

    # The archiver

    def connect(self) -> None:
        """Open the main socket."""
        self.procedure = Procedure(self.timing, self.at)
        self.main = Socket()
        self.refused = None
        self.expired = False
        self._authenticate()
        self.settle()

    def disconnect(self, code: int | None = 1006) -> None:
        """Let both sockets die; what is on its way is lost."""
        assert self.procedure is not None
        self.procedure.close(code, "", self.at, self.now)
        self._tell()
        self._drop()

    def drop_asking(self) -> None:
        """Let the asking socket die alone."""
        assert self.procedure is not None
        if self.asking is not None:
            self.asking.is_open = False
        self.asking = None
        self.procedure.fail_asking("the second socket was closed", self.at, self.now)
        self.settle()

    def commit(self) -> None:
        """End a transaction."""
        self.archive.commit(self.stream.take())

    def kill(self) -> None:
        """Kill the archiver: what was not committed is gone; start another."""
        self._drop()
        self.stream = self.archive.load(self.timing)

    def settle(self) -> None:
        """Do what the procedure wants."""
        procedure = self.procedure
        assert procedure is not None
        for action in procedure.actions():
            self._obey(action, procedure)
        self._tell()
        for frame in procedure.main.messages_to_send():
            self._answer(self.main, json.loads(frame))
        if procedure.asking is not None:
            for frame in procedure.asking.messages_to_send():
                self._answer(self.asking, json.loads(frame))
        if self.refused is not None and self.main is not None:
            self.disconnect(None)

    def _obey(self, action: Action, procedure: Procedure) -> None:
        match action:
            case WantToken(reason):
                self.wanted.append(reason)
                self.later(self.token_delay, lambda: self._renew(procedure))
            case OpenAsking(delay=delay):
                self.opened.append(self.now + delay)
                if "asking" in self.answers:
                    self.later(delay + LINK, lambda: self._open_asking(procedure))
                elif self.refuses_asking:
                    self.later(delay + LINK, lambda: self._refuse_asking(procedure))
            case CloseAsking():
                if self.asking is not None:
                    self.asking.is_open = False
                self.asking = None
            case CloseMain():
                self.refused = action

    # The daemon

    def send(self, socket: Socket | None, event: str, *args: Any, delay: float = LINK) -> None:
        """Send a message; it arrives after *delay*, and behind what was sent before."""
        self.send_frame(socket, json.dumps({"event": event, "args": args}), delay=delay)

    def send_frame(self, socket: Socket | None, frame: str | bytes, *, delay: float = LINK) -> None:
        """Send anything."""
        if socket is None:
            return
        socket.arrives = max(socket.arrives, self.now + delay)
        self.later(socket.arrives - self.now, lambda: self._arrive(socket, frame))

    def print(self, line: str, *, delays: tuple[float, float] = (0.0, 0.0)) -> None:
        """Print a line: it goes to the main and to the asking socket."""
        self.publish("console output", line, delays=delays)

    def publish(self, event: str, arg: str, *, delays: tuple[float, float] = (0.0, 0.0)) -> None:
        """Send an event to all who are subscribed."""
        for socket, delay in zip((self.main, self.asking), delays, strict=True):
            if socket is not None and socket.is_subscribed:
                if self.expired:  # both have the same token
                    self.send(socket, "jwt error", "jwt: exp claim is invalid", delay=delay)
                else:
                    self.send(socket, event, arg, delay=delay)

    def stats(self, **other: Any) -> str:
        """One sample as the daemon has it now."""
        sample: dict[str, Any] = {"memory_bytes": 1, "cpu_absolute": 0.5, "state": self.status}
        if self.booted is not None:
            # The daemon counts once a second, and answers with what it counted last.
            if self.now - self.counted >= 1.0 or self.booted > self.counted:
                self.counted = self.now
            on = self.status != "offline"
            sample["uptime"] = round((self.counted - self.booted) * 1000) if on else 0
        return json.dumps(sample | other)

    def answer_logs(self, socket: Socket) -> None:
        """Answer `send logs`: nothing here, because replays come from the test."""

    def _answer(self, socket: Socket | None, message: dict[str, Any]) -> None:
        asked = socket is not None and socket is self.asking
        event = message["event"]
        self.sent.append((self.now, asked, event))
        if socket is None:
            return
        if event == "auth" and "auth" in self.answers:
            if not asked:
                self.expired = False
            if not socket.is_subscribed:
                socket.is_subscribed = True
                self.send(socket, "auth success")
                self.send(socket, "status", self.status)
            elif "auth again" in self.answers:
                self.send(socket, "auth success")
        elif event == "send stats" and "send stats" in self.answers:
            self.send(socket, "stats", self.stats())
        elif event == "send logs":
            self.answer_logs(socket)

    # Private

    def _tell(self) -> None:
        assert self.procedure is not None
        for step in self.procedure.steps():
            step(self.stream)

    def _drop(self) -> None:
        for socket in (self.main, self.asking):
            if socket is not None:
                socket.is_open = False
        self.procedure = self.main = self.asking = None

    def _authenticate(self) -> None:
        assert self.procedure is not None
        self.procedure.main.authenticate("jwt", renew_at=self.now + 510, now=self.now)

    def _renew(self, procedure: Procedure) -> None:
        if procedure is self.procedure:
            self._authenticate()
            self.settle()

    def _open_asking(self, procedure: Procedure) -> None:
        if procedure is self.procedure:
            self.asking = Socket()
            procedure.open_asking("jwt", renew_at=self.now + 510, now=self.now)
            self.settle()

    def _refuse_asking(self, procedure: Procedure) -> None:
        if procedure is self.procedure:
            procedure.fail_asking("too many sockets", self.at, self.now)
            self.settle()

    def _arrive(self, socket: Socket, frame: str | bytes) -> None:
        if not socket.is_open or self.procedure is None:
            return
        if socket is self.main:
            self.procedure.receive(frame, self.at, self.now)
        else:
            self.procedure.receive_asked(frame, self.at, self.now)
        self.settle()
        if self.procedure is not None:  # as the driver does after each frame
            self.procedure.advance(self.at, self.now)
            self.settle()


class Server(Wire):
    """
    A wire whose daemon has a console and answers `send logs` from its log.

    Either a live line comes on both sockets at the same moment, and they may die
    between any two frames; or up to 30 ms apart, and they die when all has come. (Where
    the asking socket is ahead when both die, its copies look like a replay.)
    """

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.random = Random(seed)
        self.jitter = self.random.choice([0.0, 0.03])
        self.truth: list[str] = []  # all that was ever printed
        self.log: list[str] = []  # of this container
        self.readable = 0  # lines that the log's writer has written
        self.began: int | None = None  # place of the first line that can be recorded

    def connect(self) -> None:
        self.pass_time(0.005)  # no daemon is asked sooner than its log has what was printed
        super().connect()

    def disconnect(self, code: int | None = 1006) -> None:
        self.pass_time(self.jitter)
        if self.procedure is not None:
            super().disconnect(code)

    def kill(self) -> None:
        self.pass_time(self.jitter)
        super().kill()
        if not self.archive.runs:
            self.began = None  # nothing that it knew was committed

    def settle(self) -> None:
        super().settle()
        if self.began is None and self.procedure is not None and self.procedure.is_live:
            self.began = len(self.truth) - len(self.log)

    def print_lines(self, count: int, spacing: float) -> None:
        for _ in range(count):
            line = f"line {len(self.truth)}"
            self.truth.append(line)
            self.log.append(line)
            self.later(self.random.choice([0.0, 0.005]), self._write_log)
            main, asking = (self.random.uniform(0, self.jitter) for _ in range(2))
            self.print(line, delays=(main, asking))
            self.pass_time(spacing)

    def answer_logs(self, socket: Socket) -> None:
        self.later(self.random.uniform(0, 0.05), lambda: self._replay(socket))

    def restart(self) -> None:
        for status in ("stopping", "offline", "starting", "running"):
            if status == "starting":
                self.log, self.readable = [], 0
                self.booted = self.now
            self.status = status
            self.publish("status", status)
            self.pass_time(0.5)

    def expire(self) -> None:
        self.expired = True

    def push_stats(self) -> None:
        self.publish("stats", self.stats())

    def _write_log(self) -> None:
        self.readable = min(len(self.log), self.readable + 1)

    def _replay(self, socket: Socket) -> None:
        if socket.is_open:
            for line in self.log[: self.readable][-150:]:
                self.send(socket, "console output", line, delay=self.random.uniform(0, 0.001))


class Dialogue(Wire):
    """
    A wire that reads its part from a script of words.

    ``A``      both sockets open; the word ends when `send logs` is sent
    ``l:x``    a live line, on every socket that is subscribed
    ``r:x``    a replayed line, on the asking socket
    ``m:x``    a live line that the daemon drops on its way to the asking socket
    ``d:x``    a daemon line
    ``T``      the daemon's line that it throttles
    ``e:x``    an event without arguments on the asking socket, ``e:x=y`` with one
    ``F``      the asking socket dies
    ``Z:n``    the main socket's frames come n seconds late, until it has caught up
    ``g:x``    a line that nobody gets: the game prints it, and that is all
    ``S:x``    a change of status
    ``B``      a new container: uptime starts again
    ``U``      a stats sample
    ``V``      the daemon is an old one, whose samples have no uptime
    ``J``      the token ends: everything is withheld until the next one
    ``W:n``    from now on the panel takes n seconds for a token
    ``?``      until `send logs` is sent again
    ``.``      until the replay is over
    ``+n``     n seconds pass
    ``H:n``    the archiver's wall clock is set by n seconds
    ``X``      both sockets die; ``X:n`` with a close code
    ``K``      the archiver is killed and started again
    ``C``      a transaction ends

    A backslash in a line begins an escape, as in Python.
    """

    def play(self, script: str) -> "Dialogue":
        """Play the words of *script*, each a millisecond after the one before."""
        words: dict[str, Callable[[str], None]] = {
            "A": lambda _: self._join(),
            "l": self.print,
            "r": lambda text: self.send(self.asking, "console output", text, delay=0.0),
            "m": lambda text: self.send(self.main, "console output", text, delay=0.0),
            "d": lambda text: self.print(DAEMON_LINE.format(text)),
            "T": lambda _: self.print(DAEMON_LINE.format(THROTTLES)),
            "e": self._send_asking,
            "Z": lambda seconds: self._stall(float(seconds)),
            "g": lambda _: None,
            "F": lambda _: self.drop_asking(),
            "S": self._change_status,
            "B": lambda _: self._boot(),
            "U": lambda _: self.publish("stats", self.stats()),
            "V": lambda _: self._forget_boot(),
            "J": lambda _: self._end_token(),
            "W": self._delay_tokens,
            "?": lambda _: self._wait_for_request(),
            ".": lambda _: self._wait_for_end(),
            "H": self._set_clock,
            "X": lambda code: self.disconnect(int(code or 1006)),
            "K": lambda _: self.kill(),
            "C": lambda _: self.commit(),
        }
        for word in script.split():
            name, _, text = word.partition(":")
            if word.startswith("+"):
                self.pass_time(float(word[1:]))
            else:
                words[name](text.encode().decode("unicode_escape") if "\\" in text else text)
            self.pass_time(LINK)
        return self

    def rows(self) -> str:
        """
        What is stored: lines by place, with a mark where one is uncertain.

        ``?x`` is an uncertain line, ``~`` an open gap, ``/`` stands between runs.
        """
        self.commit()
        gaps = self.archive.open_gaps()
        words: list[str] = []
        previous: Line | None = None
        for line in self.archive.in_order():
            while gaps and (gaps[0].after_seq is None or gaps[0].after_seq < line.seq):
                gaps.pop(0)
                words.append("~")
            if previous is not None and previous.run_id != line.run_id:
                words.append("/")
            text = line.text if line.raw is None else line.raw
            if line.source == Source.DAEMON:
                text = "d:" + line.text.partition(": ")[2]
            words.append("?" * bool(line.flags & Flag.UNCERTAIN) + text)
            previous = line
        return " ".join(words + ["~"] * len(gaps))

    def _join(self) -> None:
        self.connect()
        self.pass_time(0.02)

    def _change_status(self, status: str) -> None:
        self.status = status
        self.publish("status", status)

    def _send_asking(self, text: str) -> None:
        event, _, arg = text.replace("_", " ").partition("=")
        self.send(self.asking, event, *([arg] if arg else []), delay=0.0)

    def _stall(self, seconds: float) -> None:
        assert self.main is not None
        self.main.arrives = max(self.main.arrives, self.now + seconds)

    def _delay_tokens(self, seconds: str) -> None:
        self.token_delay = float(seconds)

    def _set_clock(self, seconds: str) -> None:
        self.jump += int(float(seconds) * 1_000_000)

    def _forget_boot(self) -> None:
        self.booted = None

    def _boot(self) -> None:
        self.booted = self.now

    def _end_token(self) -> None:
        self.expired = True

    def _wait_for_request(self) -> None:
        seen = len(self.sent)
        self.pass_time(60, until=lambda: "send logs" in [event for *_, event in self.sent[seen:]])
        assert self.sent[-1][2] == "send logs"

    def _wait_for_end(self) -> None:
        procedure = self.procedure
        assert procedure is not None
        self.pass_time(60, until=lambda: procedure.is_replayed)
        assert procedure.is_replayed


@pytest.fixture
def dialogue() -> Dialogue:
    """A new server, running since 1000 s, and an empty archive."""
    return Dialogue()


@pytest.fixture(scope="session")
def new_server() -> Callable[[int], Server]:
    """Make a server from a seed; for properties, whose examples need one each."""
    return Server


@pytest.fixture
def timing() -> Timing:
    return Timing()
