"""
Where the lines of a log file belong among the lines that are stored.

What was recorded is whole but for its gaps. So a line of a file whose time lies inside
of what was recorded is there already, also where the file writes it in another way
than the console does; what is missing lies in a gap, or before all that was recorded:
in a *room*. Where a claimed time ends, a second long, so that a room and what was
recorded next to it share it, texts decide, each stored line standing for one line of
the file; what then is left goes into the room and is marked uncertain.

The newest stretch of a recording, and any behind a gap, may begin with replayed lines
whose time nobody knows. There the file is looked through for the texts with which
such a stretch begins.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from typing import NamedTuple

from archiver.console.claims import SECOND, read_claim
from archiver.console.clocks import HOUR, JITTER, MOST_WRONG
from archiver.console.dating import Moments, last_moment
from archiver.console.records import AtKind

BEGINNING = 8  # lines by which the beginning of a stretch is known again
LINE_TIME = 1_000  # microseconds that each line is taken to last, where they share a time
FARTHEST_HEAD = 120  # characters

_EVER = 2**62


class Spot(NamedTuple):
    """A stored line, or an end of a room: what a number goes beside."""

    seq: int
    at: int


class StoredLine(NamedTuple):
    """A recorded line at an end of a room."""

    seq: int
    run_id: int | None
    at: int
    at_kind: int
    earliest_at: int | None
    timestamp: int | None
    text: str


class Span(NamedTuple):
    """When a line was printed: from the first of these moments on, before the second."""

    since: int
    until: int


class Sign(NamedTuple):
    """What a line is known by, wherever it is written."""

    clock: int | None  # the second of its day that it claims; None: it claims none
    message: str


class Verdict(Enum):
    """Whether a line of a file is new in a room."""

    NEW = "new"
    UNCERTAIN = "uncertain"  # new, but it may be one of the recorded lines beside the room
    THERE = "there"  # a recorded line beside the room
    OUTSIDE = "outside"  # of another time


def message(text: str) -> str:
    """Return what a line says behind its head, which files and consoles write differently."""
    if text[:1] != "[":
        return text
    end = text.find("]: ", 0, FARTHEST_HEAD)
    return text if end < 0 else text[end + 3 :]


def sign(text: str, clock: int | None) -> Sign:
    """Return what a line is known by; *clock* is the time of day that it claims."""
    return Sign(None if clock is None else clock // SECOND, message(text))


class Room:
    """
    A part of a stream where lines of files may go: before all that was recorded, or a gap.

    Args:
        low: The number before it; None: there is none.
        high: The number behind it.
        before: Recorded lines before it, newest first; as many as a second may hold.
        after: Recorded lines behind it, oldest first; as many as a replay may hold.
        since: When it begins, where no line before it is stored; None: it has no begin.
        until: When it ends, where no line behind it is stored.
        now: The current time.
        moments: The zone in which stored lines claim what was not resolved.

    """

    def __init__(
        self,
        low: int | None,
        high: int,
        before: Sequence[StoredLine],
        after: Sequence[StoredLine],
        *,
        since: int | None,
        until: int,
        now: int,
        moments: Moments,
    ) -> None:
        begins, ends = _spans(before, moments), _spans(after[::-1], moments)[::-1]
        first = -_EVER if since is None else since
        self.begin = begins[0] if begins else Span(first, first)
        self.end = ends[0] if ends else Span(until, until)
        self.left = None if low is None else Spot(low, self.begin.since)
        self.right = Spot(high, min(self.end.since, now))
        same = before and after and before[0].run_id == after[0].run_id
        self.run_id = before[0].run_id if same else None
        self._before = _near(before, begins, self.begin)
        self._after = _near(after, ends, self.end)
        self._border = [message(lines[0].text) if lines else None for lines in (before, after)]
        self._is_passed = False  # the file has come to the lines behind it
        self._beginning = [_sign_of(line) for line in after[:BEGINNING] if _is_undated(line)]
        self._shows_before = False
        self.is_shown_whole = False  # the file shows the lines on both sides of it

    def judge(
        self, text: str, at: int, lasts: int, coming: Callable[[], Iterable[Sign]]
    ) -> Verdict:
        """
        Say whether the next line of a file is new here.

        Args:
            text: Searchable.
            at: When it was printed,
            lasts: in so many microseconds from then.
            coming: Gives the signs of this line and those behind it.

        """
        if self._beginning and at < self.end.since and self._begins(text, coming):
            self.end = Span(at, at)
            self._beginning.clear()
            self._show_after()
            return Verdict.THERE
        if at >= self.end.until or at + lasts <= self.begin.since:
            return Verdict.OUTSIDE
        is_at_end = at + lasts > self.end.since
        if is_at_end and self._is_passed:
            return Verdict.OUTSIDE
        is_at_begin = at < self.begin.until
        if not is_at_begin and not is_at_end:
            return Verdict.NEW
        said = message(text)
        if is_at_begin and self._before[said]:
            self._before[said] -= 1
            self._shows_before |= said == self._border[0]
        elif is_at_end and self._after[said]:
            self._after[said] -= 1
            self._is_passed = True
            if said == self._border[1]:
                self._show_after()
        else:
            return Verdict.UNCERTAIN
        return Verdict.THERE

    def _begins(self, text: str, coming: Callable[[], Iterable[Sign]]) -> bool:
        """Return whether the stretch behind the room begins with this line of the file."""
        if message(text) != self._beginning[0].message:
            return False
        return all(ours == theirs for ours, theirs in zip(self._beginning, coming(), strict=False))

    def _show_after(self) -> None:
        self.is_shown_whole |= self._shows_before


def _is_undated(line: StoredLine) -> bool:
    return line.at_kind == AtKind.BEFORE


def _sign_of(line: StoredLine) -> Sign:
    claim = read_claim(line.text)
    return sign(line.text, None if claim is None or claim.time is None else claim.time.clock)


def _near(lines: Sequence[StoredLine], spans: Sequence[Span], edge: Span) -> Counter[str]:
    """Count what the lines say that may be of the same time as the one at the edge."""
    return Counter(
        message(line.text)
        for line, span in zip(lines, spans, strict=True)
        if span.since < edge.until and edge.since < span.until
    )


def _spans(newest_first: Sequence[StoredLine], moments: Moments) -> list[Span]:
    """Return when each stored line was printed, as exactly as it can be known."""
    spans: list[Span] = []
    until = _EVER  # when the line behind it had been printed
    for line in newest_first:
        span = _span(line, until, moments)
        spans.append(span)
        until = min(until, span.until)
    return spans


def _span(line: StoredLine, until: int, moments: Moments) -> Span:
    claim = read_claim(line.text)
    time = None if claim is None else claim.time
    is_replayed = line.at_kind == AtKind.BEFORE
    at = line.timestamp
    if at is None and time is not None:
        latest = min(line.at + JITTER, until) if is_replayed else line.at + MOST_WRONG
        at = last_moment(time, latest, moments)
        if at is not None and at < line.at - MOST_WRONG and not is_replayed:
            at = None
    if at is not None:
        return Span(at, at + (SECOND if time is None else time.resolution))
    if not is_replayed:
        return Span(line.at - JITTER, line.at + JITTER)
    earliest = line.at - HOUR if line.earliest_at is None else line.earliest_at
    return Span(min(earliest, line.at), line.at + 1)


def number_lines(left: Spot | None, right: Spot, times: Sequence[int]) -> list[int] | None:
    """
    Return numbers for lines between two stored ones; None: there are not enough.

    Numbers go by time: in the middle of the time between the two is the middle of
    their numbers, so that whatever is imported later has numbers left at its time.
    Where nothing is stored before, a microsecond is a number.

    Args:
        left: The line before; None: there is none.
        right: The line behind.
        times: When the lines were printed, in their order.

    """
    if left is None:
        first = min(times[0], right.at - LINE_TIME * (len(times) + 1))
        left = Spot(right.seq - (right.at - first) - LINE_TIME, first - LINE_TIME)
    numbers, lasts = right.seq - left.seq, right.at - left.at
    step = 1 if lasts <= 0 else max(1, numbers * LINE_TIME // lasts)
    seqs: list[int] = []
    seq = left.seq
    if lasts > 0:
        for at in times:
            seq = max(left.seq + (at - left.at) * numbers // lasts, seq + step)
            seqs.append(seq)
    if seqs and seq < right.seq:
        return seqs
    # They are of the very time of one on the right, or too many: half of what there is.
    step = numbers // (2 * len(times)) or numbers // (len(times) + 1)
    return [left.seq + step * number for number in range(1, len(times) + 1)] if step else None
