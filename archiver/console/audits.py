"""
When to ask for a replay while connected, to find lines that were lost on the live path.

An audit costs the host a socket and 150 lines, so it follows evidence: the daemon says
that it throttles, a token ran out, a replay was cut, frames were read late, a console
is silent that should not be. Without any it is rare, and only if lines came.

A console can freeze: its lines stop for all viewers while samples and replays go on
(Wings f1c5bbd system/sink_pool.go). Then replays are all there is, as often as they
may be asked for.
"""

from archiver.console.timing import Timing

SPREAD = 0.5  # of the interval, by which the audits of different servers are apart
SPACING = 2.5  # times `replay_timeout`: 15 s between two replays of one server
SILENCE = 20  # times the usual time between two lines, and more than `silence`, is suspicious
LATE = 1.8  # times the usual step between two samples: one has been dropped
ENOUGH = 20  # lines that tell a rate
FAILURES = 3  # cut replays in a row that are asked for again before the next usual one


class Audits:
    """
    When the next audit of one connection is due.

    Args:
        timing: Waits.
        spread: 0 to 1, another for each server.

    """

    def __init__(self, timing: Timing, spread: float) -> None:
        self._timing = timing
        self._interval = timing.audit_interval * (1 - SPREAD / 2 + SPREAD * spread)
        self._spacing = SPACING * timing.replay_timeout
        self._due: float | None = None  # None: not before the first replay
        self._suspected = False
        self._asked_at: float | None = None  # the last replay
        self._since: float | None = None  # the first line of this connection
        self._count = 0  # lines of this connection
        self._fresh = 0  # of them, since the last replay
        self._last_line = 0.0
        self._uptime: int | None = None  # milliseconds, of the last sample
        self._step: float | None = None  # milliseconds between two samples, as a rule
        self._patience = 0.0  # of the present silence, seconds
        self._failures = 0

    @property
    def due(self) -> float | None:
        """When to look whether to ask; None: not at all."""
        return self._due

    @property
    def is_suspected(self) -> bool:
        """Whether lines may have been lost since the last whole replay."""
        return self._suspected

    def wait_for_spacing(self, now: float) -> float:
        """Return how many seconds another replay must wait."""
        last = self._asked_at
        return 0.0 if last is None else max(0.0, last + self._spacing - now)

    def ask(self, now: float) -> None:
        """Note that a replay is asked for."""
        self._asked_at = now

    def end(self, now: float, *, is_cut: bool, has_news: bool) -> None:
        """
        Note that a replay is over.

        Args:
            now: The time.
            is_cut: It was not whole.
            has_news: It ends in a line that had not come live, long after it was to.

        """
        self._failures = self._failures + 1 if is_cut else 0
        self._suspected = has_news or 0 < self._failures <= FAILURES
        self._fresh = 0
        self._due = now + self._interval
        if self._suspected:
            # The first time at once: what it was to bring may soon scroll out of reach.
            wait = self._timing.audit_settle
            if self._failures != 1:
                wait = self.wait_for_spacing(now) * 2 ** max(0, self._failures - 2)
            self._due = now + wait

    def hear(self, now: float) -> None:
        """Note a line of the live path."""
        if self._since is None:
            self._since = now
        self._count += 1
        self._fresh += 1
        self._last_line = now
        self._patience = 0.0

    def suspect(self, now: float) -> None:
        """Note evidence of a loss."""
        if self._due is not None:
            self._suspected = True
            wait = max(self._timing.audit_settle, self.wait_for_spacing(now))
            self._due = min(self._due, now + wait)

    def watch(self, now: float, uptime: int | None) -> None:
        """
        Note a sample of a console that runs.

        Samples come in a steady rhythm and are dropped where a reader is late, as lines
        are; so a step of the uptime that is too large tells of lines.

        Args:
            now: The time.
            uptime: Milliseconds, as the sample has it; None: it has none.

        """
        if uptime is not None:
            self._watch_rhythm(now, uptime)
        if self._since is None or self._count < ENOUGH:
            return
        usual = (self._last_line - self._since) / self._count
        least = max(self._timing.silence, SILENCE * usual)
        if now - self._last_line > max(least, self._patience):
            self._patience = 2 * (now - self._last_line)
            self.suspect(now)

    def _watch_rhythm(self, now: float, uptime: int) -> None:
        last, self._uptime = self._uptime, uptime
        if last is None or uptime < last:
            return  # it is another run's, or came out of order
        step = uptime - last
        if self._step is not None and step > LATE * self._step:
            self.suspect(now)
        if step:  # else it is the same once more
            self._step = step if self._step is None else 0.9 * self._step + 0.1 * step

    def is_due(self, now: float) -> bool:
        """Return whether to ask now; else the next look is set."""
        if self._due is None or now < self._due:
            return False
        if self._suspected or self._fresh:
            return True
        self._due = now + self._interval
        return False
