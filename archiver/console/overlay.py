"""
Lay a replay over stored lines where some got lost: the likeliest way, weighed in nats.

An alignment of two sequences by dynamic programming, over pairs of equal lines only.
What is new costs what it tells and a price for being missing: little at a place where
lines are known to be missing, LOSS where they should not be. A stored line that the
log lacks costs ABSENT. What stored lines before its begin and behind its end cost the
caller says.
"""

from collections.abc import Mapping, Sequence
from itertools import accumulate
from math import inf
from typing import NamedTuple

NEW = -1  # a line of the replay that is neither stored nor live
ABSENT = 6.0  # a stored line that the log lacks: docker drops some under pressure
ABSENT_MORE = 0.2  # each further one beside it
_FIRST = -1  # in place of the pair before: there is none


class Price(NamedTuple):
    """What it costs that lines are missing at one place."""

    once: float
    each: float


LOSS = Price(7.0, 0.5)  # inside of an unbroken piece; each, so that dull text is not multiplied
FREE = Price(0.0, 0.0)


class Overlay(NamedTuple):
    """One way, and how likely it is."""

    weight: float
    places: list[int]  # for each line of the replay the stored one that it is, or NEW


def overlay(  # noqa: PLR0917  # six sequences that belong together
    stored: Sequence[int],
    prices: Mapping[int, Price],
    replay: Sequence[int],
    told: Sequence[float],
    begins: Sequence[float],
    ends: Sequence[float],
) -> Overlay | None:
    """
    Return the likeliest way to lay *replay* over *stored*; None: not one line is equal.

    Args:
        stored: Keys, oldest first.
        prices: Of lines missing before a place (0 to the number of stored lines),
            where it is not LOSS.
        replay: Keys, oldest first.
        told: What the first 0, 1, 2, ... lines of the replay tell together.
        begins: The weight of the replay's begin behind the first 0, 1, 2, ... stored lines.
        ends: The weight of the replay's end behind the first 0, 1, 2, ... stored lines.

    """
    return _Grid(stored, prices, replay, told, begins).lay(ends)


class _Grid:
    """
    All ways, line after line of the replay; only pairs of equal lines are looked at.

    A way is known by its last pair. For each place the best one is kept that ends with
    the line before (`_row`), and for each price the best that ends with any earlier
    line (`_columns`), with what new lines would have cost up to it added, so that it
    can be compared with one that ends elsewhere.
    """

    def __init__(
        self,
        stored: Sequence[int],
        prices: Mapping[int, Price],
        replay: Sequence[int],
        told: Sequence[float],
        begins: Sequence[float],
    ) -> None:
        self._replay = replay
        self._told = told
        self._begins = begins
        self._count = len(stored)
        self._places: dict[int, list[int]] = {}
        for place, key in enumerate(stored):
            self._places.setdefault(key, []).append(place)
        self._prices = [prices.get(place, LOSS) for place in range(self._count + 1)]
        self._row = [-inf] * self._count
        self._columns = {
            price.each: ([-inf] * self._count, [-1] * self._count) for price in self._prices
        }

    def lay(self, ends: Sequence[float]) -> Overlay | None:
        """Return the likeliest way."""
        back: list[dict[int, int]] = []  # of each line: its place -> the pair before it
        best, best_end = -inf, (-1, -1)
        for line, key in enumerate(self._replay):
            row, sources = self._extend(line, self._places.get(key, ()))
            for place in sources:
                ended = row[place] + ends[place + 1] - self._rest(line, place)
                if ended > best:
                    best, best_end = ended, (line, place)
            self._keep(line, row, sources)
            back.append(sources)
        return None if best == -inf else Overlay(best, _trace(back, best_end, self._count))

    def _extend(self, line: int, places: Sequence[int]) -> tuple[list[float], dict[int, int]]:
        """Return the best ways up to each pair of this line, and the pairs before them."""
        following = [-inf] * self._count
        sources: dict[int, int] = {}
        told, row, count = self._told[line], self._row, self._count
        reach: list[float] = []
        if line and places:
            values = (value + ABSENT_MORE * at for at, value in enumerate(row))
            reach = list(accumulate(values, max))
        for place in places:  # one loop: a call for each pair would take twice as long
            once, each = self._prices[place]
            new = told + once + each * line  # if all lines before were new
            best, source = self._begins[place] - (new if line else 0.0), _FIRST
            if line and place:
                before = place - 1
                if row[before] > best:
                    best, source = row[before], (line - 1) * count + before
                column, lines = self._columns[each]
                if column[before] - new > best:
                    best, source = column[before] - new, lines[before] * count + before
                lacks = reach[before - 1] - ABSENT - ABSENT_MORE * before if before else -inf
                if lacks > best:
                    at = _find(row, before - 1, reach[before - 1])
                    best, source = lacks, (line - 1) * count + at
            following[place], sources[place] = best, source
        return following, sources

    def _rest(self, line: int, place: int) -> float:
        """Return what the lines behind this pair cost, if all of them are new."""
        rest = len(self._replay) - line - 1
        if not rest:
            return 0.0
        once, each = self._prices[place + 1]
        return self._told[-1] - self._told[line + 1] + once + each * rest

    def _keep(self, line: int, row: list[float], sources: Mapping[int, int]) -> None:
        """Keep the ways that end with this line."""
        self._row = row
        for each, (column, lines) in self._columns.items():
            paid = self._told[line + 1] + each * (line + 1)
            for place in sources:
                if row[place] + paid > column[place]:
                    column[place], lines[place] = row[place] + paid, line


def _find(row: Sequence[float], last: int, reached: float) -> int:
    """Return the last place up to *last* from which *reached* comes."""
    at = last
    while row[at] + ABSENT_MORE * at != reached:
        at -= 1
    return at


def _trace(back: Sequence[dict[int, int]], end: tuple[int, int], count: int) -> list[int]:
    """Return the place of each line of the way that ends at *end*."""
    found = [NEW] * len(back)
    line, place = end
    while True:
        found[line] = place
        source = back[line][place]
        if source < 0:
            return found
        line, place = divmod(source, count)
