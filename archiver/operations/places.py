"""
Where hits may be: ranges of lines in the order of time, from the index and beside it.

What is sealed, the index narrows; what is not, or in a partition that cannot be used, is
a range as it lies in the store. Whoever checks every line of these ranges finds what a
look at all lines would.

A partition is opened when its turn comes: the newest hundred of a year open one day.
"""

import heapq
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from operator import itemgetter
from typing import NamedTuple

from archiver import errors
from archiver.index.partitions import Index
from archiver.query.blocks import BlockQuery
from archiver.store.partitions import Partitions, unsealed
from archiver.store.reads import LineFilter
from archiver.store.rows import PartitionRow, RangeRow

_EVER = 2**62  # beyond every time
_STEP = 65_536  # between the seqs of two lines that were printed one after the other
_DENSE = 0.3  # of the lines between: from there on it is cheaper to read all of them at once
_MOST = 4_096  # lines that are read at once; of all servers together, if they are many


@dataclass(slots=True)
class Explanation:
    """What a search has looked at so far."""

    partitions: int = 0  # in the time that was asked for
    opened: int = 0
    blocks: int = 0  # in the partitions that were opened
    within: int = 0  # lines in that time and, in the same partitions, beside it
    passed: int = 0  # of them, that were read or need not be
    unsealed: int = 0  # lines that no usable partition holds
    candidates: int = 0  # ranges that may hold a hit
    ranges: int = 0  # of them, read; some of them together
    lines: int = 0  # read and checked
    hits: int = 0
    unusable: list[errors.IndexUnavailableError] = field(default_factory=list)  # partitions


class Place(NamedTuple):
    """The next range, or the end of time that is still to be looked through."""

    at: int  # no line that comes later is beyond it
    range: RangeRow | None  # None: nothing to read yet


class Places:
    """
    The ranges that may hold hits.

    Args:
        partitions: The archive.
        index: What is sealed of it; None: nothing is.
        query: What a block must hold.
        wanted: Which servers, and from when to when.
        newest: From the newest to the oldest.

    """

    def __init__(
        self,
        partitions: Partitions,
        index: Index | None,
        query: BlockQuery,
        wanted: LineFilter,
        *,
        newest: bool,
    ) -> None:
        self.explanation = Explanation()
        self._partitions = partitions
        self._index = index
        self._query = query
        self._wanted = wanted
        self._newest = newest

    def __iter__(self) -> Iterator[Place]:
        """Yield ranges by their newest line, the newest first; or by the oldest."""
        sign = -1 if self._newest else 1
        ties = count()
        waiting: list[tuple[int, int, RangeRow | _Part]] = []

        def wait(at: int, what: "RangeRow | _Part") -> None:
            heapq.heappush(waiting, (sign * at, next(ties), what))

        for part in self._parts():
            self.explanation.within += part.lines
            wait(part.latest_at if self._newest else part.earliest_at, part)
        while waiting:
            key, _, what = heapq.heappop(waiting)
            if isinstance(what, RangeRow):
                self.explanation.passed += what.lines
                yield Place(sign * key, what)
                continue
            yield Place(sign * key, None)  # whoever has enough need not open it
            ranges = list(self._expand(what))
            self.explanation.passed += what.lines - sum(each.lines for each in ranges)
            for each in join(ranges, newest=self._newest):
                wait(each.latest_at if self._newest else each.earliest_at, each)

    def _parts(self) -> Iterator["_Part"]:
        """Yield what all lines are divided into, sealed or not."""
        rows = self._partitions.rows()
        # Asked after the partitions: what is sealed meanwhile is unsealed to us.
        for first, last in unsealed(rows, self._partitions.last_line_id()):
            yield _Part(first, last, -_EVER, _EVER, None)
        for row in rows:
            if row.earliest_at is None or row.latest_at is None:
                continue
            if self._in_time(row.earliest_at, row.latest_at):
                self.explanation.partitions += 1
                yield _Part(row.first_id, row.last_id, row.earliest_at, row.latest_at, row)

    def _expand(self, part: "_Part") -> Iterable[RangeRow]:
        row, wanted = part.row, self._wanted
        if row is not None and self._index is not None:
            try:
                with self._index.open(row.directory, row.described()) as partition:
                    found = partition.candidates(
                        self._query, wanted.server_ids, wanted.since, wanted.until
                    )
            except errors.IndexUnavailableError as exc:
                self.explanation.unusable.append(exc)
            else:
                self.explanation.opened += 1
                self.explanation.blocks += row.blocks
                self.explanation.candidates += len(found)
                return map(RangeRow._make, found)
        ranges = [
            each
            for each in self._partitions.ranges(part.first_id, part.last_id)
            if (wanted.server_ids is None or each.server_id in wanted.server_ids)
            and self._in_time(each.earliest_at, each.latest_at)
        ]
        self.explanation.unsealed += sum(each.lines for each in ranges)
        self.explanation.candidates += len(ranges)
        return ranges

    def _in_time(self, earliest_at: int, latest_at: int) -> bool:
        since, until = self._wanted.since, self._wanted.until
        return (since is None or latest_at >= since) and (until is None or earliest_at < until)


