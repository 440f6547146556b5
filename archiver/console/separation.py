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

from collections import Counter
from collections.abc import Sequence
from math import log
from typing import NamedTuple

NEAR = 0.25  # of the window: a copy may well be so far off, each further time costs a nat
LARGEST = 1_000_000  # pairs of lines that are weighed; a console may print 20,000 a second
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
) -> list[Reading]:
    """
    Take the copies of live lines out of what the asking socket brought.

    Args:
        asked: Lines of the asking socket after `send logs`, oldest first.
        live: Lines of the main socket, oldest first.
        asked_at: When `send logs` was sent.
        window: How many seconds a line and its copy are apart at most, as a rule;
            on a busy machine it is more.

    Returns:
        Different readings, at least one.

    """
    if not live:
        return [Reading(list(asked), 0.0)]
    if len(live) * len(asked) > LARGEST:
        return [Reading(_take_first(asked, live, asked_at - window), 0.0)]
    readings: list[Reading] = []
    for wider in (1, 4, 16):
        near = window * wider * NEAR
        # Of the lines at the time of the request the first may have no copy.
        about = [n + 1 for n, line in enumerate(live) if abs(line.mono - asked_at) <= window]
        for first in [0, *about[:BOUNDARIES]] if wider == 1 else [0]:
            copies = _find_copies(asked, live, first, asked_at, near)
            for chosen in (
                copies,
                _prefer_early(copies, asked, live, near, _sure_end(asked, live)),
                _prefer_early(copies, asked, live, near, len(asked)),
            ):
                taken = set(chosen.values())
                replay = [heard for place, heard in enumerate(asked) if place not in taken]
                if all(replay != reading.replay for reading in readings):
                    cost = _cost(chosen, asked, live, asked_at, near) + len(chosen) * log(wider)
                    readings.append(Reading(replay, cost))
    return readings


def _take_first(asked: Sequence[Heard], live: Sequence[Heard], since: float) -> list[Heard]:
    """Return the replay where of each live line the first frame is taken for its copy."""
    copies = Counter(line.key for line in live if line.mono >= since)
    replay = []
    for heard in asked:
        if copies[heard.key]:
            copies[heard.key] -= 1
        else:
            replay.append(heard)
    return replay


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
    # For each place the least cost of ways whose last copy is not behind it, less what
    # all have in common; the place before the first stands at the end.
    costs: list[float] = [0.0] * (len(asked) + 1)
    ways: list[_Copy | None] = [None] * (len(asked) + 1)
    for number, line in enumerate(live[first:], start=first):
        missing = _missing(line, asked_at, near)
        if not missing:
            continue
        for place in reversed(_near(places.get(line.key, ()), asked, line, near)):
            cost = costs[place - 1] + abs(asked[place].mono - line.mono) / near - missing
            if cost >= costs[place]:
                continue
            way = _Copy(number, place, ways[place - 1])
            while place < len(asked) and costs[place] > cost:
                costs[place], ways[place] = cost, way
                place += 1  # noqa: PLW2901  # it is the same for what follows
    found: dict[int, int] = {}
    last = ways[len(asked) - 1] if asked else None
    while last is not None:
        found[last.line] = last.place
        last = last.before
    return found


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
    """Return those of *places* whose frames are within the window of *line*."""
    window = near / NEAR
    found = [place for place in places if abs(asked[place].mono - line.mono) <= window]
    if len(found) > 2 * CANDIDATES:
        found.sort(key=lambda place: abs(asked[place].mono - line.mono))
        found = sorted(found[: 2 * CANDIDATES])
    return found


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
