"""
Which lines a good client could have had, whatever it really did with its sockets.

A line counts as recoverable if it was *heard*: handed live to a subscribed socket whose
token was good (what a slow reader then lost is the reader's fault; what the daemon
dropped on the way was never handed over). Else if a replay had it for certain, which is
one of two:

* It was readable before a subscription and stood in the log's tail until *grace* later,
  with the socket still open and its token good: whoever asks in between has it.
* It stood in the tail for *interval* without a break while a socket was open, its token
  good and its subscription older than *grace*: whoever asks that often has it.

So a client that reads at once, asks within *grace* of each subscription and then at
least once in *interval* has every recoverable line, at whichever moments it asks. A
subscription here is also the first good token after a bad one.
"""

from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from operator import attrgetter

from archiver.simulator.container import ENTRY, LONGEST

GRACE = 1.0  # seconds
INTERVAL = 5.0  # seconds: newer daemons answer a socket's `send logs` no more often
_NEVER = 2**63


@dataclass(slots=True)
class Fate:
    """What became of one line."""

    pieces: int  # live ones that nobody has heard yet
    heard_at: int | None = None  # when a socket was handed the last of them
    readable_at: int | None = None  # when a replay first had it whole; None: not yet
    left_at: int | None = None  # when a replay no longer had it; None: not yet

    def hear(self, now: int) -> None:
        """Note that a piece was handed to a socket that would have taken it."""
        self.pieces -= 1
        if self.pieces == 0:
            self.heard_at = now


@dataclass(slots=True)
class Attendance:
    """A time in which one subscribed socket had a good token."""

    since: int
    until: int


class Witness:
    """
    What became of the lines of one server, and when somebody could have asked.

    Args:
        reach: Entries of the log that a replay asks for.

    """

    def __init__(self, reach: int) -> None:
        self.fates: list[Fate] = []  # of the lines, in their order
        self.attendances: list[Attendance] = []  # in the order of their beginnings
        self._reach = reach
        self._entries = 0  # written to the log so far
        self._standing: deque[tuple[int, Fate]] = deque()  # by its first entry
        self._hidden: list[Fate] = []  # behind a line that no replay gets past
        self._hidden_until = -_NEVER  # this entry has left the tail

    def attend(self, since: int, until: int) -> Attendance:
        """Note that a socket is subscribed, and return what tells until when."""
        self.attendances.append(attendance := Attendance(since, until))
        return attendance

    def log(self, size: int, pieces: int, readable_at: int) -> Fate:
        """
        Note that a line was written to the log.

        Args:
            size: Its bytes with its end.
            pieces: How many lines it is to a live viewer.
            readable_at: When it can be read from the log.

        """
        first = self._entries
        self._entries += -(-size // ENTRY)
        self._leave(self._entries - 1 - self._reach, readable_at)
        fate = Fate(pieces)
        self.fates.append(fate)
        if size > LONGEST:  # the line without its newline has no room in Wings' scanner
            self._hidden_until = first + -(-(size - LONGEST) // ENTRY) - 1
        elif self._hidden_until > self._entries - 1 - self._reach:
            self._hidden.append(fate)
        else:
            fate.readable_at = readable_at
        self._standing.append((first, fate))
        self._leave(self._entries - 1 - self._reach, readable_at)
        return fate

    def _leave(self, entry: int, now: int) -> None:
        """Let entries up to this one leave the tail."""
        standing = self._standing
        while standing and standing[0][0] <= entry:
            standing.popleft()[1].left_at = now
        if self._hidden and self._hidden_until <= entry:
            for fate in self._hidden:
                fate.readable_at = now
            self._hidden.clear()

    def clear(self, now: int) -> None:
        """Note that the log was removed, or begins anew with a run."""
        self._hidden.clear()
        self._hidden_until = -_NEVER
        for _, fate in self._standing:
            fate.left_at = now
        self._standing.clear()

    def first_possible(
        self, now: int, ended_at: Iterable[int | None], grace: int, interval: int
    ) -> list[int | None]:
        """
        Return when each line could first be had; None if it was not recoverable.

        Args:
            now: The time; what is still to come does not count.
            ended_at: For each line when its run ended; None: it has not.
            grace: After a subscription, microseconds.
            interval: Between two replays, microseconds.

        """
        past = [Attendance(a.since, min(a.until, now)) for a in self.attendances]
        asked = sorted(a.since for a in past if a.until - a.since >= grace)
        spans = _unite(past, grace)
        return [
            fate.heard_at
            if fate.heard_at is not None
            else _first_replay(fate, now if end is None else end, asked, spans, grace, interval)
            for fate, end in zip(self.fates, ended_at, strict=True)
        ]


def _first_replay(  # noqa: PLR0917 - one place, and called for each line
    fate: Fate, end: int, asked: list[int], spans: list[Attendance], grace: int, interval: int
) -> int | None:
    """Return when a replay had the line for certain; None if none had."""
    readable_at = fate.readable_at
    if readable_at is None:
        return None
    left_at = end if fate.left_at is None else min(fate.left_at, end)
    place = bisect_left(asked, readable_at)
    found = _NEVER
    if place < len(asked) and asked[place] + grace < left_at:
        found = asked[place]
    place = bisect_right(spans, readable_at, key=attrgetter("until"))
    for span in spans[place:]:
        since = max(span.since, readable_at)
        if since + interval > left_at or since >= found:
            break
        if since + interval <= span.until:
            found = since
            break
    return None if found == _NEVER else found


def _unite(attendances: Iterable[Attendance], grace: int) -> list[Attendance]:
    """Return when there was any socket older than *grace*, as spans that do not touch."""
    spans: list[Attendance] = []
    for attendance in sorted(attendances, key=attrgetter("since")):
        since = attendance.since + grace
        if since >= attendance.until:
            continue
        if spans and since <= spans[-1].until:
            spans[-1].until = max(spans[-1].until, attendance.until)
        else:
            spans.append(Attendance(since, attendance.until))
    return spans
