"""
Every wait of the archiver in one value, so that a test can run all of them faster.

The waits belong to the protocol: how long a daemon is given to answer, when a
replay is over, how often a token is renewed. Sources are in ``protocol.md`` terms
of Wings; each number says what it follows from.
"""

from dataclasses import dataclass, fields, replace


@dataclass(frozen=True, slots=True)
class Timing:
    """Waits in seconds."""

    # One socket
    open_timeout: float = 15.0  # TCP, TLS and the upgrade, through a slow proxy
    auth_timeout: float = 10.0  # Wings answers auth at once; a frozen node never
    auth_spacing: float = 5.5  # newer daemons take one auth per 5 s after a burst of 2
    ping_interval: float = 20.0  # nginx cuts an idle socket after 60 s, Cloudflare after 100 s
    ping_timeout: float = 20.0
    healthy_after: float = 30.0  # of live connection: backoff starts again from its first step

    # The token
    renew_before: float = 90.0  # the daemon warns at 60 s, and not reliably
    renew_jitter: float = 60.0  # earlier by up to this, so that renewals spread

    # The replay
    status_timeout: float = 2.0  # after auth success; `status` may have been dropped
    stats_timeout: float = 1.5  # for the answer to `send stats`
    replay_quiet: float = 0.35  # after the last frame: the burst is over
    replay_empty: float = 1.2  # nothing came at all
    replay_timeout: float = 6.0  # the longest that lines are held for one replay
    alone_quiet: float = 0.12  # of the main socket, before it asks itself
    alone_timeout: float = 1.5  # the longest that this quiet is waited for
    throttled_wait: float = 6.0  # newer daemons take one `send logs` per 5 s
    twin_window: float = 0.08  # a line and its copy on the other socket arrive this close

    # Replays while connected
    audit_interval: float = 900.0  # where nothing asks for one, and lines came; inf: never
    audit_settle: float = 2.0  # after evidence of a loss: let it be over
    silence: float = 60.0  # of a console that used to print more often

    # Attempts
    backoff_first: float = 1.0
    backoff_most: float = 60.0
    slow_retry: float = 45.0  # suspended, restoring, not permitted: a person must act first

    # The panel
    request_timeout: float = 20.0
    discovery_interval: float = 180.0

    # The archive
    stats_interval: float = 10.0  # between stored samples of one server
    commit_interval: float = 1.0  # a lost second comes back with the next replay

    def scaled(self, factor: float) -> "Timing":
        """Return the same waits, each multiplied by *factor*."""
        return replace(self, **{f.name: getattr(self, f.name) * factor for f in fields(self)})
