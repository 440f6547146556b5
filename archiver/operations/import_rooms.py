"""
What an import must know of the archive at the time that a file has come to.

That is, the rooms where lines may go, with the recorded lines at their ends, and the
lines that were imported before. Both are asked for when they are needed, and imported
lines are forgotten when the file has gone on.
"""

from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterator
from datetime import tzinfo
from functools import partial
from typing import NamedTuple

from archiver.console.claims import SECOND
from archiver.console.clocks import HOUR
from archiver.console.placing import Room, Sign, Verdict
from archiver.operations.file_lines import FileLine
from archiver.query.times import local_moments
from archiver.store.imports import Imports, StoredRoom

BACK = 60 * SECOND  # lines that go farther back than this are no neighbours
EDGE_LINES = 600  # at an end of a room; four replays

_MARGIN = HOUR  # between a host's clock and the collector's
_EVER = 2**62  # beyond every seq and time


class OpenRoom(NamedTuple):
    """A room, and what is recorded at its ends."""

    stored: StoredRoom
    ends: Room

    def holds(self, seq: int) -> bool:
        """Return whether a line with this number stands in it."""
        low = self.stored.low
        return (low is None or low < seq) and seq < self.stored.high


class Rooms:
    """The rooms of a stream, with what is known of their ends from when they are needed."""

    def __init__(self, archive: Imports, server_id: int, zone: tzinfo, now: int) -> None:
        self._archive = archive
        self._server_id = server_id
        self._now = now
        self._moments = partial(local_moments, zone=zone)
        self._stored = archive.rooms(server_id)
        self._begins = [-_EVER if room.since is None else room.since for room in self._stored]
        self._lows = [-_EVER if room.low is None else room.low for room in self._stored]
        self._open: dict[int, OpenRoom] = {}
        self._last: OpenRoom | None = None  # the room of the last line that had one

    @property
    def is_empty(self) -> bool:
        """Whether nothing was recorded."""
        return len(self._stored) == 1

    def judge(
        self, line: FileLine, signs: Callable[[], Iterator[Sign]]
    ) -> tuple[Verdict, OpenRoom | None]:
        """Say whether a line is new, and in which room."""
        room = self._last
        verdict = Verdict.OUTSIDE
        if room is not None:  # it is the right one for nearly all
            verdict = room.ends.judge(line.text, line.at, line.lasts, signs)
            if verdict is Verdict.NEW:
                return verdict, room
        for number in self._about(line.at):
            other = self._get(number)
            if other is room or verdict not in {Verdict.OUTSIDE, Verdict.THERE}:
                continue
            # A recorded line may be at an end of two rooms; both are told.
            found = other.ends.judge(line.text, line.at, line.lasts, signs)
            if verdict is Verdict.OUTSIDE and found is not Verdict.OUTSIDE:
                verdict, self._last = found, other
        return verdict, None if verdict is Verdict.OUTSIDE else self._last

    def holding(self, seq: int) -> OpenRoom | None:
        """Return the room in which an imported line stands; None: it is one no more."""
        number = bisect_right(self._lows, seq) - 1
        return self._get(number) if seq < self._stored[number].high else None

    def shown_whole(self) -> list[int]:
        """Return the gaps of which the file shows both sides, and so all that is between."""
        return [
            room.stored.gap_id
            for room in self._open.values()
            if room.stored.gap_id is not None
            and room.stored.is_settled
            and room.ends.is_shown_whole
        ]

    def _about(self, at: int) -> Iterator[int]:
        """Yield the numbers of the rooms that may be of this time, in their order."""
        end = first = bisect_right(self._begins, at + _MARGIN)
        while first and self._is_about(first - 1, at):
            first -= 1
        yield from range(first, end)

    def _is_about(self, number: int, at: int) -> bool:
        return self._begins[number] - _MARGIN <= at <= self._stored[number].until + _MARGIN

    def _get(self, number: int) -> OpenRoom:
        return self._open.get(number) or self._load(number)

    def _load(self, number: int) -> OpenRoom:
        stored = self._stored[number]
        archive, server_id = self._archive, self._server_id
        before = (
            [] if stored.low is None else archive.lines_before(server_id, stored.low, EDGE_LINES)
        )
        ends = Room(
            stored.low,
            stored.high,
            before,
            archive.lines_behind(server_id, stored.high, EDGE_LINES),
            since=stored.since,
            until=stored.until,
            now=self._now,
            moments=self._moments,
        )
        self._open[number] = room = OpenRoom(stored, ends)
        return room


class Known:
    """The imported lines of the time that a file is at, each to be taken once."""

    def __init__(self, archive: Imports, server_id: int) -> None:
        self._archive = archive
        self._server_id = server_id
        self._batch = archive.last_batch()  # what this import stores itself is not known
        self._since, self._until = _EVER, -_EVER  # what is covered
        self._lines: dict[tuple[int, str], deque[int]] = {}

    def cover(self, since: int, until: int) -> None:
        """Learn what is stored of a time, both ends of it included."""
        if since < self._since:  # back again: what was taken then may be taken again
            self._lines.clear()
            start = self._since = since - BACK
        else:
            start = max(self._until + 1, since - BACK)
            self._since = max(self._since, since - BACK)
            for key in [key for key in self._lines if key[0] < self._since]:
                del self._lines[key]
        if start > until:
            return
        for line in self._archive.imported(self._server_id, start, until, self._batch):
            self._lines.setdefault((line.at, line.text), deque()).append(line.seq)
        self._until = until

    def take(self, line: FileLine) -> int | None:
        """Return the number of a stored line that is this one; None: none is left."""
        if not self._lines:
            return None
        seqs = self._lines.get((line.at, line.text))
        return seqs.popleft() if seqs else None
