"""
Import log files into the stream of one server, at their places in time.

Nothing is kept between two imports but the lines themselves: a line of a file is there
already if as many of its text and time are stored as the file has shown so far. So an
import that was killed is begun again and goes on where it was, and the same file, in
whatever form or part, adds nothing. Where the lines of a room stand is asked of the
archive as well: memory is constant however much there is.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from functools import partial
from itertools import islice
from typing import NamedTuple

from archiver import errors
from archiver.console.claims import DAY, QUARTER, read_claim
from archiver.console.placing import BEGINNING, Sign, Spot, Verdict, number_lines, sign
from archiver.console.records import Flag, Line, Source
from archiver.operations.file_lines import FileLine, FileLines
from archiver.operations.import_rooms import BACK, Known, OpenRoom, Rooms
from archiver.operations.select import select_servers
from archiver.query.times import local_time
from archiver.store.imports import BATCH, Imports
from archiver.store.rows import ServerRow

PAUSE = 0.02  # seconds between two transactions, for others that write

_EVER = 2**62  # beyond every seq and time


@dataclass(slots=True)
class Outcome:
    """What became of the lines of a file."""

    lines: int = 0  # that are not blank
    new: int = 0
    there: int = 0  # recorded or imported before
    uncertain: int = 0  # of the new ones
    later: int = 0  # of a time that is not settled yet: not stored
    crowded: int = 0  # for which no number is left: not stored
    closed: int = 0  # gaps that were found complete
    is_first: bool = False  # nothing was recorded of this server yet
    first_at: int | None = None  # of its lines; None: it has none
    last_at: int | None = None


Advance = Callable[[int], object]  # so many lines were dealt with


def choose_server(servers: Sequence[ServerRow], name: str) -> ServerRow:
    """
    Return the one server that *name* names.

    Raises:
        UsageError: It names none, or several.

    """
    ids = select_servers(servers, [name])
    if len(ids) > 1:
        raise errors.UsageError(
            f"{name!r} fits {len(ids)} servers", do="name one of them; see 'archiver servers'"
        )
    return next(server for server in servers if server.id in ids)


def check_zone(archive: Imports, server: ServerRow, zone: tzinfo) -> None:
    """
    Refuse a zone that the server's own lines contradict.

    Raises:
        UsageError: Lines that were recorded live claim times of another zone.

    """
    shown: list[tuple[int, int]] = []
    for text, at in archive.dated_lines(server.id):
        claim = read_claim(text)
        if claim is not None and claim.time is not None and claim.time.offset is None:
            shown.append((claim.time.clock - at, local_time(at, zone) - at))
    wrong = [(found, ours) for found, ours in shown if abs(_of_day(found - ours)) >= QUARTER // 2]
    if 2 * len(wrong) > len(shown):
        found, ours = wrong[0]
        raise errors.UsageError(
            f"the clock of {server.name!r} is {_offset(found)}, and this zone is {_offset(ours)}",
            where="--tz",
            do="say in which zone the files were written: --utc, or --tz such as Europe/Berlin",
        )


def _of_day(difference: int) -> int:
    return (difference + DAY // 2) % DAY - DAY // 2


def _offset(difference: int) -> str:
    quarters = round(_of_day(difference) / QUARTER)
    hours, rest = divmod(abs(quarters), 4)
    return f"UTC{'-' if quarters < 0 else '+'}{hours:02d}:{15 * rest:02d}"


def import_lines(
    archive: Imports,
    server: ServerRow,
    lines: FileLines,
    *,
    zone: tzinfo,
    now: int,
    advance: Advance,
) -> Outcome:
    """
    Import the lines of one file that was looked through.

    Args:
        archive: Where to.
        server: Whose they are.
        lines: The file's.
        zone: Of the times that they claim.
        now: The current time.
        advance: Told after each transaction.

    Raises:
        StoreError: The archive refuses; what was committed stays, and the same import
            goes on from there.

    """
    return _Import(archive, server, lines, zone, now).run(advance)


class _Import:
    """One file on its way."""

    def __init__(
        self, archive: Imports, server: ServerRow, lines: FileLines, zone: tzinfo, now: int
    ) -> None:
        self._archive = archive
        self._server_id = server.id
        self._lines = lines
        self._now = now
        self._outcome = Outcome()
        self._rooms = Rooms(archive, server.id, zone, now)
        self._known = Known(archive, server.id)
        self._here: _Place | None = None  # where the last line is
        self._slot: list[FileLine] = []  # new lines, to be put between the same two
        self._rows: list[Line] = []  # to be stored
        self._stored_at = 0.0  # when the last transaction ended, monotonic seconds

    def run(self, advance: Advance) -> Outcome:
        outcome = self._outcome
        outcome.is_first = self._rooms.is_empty
        coming = deque[FileLine]()
        lines = iter(self._lines)
        while chunk := list(islice(lines, BATCH)):
            coming.extend(chunk)
            first, last = min(line.at for line in coming), max(line.at for line in coming)
            outcome.first_at = min(first, outcome.first_at or first)
            outcome.last_at = max(last, outcome.last_at or last)
            self._known.cover(first, last)
            # The last ones wait for what is behind them.
            self._place(coming, leave=BEGINNING)
            self._store()
            outcome.lines += len(chunk)
            advance(outcome.lines)
        self._place(coming, leave=0)
        self._store()
        closed = [] if self._lines.survey.is_ndjson else self._rooms.shown_whole()
        if closed:
            self._archive.close_gaps(closed, self._now)
            outcome.closed = len(closed)
        return outcome

    def _place(self, coming: deque[FileLine], *, leave: int) -> None:
        signs = partial(_signs, coming)
        while len(coming) > leave:
            line = coming[0]
            self._receive(line, signs)
            coming.popleft()
        self._fill_slot()

    def _receive(self, line: FileLine, signs: Callable[[], Iterator[Sign]]) -> None:
        outcome, at = self._outcome, line.at
        seq = self._known.take(line)
        if seq is not None:
            outcome.there += 1
            self._fill_slot()
            room = self._rooms.holding(seq)
            self._here = None if room is None else _Place(room, Spot(seq, at), None)
            return
        verdict, room = self._rooms.judge(line, signs)
        if room is None or verdict is Verdict.THERE or verdict is Verdict.OUTSIDE:
            outcome.there += 1
        elif not room.stored.is_settled:
            outcome.later += 1
        else:
            if verdict is Verdict.UNCERTAIN:
                outcome.uncertain += 1
                line = line._replace(flags=line.flags | Flag.UNCERTAIN)
            self._go_to(room, at)
            self._slot.append(line)

    def _go_to(self, room: OpenRoom, at: int) -> None:
        """Let the next new line go where one of that time belongs."""
        here = self._here
        if here is not None and here.room is room:
            last = self._slot[-1].at if self._slot else here.left and here.left.at
            if last is not None and at >= last - BACK:
                if here.right is None:
                    self._here = here = here._replace(right=self._right_of(room, here.left))
                assert here.right is not None
                if at <= here.right.at or here.right == room.ends.right:
                    return
        self._fill_slot()
        left = self._left_until(room, at)
        self._here = _Place(room, left, self._right_of(room, left))

    def _left_until(self, room: OpenRoom, at: int) -> Spot | None:
        """Return the last line of a room up to *at*, stored or about to be; or its left end."""
        found = self._archive.last_until(self._server_id, room.stored, at)
        latest = (-_EVER, 0) if found is None else (found.at, found.seq)
        for row in self._rows:
            if latest < (row.at, row.seq) and row.at <= at and room.holds(row.seq):
                latest = row.at, row.seq
                found = Spot(row.seq, row.at)
        return found or room.ends.left

    def _right_of(self, room: OpenRoom, left: Spot | None) -> Spot:
        """Return the line behind another one, stored or about to be; or the room's right end."""
        seq = None if left is None else left.seq
        found = self._archive.next_in(self._server_id, room.stored, seq) or room.ends.right
        for row in self._rows:
            if row.seq < found.seq and (seq is None or seq < row.seq) and room.holds(row.seq):
                found = Spot(row.seq, row.at)
        return found

    def _fill_slot(self) -> None:
        """Number the lines that go between the same two."""
        here, slot = self._here, self._slot
        if not slot:
            return
        assert here is not None
        assert here.right is not None
        self._slot = []
        seqs = number_lines(here.left, here.right, [line.at for line in slot])
        if seqs is None:
            self._outcome.crowded += len(slot)
            return
        self._outcome.new += len(slot)
        run_id = here.room.ends.run_id
        self._rows += [
            Line(seq, run_id, Source.IMPORT, *line[:8], None, *line[8:10])
            for seq, line in zip(seqs, slot, strict=True)
        ]
        self._here = here._replace(left=Spot(seqs[-1], slot[-1].at))

    def _store(self) -> None:
        """Commit what has a number, not too soon after the last time."""
        rows, self._rows = self._rows, []
        for first in range(0, len(rows), BATCH):
            time.sleep(max(0.0, self._stored_at + PAUSE - time.monotonic()))
            self._archive.add(self._server_id, rows[first : first + BATCH])
            self._stored_at = time.monotonic()


class _Place(NamedTuple):
    """Between which two lines the next one goes."""

    room: OpenRoom
    left: Spot | None  # None: nothing is before
    right: Spot | None  # None: not known yet


def _signs(lines: deque[FileLine]) -> Iterator[Sign]:
    return (sign(line.text, line.clock) for line in islice(lines, BEGINNING))
