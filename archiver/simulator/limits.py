"""The two kinds of limit: Go's token bucket in the daemon, Laravel's minute in the panel."""

from archiver.simulator.clock import SECOND

WINDOW = 60 * SECOND


class Bucket:
    """
    A burst, then one per interval (golang.org/x/time/rate).

    Args:
        burst: So many at once.
        interval: Seconds.
        now: The time.

    """

    def __init__(self, burst: int, interval: float, now: int) -> None:
        self.told = False  # of this period of refusals; one message is sent for each
        self._burst = burst
        self._interval = interval * SECOND
        self._left = float(burst)
        self._at = now

    def take(self, now: int) -> bool:
        """Tell whether one more may pass."""
        self._left = min(self._burst, self._left + (now - self._at) / self._interval)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        self.told = False
        return True


class Minute:
    """So many in the minute that begins with the first (Laravel's RateLimiter)."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.used = 0
        self.ends_at = 0

    def take(self, now: int) -> bool:
        """Tell whether one more may pass."""
        if now >= self.ends_at:
            self.used, self.ends_at = 0, now + WINDOW
        if self.used >= self.most:
            return False
        self.used += 1
        return True
