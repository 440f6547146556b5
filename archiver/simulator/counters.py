"""
What clients did to the panel and its nodes, with the time of each: tests assert on it.

Counted for each server (its uuid) are ``token requests``, ``tokens`` (given), ``sockets``,
``turned away`` (before the upgrade), ``auths``, ``replays``, ``stats``, ``commands``,
``throttled``, ``lines dropped`` and ``events dropped``; for each node (its name) ``asking sockets``, with the time each was
opened; for "" ``requests`` and ``refused`` (HTTP 429).
"""

from collections import defaultdict

from archiver.simulator.clock import SECOND


class Counters:
    """Times of what clients did, and how many of them were somewhere at once."""

    def __init__(self) -> None:
        self._times: dict[tuple[str, str], list[int]] = defaultdict(list)
        # Open sockets of each server; of each node those that asked for a replay; "": all.
        self.open_sockets: dict[str, int] = defaultdict(int)
        self.most_open: dict[str, int] = defaultdict(int)

    def count(self, what: str, where: str, now: int) -> None:
        """Note that *what* happened."""
        self._times[what, where].append(now)

    def enter(self, where: str) -> None:
        """Note that a socket is open there."""
        self.open_sockets[where] += 1
        self.most_open[where] = max(self.most_open[where], self.open_sockets[where])

    def leave(self, where: str) -> None:
        """Note that a socket there was closed."""
        self.open_sockets[where] -= 1

    def times(self, what: str, where: str | None = None) -> list[int]:
        """Return when it happened, in order; None: anywhere."""
        found = [
            times
            for key, times in self._times.items()
            if key[0] == what and where in (None, key[1])
        ]
        return sorted(time for times in found for time in times)

    def total(self, what: str, where: str | None = None) -> int:
        """Return how often it happened; None: anywhere."""
        return len(self.times(what, where))

    def most_in_window(self, what: str, seconds: float = 60, where: str | None = None) -> int:
        """Return the most that happened within any window of that length; None: anywhere."""
        times = self.times(what, where)
        width = int(seconds * SECOND)
        most = first = 0
        for last, time in enumerate(times):
            while times[first] <= time - width:
                first += 1
            most = max(most, last - first + 1)
        return most
