"""
Tell a replay from the live lines that run through it.

A replay has no ids, no times and no end, and on the socket that asked for it live
lines run through it. Two sockets make it readable: everything on the main one is
live, so on the asking one a frame that the main one also brought at that moment
is a copy, and the rest is the replay, an unbroken piece of the log in its order.

Which frame is the copy of which live line: both sockets tell the same order, and a
copy is near in time. Of all ways to find the live lines in this order the one with
the least distances is taken. A line that was printed just before the log was read
comes twice, as a copy and at the end of the replay; which is which decides where the
replay has it. So there are several readings, and what is stored decides between them.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from math import log
from operator import attrgetter
from typing import NamedTuple

WIDER = (4, 16)  # times the window, where the machine is busy
NEAR = 0.25  # of the window: a copy may well be so far off, each further time costs a nat
MISSING = 6.0  # nats: a live line that has no copy, as when the daemon drops it
BOUNDARIES = 6  # live lines around the request which may be the first that has a copy
EARLY = 2.0  # the same for one at the time of the request, whose copy was before it
CANDIDATES = 32  # frames of one text, on each side of a live line, that may be its copy


class Heard(NamedTuple):
    """One container line as a socket brought it."""

    key: int  # hash of its comparison key
    mono: float  # when, monotonic seconds
    observed_at: int  # when, for the row
    raw: str  # scrubbed


class Reading(NamedTuple):
    """One way to tell a replay from live lines."""

    replay: list[Heard]  # in log order
    cost: float  # how unlikely the distances between the others and the live lines are, nats


class _Copy(NamedTuple):
    """A live line and the frame that is its copy; the copies before it."""

    line: int
    place: int
    before: "_Copy | None"


def separate_replay(
    asked: Sequence[Heard], live: Sequence[Heard], *, asked_at: float, window: float
) -> Iterator[Reading]:
    """
    Take the copies of live lines out of what the asking socket brought.

    Args:
        asked: Lines of the asking socket after `send logs`, oldest first.
        live: Lines of the main socket, oldest first.
        asked_at: When `send logs` was sent.
        window: How many seconds a line and its copy are apart at most, as a rule;
            on a busy machine it is more.

    Yields:
        Different readings, at least one, the usual one first. Each takes a while: who
        has one that explains everything need not ask for the next.

    """
    if not live:
        yield Reading(list(asked), 0.0)
        return
    sure_end = _sure_end(asked, live)
    # Of those long before the request none has a copy, see `_missing`.
    since = asked_at - EARLY * window * WIDER[-1] * NEAR
    live = live[bisect_left(live, since, key=attrgetter("mono")) :]
    # Of the lines at the time of the request the first may have no copy.
    about = [n + 1 for n, line in enumerate(live) if abs(line.mono - asked_at) <= window]
    known: list[list[Heard]] = []
    begins = [(1, 0), *((1, n) for n in about[:BOUNDARIES]), *((wider, 0) for wider in WIDER)]
    for wider, first in begins:
        near = window * wider * NEAR
        copies = _find_copies(asked, live, first, asked_at, near)
        for end in (0, sure_end, len(asked)):
            chosen = _prefer_early(copies, asked, live, near, end)
            taken = set(chosen.values())
            replay = [heard for place, heard in enumerate(asked) if place not in taken]
            if replay not in known:
                known.append(replay)
                cost = _cost(chosen, asked, live, asked_at, near) + len(chosen) * log(wider)
                yield Reading(replay, cost)


def drop_unsure_end(reading: Reading, live: Sequence[Heard], window: float) -> Reading:
    """
    Leave the last frames of a replay that was cut to the next one.

    While lines come, they may be copies of some that the main socket was about to
    bring, and those would stand before all live lines.
    """
    replay = reading.replay
    if not replay or not live or live[-1].mono < replay[-1].mono - window:
        return reading
    last = replay[-1].mono - window
    return Reading([heard for heard in replay if heard.mono < last], reading.cost)


def _find_copies(
    asked: Sequence[Heard], live: Sequence[Heard], first: int, asked_at: float, near: float
) -> dict[int, int]:
    """Return the place of each live line's copy, by its number; none before *first*."""
    places: dict[int, list[int]] = {}
    for place, heard in enumerate(asked):
        places.setdefault(heard.key, []).append(place)
    ways = _Ways(len(asked))
    for number, line in enumerate(live[first:], start=first):
        missing = _missing(line, asked_at, near)
        if not missing:
            continue
        found = [
            (place, ways.best_before(place))
            for place in _near(places.get(line.key, ()), asked, line, near)
        ]
        for place, (cost, before) in found:
            distance = abs(asked[place].mono - line.mono) / near
            ways.add(cost + distance - missing, _Copy(number, place, before))
    _, last = ways.best_before(len(asked))
    copies: dict[int, int] = {}
    while last is not None:
        copies[last.line] = last.place
        last = last.before
    return copies


