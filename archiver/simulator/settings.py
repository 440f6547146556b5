"""
What a simulated panel and its nodes are like: every number that a host can set.

The defaults are those of Wings and its panel. Durations are seconds, sizes bytes.
"""

from dataclasses import dataclass
from typing import Literal

Generation = Literal["1.11", "1.12", "pelican"]

# Of the client API, a minute: pterodactyl/panel 706db62 and pelican-dev/panel 235c8fb, config/http.php.
REQUEST_LIMITS: dict[Generation, int] = {"1.11": 720, "1.12": 720, "pelican": 256}


@dataclass(frozen=True, slots=True)
class Settings:
    """One panel with its nodes and servers; the seed decides all the rest."""

    seed: int = 1
    # First moment, microseconds since the epoch. None: when it is first used; 14:00 on
    # 23 November 2026 in virtual time, the wall clock when it is served.
    start: int | None = None
    generation: Generation = "1.12"
    servers: int = 3
    nodes: int = 1
    games: tuple[str, ...] = ()  # names in `games.GAMES`, given in turn; empty: all in turn
    rate: float = 2.0  # console lines a second of each running server, on average; 0: none
    booted: bool = True  # the servers run from the first moment on
    boot_time: float = 2.0  # from `starting` to `running`
    stop_time: float = 1.0  # from `stopping` to `offline`
    auto_restart: bool = True  # after a crash, unless the last was under 60 s ago
    truth: bool = True  # remember every line; off for long benchmarks

    # What stats say
    stats_interval: float = 1.0  # 0: never, except when asked
    uptime: bool = True  # Wings before 1.5.2 and some hosts leave it out
    memory_limit: int = 4 * 1024**3  # without a limit Wings says about 9.22e18

    # The console
    replay_size: int = 150  # system.websocket_log_count
    log_size: int = 5 * 1024**2  # max-size 5m
    live_lag: float = 0.002  # at most, from printed to the socket
    log_lag: float = 0.004  # at most, from printed to readable in the docker log
    replay_lag: float = 0.02  # at most, from `send logs` to the read of the docker log
    replay_gap: float = 0.0002  # at most, between two lines of a replay
    throttle_lines: int = 2000  # per 0.1 s; above it live lines are dropped

    # One socket
    ring: int = 8  # lines that wait for a slow reader
    patience: float = 0.01  # for a slow reader, then the oldest line or the event is dropped
    inbound_lag: float = 0.001  # at most; messages overtake each other within it
    origin_checked: bool = True
    deflate: bool = False  # permessage-deflate, where the client offers it

    # Tokens and limits
    token_life: float = 600.0
    ticker: float = 30.0  # between two looks at the token of a socket
    expiring: float = 60.0  # `token expiring` when at most this is left
    token_scope: bool = True  # panels before 1.12.3 leave `scope` out, newer daemons need it
    permissions: tuple[str, ...] = ("*",)
    token_limit: int | None = 5  # per server and minute, from 1.12 on; None: unlimited
    request_limit: int | None = None  # per key and minute; None: as the generation has it

    @property
    def limited(self) -> bool:
        """Whether the daemon limits messages and sockets: from 1.12 on, and Pelican."""
        return self.generation != "1.11"

    @property
    def app_name(self) -> str:
        """The name before its daemon lines (app_name of the daemon's configuration)."""
        return "pelican" if self.generation == "pelican" else "Pterodactyl"

    @property
    def requests_a_minute(self) -> int:
        """What the client API answers per key and minute."""
        return self.request_limit or REQUEST_LIMITS[self.generation]
