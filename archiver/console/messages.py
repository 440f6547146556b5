"""
One wire message, JSON text, to and from one frozen value.

Whatever arrives is a value: a message this program knows, or ``Unknown`` with
what was received. Nothing here raises on input from the network.

Envelope: ``{"event": str, "args": [str, ...]}``; ``args`` is left out when empty
and holds at most one element, but ``null`` elements occur and some daemons send
more (Wings f1c5bbd router/websocket/message.go).
"""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from archiver.console.lines import scrub

INT64_MAX = 2**63 - 1
UNKNOWN_KEPT = 16_384  # characters of an unknown frame that are worth storing


@dataclass(frozen=True, slots=True)
class Message:
    """Anything a daemon sends."""

    event: ClassVar[str] = ""


@dataclass(frozen=True, slots=True)
class TextMessage(Message):
    """A message whose only argument is a text."""

    text: str


@dataclass(frozen=True, slots=True)
class AuthSuccess(Message):
    """The token was accepted."""

    event: ClassVar[str] = "auth success"
    permissions: tuple[str, ...] = ()  # Calagopus only


@dataclass(frozen=True, slots=True)
class Status(Message):
    """The state of the game process: offline, starting, running or stopping."""

    event: ClassVar[str] = "status"
    state: str


@dataclass(frozen=True, slots=True)
class Stats(Message):
    """One sample of resources; counters are those of the current container."""

    event: ClassVar[str] = "stats"
    memory_bytes: int
    memory_limit_bytes: int  # clamped to 2**63 - 1; cgroup v1 says 2**64 - 1 for none
    cpu_absolute: float  # percent of one core
    rx_bytes: int
    tx_bytes: int
    disk_bytes: int
    disk_read_bytes: int | None  # None: not a Pelican daemon
    disk_write_bytes: int | None
    uptime_ms: int | None  # None: Wings before 1.5.2, Fragify
    state: str | None


class ConsoleOutput(TextMessage):
    """A console line: live, replayed, or the daemon's own."""

    __slots__ = ()
    event: ClassVar[str] = "console output"


class DaemonMessage(TextMessage):
    """Progress of an installation or a restore."""

    __slots__ = ()
    event: ClassVar[str] = "daemon message"


class DaemonError(TextMessage):
    """An error of the daemon; the text is vague unless one is an administrator."""

    __slots__ = ()
    event: ClassVar[str] = "daemon error"


class JwtError(TextMessage):
    """The token is refused, or an event was withheld because of it."""

    __slots__ = ()
    event: ClassVar[str] = "jwt error"


class InstallOutput(TextMessage):
    """A line of the installer, or of an image pull; administrators only."""

    __slots__ = ()
    event: ClassVar[str] = "install output"


class TransferLogs(TextMessage):
    """A line of a transfer's log; administrators only."""

    __slots__ = ()
    event: ClassVar[str] = "transfer logs"


class TransferStatus(TextMessage):
    """How far a transfer is."""

    __slots__ = ()
    event: ClassVar[str] = "transfer status"


class BackupCompleted(TextMessage):
    """A backup ended; the text is JSON with uuid, checksum and size."""

    __slots__ = ()
    event: ClassVar[str] = "backup completed"


class FeatureMatch(TextMessage):
    """Pelican: a console line matched a pattern; the text is JSON."""

    __slots__ = ()
    event: ClassVar[str] = "feature match"


class Throttled(TextMessage):
    """A message of ours was dropped; the text is its event, or ``global``."""

    __slots__ = ()
    event: ClassVar[str] = "throttled"


class TokenExpiring(Message):
    """The token has at most a minute left."""

    __slots__ = ()
    event: ClassVar[str] = "token expiring"


class TokenExpired(Message):
    """The token is no longer valid; events are withheld."""

    __slots__ = ()
    event: ClassVar[str] = "token expired"


class InstallStarted(Message):
    """An installation began."""

    __slots__ = ()
    event: ClassVar[str] = "install started"


class InstallCompleted(Message):
    """An installation ended."""

    __slots__ = ()
    event: ClassVar[str] = "install completed"


class BackupRestoreCompleted(Message):
    """A restore ended."""

    __slots__ = ()
    event: ClassVar[str] = "backup restore completed"


class Deleted(Message):
    """The server is being deleted."""

    __slots__ = ()
    event: ClassVar[str] = "deleted"


@dataclass(frozen=True, slots=True)
class Unknown(Message):
    """Anything else, kept as it came."""

    name: str | None  # its event; None: not a message, or not in the form of its event
    frame: str  # what was received, at most UNKNOWN_KEPT characters


# From the arguments, all strings, to a message; None if they are not what the event needs.
_Read = Callable[[list[str]], Message | None]


