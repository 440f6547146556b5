"""Which stats samples are kept: one an interval, one at each change of state, none twice."""

from archiver.console.messages import Stats
from archiver.console.records import StatsSample


class Samples:
    """The samples of one server; times are microseconds since the epoch."""

    def __init__(self, interval: float) -> None:
        self._interval = round(interval * 1_000_000)
        self._last: Stats | None = None  # received, kept or not
        self._kept_at: int | None = None
        self._kept_state: str | None = None

    def receive(self, stats: Stats, at: int, run_id: int | None) -> StatsSample | None:
        """
        Return the row for *stats*, None if it need not be kept.

        The answer to `send stats` repeats the last pushed sample with its keys in
        another order (Wings f1c5bbd server/listeners.go), hence parsed values are
        compared. Without uptime, equal values may be two samples of a quiet server.
        """
        repeated, self._last = stats == self._last and stats.uptime_ms is not None, stats
        kept_at = self._kept_at
        if kept_at is not None:
            due = at >= kept_at + self._interval or stats.state != self._kept_state
            # A clock set back must not stop the recording, only equal times may.
            if repeated or at == kept_at or not (due or at < kept_at):
                return None
        self._kept_at, self._kept_state = at, stats.state
        return StatsSample(
            at=at,
            run_id=run_id,
            memory_bytes=stats.memory_bytes,
            memory_limit_bytes=stats.memory_limit_bytes,
            cpu_absolute=stats.cpu_absolute,
            rx_bytes=stats.rx_bytes,
            tx_bytes=stats.tx_bytes,
            disk_bytes=stats.disk_bytes,
            disk_read_bytes=stats.disk_read_bytes,
            disk_write_bytes=stats.disk_write_bytes,
            uptime_ms=stats.uptime_ms,
            state=stats.state,
        )
