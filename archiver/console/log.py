"""
The lines of one server in their order: numbered, with gaps, joined to replays.

A seq is unique and ordered within its stream, and never changes once committed.
Steps between neighbours leave room for lines that a later replay proves to belong
there; a jump behind a gap or a run leaves room for what may be imported.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from archiver.console import lines
from archiver.console.alignment import Fill, Heard, count_twins, join_replay
from archiver.console.records import AtKind, Gap, Line, Source, StreamState
from archiver.console.tail import Piece, Tail

SEQ_STEP = 65_536
SEQ_JUMP = 2**32
ASSUMED_REPLAY = 150  # Wings f1c5bbd config/config.go: websocket_log_count
REPLAY_LEAD = 0.015  # seconds behind its first frame in which a line of it comes live
ALMOST_ALL = 10  # a replay so much shorter than its limit may still have been cut by it
RATE_MEMORY = 600.0  # seconds over which the rate of lines is averaged
RATE_LEAST = 5.0  # the same, at the beginning
MOVE_BACK = 2_500_000  # microseconds before a boot that its first lines may be dated

CONTAINER_LINES = frozenset({Source.LIVE, Source.REPLAY})  # what a replay can show


class StoredLine(NamedTuple):
    """One line of the stored end, as a log needs it to go on."""

    seq: int
    run_id: int | None
    source: int
    observed_at: int
    raw: str  # as received


class Absence(NamedTuple):
    """Why lines may be missing before what comes next."""

    since: int | None  # the last sign of life before it; None: nothing was seen before
    unseen: str | None  # the run ended or began meanwhile: how; None: as far as known, not


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
        open_gaps = list(gaps)
        for line in stored:
            self._last_seq = line.seq
            if line.run_id != self.run_id or line.source not in CONTAINER_LINES:
                continue
            while open_gaps and (before := open_gaps[0].before_seq) and before <= line.seq:
                gap = open_gaps.pop(0)
                if self._tail.pieces:
                    self._tail.break_off(gap)
            key = lines.hash_key(lines.comparison_key(line.raw))
            self._tail.append(key, line.seq, line.observed_at)
        if open_gaps and open_gaps[-1].before_seq is None:
            self._tail.break_off(open_gaps[-1])

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
        pieces = self._tail.pieces
        if pieces and (gap := pieces[-1].gap) is not None and gap.before_seq is None:
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
        absence: Absence,
        cut: str | None,
    ) -> int:
        """
        Add what is new in a replay, and gaps where lines may be missing.

        Args:
            replay: Its lines, oldest first, at least one.
            live: The live lines that follow it, oldest first; not added here.
            at: When, microseconds.
            absence: Why lines may be missing.
            cut: Why more of the replay may have been under way; None: it is whole.

        Returns:
            How many lines were new.

        """
        twins = 0
        keys = [heard.key for heard in replay]
        if cut is None:
            latest = replay[0].mono + REPLAY_LEAD
            likely = sum(heard.mono <= latest for heard in live)
            twins = count_twins(keys, [heard.key for heard in live], likely)
        pieces = [piece for piece in self._tail.pieces if piece.keys]
        fills = join_replay([piece.keys for piece in pieces] or [()], keys, twins)
        for place in reversed(range(len(pieces) - 1)):
            self._fill_gap(pieces[place], pieces[place + 1], fills[place], replay, at)
        last = fills[-1]
        if last.joined:
            self._close_last_gap(at)
        else:
            self._note_break(len(replay), at, absence, first=not pieces)
        before = min([at, *(heard.observed_at for heard in live[:1])])
        for heard in replay[last.start : last.stop]:
            self.append(Source.REPLAY, heard, before=before, after=absence.since)
        if cut is not None:
            self.note_gap(f"replay was cut: {cut}", absence.since, at, lower=0, upper=None)
        return sum(max(0, fill.stop - fill.start) for fill in fills)

    def miss_replay(self, at: int, absence: Absence, why: str) -> None:
        """Note that no replay shows what was printed during *absence*."""
        reason = absence.unseen or f"{_outage(absence, at)}: {why}"
        self.note_gap(reason, absence.since, at, lower=0, upper=None)

    def note_gap(
        self, reason: str, from_at: int | None, to_at: int, *, lower: int, upper: int | None
    ) -> None:
        """
        Note that lines may be missing behind the last one.

        Args:
            reason: Words for a person.
            from_at: When the first of them may have been printed; None: unknown.
            to_at: When the last of them may have been.
            lower: At least so many.
            upper: At most so many; None: unknown.

        """
        pieces = self._tail.pieces
        if pieces and not pieces[-1].keys and (gap := pieces[-1].gap) is not None:
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
                expected=upper if upper is not None else self._expected(from_at, to_at, lower),
                run_id=self.run_id,
            )
            self._tail.break_off(gap)
            self._state.next_seq += SEQ_JUMP
        self._touch_gap(gap)

    def begin_run(self) -> None:
        """Begin a new run: what a replay shows from now on is all of it."""
        self._tail.clear()
        if self._last_seq is not None:
            self._state.next_seq += SEQ_JUMP

    def move_lines(self, boot: int) -> None:
        """Give the lines since *boot* to the current run, which was noticed late."""
        assert self.run_id is not None
        run_id = self.run_id
        moved = set(self._tail.keep_since(boot - MOVE_BACK))
        self._state.next_seq += SEQ_JUMP
        for place, line in enumerate(self.lines):
            if line.seq in moved:
                self.lines[place] = line._replace(run_id=run_id)
                moved.remove(line.seq)
        self.moved.extend((seq, run_id) for seq in sorted(moved))

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

    def _note_break(self, replayed: int, at: int, absence: Absence, *, first: bool) -> None:
        """Note that nothing proves the replay to follow what is stored."""
        full = replayed >= ASSUMED_REPLAY - ALMOST_ALL
        if absence.unseen is not None:
            self.note_gap(absence.unseen, absence.since, at, lower=0, upper=None)
        elif not first:
            self.note_gap(_outage(absence, at), absence.since, at, lower=int(full), upper=None)
        elif full:
            # The whole log of a young run is shorter than a replay.
            self.note_gap(_outage(absence, at), absence.since, at, lower=0, upper=None)

    def _expected(self, from_at: int | None, to_at: int, lower: int) -> int | None:
        if from_at is None or self._state.rate is None:
            return None
        return max(lower, round(self._state.rate * (to_at - from_at) / 1e6))

    def _close_last_gap(self, at: int) -> None:
        """Close the gap behind the last stored line: the replay shows both its sides."""
        last = self._tail.pieces[-1]
        if not last.keys and last.gap is not None:
            last.gap.closed_at = at
            self._touch_gap(last.gap)
            self._tail.pieces.remove(last)

    def _fill_gap(
        self, piece: Piece, follower: Piece, fill: Fill, replay: Sequence[Heard], at: int
    ) -> None:
        """Put the replay's lines between two stored pieces, as far as numbers are left."""
        gap = follower.gap
        new = replay[fill.start : fill.stop]
        if gap is None or (not new and not fill.joined):
            return
        low = piece.seqs[-1] if gap.after_seq is None else gap.after_seq
        high = follower.seqs[0] if gap.before_seq is None else gap.before_seq
        step = min(SEQ_STEP, (high - low) // (len(new) + 1))
        if new and step == 0:
            gap.reason += f"; no number is left for {len(new)} lines found later"
            self._touch_gap(gap)
            return
        first = low + step if fill.joined else high - step * len(new)
        between = Piece(gap)
        before = min(at, follower.times[0])
        for seq, heard in zip(range(first, high, step or 1), new, strict=False):
            between.append(heard.key, seq, before)
            self._add_line(seq, Source.REPLAY, heard, before, gap.from_at)
        between.extend(follower)
        follower.keys, follower.seqs, follower.times = between.keys, between.seqs, between.times
        if fill.joined:
            gap.closed_at = at
            self._tail.join(piece, follower)
        elif new:
            gap.before_seq = first
        self._touch_gap(gap)

    def _touch_gap(self, gap: Gap) -> None:
        if all(gap is not changed for changed in self.gaps):
            self.gaps.append(gap)


def _outage(absence: Absence, at: int) -> str:
    if absence.since is None:
        return "recording began"
    return f"reconnect after {max(0, at - absence.since) / 1e6:.0f} s"
