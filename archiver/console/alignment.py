"""
Join a replay to what is stored: which of its lines are new, and whether lines are missing.

A replay has no ids, no times and no end, and on the socket that asked for it live
lines run through it. Two sockets make it readable: everything on the main one is
live, so on the asking one a frame that the main one also brought at that moment
is a copy, and the rest is the replay, an unbroken piece of the log in its order.

The rule for now is the plain one: the longest overlap of the stored end with the
beginning of the replay, all of it equal; where nothing overlaps, a gap. A later
replay that shows both sides of a gap fills it.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

COPY_LEAD = 0.002  # seconds: a copy on main may be this much older than the request
CANDIDATES = 32  # frames of one text, on each side of a live line, that may be its copy


class Heard(NamedTuple):
    """One container line as a socket brought it."""

    key: int  # hash of its comparison key
    mono: float  # when, monotonic seconds
    observed_at: int  # when, for the row
    raw: str  # scrubbed


def separate_replay(
    asked: Sequence[Heard], live: Sequence[Heard], *, asked_at: float, window: float
) -> list[Heard]:
    """
    Take the copies of live lines out of what the asking socket brought.

    Each live line that came after the request is matched with a frame of the same
    key close in time; both sequences are in log order, so matches never cross. A
    line that is in the replay *and* live comes twice, and which frame is the copy
    decides where the line stands in the replay. A frame outside of the burst is
    rather a copy than one between lines that only the replay has. Several ways to
    match are tried, the likeliest first, until the replay and the live lines fit
    together: what both hold is the end of the one and the beginning of the other.

    Args:
        asked: Lines of the asking socket after `send logs`, oldest first.
        live: Lines of the main socket, oldest first.
        asked_at: When `send logs` was sent.
        window: How many seconds a line and its copy are apart at most, as a rule;
            on a busy machine it is more.

    Returns:
        The replay, in log order.

    """
    after = [line for line in live if line.mono >= asked_at - COPY_LEAD]
    live_keys = [line.key for line in live]
    known = set(live_keys)
    sure = [place for place, heard in enumerate(asked) if heard.key not in known]
    burst = range(sure[0], sure[-1]) if sure else range(0)
    best: list[Heard] = []
    fewest: int | None = None
    for wider in (window, 4 * window, 16 * window):
        for choose in (_nearest, _first, _last):
            copies = _match_copies(asked, after, wider, burst, choose)
            replay = [heard for place, heard in enumerate(asked) if place not in copies]
            misfits = _count_misfits([heard.key for heard in replay], live_keys)
            if fewest is None or misfits < fewest:
                best, fewest = replay, misfits
            if fewest == 0:
                return best
    return best


class _Candidate(NamedTuple):
    """A frame that may be the copy of a live line."""

    within: bool  # between lines that can only be replayed, so rather one of them
    distance: float  # seconds from the live line
    place: int


def _nearest(candidates: Sequence[_Candidate]) -> _Candidate:
    return min(candidates)


def _first(candidates: Sequence[_Candidate]) -> _Candidate:
    return candidates[0]


def _last(candidates: Sequence[_Candidate]) -> _Candidate:
    return candidates[-1]


def _match_copies(
    asked: Sequence[Heard],
    live: Sequence[Heard],
    window: float,
    burst: range,
    choose: Callable[[Sequence[_Candidate]], _Candidate],
) -> set[int]:
    """Return the places in *asked* of the copies of *live*."""
    places: dict[int, list[int]] = {}
    for place, heard in enumerate(asked):
        places.setdefault(heard.key, []).append(place)
    copies: set[int] = set()
    last = -1
    for line in live:
        same = places.get(line.key, [])
        middle = bisect_left(same, line.mono, key=lambda place: asked[place].mono)
        candidates = [
            _Candidate(place in burst, distance, place)
            for place in same[max(0, middle - CANDIDATES) : middle + CANDIDATES]
            if place > last and (distance := abs(asked[place].mono - line.mono)) <= window
        ]
        if candidates:
            last = choose(candidates).place
            copies.add(last)
    return copies


def _count_misfits(replay: Sequence[int], live: Sequence[int]) -> int:
    """Count the lines that both hold outside of the overlap of the one with the other."""
    overlap = _longest_overlap(replay, live)
    before = set(replay[: len(replay) - overlap])
    return sum(key in before for key in live)


@dataclass(frozen=True, slots=True)
class Fill:
    """What a replay adds behind one stored piece: its lines from *start* up to *stop*."""

    start: int
    stop: int
    joined: bool  # True: nothing is missing between the piece and what follows it


def count_twins(replay: Sequence[int], live: Sequence[int], likely: int) -> int:
    """
    Return how many lines at the end of *replay* are the first live lines.

    The log is read before the first frame of the replay is sent, so lines that came
    later are not in it; but a busy machine may have been late to read them. So more
    than the likely ones count only where one of them is unique in the replay.

    Args:
        replay: Its keys, oldest first.
        live: Keys of the live lines, oldest first.
        likely: So many of them came before the first frame of the replay.

    """
    overlap = _longest_overlap(replay, live)
    if overlap > likely:
        counts = Counter(replay)
        if not any(counts[key] == 1 for key in replay[len(replay) - overlap :]):
            return _longest_overlap(replay, live[:likely])
    return overlap


def join_replay(pieces: Sequence[Sequence[int]], replay: Sequence[int], twins: int) -> list[Fill]:
    """
    Find where the lines of *replay* are stored, live, or new.

    Args:
        pieces: Keys of the stored end of this run, oldest first, in unbroken
            pieces: between two of them is a gap.
        replay: Keys of the replay, oldest first.
        twins: So many of its last lines are live lines that follow it.

    Returns:
        One fill for each piece, in their order: the new lines between it and the
        next piece, or the live lines for the last. Where the replay does not reach
        a piece, its fill is empty and not joined.

    """
    end = len(replay) - twins
    fills: list[Fill] = []
    for number, piece in reversed(list(enumerate(pieces))):
        # What stands before the oldest piece is not wanted: of several places for it
        # the first leaves most lines behind it, as many as were printed.
        find = _last_place if number else _first_place
        place = find(piece, replay[:end])
        if place is not None:
            fills.append(Fill(place + len(piece), end, joined=True))
            end = place
            continue
        overlap = _longest_overlap(piece, replay[:end])
        fills.append(Fill(overlap, end, joined=overlap > 0))
        end = 0
    return fills[::-1]


def _last_place(piece: Sequence[int], replay: Sequence[int]) -> int | None:
    """Return where *piece* stands whole in *replay*, the last such place; None if nowhere."""
    place = _first_place(piece[::-1], replay[::-1])
    return None if place is None else len(replay) - place - len(piece)


def _first_place(piece: Sequence[int], replay: Sequence[int]) -> int | None:
    """Return where *piece* stands whole in *replay*, the first such place; None if nowhere."""
    if not piece or len(piece) > len(replay):
        return None
    borders = _borders(piece)
    length = 0
    for passed, key in enumerate(replay, start=1):
        while length and piece[length] != key:
            length = borders[length - 1]
        if piece[length] == key:
            length += 1
        if length == len(piece):
            return passed - length
    return None


def _longest_overlap(first: Sequence[int], second: Sequence[int]) -> int:
    """
    Return the length of the longest end of *first* that is the beginning of *second*.

    Linear: the failure function of Knuth, Morris and Pratt over *second*, fed with
    the end of *first*.
    """
    if not second:
        return 0
    borders = _borders(second)
    length = 0
    for key in first[-len(second) :]:
        if length == len(second):
            length = borders[-1]
        while length and second[length] != key:
            length = borders[length - 1]
        if second[length] == key:
            length += 1
    return length


def _borders(keys: Sequence[int]) -> list[int]:
    """Return for each prefix of *keys* the length of its longest border."""
    borders = [0] * len(keys)
    length = 0
    for place in range(1, len(keys)):
        while length and keys[length] != keys[place]:
            length = borders[length - 1]
        if keys[length] == keys[place]:
            length += 1
        borders[place] = length
    return borders
