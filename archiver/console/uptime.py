"""
How long a server was in which status, and how long nobody knows.

A status is known from the moment in which it was seen until the next one, but only
while somebody listened:

- Time in which no connection was authenticated is *unknown*, whatever was seen before
  and after it. Who finds a server running again after an hour does not know that it ran
  all the while.
- A status that was found after an absence was reached at any time since the last sign
  of life (its ``earliest_at``): from there on the time is unknown, too, though a socket
  that had died may have been closed only later.
- Time before the first status is unknown.

Unknown time is neither up nor down: it has its own share, so that the shares of any
range sum to 1. All times are integers, microseconds since the epoch; a range has its
begin and has not its end.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple, Protocol

STATUSES = ("running", "starting", "stopping", "offline")
UNKNOWN = "unknown"


class Change(Protocol):
    """What matters of a change of status; see ``console.records.StatusChange``."""

    @property
    def at(self) -> int:
        """When it was seen."""

    @property
    def earliest_at(self) -> int | None:
        """Last sign of the status before; None: the change was seen as it came."""

    @property
    def status(self) -> str:
        """The new status."""


class Stretch(NamedTuple):
    """A time without a change."""

    begin: int
    end: int
    status: str  # one of STATUSES, or UNKNOWN


class Timeline:
    """
    The statuses of one server, and what is unknown, from *begin* to *end*.

    Args:
        changes: By time, also the one before *begin*, which is known only from it.
        heard: When somebody listened, as (since, until), in any order.
        begin: Where it begins.
        end: Where it ends; not before *begin*.

    """

    def __init__(
        self,
        changes: Sequence[Change],
        heard: Iterable[tuple[int, int]],
        begin: int,
        end: int,
    ) -> None:
        self._stretches: list[Stretch] = []
        reached = begin
        for stretch in _overlaps(_known(changes, end), _union(heard)):
            since, until = max(stretch.begin, begin), min(stretch.end, end)
            if since < until:
                self._add(Stretch(reached, since, UNKNOWN))
                self._add(Stretch(since, until, stretch.status))
                reached = until
        self._add(Stretch(reached, end, UNKNOWN))
        self._begins = [stretch.begin for stretch in self._stretches]

    def between(self, begin: int, end: int) -> Iterator[Stretch]:
        """Yield the stretches between two moments, cut to them, in order, without holes."""
        first = max(0, bisect_right(self._begins, begin) - 1)
        for number in range(first, len(self._stretches)):
            stretch = self._stretches[number]
            if stretch.begin >= end:
                return
            cut = Stretch(max(stretch.begin, begin), min(stretch.end, end), stretch.status)
            if cut.begin < cut.end:
                yield cut

    def durations(self, begin: int, end: int) -> Counter[str]:
        """Return how long each status was between two moments, and UNKNOWN."""
        total: Counter[str] = Counter()
        for stretch in self.between(begin, end):
            total[stretch.status] += stretch.end - stretch.begin
        return total

    def longest(self, status: str, begin: int, end: int) -> int:
        """Return how long the longest stretch of *status* was between two moments; 0: none."""
        return max(
            (s.end - s.begin for s in self.between(begin, end) if s.status == status), default=0
        )

    def _add(self, stretch: Stretch) -> None:
        if stretch.begin == stretch.end:
            return
        last = self._stretches[-1] if self._stretches else None
        if last is not None and last.status == stretch.status:
            self._stretches[-1] = last._replace(end=stretch.end)
        else:
            self._stretches.append(stretch)


def _known(changes: Sequence[Change], end: int) -> list[Stretch]:
    """Return how long each status could be told, whether somebody listened or not."""
    known = []
    for change, following in pairwise([*changes, None]):
        assert change is not None
        until = end
        if following is not None:
            seen = following.at if following.earliest_at is None else following.earliest_at
            until = min(seen, following.at)
        if change.at < until:
            known.append(Stretch(change.at, until, change.status))
    return known


def _union(spans: Iterable[tuple[int, int]]) -> list[Stretch]:
    """Return what at least one of *spans* covers."""
    covered: list[Stretch] = []
    for since, until in sorted(spans):
        if covered and since <= covered[-1].end:
            covered[-1] = covered[-1]._replace(end=max(covered[-1].end, until))
        elif since < until:
            covered.append(Stretch(since, until, ""))
    return covered


def _overlaps(known: Sequence[Stretch], heard: Sequence[Stretch]) -> Iterator[Stretch]:
    """Yield what of *known* is covered by *heard*; either is by time and apart."""
    first = 0
    for stretch in known:
        while first < len(heard) and heard[first].end <= stretch.begin:
            first += 1
        number = first
        while number < len(heard) and heard[number].begin < stretch.end:
            since = max(stretch.begin, heard[number].begin)
            yield Stretch(since, min(stretch.end, heard[number].end), stretch.status)
            number += 1
