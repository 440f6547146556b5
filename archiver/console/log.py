"""
The lines of one server in their order: numbered, with gaps, joined to replays.

A seq is unique and ordered within its stream, and never changes once committed.
Steps between neighbours leave room for lines that a later replay proves to belong
there; a jump behind a gap or a run leaves room for what may be imported.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from archiver.console import lines
from archiver.console.alignment import Fill, Heard, count_twins, join_replay
from archiver.console.records import AtKind, Gap, Line, Source, StreamState
from archiver.console.tail import Piece, Tail

SEQ_STEP = 65_536
SEQ_JUMP = 2**32
NEVER = 2**63 - 1  # microseconds
ASSUMED_REPLAY = 150  # Wings f1c5bbd config/config.go: websocket_log_count
REPLAY_LEAD = 0.015  # seconds behind its first frame in which a line of it comes live
ALMOST_ALL = 10  # a replay so much shorter than its limit may still have been cut by it
RATE_MEMORY = 600.0  # seconds over which the rate of lines is averaged
RATE_LEAST = 5.0  # the same, at the beginning

CONTAINER_LINES = frozenset({Source.LIVE, Source.REPLAY})  # what a replay can show


class StoredLine(NamedTuple):
    """One line of the stored end, as a log needs it to go on."""

    seq: int
    run_id: int | None
    source: int
    observed_at: int
    raw: str  # as received


class Log:
    """
    The lines of one server.

    Args:
        state: What was remembered; kept up to date here.
        next_gap_id: Gives the number of a new gap.

    """

    def __init__(self, state: StreamState, next_gap_id: Callable[[], int]) -> None:
        self._state = state
        self._next_gap_id = next_gap_id
        self._tail = Tail()
        self._last_seq: int | None = None
        self._rated_at: int | None = None  # the newest line that the rate knows
        self._rated_for = RATE_MEMORY if state.rate is not None else 0.0  # seconds
        self.run_id: int | None = None  # what new lines belong to
        self.connection_id: int | None = None  # what new lines came through
        self.lines: list[Line] = []  # to be stored
        self.gaps: list[Gap] = []  # new or changed, to be stored
        self.moved: list[tuple[int, int]] = []  # stored lines that belong to another run

    def restore(self, stored: Iterable[StoredLine], gaps: Iterable[Gap]) -> None:
        """
        Take up what an earlier process stored.

        Args:
            stored: The newest lines of the server, oldest first.
            gaps: Its gaps that are not closed and lie among those lines, oldest first.

        """
        between = deque[Gap]()
        behind: Gap | None = None
        for gap in gaps:
            if gap.before_seq is None:
                behind = gap
            else:
                between.append(gap)
        is_later_run = False  # the first line of this run is among the stored ones
        for line in stored:
            self._last_seq = line.seq
            is_later_run |= line.run_id != self.run_id
            if line.run_id != self.run_id or line.source not in CONTAINER_LINES:
                continue
            while between and (between[0].before_seq or 0) <= line.seq:
                gap = between.popleft()
                if self._tail.pieces or is_later_run or gap.after_seq is None:
                    self._tail.break_off(gap)
            key = lines.hash_key(lines.comparison_key(line.raw))
            self._tail.append(key, line.seq, line.observed_at)
        if behind is not None:
            self._tail.break_off(behind)

    def append(
        self, source: int, heard: Heard, *, before: int | None = None, after: int | None = None
    ) -> None:
        """
        Add a line at the end.

        Args:
            source: Where it came from.
            heard: The line.
            before: For a replayed line, when it had been printed at the latest.
            after: For a replayed line, when it had not been printed yet; None: unknown.

        """
        seq = self._state.next_seq
        self._state.next_seq = seq + SEQ_STEP
        self._last_seq = seq
        gap = self._tail.pieces[-1].gap if self._tail.pieces else None
        if gap is not None and gap.before_seq is None:
            gap.before_seq = seq
            self._touch_gap(gap)
        if source in CONTAINER_LINES:
            self._tail.append(heard.key, seq, heard.observed_at)
            self._update_rate(heard.observed_at)
        self._add_line(seq, source, heard, before, after)

    def add_replay(
        self,
        replay: Sequence[Heard],
        live: Sequence[Heard],
        at: int,
        *,
        since: int | None,
        cut: str | None,
    ) -> int:
        """
        Add what is new in a replay, and gaps where lines may be missing.

        Args:
            replay: Its lines, oldest first, at least one.
            live: The live lines that follow it, oldest first; not added here.
            at: When, microseconds.
            since: The last sign of life before it; None: nothing was seen before.
            cut: Why more of the replay may have been under way; None: it is whole.

        Returns:
            How many lines were new.

        """
        keys = [heard.key for heard in replay]
        latest = replay[0].mono + REPLAY_LEAD
        likely = sum(heard.mono <= latest for heard in live)
        twins = count_twins(keys, [heard.key for heard in live], likely)
        pieces = [piece for piece in self._tail.pieces if piece.keys]
        if not pieces or pieces[0].gap is not None:
            pieces.insert(0, Piece(None))  # of this run nothing is stored before
        fills = join_replay([piece.keys for piece in pieces], keys, twins)
        last = fills.pop()
        recovered = last.stop - last.start
        for place in reversed(range(len(fills))):  # joining takes the follower away
            piece, follower = pieces[place : place + 2]
            recovered += self._fill_gap(piece, follower, fills[place], replay, at)
        gap = self._tail.gap_behind()
        after = since if gap is None else gap.from_at
        if last.joined:
            self._close_last_gap(at)
        else:
            self._note_break(len(replay), at, since, first=not pieces[-1].keys)
        before = min([at, *(heard.observed_at for heard in live[:1])])
        for heard in replay[last.start : last.stop]:
            self.append(Source.REPLAY, heard, before=before, after=after)
        if cut is not None:
            reason = f"replay was cut: {cut}"
            self.note_gap(reason, since, at, lower=0, upper=None, shown=recovered)
        return recovered

    def miss_replay(self, at: int, since: int | None, why: str) -> None:
        """Note that no replay shows what was printed since *since*; None: ever."""
        self.note_gap(f"{_outage(since, at)}: {why}", since, at, lower=0, upper=None)

    def note_gap(
        self,
        reason: str,
        from_at: int | None,
        to_at: int,
        *,
        lower: int,
        upper: int | None,
        shown: int = 0,
    ) -> None:
        """
        Note that lines may be missing behind the last one.

        Args:
            reason: Words for a person.
            from_at: When the first of them may have been printed; None: unknown.
            to_at: When the last of them may have been.
            lower: At least so many.
            upper: At most so many; None: unknown.
            shown: So many that were printed in this time are not missing.

        """
        gap = self._tail.gap_behind()
        if gap is not None:
            gap.to_at = to_at  # nothing came since the last gap: it has only grown
            gap.lower += lower
            gap.upper = None if upper is None or gap.upper is None else gap.upper + upper
        else:
            gap = Gap(
                id=self._next_gap_id(),
                after_seq=self._last_seq,
                before_seq=None,
                from_at=from_at,
                to_at=to_at,
                reason=reason,
                lower=lower,
                upper=upper,
                run_id=self.run_id,
            )
            self._tail.break_off(gap)
            self._state.next_seq += SEQ_JUMP
        gap.expected = self._expected(gap, shown) if gap.upper is None else gap.upper
        self._touch_gap(gap)

    def begin_run(self, run_id: int, since: int = NEVER) -> bool:
        """
        Begin a new run: what a replay shows from now on is all of it.

        Args:
            run_id: Its number.
            since: Lines observed since then are of this run, which was noticed late.

        Returns:
            Whether there were such lines.

        """
        self.run_id = run_id
        seqs = self._tail.keep_since(since)
        moved = set(seqs)
        for place, line in enumerate(self.lines):
            if line.seq in moved:
                self.lines[place] = line._replace(run_id=run_id)
                moved.remove(line.seq)
        self.moved.extend((seq, run_id) for seq in sorted(moved))
        if self._last_seq is not None:
            self._state.next_seq += SEQ_JUMP
        return bool(seqs)

    def _add_line(
        self, seq: int, source: int, heard: Heard, before: int | None, after: int | None
    ) -> None:
        text = lines.searchable_text(heard.raw)
        self.lines.append(
            Line(
                seq=seq,
                run_id=self.run_id,
                source=source,
                at=heard.observed_at if before is None else before,
                at_kind=AtKind.OBSERVED if before is None else AtKind.BEFORE,
                observed_at=heard.observed_at,
                earliest_at=None if before is None else after,
                timestamp=None,
                level=None,
                thread=None,
                flags=lines.line_flags(heard.raw, text),
                connection_id=self.connection_id,
                text=text,
                raw=None if text == heard.raw else heard.raw,
            )
        )

    def _update_rate(self, at: int) -> None:
        """Let the rate follow the lines, over RATE_MEMORY once so much was seen."""
        passed = 0.0 if self._rated_at is None else max(0.0, (at - self._rated_at) / 1e6)
        self._rated_at = at
        self._rated_for += passed
        memory = min(RATE_MEMORY, max(RATE_LEAST, self._rated_for))
        self._state.rate = (self._state.rate or 0.0) * max(0.0, 1 - passed / memory) + 1 / memory

    def _note_break(self, replayed: int, at: int, since: int | None, *, first: bool) -> None:
        """Note that nothing proves the replay to follow what is stored."""
        full = replayed >= ASSUMED_REPLAY - ALMOST_ALL
        # The whole log of a young run is shorter than a replay.
        if full or not first:
            lower = int(full and not first)
            self.note_gap(_outage(since, at), since, at, lower=lower, upper=None, shown=replayed)

    def _expected(self, gap: Gap, shown: int) -> int | None:
        if gap.from_at is None or self._state.rate is None:
            return None
        return max(gap.lower, round(self._state.rate * (gap.to_at - gap.from_at) / 1e6) - shown)

    def _close_last_gap(self, at: int) -> None:
        """Close the gap behind the last stored line: the replay shows both its sides."""
        gap = self._tail.gap_behind()
        if gap is not None:
            gap.closed_at = at
            self._touch_gap(gap)
            self._tail.pieces.pop()

    def _fill_gap(
        self, piece: Piece, follower: Piece, fill: Fill, replay: Sequence[Heard], at: int
    ) -> int:
        """Put the replay's lines between two stored pieces; return how many there were."""
        gap = follower.gap
        new = replay[fill.start : fill.stop]
        if not new and not fill.joined:
            return 0
        assert gap is not None  # that is what parts two pieces
        assert gap.before_seq is not None  # the follower has lines
        low = -1 if gap.after_seq is None else gap.after_seq
        high = gap.before_seq
        # A jump has room for as many lines as a tail can hold, and far more.
        step = min(SEQ_STEP, (high - low) // (len(new) + 1))
        first = low + step if fill.joined else high - step * len(new)
        between = Piece(gap)
        before = min(at, follower.times[0])
        for number, heard in enumerate(new):
            seq = first + number * step
            between.append(heard.key, seq, before)
            self._add_line(seq, Source.REPLAY, heard, before, gap.from_at)
        between.extend(follower)
        follower.keys, follower.seqs, follower.times = between.keys, between.seqs, between.times
        if fill.joined:
            gap.closed_at = at
            self._tail.join(piece, follower)
        else:
            gap.before_seq = first
        self._touch_gap(gap)
        return len(new)

    def _touch_gap(self, gap: Gap) -> None:
        if all(gap is not changed for changed in self.gaps):
            self.gaps.append(gap)


def _outage(since: int | None, at: int) -> str:
    if since is None:
        return "recording began"
    return f"reconnect after {max(0, at - since) / 1e6:.0f} s"
