"""
One WebSocket as Wings has it: what it says to each message, and what gets lost on it.

Every message is answered on its own, a little later than it came: messages overtake
each other. Writes wait for a slow reader; live lines wait in a ring and push each other
out; events are dropped. A token that is no longer good turns every event into one
``jwt error`` while the socket stays open.

Source: Wings f1c5bbd router/websocket/{websocket,listeners,message}.go and
router/router_server_ws.go; pelican-dev/wings 090841d router/websocket/limiter.go.
"""

import json
from collections.abc import Callable, Iterator
from random import Random
from typing import TYPE_CHECKING, Protocol, TypeVarTuple
from uuid import UUID

from archiver.simulator import frames, tokens
from archiver.simulator.clock import SECOND, Clock
from archiver.simulator.counters import Counters
from archiver.simulator.daemon import GameServer, ReplayCut
from archiver.simulator.limits import Bucket
from archiver.simulator.listener import Listener
from archiver.simulator.settings import Settings

if TYPE_CHECKING:
    from archiver.simulator.recovery import Attendance

Ts = TypeVarTuple("Ts")

CUT = 1006  # a close without a close frame
LARGEST_INBOUND = 4096  # bytes, where the daemon limits them
NEEDED = {  # permission that an event takes
    "install output": "admin.websocket.install",
    "transfer logs": "admin.websocket.transfer",
    "backup completed": "backup.read",
}
POWER = {  # permission that a power action takes
    "start": "control.start",
    "stop": "control.stop",
    "restart": "control.restart",
    "kill": "control.stop",
}
EXPIRED = "jwt: exp claim is invalid"
DENIED = "jwt: created too far in past (denylist)"
UNEXPECTED = "an unexpected error was encountered while handling this request"
POWER_LOCKED = (
    "another power action is currently being processed for this server, please try again later"
)
AUTH_GAP = 0.0003  # seconds, at most, between the steps of an authentication


class Sink(Protocol):
    """The far end of a socket."""

    def send(self, frame: bytes, at: int, /) -> None:
        """Take one text frame that was written at *at*."""

    def close(self, code: int, reason: str, at: int, /) -> None:
        """Be closed; code 1006 is a cut without a close frame."""


