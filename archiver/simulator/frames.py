"""
Frames as Wings writes them: one JSON object as Go's encoder has it, and a newline.

Source: Wings f1c5bbd router/websocket/message.go (order of keys, ``args`` left out
when empty), server/console.go (daemon lines), environment/stats.go and
server/resources.go (stats).
"""

import json
import re
from decimal import Decimal
from json.encoder import encode_basestring
from typing import Any, NamedTuple

_HTML = str.maketrans(
    {
        "<": "\\u003c",
        ">": "\\u003e",
        "&": "\\u0026",
        "\u2028": "\\u2028",
        "\u2029": "\\u2029",
    }
)
_ESCAPED = re.compile("[<>&\u2028\u2029]")  # most lines have none, and translate is slow


def quote(text: str) -> str:
    """Return one string as Go's encoding/json writes it: HTML and line separators escaped."""
    quoted = encode_basestring(text)
    return quoted.translate(_HTML) if _ESCAPED.search(quoted) else quoted


def frame(event: str, *args: str) -> bytes:
    """Return one message as bytes."""
    if not args:
        return f'{{"event":"{event}"}}\n'.encode()
    quoted = ",".join([quote(arg) for arg in args])
    return f'{{"event":"{event}","args":[{quoted}]}}\n'.encode("utf-8", "replace")


def daemon_line(app_name: str, text: str) -> str:
    """Return one of the daemon's own lines, yellow and bold as it prints them."""
    return f"\x1b[33m\x1b[1m[{app_name} Daemon]:\x1b[39m {text}\x1b[0m"


class Stats(NamedTuple):
    """One sample of a server's resources."""

    memory_bytes: int
    memory_limit_bytes: int
    cpu_absolute: float  # percent of one core
    rx_bytes: int
    tx_bytes: int
    uptime: int | None  # milliseconds; None: this daemon does not say
    state: str
    disk_bytes: int
    disk_io: tuple[int, int] | None  # read, written; None: this daemon does not say


def stats_text(stats: Stats, *, pushed: bool) -> str:
    """
    Return a sample as the JSON text inside a ``stats`` event.

    Args:
        stats: The sample.
        pushed: From the event bus, where it went through a map: keys in alphabetical
            order and numbers through float64. Else the answer to one socket, in the
            struct's order and exact.

    """
    sample: dict[str, Any] = {
        "memory_bytes": stats.memory_bytes,
        "memory_limit_bytes": stats.memory_limit_bytes,
        "cpu_absolute": stats.cpu_absolute,
        "network": {"rx_bytes": stats.rx_bytes, "tx_bytes": stats.tx_bytes},
    }
    if stats.uptime is not None:
        sample["uptime"] = stats.uptime
    if stats.disk_io is not None:
        sample["disk_io"] = dict(zip(("read_bytes", "write_bytes"), stats.disk_io, strict=True))
    sample |= {"state": stats.state, "disk_bytes": stats.disk_bytes}
    if pushed:
        exact = stats.memory_limit_bytes
        if exact >= 2**53:  # the only number that float64 changes
            sample["memory_limit_bytes"] = int(format(Decimal(repr(float(exact))), "f"))
    return json.dumps(sample, separators=(",", ":"), sort_keys=pushed)
