"""
How one server is recorded: a main socket that only listens, a second that asks.

Live and replayed lines look the same, so they are told apart by the socket they
come through. The main socket never asks for a replay; when its first status shows
that it is subscribed, a second socket is opened, asks once, and is closed as soon
as the burst is over. Lines of the main socket are held until then.

    main      auth -> status -> send stats -> held lines ...... -> send stats -> lines
    asking                           open -> auth -> status -> send logs -> burst -> close

Where the host gives no second socket, the main one asks in a quiet moment. What it
brings until the burst is over is taken for the replay, live lines and all: these are
new lines of it, in their order.

A replay has no end mark. It is over when for `replay_quiet` the asking socket has
brought no more lines than the main one: what both bring is live.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import partial

from archiver.console import protocol
from archiver.console.audits import Audits
from archiver.console.lines import is_daemon_line
from archiver.console.messages import (
    ConsoleOutput,
    DaemonError,
    Message,
    Stats,
    Status,
)
from archiver.console.stream import OFFLINE, Stream
from archiver.console.timing import Timing

Step = Callable[[Stream], None]  # what the stream is told, in order

ATTEMPTS = 2  # to get one replay
THROTTLING = "Server is outputting console data too quickly"  # Wings f1c5bbd server/listeners.go


@dataclass(frozen=True, slots=True)
class WantToken:
    """Fetch a token other than the present one for the main socket; give it to `renew`."""

    reason: str


@dataclass(frozen=True, slots=True)
class OpenAsking:
    """Open the second socket after *delay* seconds; answer with `open_asking` or `fail_asking`."""

    delay: float
    is_audit: bool  # it is not urgent


@dataclass(frozen=True, slots=True)
class CloseAsking:
    """Close the second socket, or stop opening it."""


@dataclass(frozen=True, slots=True)
class CloseMain:
    """Close the main socket: it is of no use."""

    reason: str
    do: str | None  # what a person can do about it; None: nothing
    slow: bool  # True: trying again soon will not help


Action = WantToken | OpenAsking | CloseAsking | CloseMain


class _Stage(Enum):
    """How far the replay is."""

    SUBSCRIBING = "subscribing"  # until the main socket's first status
    IDENTIFYING = "identifying"  # until the main socket's stats say which run this is
    OPENING = "opening"  # until the second socket is open
    JOINING = "joining"  # until its first status
    QUIETING = "quieting"  # until the main socket is quiet, which then asks itself
    COLLECTING = "collecting"  # the replay
    CONFIRMING = "confirming"  # until stats say that the run is still the same
    DONE = "done"


class Procedure:
    """
    One connection to one server, from the opening of its main socket to its close.

    After each call act on ``actions``, send what the two connections have to send,
    and pass ``steps`` on to the stream. Call ``advance`` no later than ``next_due``.

    Args:
        timing: Waits.
        at: When the socket was opened, microseconds since the epoch.
        spread: 0 to 1, another for each server: audits of many are to be apart.

    """

    def __init__(self, timing: Timing, at: int, *, spread: float = 0.5) -> None:
        self._timing = timing
        self.main = protocol.Connection(timing)
        self.asking: protocol.Connection | None = None
        self._stage = _Stage.SUBSCRIBING
        self._due: float | None = None  # of the stage
        self._ends_by: float | None = None  # the replay, whatever comes
        self._attempts = 0
        self._asked_at: float | None = None
        self._audits = Audits(timing, spread)
        self._is_audit = False  # the present replay
        self._is_alone = False  # the main socket asks for it
        self._sampled_at: int | None = None  # the last sample, microseconds
        self._suspected_from: int | None = None  # since then lines may have been lost
        self._last_text = ""  # of the newest container line on either socket
        self._silent_since = 0.0  # when the main socket brought its last container line
        self._began_with = ""  # the newest line when the present replay was asked for
        self._heard_asked: deque[float] = deque()  # lines of the last replay_quiet seconds
        self._heard_main: deque[float] = deque()
        self._surplus = 0  # lines of the asking socket less those of the main one
        self._state: str | None = None  # the last status; None: none yet
        self._withheld = False  # lines are being lost until the token is renewed
        self._cut: str | None = None
        self._actions: list[Action] = []
        self._steps: list[Step] = [partial(Stream.open_connection, at=at)]

    @property
    def is_live(self) -> bool:
        """True from the main socket's first ``auth success`` on."""
        return self.main.is_live

    @property
    def is_replayed(self) -> bool:
        """True when what can be had from a replay has been had."""
        return self._stage is _Stage.DONE

    @property
    def _may_audit(self) -> bool:
        is_on = self._state not in {None, "offline"} and self.main.is_live
        return self._stage is _Stage.DONE and is_on and not self._withheld

    def actions(self) -> list[Action]:
        """Return what is to be done, in order, once."""
        actions, self._actions = self._actions, []
        return actions

    def steps(self) -> list[Step]:
        """Return what the stream is to be told, in order, once."""
        steps, self._steps = self._steps, []
        return steps

    def next_due(self) -> float | None:
        """Return when ``advance`` has something to do; None: only frames matter."""
        due = [self._due, self.main.next_due()]
        if self._may_audit:
            due.append(self._audits.due)
        if self.asking is not None:
            due.append(self.asking.next_due())
        return min((at for at in due if at is not None), default=None)

    # The main socket

    def receive(self, frame: str | bytes, at: int, now: float) -> None:
        """Take a frame of the main socket; *at* in microseconds, *now* monotonic."""
        if self.main.is_refused:
            return  # it is about to be closed; what it still brings, a replay has too
        message = self.main.receive_frame(frame, now)
        self._receive_main_events(at, now)
        previous = self._state
        if isinstance(message, Status):
            self._state = message.state
            if message.state == "starting" and previous not in {None, "starting"}:
                self._stop("the server started", at, now)  # what came so far is of the run before
        text = frame if isinstance(frame, str) else frame.decode(errors="replace")
        self._note_evidence(message, at, now)
        if self._stage is _Stage.COLLECTING and self._is_alone and _is_container_line(message):
            self._collect(message, frame, at, now)
            return
        self._steps.append(partial(Stream.receive, message=message, frame=text, at=at, mono=now))
        if self._stage is not _Stage.DONE:
            self._watch_main(message, at, now, is_first_status=previous is None)

    def lose(self, count: int, since_at: int, until_at: int, now: float) -> None:
        """Note that *count* lines of the main socket could not be queued."""
        self._stop("the archive fell behind", since_at, now)
        self._audits.suspect(now)
        self._steps.append(partial(Stream.lose, count=count, since_at=since_at, until_at=until_at))

    def close(self, code: int | None, reason: str, at: int, now: float) -> None:
        """Note that the main socket is closed; *code* None: without a close frame."""
        self._stop("the connection was lost", at, now)
        self._steps.append(partial(Stream.close_connection, code=code, reason=reason, at=at))

    # The asking socket

    def open_asking(self, jwt: str, *, renew_at: float, now: float) -> None:
        """Note that the second socket is open, and authenticate it."""
        if self._stage is _Stage.OPENING:
            self._stage = _Stage.JOINING
            self._due = now + self._timing.auth_timeout
            self.asking = protocol.Connection(self._timing)
            self.asking.authenticate(jwt, renew_at=renew_at, now=now)

    def receive_asked(self, frame: str | bytes, at: int, now: float) -> None:
        """Take a frame of the asking socket."""
        if self.asking is None:
            return
        message = self.asking.receive_frame(frame, now)
        self._receive_asking_events(at, now)
        if self._stage is _Stage.JOINING and isinstance(message, Status):
            self._ask(at, now)
        elif self._stage is _Stage.COLLECTING:
            self._collect(message, frame, at, now)

    def fail_asking(self, reason: str, at: int, now: float) -> None:
        """Note that the second socket could not be opened, or was closed too early."""
        if self._stage is _Stage.COLLECTING and self._surplus > 0:
            self._cut = reason
            self._confirm(now)
        else:
            self._ask_again(reason, at, now)

    # Time

    def advance(self, at: int, now: float) -> None:
        """Let time pass."""
        self.main.advance(now)
        self._receive_main_events(at, now)
        if self.asking is not None:
            self.asking.advance(now)
            self._receive_asking_events(at, now)
        if self._may_audit and self._audits.is_due(now):
            self._begin_audit()
        elif self._due is not None and now >= self._due:
            self._advance_stage(at, now)

    def _advance_stage(self, at: int, now: float) -> None:
        match self._stage:
            case _Stage.SUBSCRIBING:
                self._identify(now)
            case _Stage.IDENTIFYING:
                self._open(now)
            case _Stage.JOINING if self.asking is not None and self.asking.is_live:
                self._ask(at, now)
            case _Stage.JOINING:
                self.fail_asking("no answer to auth on the second socket", at, now)
            case _Stage.QUIETING:
                self._ask_alone(at, now)
            case _Stage.COLLECTING:
                self._listen_for_end(now)
            case _Stage.CONFIRMING:
                if self._is_audit:  # what it brings late the replay may have at its end
                    self._cut = "the main socket is late"
                self._end(at, now)
            case _Stage.OPENING | _Stage.DONE:
                self._due = None

    # Private

    def _receive_main_events(self, at: int, now: float) -> None:
        for event in self.main.events():
            match event:
                case protocol.Authenticated():
                    self._due = now + self._timing.status_timeout
                    self._steps.append(partial(Stream.authenticate, at=at, mono=now))
                case protocol.Renewed():
                    self._steps.append(Stream.renew)
                    if self._withheld:
                        self._begin_again(at, now)
                case protocol.Withheld():
                    self._withheld = True
                    self._stop("the token ran out", at, now)
                    self._steps.append(Stream.withhold)
                case protocol.TokenWanted(reason=reason):
                    self._actions.append(WantToken(reason))
                case protocol.Refused(reason=reason, do=do, slow=slow):
                    self._actions.append(CloseMain(reason, do, slow))
                case protocol.LogsThrottled():
                    pass  # it asks once at most, so it cannot be

    def _receive_asking_events(self, at: int, now: float) -> None:
        asking = self.asking
        for event in [] if asking is None else asking.events():
            match event:
                case protocol.Authenticated():
                    self._due = now + self._timing.status_timeout
                case protocol.Refused(reason=reason):
                    self.fail_asking(reason, at, now)
                case protocol.TokenWanted(reason=reason) if asking and not asking.is_live:
                    self.fail_asking(f"the token was refused: {reason}", at, now)
                case protocol.Withheld():
                    self.fail_asking("the token ran out", at, now)
                case protocol.LogsThrottled():
                    self._ask_again("the daemon throttles replays", at, now)
                case _:
                    pass  # it lives for seconds: nothing is renewed

    def _watch_main(self, message: Message, at: int, now: float, *, is_first_status: bool) -> None:
        """Draw from a message of the main socket what it means for the replay."""
        match message:
            case ConsoleOutput():
                if _is_container_line(message):
                    self._watch_line(now)
            case Stats():
                if self._stage is _Stage.IDENTIFYING:
                    self._open(now)
                elif self._stage is _Stage.CONFIRMING:
                    self._end(at, now)
            case Status(state="offline"):
                self._stop(OFFLINE if is_first_status else "the server stopped", at, now)
            case Status():
                if self._stage is _Stage.SUBSCRIBING and self.main.is_live:
                    self._identify(now)
            case _:
                pass

    def _watch_line(self, now: float) -> None:
        if self._stage is _Stage.COLLECTING:
            self._heard_main.append(now)
            self._surplus -= 1
        elif self._stage is _Stage.QUIETING:
            assert self._ends_by is not None
            self._due = min(now + self._timing.alone_quiet, self._ends_by)

    def _identify(self, now: float) -> None:
        self._stage = _Stage.IDENTIFYING
        self._due = now + self._timing.stats_timeout
        self.main.ask_stats()

    def _note_evidence(self, message: Message, at: int, now: float) -> None:
        """Draw from a message whether lines may have been lost on the live path."""
        was_suspected = self._audits.is_suspected
        match message:
            case ConsoleOutput(text=line) if is_daemon_line(line):
                if THROTTLING in line:
                    self._audits.suspect(now)
            case ConsoleOutput(text=line):
                self._audits.hear(now)
                self._last_text, self._silent_since = line, now
            case Stats(state="running", uptime_ms=uptime):
                self._audits.watch(now, uptime)
            case _:
                pass
        if self._audits.is_suspected and not was_suspected:
            self._suspected_from = self._sampled_at
        if isinstance(message, Stats):
            self._sampled_at = at

    def _begin_audit(self) -> None:
        """Get a replay of what came live, to see whether it was all."""
        self._cut = None
        self._attempts = ATTEMPTS - 1  # what is not urgent is not tried twice
        self._is_audit = True
        self._open_after(0.0)  # it is due when it may be asked for

    def _begin_again(self, at: int, now: float) -> None:
        """Get a replay of what was withheld."""
        self._withheld = False
        self._cut = None
        self._attempts = 0
        self._is_audit = False
        self._steps.append(partial(Stream.hold, at=at))
        self._identify(now)

    def _open(self, now: float) -> None:
        self._open_after(self._audits.wait_for_spacing(now))

    def _open_after(self, delay: float) -> None:
        self._attempts += 1
        self._stage = _Stage.OPENING
        self._due = None
        self._actions.append(OpenAsking(delay, self._is_audit))

    def _ask_again(self, reason: str, at: int, now: float) -> None:
        """Try once more, on another socket, because nothing came of this one."""
        if self._stage not in {_Stage.OPENING, _Stage.JOINING, _Stage.COLLECTING}:
            return
        was_opening = self._stage is _Stage.OPENING
        self._close_asking()
        self._asked_at = None
        if self._attempts < ATTEMPTS:
            self._open_after(self._timing.throttled_wait)
        elif was_opening and not self._is_audit and self.main.is_live:
            self._stage = _Stage.QUIETING
            self._ends_by = now + self._timing.alone_timeout
            self._due = now + self._timing.alone_quiet
        else:
            self._cut = reason
            self._end(at, now)

    def _close_asking(self) -> None:
        self._actions.append(CloseAsking())
        self.asking = None

    def _ask(self, at: int, now: float) -> None:
        assert self.asking is not None
        self._is_alone = False
        self._ask_on(self.asking, at, now)

    def _ask_alone(self, at: int, now: float) -> None:
        self._is_alone = True
        self._ask_on(self.main, at, now)

    def _ask_on(self, connection: protocol.Connection, at: int, now: float) -> None:
        connection.ask_logs()
        self._stage = _Stage.COLLECTING
        self._asked_at = now
        self._audits.ask(now)
        self._began_with = self._last_text
        if self._is_audit:
            since = self._suspected_from
            self._steps.append(partial(Stream.audit, at=at, suspected_from=since))
        self._steps.append(Stream.begin_replay)
        self._ends_by = now + self._timing.replay_timeout
        self._heard_asked.clear()
        self._heard_main.clear()
        self._surplus = 0
        self._due = now + self._timing.replay_quiet / 4

    def _collect(self, message: Message, frame: str | bytes, at: int, now: float) -> None:
        if isinstance(message, ConsoleOutput) and not is_daemon_line(message.text):
            self._heard_asked.append(now)
            self._last_text = message.text
            self._surplus += 1
            text = frame if isinstance(frame, str) else frame.decode(errors="replace")
            self._steps.append(
                partial(Stream.receive_asked, message=message, frame=text, at=at, mono=now)
            )
        elif isinstance(message, DaemonError):
            self._cut = "the daemon cannot read its log"
            self._confirm(now)

    def _listen_for_end(self, now: float) -> None:
        """End the replay when it has been quiet, or at last when its time is over."""
        timing = self._timing
        assert self._asked_at is not None
        assert self._ends_by is not None
        for heard in (self._heard_asked, self._heard_main):
            while heard and heard[0] < now - timing.replay_quiet:
                heard.popleft()
        patience = timing.replay_quiet if self._surplus > 0 else timing.replay_empty
        is_quiet = len(self._heard_asked) <= len(self._heard_main)
        if is_quiet and now - self._asked_at >= patience:
            self._confirm(now)
        elif now >= self._ends_by:
            if not self._is_alone:  # else live lines go on, and nothing is known to be cut
                self._cut = f"it did not end within {timing.replay_timeout:g} s"
            self._confirm(now)
        else:
            self._due = now + timing.replay_quiet / 4

    def _confirm(self, now: float) -> None:
        """Ask once more which run this is: it may have ended under the replay."""
        self._close_asking()
        self._stage = _Stage.CONFIRMING
        self._due = now + self._timing.stats_timeout
        self.main.ask_stats()

    def _stop(self, reason: str, at: int, now: float) -> None:
        """End the replay early, if it is not over."""
        if self._stage in {_Stage.OPENING, _Stage.JOINING, _Stage.COLLECTING}:
            self._close_asking()
        if self._stage not in {_Stage.CONFIRMING, _Stage.DONE}:
            self._cut = reason
        self._end(at, now, is_void=True)

    def _end(self, at: int, now: float, *, is_void: bool = False) -> None:
        """Let the stream resolve what it holds; *is_void*: no replay is wanted any more."""
        if self._stage is not _Stage.DONE:
            self._stage = _Stage.DONE
            self._due = None
            is_silent = self._asked_at is not None and self._silent_since < self._asked_at
            has_news = is_silent and self._last_text != self._began_with and self._is_audit
            is_cut = self._cut is not None and not is_void
            self._audits.end(now, is_cut=is_cut, has_news=has_news)
            if self._cut is None:
                self._suspected_from = None
            end = partial(Stream.end_replay, at=at, asked_at=self._asked_at, cut=self._cut)
            self._steps.append(partial(end, is_alone=self._is_alone))
            self._is_alone = False


def _is_container_line(message: Message) -> bool:
    return isinstance(message, ConsoleOutput) and not is_daemon_line(message.text)