class Session:
    """
    One open WebSocket.

    Args:
        clock: The time.
        settings: Those of its world.
        server: The one in its path.
        counters: Where it counts.
        random: Decides its small delays.
        sink: Takes what it sends.

    """

    def __init__(
        self,
        clock: Clock,
        settings: Settings,
        server: GameServer,
        counters: Counters,
        *,
        random: Random,
        sink: Sink,
    ) -> None:
        self.clock = clock
        self.settings = settings
        self.server = server
        self.open = True
        self.paused = False  # the reader is slow and every buffer between is full
        self._counters = counters
        self._random = random
        self._sink = sink
        self._claims: tokens.Claims | None = None
        self._issued_at = self._valid_until = 0
        self._refusal: str | None = None  # why the token is no good, apart from its age
        self._attendance: Attendance | None = None
        self._listeners: list[Listener] = []
        self._waiting: list[bytes] = []  # answers, while the reader is slow
        self._asked = False  # for a replay, at least once
        self._opened_at = now = clock.now
        self._every = Bucket(10, 0.2, now)
        self._limits = {
            "auth": Bucket(2, 5, now),
            "send logs": Bucket(2, 5, now),
            "send command": Bucket(10, 1, now),
            "": Bucket(4, 1, now),  # all others together
        }
        server.viewers[self] = None
        counters.count("sockets", server.uuid, now)
        counters.enter(server.uuid)
        counters.enter("")
        if server.suspended and settings.limited:
            self.close(4409, "server is suspended")

    def count(self, what: str) -> None:
        """Count something that happened on this socket."""
        self._counters.count(what, self.server.uuid, self.clock.now)

    # What the far end does

    def receive(self, message: str | bytes) -> None:
        """Take one inbound message; bytes are a binary one."""
        if not self.open:
            return
        limited = self.settings.limited
        if limited and self.server.suspended:
            self.close(4409, "server is suspended")
            return
        raw = message.encode() if isinstance(message, str) else message
        if limited and len(raw) > LARGEST_INBOUND:
            self.close(1009)
            return
        if limited and isinstance(message, bytes):
            return
        read = _read_message(raw)
        if read is not None and (not limited or self._allows(read[0])):
            self._later(self.settings.inbound_lag, self._answer, *read)

    def pause(self) -> None:
        """Stop reading: everything written from now on waits or is lost."""
        self.paused = True

    def resume(self) -> None:
        """Read again."""
        if not self.paused or not self.open:
            return
        self.paused = False
        waiting, self._waiting = self._waiting, []
        for message in waiting:
            self._sink.send(message, self.clock.now)
        for listener in self._listeners:
            listener.write_on()

    def expire(self) -> None:
        """Let the token be no good from now on, without a warning."""
        self._valid_until = min(self._valid_until, self.clock.now)
        self._stop_attending()

    def inject(self, frame: bytes) -> None:
        """Send any bytes as they are: what a broken daemon or proxy might send."""
        self._write(frame)

    def close(self, code: int, reason: str = "") -> None:
        """Close from the daemon's side; 1006 cuts without a close frame."""
        if self.open:
            self.leave()
            self._sink.close(code, reason, self.clock.now)

    def leave(self) -> None:
        """Forget the socket: the far end is gone."""
        if not self.open:
            return
        self.open = False
        self._stop_attending()
        del self.server.viewers[self]
        for listener in self._listeners:
            self.server.console.listeners.remove(listener)
        self._counters.leave(self.server.uuid)
        self._counters.leave("")
        if self._asked:
            self._counters.leave(self.server.node.name)

    # What it sends

    def send(self, message: bytes, event: str = "") -> None:
        """Send an event, or a `jwt error` in its place when the token is not good."""
        error = self._token_error()
        if error is not None:
            message = frames.frame("jwt error", error)
        elif event in NEEDED and not tokens.permits(self._claims or {}, NEEDED[event]):
            return
        self._write(message)

    def _write(self, message: bytes) -> None:
        if not self.open:
            return
        if self.paused:
            self._waiting.append(message)
        else:
            self._sink.send(message, self.clock.now)

    @property
    def good(self) -> bool:
        """Whether the token is: else every event becomes an error."""
        return self._token_error() is None

    def _attend(self) -> None:
        """Note that from now on a reader of this socket misses nothing and may ask."""
        if self.settings.truth and self.good:
            witness = self.server.console.witness
            self._attendance = witness.attend(self.clock.now, self._valid_until)

    def _stop_attending(self) -> None:
        if self._attendance is not None:
            self._attendance.until = min(self._attendance.until, self.clock.now)

    def _token_error(self) -> str | None:
        if self.clock.now >= self._valid_until:
            return EXPIRED if self._claims else "jwt: no jwt present"
        if self._issued_at < self.server.tokens_from:
            return DENIED
        return self._refusal

    def _send_error(self, event: str, text: str) -> None:
        number = UUID(int=self._random.getrandbits(128), version=4)
        self._write(frames.frame(event, f"Error Event [{number}]: {text}"))

    # What it answers

    def _later(self, seconds: float, call: Callable[[*Ts], object], *args: *Ts) -> None:
        self.clock.after(self._random.random() * seconds, call, *args)

    def _allows(self, event: str) -> bool:
        now = self.clock.now
        limit = self._limits.get(event, self._limits[""])
        for name, bucket in (("global", self._every), (event, limit)):
            if not bucket.take(now):
                self.count("throttled")
                if not bucket.told:
                    bucket.told = True
                    self._write(frames.frame("throttled", name))
                return False
        return True

    def _answer(self, event: str, text: str) -> None:
        if not self.open:
            return
        if event == "auth":
            self.count("auths")
            self._authenticate(text)
            return
        error = self._token_error()
        if error is not None:
            self._write(frames.frame("jwt error", error))
            return
        server = self.server
        match event:
            case "send logs":
                self.count("replays")
                self._note_asking()
                self._later(self.settings.replay_lag, self._replay)
            case "send stats":
                self.count("stats")
                self.send(frames.frame("stats", frames.stats_text(server.stats(), pushed=False)))
            case "send command" if self._may("control.console") and server.state != "offline":
                self.count("commands")
                server.send_command(text)
            case "set state" if text in POWER and self._may(POWER[text]):
                self._set_state(text)

    def _note_asking(self) -> None:
        if not self._asked:
            self._asked = True
            self._counters.count("asking sockets", self.server.node.name, self._opened_at)
            self._counters.enter(self.server.node.name)

    def _may(self, permission: str) -> bool:
        return tokens.permits(self._claims or {}, permission)

    def _set_state(self, action: str) -> None:
        server = self.server
        if action == "kill":
            server.kill()
            return
        if action == "start":
            taken = server.start() or server.console.running
        else:
            taken = server.stop(then_start=action == "restart")
        if not taken:
            self._send_error("daemon error", POWER_LOCKED)

    def _replay(self) -> None:
        if not self.server.console.running:
            return  # no frame, no error
        if not self.server.log_readable:
            self._send_error("daemon error", UNEXPECTED)
            return
        lines = self.server.console.replay()
        cut = self.server.take_cut()
        if cut is None:
            self._send_lines(iter(lines))
        else:
            self._send_lines(iter(lines[: cut.lines]), cut)

    def _send_lines(self, lines: Iterator[str], cut: ReplayCut | None = None) -> None:
        """Send one line of a replay; the next a little later, others may come between."""
        if not self.open:
            return
        if not self.paused:
            line = next(lines, None)
            if line is not None:
                self.send(frames.frame("console output", line))
            elif cut is None:
                return
            elif cut.all_sockets:
                self.server.close_sockets(CUT)
            else:
                self.close(CUT)
        gap = 0.001 if self.paused else self.settings.replay_gap
        self._later(gap, self._send_lines, lines, cut)

    def _authenticate(self, token: str) -> None:
        claims = tokens.read(token, self.server.node.key)
        if claims is None:
            self._send_error("daemon error", UNEXPECTED)
            return
        error = self._claims_error(claims)
        if error is not None:
            self._send_error("jwt error", error)
            return
        # Not atomic: two that overlap both find no token, and both subscribe.
        self._later(AUTH_GAP, self._accept, claims, self._claims is None)

    def _claims_error(self, claims: tokens.Claims) -> str | None:
        now, issued_at = self.clock.now // SECOND, claims["iat"]
        if now > claims["exp"] or issued_at < self.server.expired_before:
            return EXPIRED
        if issued_at * SECOND < self.server.tokens_from:
            return DENIED
        scoped = claims.get("scope") == "websocket" or not self.settings.limited
        if not scoped or not tokens.permits(claims, "websocket.connect"):
            return "jwt: missing connect permission"
        return None

    def _accept(self, claims: tokens.Claims, first: bool) -> None:  # noqa: FBT001 - called by the clock, which passes positions
        good = self.good
        self._claims = claims
        self._issued_at = claims["iat"] * SECOND
        self._valid_until = (claims["exp"] + 1) * SECOND
        mismatch = claims["server_uuid"] != self.server.uuid
        self._refusal = "jwt: server uuid mismatch" if mismatch else None
        self._write(frames.frame("auth success"))
        if not self.good:
            self._stop_attending()
        elif good and self._attendance is not None and self.open:
            self._attendance.until = self._valid_until
        elif self._listeners and self.open:
            self._attend()
        if first and self.open:
            # Registered by goroutines of its own: a live line may come before `status`.
            self._later(AUTH_GAP, self._subscribe)
            self._later(AUTH_GAP * 2, self._greet)
            self.clock.after(self.settings.ticker, self._look_at_token)

    def _subscribe(self) -> None:
        if self.open:
            listener = Listener(self)
            self._listeners.append(listener)
            self.server.console.listeners.append(listener)
            if len(self._listeners) == 1:
                self._attend()

    def _greet(self) -> None:
        server = self.server
        self.send(frames.frame("status", server.state))
        if server.state == "offline" and not server.installing:
            self.send(frames.frame("stats", frames.stats_text(server.stats(), pushed=False)))

    def _look_at_token(self) -> None:
        if not self.open or self._claims is None:
            return
        left = self._claims["exp"] - self.clock.now // SECOND
        if left <= 0:
            self.send(frames.frame("token expired"))
        elif left <= self.settings.expiring:
            self.send(frames.frame("token expiring"))
        self.clock.after(self.settings.ticker, self._look_at_token)


def _read_message(raw: bytes) -> tuple[str, str] | None:
    """Return event and joined args; None for what Go cannot read, which Wings ignores."""
    try:
        message = json.loads(raw)
        event, args = message["event"], message.get("args") or []
        text = "".join("" if arg is None else arg for arg in args)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    return (event, text) if isinstance(event, str) else None
