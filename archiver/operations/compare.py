"""Hold what an archive says of one server against the true log, which only a simulator has."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple


class Stored(NamedTuple):
    """One stored container line."""

    seq: int
    text: str


class StoredGap(NamedTuple):
    """One gap that is not closed."""

    after_seq: int | None
    lower: int
    upper: int | None


class Difference(NamedTuple):
    """Where an archive and the truth part, in words."""

    where: str
    what: str


class _Bounds(NamedTuple):
    """How many lines may be missing at one place."""

    lower: int
    upper: int | None  # None: any number

    def admits(self, missing: int) -> bool:
        return self.lower <= missing and (self.upper is None or missing <= self.upper)


def compare_lines(
    stored: Sequence[Stored], gaps: Sequence[StoredGap], truth: Sequence[str]
) -> list[Difference]:
    """
    Return how *stored* differs from *truth*; empty if it does not.

    An archive is right if it is the end of the truth with nothing repeated and
    nothing missing, but where gaps say so, and within their bounds. It may begin
    later than the truth, as recording did. Where a text repeats, any reading counts
    under which it is right.

    Args:
        stored: Lines in the order of their seq.
        gaps: Gaps that are not closed, in any order.
        truth: Texts of all container lines that were ever printed, oldest first.

    """
    if not stored:
        return [Difference("everywhere", "nothing is stored")] if truth else []
    seqs = [line.seq for line in stored]
    gaps_at: dict[int, list[StoredGap]] = defaultdict(list)  # by how many lines stand before
    for gap in gaps:
        if gap.after_seq is not None:
            gaps_at[bisect_right(seqs, gap.after_seq)].append(gap)
    differences: list[Difference] = []
    ends: set[int] = set()  # where in the truth the lines so far may end
    starts = sorted({0, *gaps_at} - {len(stored)})
    for start, stop in zip(starts, [*starts[1:], len(stored)], strict=True):
        texts = [line.text for line in stored[start:stop]]
        places = _find(texts, truth)
        if not places:
            where = f"lines {seqs[start]} to {seqs[stop - 1]}"
            what = f"{len(texts)} lines do not stand like this in the true log"
            return [*differences, Difference(where, what)]
        if start:
            where = f"before line {seqs[start]}"
            places = _follow(ends, places, _add_up(gaps_at[start]), where, differences)
        ends = {place + len(texts) for place in places}
    _follow(ends, [len(truth)], _add_up(gaps_at[len(stored)]), "at the end", differences)
    return differences


def _find(texts: list[str], truth: Sequence[str]) -> list[int]:
    """Return every place at which *texts* stand in *truth*."""
    return [
        place
        for place in range(len(truth) - len(texts) + 1)
        if truth[place] == texts[0] and list(truth[place : place + len(texts)]) == texts
    ]


def _add_up(gaps: Sequence[StoredGap]) -> _Bounds:
    """Return what gaps without a line between them admit together."""
    uppers = [gap.upper for gap in gaps]
    known = [upper for upper in uppers if upper is not None]
    return _Bounds(
        sum(gap.lower for gap in gaps), sum(known) if len(known) == len(uppers) else None
    )


def _follow(
    ends: set[int],
    places: list[int],
    bounds: _Bounds,
    where: str,
    differences: list[Difference],
) -> list[int]:
    """Return those of *places* that may come next; all, and a difference, where none may."""
    fitting = [place for place in places if any(bounds.admits(place - end) for end in ends)]
    if fitting:
        return fitting
    missing = min((place - end for place in places for end in ends), key=abs)
    what = f"{missing} lines are missing" if missing >= 0 else f"{-missing} lines are repeated"
    upper = "any number" if bounds.upper is None else bounds.upper
    differences.append(Difference(where, f"{what}, and gaps account for {bounds.lower} to {upper}"))
    return places