class _Ways:
    """
    The best way up to each place: what it costs, less what all have in common.

    A Fenwick tree of minima: both questions and additions take a logarithm's time.
    """

    def __init__(self, places: int) -> None:
        self._best: list[tuple[float, _Copy | None]] = [(0.0, None)] * (places + 1)

    def best_before(self, place: int) -> tuple[float, _Copy | None]:
        """Return the best way whose last copy is before *place*."""
        best = self._best[0]
        while place > 0:
            if self._best[place][0] < best[0]:
                best = self._best[place]
            place -= place & -place
        return best

    def add(self, cost: float, way: _Copy) -> None:
        """Add a way that ends at its place."""
        place = way.place + 1
        while place < len(self._best):
            if cost < self._best[place][0]:
                self._best[place] = cost, way
            place += place & -place


def _cost(
    copies: dict[int, int],
    asked: Sequence[Heard],
    live: Sequence[Heard],
    asked_at: float,
    near: float,
) -> float:
    """Return how unlikely the distances of *copies* are, and that others have none."""
    return sum(
        abs(asked[copies[number]].mono - line.mono) / near
        if number in copies
        else _missing(line, asked_at, near)
        for number, line in enumerate(live)
    )


def _missing(line: Heard, asked_at: float, near: float) -> float:
    """Return how unlikely it is that a live line has no copy: not at all before the request."""
    since = line.mono - asked_at
    return min(MISSING, max(0.0, EARLY + since / near))


def _near(places: Sequence[int], asked: Sequence[Heard], line: Heard, near: float) -> Sequence[int]:
    """Return those of *places* whose frames are within the window of *line*, the nearest."""

    def time(place: int) -> float:
        return asked[place].mono

    start = bisect_left(places, line.mono - near / NEAR, key=time)
    stop = bisect_right(places, line.mono + near / NEAR, key=time)
    if stop - start > 2 * CANDIDATES:
        middle = bisect_left(places, line.mono, start, stop, key=time)
        start, stop = max(start, middle - CANDIDATES), min(stop, middle + CANDIDATES)
    return places[start:stop]


def _sure_end(asked: Sequence[Heard], live: Sequence[Heard]) -> int:
    """Return the place of the last frame whose text did not come live: it is the replay's."""
    texts = {line.key for line in live}
    return max((place for place, heard in enumerate(asked) if heard.key not in texts), default=-1)


def _prefer_early(
    copies: dict[int, int], asked: Sequence[Heard], live: Sequence[Heard], near: float, end: int
) -> dict[int, int]:
    """
    Return *copies* with those moved before the place *end* that can be.

    The replay ends in lines that are live too. One that comes both within the replay
    and behind it is rather copied within it, and replayed behind.
    """
    moved = dict(copies)
    free: dict[int, list[int]] = {}
    taken = set(copies.values())
    for place, heard in enumerate(asked[: max(0, end)]):
        if place not in taken:
            free.setdefault(heard.key, []).append(place)
    for number, place in sorted(copies.items()):
        line = live[number]
        early = [other for other in free.get(line.key, ()) if other < min(place, end)]
        early = [other for other in early if abs(asked[other].mono - line.mono) <= near / NEAR]
        if early and (place >= end or end == len(asked)):
            chosen = min(early, key=lambda other: abs(asked[other].mono - line.mono))
            free[line.key].remove(chosen)
            moved[number] = chosen
    return moved