class _Part(NamedTuple):
    """All lines with ids between two, both included."""

    first_id: int
    last_id: int
    earliest_at: int
    latest_at: int
    row: PartitionRow | None  # None: they are not sealed

    @property
    def lines(self) -> int:
        """How many there are, if none was deleted."""
        return self.last_id - self.first_id + 1


def join(ranges: Iterable[RangeRow], *, newest: bool) -> Iterator[RangeRow]:
    """
    Yield the same lines in fewer ranges, where they lie close together.

    The first in time stay small, so that the first hits are there at once; each further
    one may be twice as large.
    """
    by_server: dict[int, list[RangeRow]] = {}
    for each in ranges:
        by_server.setdefault(each.server_id, []).append(each)
    # What was read of each server waits for its turn in memory.
    limit = _MOST // max(1, len(by_server))
    for server_id, of_server in by_server.items():
        of_server.sort(key=itemgetter(1), reverse=newest)  # by first_seq
        most = 0
        # Tuples only of what is yielded: there are thousands of ranges, and with one for
        # each step this took half as long again.
        _, first, last, earliest, latest, lines = of_server[0]
        for _, next_first, next_last, next_earliest, next_latest, next_lines in of_server[1:]:
            both = lines + next_lines
            low = min(first, next_first)
            high = max(last, next_last)
            if both <= most and both * _STEP >= _DENSE * (high - low):
                first, last, lines = low, high, both
                earliest = min(earliest, next_earliest)
                latest = max(latest, next_latest)
                continue
            yield RangeRow(server_id, first, last, earliest, latest, lines)
            most = min(limit, 2 * max(most, lines))
            first, last, lines = next_first, next_last, next_lines
            earliest, latest = next_earliest, next_latest
        yield RangeRow(server_id, first, last, earliest, latest, lines)


class Seen:
    """The seqs of one server that were read: disjoint intervals, in order."""

    def __init__(self) -> None:
        self._firsts: list[int] = []
        self._lasts: list[int] = []

    def add(self, first: int, last: int) -> Sequence[tuple[int, int]]:
        """Add an interval and return the parts of it that were not seen before."""
        low = bisect_left(self._lasts, first)
        high = bisect_right(self._firsts, last)
        fresh: list[tuple[int, int]] = []
        place = first
        for begin, end in zip(self._firsts[low:high], self._lasts[low:high], strict=True):
            if place < begin:
                fresh.append((place, begin - 1))
            place = end + 1
        if place <= last:
            fresh.append((place, last))
        if low < high:
            first = min(first, self._firsts[low])
            last = max(last, self._lasts[high - 1])
        self._firsts[low:high] = [first]
        self._lasts[low:high] = [last]
        return fresh
