"""Hold what an archive says of one server against the true log, which only a simulator has."""

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


def compare_lines(
    stored: Sequence[Stored], gaps: Sequence[StoredGap], truth: Sequence[str]
) -> list[Difference]:
    """
    Return how *stored* differs from *truth*; empty if it does not.

    An archive is right if it is the end of the truth with nothing repeated and
    nothing missing, but where a gap says so, and within the gap's bounds. It may
    begin later than the truth, as recording did.

    Args:
        stored: Lines in the order of their seq.
        gaps: Gaps in the same order.
        truth: Texts of all container lines that were ever printed, oldest first.

    """
    differences: list[Difference] = []
    edges = sorted(gap.after_seq for gap in gaps if gap.after_seq is not None)
    pieces: list[list[Stored]] = [[]]
    for line in stored:
        while edges and line.seq > edges[0]:
            edges.pop(0)
            if pieces[-1]:
                pieces.append([])
        pieces[-1].append(line)
    bounds = {gap.after_seq: gap for gap in gaps}
    passed = 0
    for number, piece in enumerate(piece for piece in pieces if piece):
        texts = [line.text for line in piece]
        place = _find(texts, truth, passed)
        if place is None:
            where = f"lines {piece[0].seq} to {piece[-1].seq}"
            what = f"{len(texts)} lines do not stand like this in the true log"
            return [*differences, Difference(where, what)]
        if number:
            gap = _gap_before(piece[0].seq, bounds)
            missing = place - passed
            if gap is None or missing < gap.lower or (gap.upper or missing) < missing:
                differences.append(
                    Difference(f"before line {piece[0].seq}", f"{missing} lines are missing")
                )
        passed = place + len(texts)
    if passed != len(truth) and stored:
        differences.append(Difference("at the end", f"{len(truth) - passed} lines are missing"))
    return differences


def _gap_before(seq: int, gaps: dict[int | None, StoredGap]) -> StoredGap | None:
    known = [after for after in gaps if after is not None and after < seq]
    return gaps[max(known)] if known else None


def _find(texts: Sequence[str], truth: Sequence[str], start: int) -> int | None:
    length = len(texts)
    for place in range(start, len(truth) - length + 1):
        if truth[place] == texts[0] and list(truth[place : place + length]) == texts:
            return place
    return None
