"""
The state of one WebSocket to a daemon: frames in, messages and events out.

Rule 1: one ``auth`` is outstanding at a time. Two of them before the first
success can subscribe twice, and then every line comes twice for the life of the
socket (Wings f1c5bbd router/websocket/websocket.go: newConnection is not atomic).

Rule 2: nothing is asked before the first ``auth success``. A daemon handles each
message in a task of its own, so what is sent behind ``auth`` may be handled
before it (router/router_server_ws.go).

Rule 3: authenticating again on the same socket is not a new connection: no
status, no replay, no second subscription follows.
"""

from dataclasses import dataclass
from enum import Enum

from archiver.console import messages
from archiver.console.messages import (
    AuthSuccess,
    DaemonError,
    JwtError,
    Message,
    Throttled,
    TokenExpired,
    TokenExpiring,
)
from archiver.console.timing import Timing


@dataclass(frozen=True, slots=True)
class Authenticated:
    """The first token was accepted; from here on the connection is live."""


@dataclass(frozen=True, slots=True)
class Renewed:
    """Another token was accepted."""


@dataclass(frozen=True, slots=True)
class TokenWanted:
    """The socket needs a token other than the one it has."""

    reason: str


@dataclass(frozen=True, slots=True)
class Withheld:
    """The token ran out: what is published from here on is lost, until `Renewed`."""


@dataclass(frozen=True, slots=True)
class LogsThrottled:
    """A ``send logs`` was dropped by the daemon: no replay will come."""


@dataclass(frozen=True, slots=True)
class Refused:
    """This socket is of no use: close it, and wait as *slow* says."""

    reason: str
    do: str | None  # what a person can do about it; None: nothing
    slow: bool  # True: trying again soon will not help


ConnectionEvent = Authenticated | Renewed | TokenWanted | Withheld | LogsThrottled | Refused


class _Phase(Enum):
    OPENED = "opened"
    AUTHENTICATING = "authenticating"  # the first time
    LIVE = "live"
    REFUSED = "refused"


# Wings f1c5bbd router/websocket/websocket.go; gbrlsnchs/jwt validators.go. An
# answer to our own message carries this prefix, an event that was withheld from
# us because the old token ran out does not.
_ANSWER = "Error Event ["
_NO_PERMISSION = "missing connect permission"
_OTHER_SERVER = "server uuid mismatch"
_DENYLIST = "created too far in past"
_NOT_VALID_NOW = "exp claim is invalid"


