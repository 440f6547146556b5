"""
Join one replay to the lines of a server: number what is new, close and note gaps.

What `alignment` finds becomes rows here. New lines go between stored ones, into gaps,
behind all of them, or between the live lines that are held meanwhile. Numbers that
are committed never change; where none is left between two lines a gap says so.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import compress
from typing import NamedTuple

from archiver.console.alignment import TWICE, Alignment, Window, choose_reading
from archiver.console.log import CONTAINER_LINES, PLAIN, SEQ_STEP, Log, outage
from archiver.console.overlay import NEW
from archiver.console.records import Flag, Gap, Source
from archiver.console.separation import Heard, Reading
from archiver.console.tail import Piece

ASSUMED_REPLAY = 150  # Wings f1c5bbd config/config.go: websocket_log_count
SLACK = 15  # a replay shorter by one part of so many may still have been cut by its size
LOG_LAG = 0.05  # seconds behind the live path in which the docker log has a line, at last
REPLAY_LEAD = 0.015  # seconds behind its first frame in which a line of it comes live
LOST_LIVE = "the daemon dropped lines while connected"
CONFIRMING = 6_000_000  # microseconds that a line is older than the request that confirms it
MANY = 2**31  # lines
MIXED = 10  # lines more than a replay can have: too many that the main socket missed
OUT_OF_REACH = "the daemon seems to have dropped lines while connected"
NO_ROOM = "a replay showed lines here, and no number is left between their neighbours"


class Showing(NamedTuple):
    """
    The circumstances of one replay.

    Args:
        at: Now, microseconds.
        since: The last sign of life before what may have been missed; None: nothing
            was seen before.
        until: When lines came live again.
        asked_at: When it was asked for, monotonic seconds.
        frames: How many lines it can have had: with blank ones and with those that
            are taken for copies of live ones.
        cut: Why more of it may have been under way; None: it is whole.
        is_audit: Nobody had to miss anything.
        is_alone: Live lines are in it, once, which came after those that are held.
        suspected_from: There is evidence that lines were lost since then; None: none.

    """

    at: int
    since: int | None
    until: int
    asked_at: float
    frames: int
    cut: str | None
    is_audit: bool = False
    is_alone: bool = False
    suspected_from: int | None = None


class Counts(NamedTuple):
    """How many lines of a replay were new, and how many were not."""

    recovered: int
    repeated: int


def replay_size(log: Log) -> int:
    """Return how many lines a replay of this server has at most."""
    return log.state.replay_size or ASSUMED_REPLAY


def is_full(log: Log, frames: int) -> bool:
    """Return whether a replay of so many frames may have been cut by its size."""
    size = replay_size(log)
    return frames >= size - size // SLACK


def is_mixed(log: Log, reading: Reading) -> bool:
    """Return whether a replay has more lines than one can: live ones nobody else heard."""
    return len(reading.replay) > max(replay_size(log), ASSUMED_REPLAY) + MIXED


class Joining:
    """
    One replay on its way into a log.

    Args:
        log: The lines so far.
        readings: The ways to tell the replay from live lines, the usual one first; in
            each it has a line. No more are asked for than are needed.
        held: What came live since, with its source, oldest first.
        showing: What else is known of the replay.

    """

    def __init__(
        self,
        log: Log,
        readings: Iterable[Reading],
        held: Sequence[tuple[int, Heard]],
        showing: Showing,
    ) -> None:
        self._log = log
        self._held = held
        self._showing = showing
        self._pieces = [piece for piece in log.tail.pieces if piece.keys]
        if not self._pieces or self._pieces[0].gap is not None:
            self._pieces.insert(0, Piece(None))  # of this run nothing is stored before
        self._stored = sum(len(piece.keys) for piece in self._pieces)
        confirmed = log.state.confirmed_seq
        self._confirmed = -1 if confirmed is None else confirmed  # nothing goes before it
        # Which of the held lines a replay can show.
        self._live = [n for n, (source, _) in enumerate(held) if source in CONTAINER_LINES]
        self._replay, self._found = self._choose(readings)

    def run(self) -> Counts:
        """Add what is new, gaps where lines may be missing, and the held lines."""
        log, showing, places = self._log, self._showing, self._found.places
        reaches_back = self._reaches_back()
        if showing.suspected_from is not None and showing.cut is None:
            self._note_suspicion(showing.suspected_from)
        for place in self._live:  # what came since tells the times of what came before
            heard = self._held[place][1]
            log.learn(heard.raw, heard.observed_at)
        if self._replay and not self._live and showing.cut is None:
            self._learn_size()
        is_whole = showing.cut is None and not is_full(log, showing.frames)
        joined = _find_joined(self._pieces, places, is_whole=is_whole)
        behind: Sequence[Heard] = ()
        among: dict[int, Sequence[Heard]] = {}  # before which of the held lines
        recovered = 0
        for start, stop in reversed(list(_find_new(places))):
            new = self._replay[start:stop]
            left = places[start - 1] if start else None
            right = places[stop] if stop < len(places) else None
            if right is not None and right < self._stored:
                recovered += self._insert(new, right, joins_left=left is not None)
            elif right is None and left is not None and left < self._stored - 1:
                recovered += self._extend(new, left)  # it was cut before it came to the end
            elif left is not None and left >= self._stored:
                place = len(self._held) if right is None else self._live[right - self._stored]
                among[place] = new
                recovered += len(new)
            else:
                behind = new
        self._close_gaps(joined)
        recovered += self._add_behind(behind, is_joined=joined[-1])
        if showing.cut is not None and not showing.is_audit:
            reason = f"replay was cut: {showing.cut}"
            self._note_gap(reason, lower=0, upper=None, shown=recovered)
        if reaches_back and joined[-1] and showing.cut is None:
            log.confirm(log.tail.seq_behind(MANY, showing.until - CONFIRMING))
        self._add_held(among)
        return Counts(recovered, len(self._replay) - recovered)

    # How it lies

    def _choose(self, readings: Iterable[Reading]) -> tuple[Sequence[Heard], Alignment]:
        """Return the reading that fits best, and how it lies over what is stored."""
        live = [self._held[place][1] for place in self._live]
        read: list[Sequence[Heard]] = []

        def describe() -> Iterator[tuple[Sequence[int], Window, float]]:
            for replay, cost in readings:
                read.append(replay)
                yield [heard.key for heard in replay], self._describe(replay, live), cost

        stored = [piece.keys for piece in self._pieces]
        number, found = choose_reading(stored, [heard.key for heard in live], describe())
        counted = [place != TWICE for place in found.places]
        return list(compress(read[number], counted)), found.without_twice()

    def _describe(self, replay: Sequence[Heard], live: Sequence[Heard]) -> Window:
        log, showing = self._log, self._showing
        is_cut = showing.cut is not None
        early, late = showing.asked_at - LOG_LAG, replay[0].mono + REPLAY_LEAD
        return Window(
            expected=log.printed_between(showing.since, showing.until),
            least=sum(heard.mono < early for heard in live),
            most=sum(heard.mono <= late for heard in live),
            is_full=is_cut or is_full(log, showing.frames),
            short=0 if is_cut else max(0, replay_size(log) - showing.frames),
            is_whole=log.tail.is_whole and bool(self._pieces[0].keys),
            is_cut=is_cut,
            is_audit=showing.is_audit,
            is_alone=showing.is_alone,
        )

    def _learn_size(self) -> None:
        """Learn how long replays are, from one without live lines in it."""
        state, size = self._log.state, self._showing.frames
        # More is known to be before its first line, so its size has cut it.
        is_cut = self._found.places[0] > 0 and bool(self._pieces[0].keys)
        if size > replay_size(self._log) or (state.replay_size is None and is_cut):
            state.replay_size = size

    def _reaches_back(self) -> bool:
        """Return whether everything before the replay's first known line is confirmed."""
        known = [place for place in self._found.places if 0 <= place < self._stored]
        if not known:
            return False
        number, place = self._find(known[0])
        if not place:
            return not number and self._log.tail.is_whole  # nothing of this run is before
        confirmed = self._log.state.confirmed_seq
        return confirmed is not None and confirmed >= self._pieces[number].seqs[place - 1]

    # What becomes of its new lines

    def _insert(self, new: Sequence[Heard], right: int, *, joins_left: bool) -> int:
        """Put lines before the stored line number *right*; return how many."""
        log = self._log
        number, right = self._find(right)
        piece = self._pieces[number]
        gap = None if right else piece.gap
        if not (number or right or gap or log.tail.is_whole):
            return 0  # they are stored, before what is compared
        high = piece.seqs[right]
        if high <= self._confirmed:
            return 0  # where lines repeat, it may look as if one was missing there
        if right:
            low: int | None = piece.seqs[right - 1]
            after: int | None = piece.times[right - 1]
        elif gap is not None:
            low = -1 if gap.after_seq is None else gap.after_seq
            after = gap.from_at
        else:
            low, after = log.run_floor, None
        if low is not None:
            low = max(log.tail.last_beside(low, high), self._confirmed)
        step = 0 if low is None else min(SEQ_STEP, (high - low) // (len(new) + 1))
        if low is None or not step:
            self._note_no_room(low, high, len(new))
            return 0
        first = low + step if joins_left else high - step * len(new)
        follower = piece.times[right]
        if right and not joins_left:
            self._note_out_of_reach(low, first, after, follower)
        for offset, heard in enumerate(new):
            seq, before = first + offset * step, min(heard.observed_at, follower)
            piece.insert(right + offset, heard.key, seq, before)
            log.add_line(seq, Source.REPLAY, heard, before=before, after=after)
        if gap is not None:
            gap.before_seq = first
            log.touch_gap(gap)
        return len(new)

    def _extend(self, new: Sequence[Heard], left: int) -> int:
        """Put lines behind the stored line number *left*, into the gap there; return how many."""
        log = self._log
        number, left = self._find(left)
        piece = self._pieces[number]
        if left < len(piece.keys) - 1:
            return 0  # within a piece it shows nothing that can be trusted
        follower = self._pieces[number + 1]
        gap = follower.gap
        assert gap is not None  # that is what parts two pieces
        high = follower.seqs[0]
        if high <= self._confirmed:
            return 0
        low = max(log.tail.last_beside(piece.seqs[-1], high), self._confirmed)
        step = min(SEQ_STEP, (high - low) // (len(new) + 1))
        if not step:
            self._note_no_room(low, high, len(new))
            return 0
        for offset, heard in enumerate(new, start=1):
            seq, before = low + offset * step, min(heard.observed_at, follower.times[0])
            piece.append(heard.key, seq, before)
            log.add_line(seq, Source.REPLAY, heard, before=before, after=gap.from_at)
        gap.after_seq = low + len(new) * step
        log.touch_gap(gap)
        return len(new)

    def _add_behind(self, new: Sequence[Heard], *, is_joined: bool) -> int:
        """Add the lines behind all stored ones, and the gap before them; return how many."""
        showing, found, log = self._showing, self._found, self._log
        if showing.cut is not None and (showing.is_audit or not self._follows()):
            return 0  # the next one brings them
        gap = log.tail.gap_behind()
        after = showing.since if gap is None else gap.from_at
        reason = LOST_LIVE if showing.is_audit else outage(showing.since, showing.at)
        if is_joined and (found.is_certain or found.more == 0):
            self._close_last_gap()
        elif is_joined:
            reason += ": lines repeat, so their number is not sure"
            self._note_gap(reason, lower=0, upper=found.more, shown=len(new))
        elif new or not showing.is_audit:  # else all of it has just come live
            lower = int(is_full(log, showing.frames) and self._stored > 0 and bool(new))
            self._note_gap(reason, lower=lower, upper=None, shown=len(new))
        flags = PLAIN if found.is_certain or not is_joined else Flag.UNCERTAIN
        for heard in new:
            before = min(heard.observed_at, showing.until)
            log.append(Source.REPLAY, heard, before=before, after=after, flags=flags)
        return len(new)

    def _follows(self) -> bool:
        """Return whether a cut replay that shows nothing known is behind all that is."""
        if not self._stored or any(place != NEW for place in self._found.places):
            return True
        expected = self._log.printed_between(self._showing.since, self._showing.until)
        return expected is None or expected > replay_size(self._log) / 2

    def _add_held(self, among: dict[int, Sequence[Heard]]) -> None:
        """Add the lines that were held, and those *among* them that did not come live."""
        for place, (source, heard) in enumerate(self._held):
            self._add_missed(among.get(place, ()), heard.observed_at)
            self._log.append(source, heard)
        self._add_missed(among.get(len(self._held), ()), self._showing.at)

    def _add_missed(self, new: Sequence[Heard], before: int) -> None:
        after = self._showing.since
        for heard in new:
            at = min(heard.observed_at, before)
            self._log.append(Source.REPLAY, heard, before=at, after=after)

    # Gaps

    def _note_gap(self, reason: str, *, lower: int, upper: int | None, shown: int) -> None:
        since, at = self._showing.since, self._showing.at
        self._log.note_gap(reason, since, at, lower=lower, upper=upper, shown=shown)

    def _note_suspicion(self, since: int) -> None:
        """Note that lines may be missing since then, where the replay begins later."""
        log, showing = self._log, self._showing
        known = [place for place in self._found.places if 0 <= place < self._stored]
        number, place = self._find(known[0]) if known else (len(self._pieces) - 1, -1)
        piece = self._pieces[number]
        if not is_full(log, showing.frames) or (known and piece.times[place] <= since):
            return
        place = bisect_right(piece.times, since)
        if not 0 < place < len(piece.keys):
            return  # there is a gap already, or nothing came since
        low = log.tail.last_beside(piece.seqs[place - 1], piece.seqs[place])
        self._note_out_of_reach(low, piece.seqs[place], since, piece.times[place])

    def _note_out_of_reach(
        self, after_seq: int, before_seq: int, from_at: int | None, to_at: int
    ) -> None:
        """Note that lines may be missing within a piece, before what the replay shows."""
        log = self._log
        for gap in log.gaps:
            if gap.reason == OUT_OF_REACH and (gap.after_seq or 0) <= after_seq < (
                gap.before_seq or 0
            ):
                return  # it is noted already
        gap = Gap(
            id=log.next_gap_id(),
            after_seq=after_seq,
            before_seq=before_seq,
            from_at=from_at,
            to_at=to_at,
            reason=OUT_OF_REACH,
            lower=0,
            upper=None,
            run_id=log.run_id,
        )
        log.touch_gap(gap)

    def _note_no_room(self, low: int | None, high: int, count: int) -> None:
        """Note lines that have no number, once; numbers never change."""
        log = self._log
        if high in log.crowded:
            return
        log.crowded.add(high)
        gap = Gap(
            id=log.next_gap_id(),
            after_seq=low,
            before_seq=high,
            from_at=None,
            to_at=self._showing.at,
            reason=NO_ROOM,
            lower=count,
            upper=count,
            expected=count,
            run_id=log.run_id,
        )
        log.touch_gap(gap)

    def _close_gaps(self, joined: Sequence[bool]) -> None:
        """Close the gaps between pieces of which the replay shows both sides."""
        for number in reversed(range(1, len(self._pieces))):
            piece, follower = self._pieces[number - 1 : number + 1]
            if not joined[number - 1] or follower.gap is None:
                continue
            if not piece.keys and not self._is_of_this_run(follower.gap):
                continue
            follower.gap.closed_at = self._showing.at
            self._log.touch_gap(follower.gap)
            if piece.keys:
                self._log.tail.join(piece, follower)
            else:
                follower.gap = None

    def _close_last_gap(self) -> None:
        """Close the gap behind the last stored line, but not if that is of another run."""
        gap = self._log.tail.gap_behind()
        if gap is not None and (self._stored or self._is_of_this_run(gap)):
            gap.closed_at = self._showing.at
            self._log.touch_gap(gap)
            self._log.tail.pieces.pop()

    def _is_of_this_run(self, gap: Gap) -> bool:
        """Return whether nothing but the begin of this run is before a gap at its begin."""
        return gap.after_seq is None and gap.run_id == self._log.run_id

    def _find(self, place: int) -> tuple[int, int]:
        """Return in which piece the line number *place* of all is, and where in it."""
        number = 0
        while place >= len(self._pieces[number].keys):
            place -= len(self._pieces[number].keys)
            number += 1
        return number, place


def _find_new(places: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield where each run of new lines starts and stops, the oldest first."""
    start = None
    for number, place in enumerate([*places, TWICE]):
        if place == NEW and start is None:
            start = number
        elif place != NEW and start is not None:
            yield start, number
            start = None


def _find_joined(pieces: Sequence[Piece], places: Sequence[int], *, is_whole: bool) -> list[bool]:
    """
    Return for each piece whether the replay shows that nothing is missing behind it.

    Args:
        pieces: Stored ones; the first may be empty, and stands for what is before.
        places: Which of their lines and of the live lines the replay's are.
        is_whole: The replay is the whole log of its run.

    """
    known = set(places)
    joined, stop = [], 0
    for piece, follower in zip(pieces, [*pieces[1:], None], strict=True):
        stop += len(piece.keys)
        shows_end = stop - 1 in known if piece.keys else is_whole
        joined.append(shows_end and (follower is None or stop in known))
    return joined