def parse_message(frame: str | bytes) -> Message:
    """
    Return the value of one received frame; never raises.

    Args:
        frame: A text frame, or a binary one, which is read as UTF-8.

    """
    text = frame.decode(errors="replace") if isinstance(frame, bytes) else frame
    try:
        decoded = json.loads(text)
    except (ValueError, RecursionError):
        return _unknown(None, text)
    if not isinstance(decoded, dict) or not isinstance(decoded.get("event"), str):
        return _unknown(None, text)
    event = decoded["event"]
    read = _READ.get(event)
    if read is None:
        return _unknown(event, text)
    args = decoded.get("args")
    if args is None:
        args = []
    message = None
    if isinstance(args, list):
        args = [arg for arg in args if arg is not None]
        message = read(args) if all(isinstance(arg, str) for arg in args) else None
    return _unknown(None, text) if message is None else message


def _unknown(event: str | None, frame: str) -> Unknown:
    return Unknown(None if event is None else scrub(event[:100]), scrub(frame[:UNKNOWN_KEPT]))


def _parse_status(args: list[str]) -> Status | None:
    return Status(scrub(args[0][:100])) if args and args[0] else None


def _parse_auth_success(args: list[str]) -> AuthSuccess:
    return AuthSuccess(tuple(scrub(arg) for arg in args))


def _parse_stats(args: list[str]) -> Stats | None:
    """Read the sample, which is JSON in a string; None if it is not one."""
    try:
        sample = json.loads(args[0])
        network = sample.get("network") or {}
        disk_io = sample.get("disk_io") or {}
        state = sample.get("state")
        return Stats(
            memory_bytes=_integer(sample["memory_bytes"]),
            memory_limit_bytes=_integer(sample.get("memory_limit_bytes", 0)),
            cpu_absolute=float(_number(sample.get("cpu_absolute", 0.0))),
            rx_bytes=_integer(network.get("rx_bytes", 0)),
            tx_bytes=_integer(network.get("tx_bytes", 0)),
            disk_bytes=_integer(sample.get("disk_bytes", 0)),
            disk_read_bytes=_integer(disk_io["read_bytes"]) if "read_bytes" in disk_io else None,
            disk_write_bytes=_integer(disk_io["write_bytes"]) if "write_bytes" in disk_io else None,
            uptime_ms=_integer(sample["uptime"]) if "uptime" in sample else None,
            state=scrub(state[:100]) if isinstance(state, str) else None,
        )
    except (
        ArithmeticError,  # a number that is infinite, or has no place in a float
        AttributeError,
        LookupError,
        RecursionError,
        TypeError,
        ValueError,
    ):
        return None


def _number(value: object) -> float:
    """Return a finite number; floats stand for integers where Go went through a map."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(value)
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(value)
    return value


def _integer(value: object) -> int:
    return max(-INT64_MAX - 1, min(INT64_MAX, int(_number(value))))


def _reader_of_text(kind: type[TextMessage]) -> _Read:
    return lambda args: kind(scrub("".join(args))) if args else None


def _reader_of_bare(kind: type[Message]) -> _Read:
    return lambda _args: kind()


_READ: dict[str, _Read] = {
    Status.event: _parse_status,
    AuthSuccess.event: _parse_auth_success,
    Stats.event: _parse_stats,
    **{kind.event: _reader_of_text(kind) for kind in TextMessage.__subclasses__()},
    **{
        kind.event: _reader_of_bare(kind)
        for kind in (
            TokenExpiring,
            TokenExpired,
            InstallStarted,
            InstallCompleted,
            BackupRestoreCompleted,
            Deleted,
        )
    },
}


def event_row(message: Message) -> tuple[str, str]:
    """Return the name and the arguments, as JSON text, that the archive keeps of an event."""
    match message:
        case Unknown(name=None, frame=frame):
            return "unreadable", json.dumps([frame], ensure_ascii=False)
        case Unknown(name=str(name), frame=frame):
            return name, json.dumps([frame], ensure_ascii=False)
        case TextMessage(text=text):
            return message.event, json.dumps([text], ensure_ascii=False)
        case _:
            return message.event, "[]"


# What a client can send (Wings f1c5bbd router/websocket/websocket.go, HandleInbound).


def auth(token: str) -> str:
    """Return the message that authenticates a socket, or renews its token."""
    return _encode("auth", token)


def send_logs() -> str:
    """Return the request for a replay; ``[null]`` is what the official panel sends."""
    return _encode("send logs", None)


def send_stats() -> str:
    """Return the request for one stats sample."""
    return _encode("send stats", None)


def send_command(command: str) -> str:
    """Return the request to type *command* into the console."""
    return _encode("send command", command)


def set_state(action: str) -> str:
    """Return the request for a power action: start, stop, restart or kill."""
    return _encode("set state", action)


def _encode(event: str, arg: str | None) -> str:
    return json.dumps({"event": event, "args": [arg]}, separators=(",", ":"))