class Connection:
    """
    One socket, from its opening on.

    Give it frames, tokens and the time; after each call send what
    ``messages_to_send`` returns and act on ``events``. Call ``advance`` no later
    than ``next_due``. All times are monotonic seconds.
    """

    def __init__(self, timing: Timing) -> None:
        self._timing = timing
        self._phase = _Phase.OPENED
        self._outbox: list[str] = []
        self._events: list[ConnectionEvent] = []
        self._jwt = ""
        self._renew_at: float | None = None
        self._auth_due: float | None = None  # to be sent then: daemons limit it
        self._auth_sent_at: float | None = None  # and not answered yet
        self._last_auth_at: float | None = None
        self._wanted = False  # a token was asked for and has not come
        self._refusals = 0  # since the last success
        self._withheld = False  # since the last success
        self._late_until = 0.0  # errors for what was withheld before it may come as late

    @property
    def is_live(self) -> bool:
        """True from the first ``auth success`` on."""
        return self._phase is _Phase.LIVE

    @property
    def is_refused(self) -> bool:
        """True once the socket is of no use."""
        return self._phase is _Phase.REFUSED

    # What the owner does

    def authenticate(self, jwt: str, *, renew_at: float, now: float) -> None:
        """
        Send a token, the first or another one, as soon as the daemon takes it.

        That is not before the one that is under way was answered.

        Args:
            jwt: The token.
            renew_at: When to ask for the next one.
            now: The time.

        """
        if self._phase is _Phase.REFUSED:
            return
        self._jwt = jwt
        self._renew_at = renew_at
        self._wanted = False
        if self._phase is _Phase.OPENED:
            self._phase = _Phase.AUTHENTICATING
        last = self._last_auth_at
        self._auth_due = now if last is None else max(now, last + self._timing.auth_spacing)
        self.advance(now)

    def ask_stats(self) -> None:
        """Ask for one stats sample; also tells which run this is."""
        self._ask(messages.send_stats())

    def ask_logs(self) -> None:
        """Ask for a replay; never while another is outstanding on any socket."""
        self._ask(messages.send_logs())

    def send_command(self, command: str) -> None:
        """Type *command* into the console."""
        self._ask(messages.send_command(command))

    def set_state(self, action: str) -> None:
        """Ask for a power action: start, stop, restart or kill."""
        self._ask(messages.set_state(action))

    # What happens to it

    def receive_frame(self, frame: str | bytes, now: float) -> Message:
        """Return what *frame* says, after drawing the consequences."""
        message = messages.parse_message(frame)
        match message:
            case AuthSuccess():
                self._accept(now)
            case JwtError(text=text):
                self._receive_jwt_error(text, now)
            case DaemonError():
                self._receive_daemon_error()
            case TokenExpiring():
                self._want_token(message.event)
            case TokenExpired():
                self._note_withheld()
                self._want_token(message.event)
            case Throttled(text=what):
                self._receive_throttled(what, now)
            case _:
                pass
        return message

    def advance(self, now: float) -> None:
        """Let time pass: send a waiting ``auth``, ask for a token, give up."""
        due = self._auth_due
        if due is not None and now >= due and self._auth_sent_at is None:
            self._auth_due = None
            self._auth_sent_at = self._last_auth_at = now
            self._outbox.append(messages.auth(self._jwt))
        if self._renew_at is not None and now >= self._renew_at:
            self._want_token("renewal is due")
        sent_at = self._auth_sent_at
        if sent_at is not None and now >= sent_at + self._timing.auth_timeout:
            self._refuse(f"no answer to auth in {self._timing.auth_timeout:g} s", None, slow=False)

    def next_due(self) -> float | None:
        """Return when ``advance`` has something to do; None: only frames matter."""
        if self._auth_sent_at is not None:
            return self._auth_sent_at + self._timing.auth_timeout
        return self._renew_at if self._auth_due is None else self._auth_due

    # What comes of it

    def messages_to_send(self) -> list[str]:
        """Return the frames to send, oldest first, once."""
        outbox, self._outbox = self._outbox, []
        return outbox

    def events(self) -> list[ConnectionEvent]:
        """Return what happened, oldest first, once."""
        events, self._events = self._events, []
        return events

    # Private

    def _ask(self, message: str) -> None:
        if self.is_refused:
            return
        if not self.is_live:
            raise RuntimeError("nothing may be asked before auth success")
        self._outbox.append(message)

    def _accept(self, now: float) -> None:
        self._auth_sent_at = None
        self._refusals = 0
        if self._withheld:
            self._withheld = False
            self._late_until = now + self._timing.stats_timeout
        if self._phase is _Phase.AUTHENTICATING:
            self._phase = _Phase.LIVE
            self._events.append(Authenticated())
        elif self._phase is _Phase.LIVE:
            self._events.append(Renewed())

    def _receive_jwt_error(self, text: str, now: float) -> None:
        is_answer = text.startswith(_ANSWER) or self._phase is not _Phase.LIVE
        if _NO_PERMISSION in text:
            self._refuse(
                "the token lacks the permission websocket.connect",
                "give the key's user that permission; with Wings 1.12.2 or newer, update the panel",
                slow=True,
            )
        elif _OTHER_SERVER in text:
            # auth takes such a token, and then every event is refused.
            self._refuse(
                "the token is of another server",
                "see whether two servers of the panel share a node and a uuid",
                slow=True,
            )
        elif not is_answer:
            if now >= self._late_until:
                self._note_withheld()
                self._want_token(text)
        elif self._auth_sent_at is None:
            self._want_token(text)
        elif _DENYLIST in text:
            self._count_refusal(
                "the daemon refuses tokens older than its own start",
                "compare the clocks of panel and node: the panel's is behind",
            )
        elif _NOT_VALID_NOW in text:
            self._count_refusal(
                "the daemon calls a fresh token expired",
                "set the clocks of panel and node by NTP: they differ by minutes",
            )
        else:
            self._count_refusal(f"the daemon refuses the token: {text!r}", None)

    def _receive_daemon_error(self) -> None:
        # A bad signature is answered with a vague one; later they may mean anything.
        if self._phase is _Phase.AUTHENTICATING and self._auth_sent_at is not None:
            self._count_refusal("the daemon does not accept the token", None)

    def _receive_throttled(self, what: str, now: float) -> None:
        if what in {"auth", "global"} and self._auth_sent_at is not None:
            self._auth_sent_at = None
            self._auth_due = now + self._timing.throttled_wait
        if what in {"send logs", "global"}:
            self._events.append(LogsThrottled())

    def _count_refusal(self, reason: str, do: str | None) -> None:
        """Try one other token, then say that tokens do not help."""
        self._auth_sent_at = None
        self._refusals += 1
        if self._refusals == 1:
            self._want_token(reason)
        else:
            self._refuse(reason, do, slow=True)

    def _want_token(self, reason: str) -> None:
        """Ask for another token, unless one was asked for or is under way."""
        is_under_way = self._auth_due is not None or self._auth_sent_at is not None
        if not self._wanted and not is_under_way and self._phase is not _Phase.REFUSED:
            self._wanted = True
            self._renew_at = None
            self._events.append(TokenWanted(reason))

    def _note_withheld(self) -> None:
        if self._phase is _Phase.LIVE and not self._withheld:
            self._withheld = True
            self._events.append(Withheld())

    def _refuse(self, reason: str, do: str | None, *, slow: bool) -> None:
        self._auth_due = self._auth_sent_at = self._renew_at = None
        if self._phase is not _Phase.REFUSED:
            self._phase = _Phase.REFUSED
            self._events.append(Refused(reason, do, slow))
