"""
The lines of one server in their order, numbered, with gaps.

A seq is unique and ordered within its stream, and never changes once committed.
Steps between neighbours leave room for lines that a later replay proves to belong
there; a jump behind a gap or a run leaves room for what may be imported.
"""

from collections import deque
from collections.abc import Callable, Iterable
from typing import NamedTuple

from archiver.console import lines
from archiver.console.claims import read_claim
from archiver.console.clocks import ServerClock
from archiver.console.records import AtKind, Flag, Gap, Line, Source, StreamState
from archiver.console.separation import Heard
from archiver.console.tail import TAIL_LINES, Tail

SEQ_STEP = 65_536
SEQ_JUMP = 2**32
NEVER = 2**63 - 1  # microseconds
RATE_MEMORY = 600.0  # seconds over which the rate of lines is averaged
RATE_LEAST = 5.0  # the same, at the beginning
SETTLED = 15 * 60 * 1_000_000  # microseconds behind the newest line: nothing comes there
PLAIN = Flag(0)  # nothing is special about a line

CONTAINER_LINES = frozenset({Source.LIVE, Source.REPLAY})  # what a replay can show


class StoredLine(NamedTuple):
    """One line of the stored end, as a log needs it to go on."""

    seq: int
    run_id: int | None
    source: int
    observed_at: int
    raw: str | None  # as received; None: the row was deleted
    key: int = 0  # of a deleted line: its hash_key

    def hash(self) -> int:
        """Return what the line is compared by."""
        return self.key if self.raw is None else lines.hash_key(lines.comparison_key(self.raw))


