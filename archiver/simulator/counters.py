"""
What clients did to the panel and its nodes, with the time of each: tests assert on it.

Counted are ``requests`` (of the client API), ``tokens``,
``refused`` (HTTP 429), ``sockets``, ``turned away`` (before the upgrade), ``auths``,
``replays``, ``stats``, ``commands``, ``throttled``, ``lines dropped`` and ``events dropped``.
"""

from collections import defaultdict

from archiver.simulator.clock import SECOND


class Counters:
    """Times of everything that clients asked for, by server (its uuid, or "")."""

    def __init__(self) -> None:
        self._times: dict[tuple[str, str], list[int]] = defaultdict(list)
        self.open_sockets: dict[str, int] = defaultdict(int)
        self.most_open: dict[str, int] = defaultdict(int)  # "" is the most of all together

    def count(self, what: str, server: str, now: int) -> None:
        """Note that *what* happened to one server."""
        self._times[what, server].append(now)

    def opened(self, server: str, now: int) -> None:
        """Note that a socket was opened."""
        self.count("sockets", server, now)
        for place in (server, ""):
            self.open_sockets[place] += 1
            self.most_open[place] = max(self.most_open[place], self.open_sockets[place])

    def closed(self, server: str) -> None:
        """Note that a socket was closed."""
        for place in (server, ""):
            self.open_sockets[place] -= 1

    def times(self, what: str, server: str | None = None) -> list[int]:
        """Return when it happened, in order; None: to any server."""
        if server is not None:
            return list(self._times.get((what, server), ()))
        found = [times for (name, _), times in self._times.items() if name == what]
        return sorted(time for times in found for time in times)

    def total(self, what: str, server: str | None = None) -> int:
        """Return how often it happened; None: to any server."""
        return len(self.times(what, server))

    def most_in_window(self, what: str, seconds: float = 60, server: str | None = None) -> int:
        """Return the most that happened within any window of that length."""
        times = self.times(what, server)
        width = int(seconds * SECOND)
        most = first = 0
        for last, time in enumerate(times):
            while times[first] <= time - width:
                first += 1
            most = max(most, last - first + 1)
        return most