class Log:
    """
    The lines of one server.

    Args:
        state: What was remembered; kept up to date here.
        next_gap_id: Gives the number of a new gap.

    """

    def __init__(self, state: StreamState, next_gap_id: Callable[[], int]) -> None:
        self.state = state
        self.tail = Tail()
        self.next_gap_id = next_gap_id
        self._clock = ServerClock()
        self._last_seq: int | None = None
        self.run_floor: int | None = None  # before this run's first line; None: not known
        self.crowded: set[int] = set()  # seqs before which no number is left
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
        known = list(gaps)
        between = deque(gap for gap in known if gap.before_seq is not None)
        behind = [gap for gap in known if gap.before_seq is None]
        is_later_run = False  # the first line of this run is among the stored ones
        self.tail.is_whole = True
        count = 0
        for line in stored:
            count += 1  # it is needed behind the loop
            self._last_seq = line.seq
            if line.source == Source.LIVE and line.raw is not None:
                self.learn(line.raw, line.observed_at)
            is_later_run |= line.run_id != self.run_id
            if line.run_id != self.run_id:
                continue
            if line.source not in CONTAINER_LINES:
                self.tail.add_beside(line.seq)
                continue
            while between and (between[0].before_seq or 0) <= line.seq:
                gap = between.popleft()
                if self.tail.pieces or is_later_run or gap.after_seq is None:
                    self.tail.break_off(gap)
            self.tail.append(line.hash(), line.seq, line.observed_at)
        for gap in behind:
            self.tail.break_off(gap)
        self.tail.is_whole &= is_later_run or count < TAIL_LINES

    def append(
        self,
        source: int,
        heard: Heard,
        *,
        before: int | None = None,
        after: int | None = None,
        flags: Flag = PLAIN,
    ) -> None:
        """
        Add a line at the end.

        Args:
            source: Where it came from.
            heard: The line.
            before: For a replayed line, when it had been printed at the latest.
            after: For a replayed line, when it had not been printed yet; None: unknown.
            flags: What is special about it beside its text.

        """
        seq = self.state.next_seq
        self.state.next_seq = seq + SEQ_STEP
        self._last_seq = seq
        gap = self.tail.pieces[-1].gap if self.tail.pieces else None
        if gap is not None and gap.before_seq is None:
            gap.before_seq = seq
            self.touch_gap(gap)
        if source in CONTAINER_LINES:
            self.tail.append(heard.key, seq, heard.observed_at)
            self._update_rate(heard.observed_at)
        else:
            self.tail.add_beside(seq)
        self.add_line(seq, source, heard, before=before, after=after, flags=flags)

    def confirm(self, seq: int | None) -> None:
        """Note that nothing will be inserted before the line *seq*; None: nothing is known."""
        known = self.state.confirmed_seq
        if seq is not None and (known is None or seq > known):
            self.state.confirmed_seq = seq

    def confirm_by_age(self, replay_size: int) -> None:
        """Confirm what is out of reach of replays, or old."""
        if self._rated_at is not None:
            self.confirm(self.tail.seq_behind(2 * replay_size, self._rated_at - SETTLED))

    def miss_replay(self, at: int, since: int | None, why: str) -> None:
        """Note that no replay shows what was printed since *since*; None: ever."""
        self.note_gap(f"{outage(since, at)}: {why}", since, at, lower=0, upper=None)

    def note_gap(
        self,
        reason: str,
        from_at: int | None,
        to_at: int,
        *,
        lower: int,
        upper: int | None,
        shown: int = 0,
        run_id: int | None = None,
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
            run_id: Of which run they are; None: of the present one.

        """
        gap = self.tail.gap_behind()
        if gap is not None:
            gap.to_at = to_at  # nothing came since the last gap: it has only grown
            gap.lower += lower
            gap.upper = None if upper is None or gap.upper is None else gap.upper + upper
        else:
            gap = Gap(
                id=self.next_gap_id(),
                after_seq=self._last_seq,
                before_seq=None,
                from_at=from_at,
                to_at=to_at,
                reason=reason,
                lower=lower,
                upper=upper,
                run_id=self.run_id if run_id is None else run_id,
            )
            self.tail.break_off(gap)
            self.state.next_seq += SEQ_JUMP
        gap.expected = self._expected(gap, shown) if gap.upper is None else gap.upper
        self.touch_gap(gap)

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
        self.run_floor = self._last_seq if since == NEVER else None
        self.confirm(self.run_floor)  # no replay shows an ended run
        seqs = self.tail.keep_since(since)
        moved = set(seqs)
        for place, line in enumerate(self.lines):
            if line.seq in moved:
                self.lines[place] = line._replace(run_id=run_id)
                moved.remove(line.seq)
        self.moved.extend((seq, run_id) for seq in sorted(moved))
        if self._last_seq is not None:
            self.state.next_seq += SEQ_JUMP
        return bool(seqs)

    def add_line(
        self,
        seq: int,
        source: int,
        heard: Heard,
        *,
        before: int | None,
        after: int | None,
        flags: Flag = PLAIN,
    ) -> None:
        """Add a line at its place; *before* and *after* as for ``append``."""
        text = lines.searchable_text(heard.raw)
        seen = lines.line_flags(heard.raw, text)
        if before is None:
            at, at_kind, earliest_at = heard.observed_at, AtKind.OBSERVED, None
        else:
            at, at_kind, earliest_at = before, AtKind.BEFORE, after
        claim, timestamp = read_claim(text), None
        if claim is not None and claim.time is not None and source in CONTAINER_LINES:
            if before is None:
                timestamp = self._clock.learn(claim.time, heard.observed_at)
            else:
                timestamp = self._clock.resolve(claim.time, after, before)
            if timestamp is not None:
                # A claimed second lasts a second: in it, what else is known decides.
                known = heard.observed_at if before is None else after or timestamp
                at = min(max(timestamp, known), timestamp + claim.time.resolution - 1)
                at_kind = AtKind.CLAIMED
                self._date_back(seq, at)
        self.lines.append(
            Line(
                seq=seq,
                run_id=self.run_id,
                source=source,
                at=at,
                at_kind=at_kind,
                observed_at=heard.observed_at,
                earliest_at=earliest_at,
                timestamp=timestamp,
                level=None if claim is None else claim.level,
                thread=None if claim is None else claim.thread,
                flags=seen if flags is PLAIN else seen | flags,  # | is slow
                connection_id=self.connection_id,
                text=text,
                raw=None if text == heard.raw else heard.raw,
            )
        )

    def learn(self, raw: str, observed_at: int) -> None:
        """Learn from a line that came live how the server's clock goes."""
        claim = read_claim(lines.searchable_text(raw))
        if claim is not None and claim.time is not None:
            self._clock.learn(claim.time, observed_at)

    def _date_back(self, seq: int, at: int) -> None:
        """Let the replayed lines right before a dated one be no later than it."""
        for place in reversed(range(len(self.lines))):
            line = self.lines[place]
            if line.at_kind != AtKind.BEFORE or line.at <= at or line.seq > seq:
                break
            earliest = at if line.earliest_at is None else line.earliest_at
            self.lines[place] = line._replace(at=min(line.at, max(at, earliest)))

    def _update_rate(self, at: int) -> None:
        """Let the rate follow the lines, over RATE_MEMORY once so much was seen."""
        passed = 0.0 if self._rated_at is None else max(0.0, (at - self._rated_at) / 1e6)
        self._rated_at = at
        self._rated_for += passed
        memory = min(RATE_MEMORY, max(RATE_LEAST, self._rated_for))
        self.state.rate = (self.state.rate or 0.0) * max(0.0, 1 - passed / memory) + 1 / memory

    def _expected(self, gap: Gap, shown: int) -> int | None:
        printed = self.printed_between(gap.from_at, gap.to_at)
        return None if printed is None else max(gap.lower, round(printed) - shown)

    def printed_between(self, from_at: int | None, to_at: int) -> float | None:
        """Return how many lines were printed in a time, by the rate; None: no idea."""
        if from_at is None or self.state.rate is None:
            return None
        return self.state.rate * max(0, to_at - from_at) / 1e6

    def touch_gap(self, gap: Gap) -> None:
        """Let a gap that is new or was changed be stored."""
        if all(gap is not changed for changed in self.gaps):
            self.gaps.append(gap)


def outage(since: int | None, at: int) -> str:
    """Return why lines may be missing, in words."""
    if since is None:
        return "recording began"
    return f"reconnect after {max(0, at - since) / 1e6:.0f} s"
