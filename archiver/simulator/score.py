"""
Hold an archive against the truth: ``python -m archiver.simulator.score TRUTH ARCHIVE``.

The reading with the fewest errors counts: the stored lines are matched to the true
ones in order so that lost and repeated lines together are as few as can be. A stored
line that a good client could not have had is no error. Texts are compared without
escape sequences, control characters and line breaks, so that the live and the replayed
form of a line are the same.

Not told apart: a line over 16 KiB that a replay began inside of counts as repeated.
"""

import argparse
import json
import re
import sys
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from archiver.simulator.sequences import Pair, common_subsequence
from archiver.simulator.truth import KnownLine, read_rows

REPLAY_SIZE = 150
CHUNK = 500  # lines, about: so many are matched at once where the text allows
SUPPORTS = (16, 4, 1)  # equal lines around a place that may part two chunks; the first best
FOUND_ERRORS = 7

# ECMA-48: control sequences, control strings with their end, other escapes.
_ESCAPE = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d\x9e\x9f])[^\x07\x1b\x90-\x9f]*(?:\x07|\x1b\\|\x9c)"
    r"|\x1b[ -/]*[0-Z\\^-~]"
)
_BREAK = re.compile(r"[\r\n\x85\u2028\u2029]+")
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_CONTAINER = ("live", "replay")  # sources of the lines that a container printed


class Error(NamedTuple):
    """Some lines that are wrong at one place."""

    kind: Literal["lost", "repeated", "misordered"]
    place: int  # `n` of the first lost line; else of the true line before which they stand
    lines: int
    decidable: bool  # False: the text repeats itself so that nobody could know
    text: str  # of the first


class Score(NamedTuple):
    """How many lines are wrong."""

    recoverable: int  # lines that should be stored
    lost: int
    repeated: int
    misordered: int
    undecidable: int  # of these three
    errors: tuple[Error, ...]

    @property
    def wrong(self) -> int:
        """All lines that are wrong."""
        return self.lost + self.repeated + self.misordered


def add_up(scores: Iterable[Score]) -> Score:
    """Return the score of several servers together."""
    listed = list(scores)
    return Score(
        sum(score.recoverable for score in listed),
        sum(score.lost for score in listed),
        sum(score.repeated for score in listed),
        sum(score.misordered for score in listed),
        sum(score.undecidable for score in listed),
        tuple(error for score in listed for error in score.errors),
    )


def plain(text: str) -> str:
    """Return the form of a text that is the same live, replayed and stored."""
    text = _ESCAPE.sub("", text.replace("\0", "\u2400"))
    if _BREAK.search(text):
        pieces = (piece.strip(" ") for piece in _BREAK.split(text))
        text = " ".join(piece for piece in pieces if piece)
    return _CONTROL.sub("", text)


class _Item(NamedTuple):
    """One line as it should be stored."""

    n: int
    symbol: int
    heard: bool
    recoverable: bool


def score_lines(
    truth: Sequence[KnownLine], stored: Sequence[str], *, replay_size: int = REPLAY_SIZE
) -> Score:
    """
    Return how far the container lines of an archive are from the truth of one server.

    Args:
        truth: Every line that the server printed, oldest first.
        stored: Texts in the order of the archive.
        replay_size: Lines that a client sees at once at most; decides what is undecidable.

    """
    symbols: dict[str, int] = {}
    items = [
        _Item(line.n, symbols.setdefault(plain(text), len(symbols)), line.heard, line.recoverable)
        for line in truth
        for text in (line.live if len(line.live) > 1 else (line.text,))
        if text.strip(" \r\n") or (text and "\r" not in text and "\n" not in text)
    ]
    found = [symbols.setdefault(plain(text), len(symbols)) for text in stored]
    blocks = list(_unmatched(items, found, _match(items, found)))
    return _Judge(items, found, blocks, list(symbols), replay_size).score()


# Matching


def _match(items: Sequence[_Item], stored: Sequence[int]) -> list[Pair]:
    """Return which line is stored where, so that the fewest are wrong."""
    symbols = [item.symbol for item in items]
    pairs: list[Pair] = []
    begin, other_begin = 0, 0
    for end, other_end in [*_anchors(symbols, stored), (len(items), len(stored))]:
        chunk = items[begin:end]
        matched = _match_chunk(chunk, stored[other_begin:other_end])
        pairs += [(begin + i, other_begin + j) for i, j in matched]
        begin, other_begin = end, other_end
    return pairs


def _match_chunk(items: Sequence[_Item], stored: Sequence[int]) -> list[Pair]:
    """
    Return the pairs that leave the fewest errors.

    A stored recoverable line saves two errors (one lost, one repeated), another saves
    one. Twice as long sequences, in which only recoverable lines have a second half,
    make that a longest common subsequence: halves that were matched to two different
    lines can always be moved to the later one.
    """
    if len({item.recoverable for item in items}) < 2:  # noqa: PLR2004 - all weigh the same
        return common_subsequence([item.symbol for item in items], stored)
    halves: list[tuple[int, int]] = []  # place, symbol of the half
    for place, item in enumerate(items):
        halves.append((place, 2 * item.symbol))
        if item.recoverable:
            halves.append((place, 2 * item.symbol + 1))
    doubled = [2 * symbol + half for symbol in stored for half in (0, 1)]
    found = common_subsequence([symbol for _, symbol in halves], doubled)
    matched: dict[int, int] = {}
    taken: set[int] = set()
    for wanted in (1, 0):  # second halves decide
        for i, j in found:
            place, other = halves[i][0], j // 2
            if j % 2 == wanted and place not in matched and other not in taken:
                matched[place] = other
                taken.add(other)
    return sorted(matched.items())


def _anchors(first: Sequence[int], second: Sequence[int]) -> list[Pair]:
    """
    Return places at which both sequences may be cut, in order.

    At each stands a symbol that both have once, in no other order than the rest of
    these, and with equal symbols around it.
    """
    candidates = _uniques(first, second)
    cuts: list[Pair] = []
    for support in SUPPORTS:
        # A weaker one is taken only where a chunk would be long without it.
        longest = CHUNK if support == SUPPORTS[0] else 10 * CHUNK
        ends = [cut[0] for cut in cuts] + [len(first)]
        taken: list[Pair] = []
        number, last = 0, 0
        for place, other, supported in candidates:
            while place >= ends[number] and number + 1 < len(ends):
                last = ends[number]
                number += 1
            far = place - last >= CHUNK and ends[number] - last > longest
            if supported >= support and far:
                taken.append((place, other))
                last = place
        cuts = sorted({*cuts, *taken})
    return cuts


def _uniques(first: Sequence[int], second: Sequence[int]) -> list[tuple[int, int, int]]:
    """Return where symbols stand that both have once and that cross no other; and its support."""
    counts, other_counts = Counter(first), Counter(second)
    places = {symbol: j for j, symbol in enumerate(second) if other_counts[symbol] == 1}
    pairs = [
        (i, places[symbol])
        for i, symbol in enumerate(first)
        if counts[symbol] == 1 and symbol in places
    ]
    lowest = [len(second)]  # place in the second of all pairs from here on
    for _, j in reversed(pairs):
        lowest.append(min(lowest[-1], j))
    lowest.reverse()
    kept: list[tuple[int, int, int]] = []
    highest = -1
    run = (0, 0, 0)  # begin and end in the first, shift to the second
    for number, (i, j) in enumerate(pairs):
        if highest < j == lowest[number]:
            if not (run[0] <= i < run[1] and j - i == run[2]):
                begin, end = _equal_run(first, second, i, j)
                run = (begin, end, j - i)
            kept.append((i, j, min(i - run[0] + 1, run[1] - i)))
        highest = max(highest, j)
    return kept


def _equal_run(first: Sequence[int], second: Sequence[int], i: int, j: int) -> Pair:
    """Return from where to where in the first the second is equal, around a pair."""
    begin, end, shift = i, i + 1, j - i
    while begin > 0 and begin + shift > 0 and first[begin - 1] == second[begin + shift - 1]:
        begin -= 1
    while end < len(first) and end + shift < len(second) and first[end] == second[end + shift]:
        end += 1
    return begin, end


# What is wrong


class _Block(NamedTuple):
    """What is not matched between two matched lines."""

    place: int  # in the truth, of the first line after the matched one
    lost: list[int]  # places in the truth
    repeated: list[int]  # places in the archive


def _unmatched(
    items: Sequence[_Item], stored: Sequence[int], pairs: Sequence[Pair]
) -> Iterator[_Block]:
    begin, other_begin = 0, 0
    for end, other_end in [*pairs, (len(items), len(stored))]:
        if end > begin or other_end > other_begin:
            lost = [place for place in range(begin, end) if items[place].recoverable]
            repeated = list(range(other_begin, other_end))
            if lost or repeated:
                yield _Block(begin, lost, repeated)
        begin, other_begin = end + 1, other_end + 1


class _Judge:
    """Counts errors, and tells which nobody could have avoided."""

    def __init__(
        self,
        items: Sequence[_Item],
        stored: Sequence[int],
        blocks: Sequence[_Block],
        texts: Sequence[str],
        replay_size: int,
    ) -> None:
        self._items = items
        self._stored = stored
        self._blocks = blocks
        self._texts = texts
        self._size = replay_size
        # Lines that no good client could have are not there for it: it sees the others.
        self._seen = [item.symbol for item in items if item.recoverable]
        self._seen_before = [0]  # of each place in the truth
        for item in items:
            self._seen_before.append(self._seen_before[-1] + item.recoverable)
        self._missed = _runs([not item.heard for item in items if item.recoverable])

    def score(self) -> Score:
        """Return the counts and the errors in the order of the truth."""
        misplaced, moved = self._pair_up()
        errors: list[Error] = []
        for block in self._blocks:
            lost = [place for place in block.lost if place not in misplaced]
            repeated = [place for place in block.repeated if place not in moved]
            wrong_order = [place for place in block.repeated if place in moved]
            if lost:
                place = self._seen_before[lost[0]]
                decidable = not self._may_slide(place, len(lost), lost=True)
                errors.append(self._error("lost", lost[0], lost, decidable=decidable))
            if repeated:
                decidable = not self._is_shift(block.place, repeated)
                errors.append(self._error("repeated", block.place, repeated, decidable=decidable))
            if wrong_order:
                errors.append(self._error("misordered", block.place, wrong_order, decidable=True))
        counts = Counter[str]()
        for error in errors:
            counts[error.kind] += error.lines
        return Score(
            len(self._seen),
            counts["lost"],
            counts["repeated"],
            counts["misordered"],
            sum(error.lines for error in errors if not error.decidable),
            tuple(errors),
        )

    def _error(
        self,
        kind: Literal["lost", "repeated", "misordered"],
        place: int,
        wrong: list[int],
        *,
        decidable: bool,
    ) -> Error:
        symbol = self._items[place].symbol if kind == "lost" else self._stored[wrong[0]]
        if place < len(self._items):
            n = self._items[place].n
        else:
            n = self._items[-1].n + 1 if self._items else 1
        return Error(kind, n, len(wrong), decidable, self._texts[symbol])

    def _pair_up(self) -> tuple[set[int], set[int]]:
        """
        Return lost and repeated lines that are one line at a wrong place.

        Copies of a text that occurs more than once are one line only if they stand
        within the lines of two replays of each other.
        """
        counts = Counter(item.symbol for item in self._items)
        lost: dict[int, list[int]] = defaultdict(list)
        repeated: dict[int, list[Pair]] = defaultdict(list)  # place in truth, in archive
        for block in self._blocks:
            for place in block.lost:
                lost[self._items[place].symbol].append(place)
            for place in block.repeated:
                repeated[self._stored[place]].append((block.place, place))
        misplaced: set[int] = set()
        moved: set[int] = set()
        for symbol, places in lost.items():
            reach = len(self._items) if counts[symbol] == 1 else 2 * self._size
            others = repeated.get(symbol, [])
            number = 0
            for place in places:
                while number < len(others) and others[number][0] < place - reach:
                    number += 1
                if number < len(others) and others[number][0] <= place + reach:
                    misplaced.add(place)
                    moved.add(others[number][1])
                    number += 1
        return misplaced, moved

    def _is_shift(self, place: int, repeated: list[int]) -> bool:
        """Tell whether repeated lines are those beside them, in text that goes on like this."""
        size = len(repeated)
        texts = [self._stored[other] for other in repeated]
        at = self._seen_before[place]
        if at >= size and self._seen[at - size : at] == texts:
            return self._may_slide(at - size, size, lost=False)
        return self._seen[at : at + size] == texts and self._may_slide(at, size, lost=False)

    def _may_slide(self, place: int, size: int, *, lost: bool) -> bool:
        """
        Tell whether the text around a place equals itself shifted by *size* lines.

        It must over the lines of one replay; or, where lines were missed, over those
        that a replay afterwards had in common with what was known, and over the claimed
        ones too if lines were lost.
        """
        seen = self._seen
        most = 2 * self._size + size  # far enough for either
        low, high = place, place  # seen[at] == seen[at + size] for low <= at < high
        while low > max(place - most, 0) and seen[low - 1] == seen[low - 1 + size]:
            low -= 1
        while high + size < len(seen) and high < place + most and seen[high] == seen[high + size]:
            high += 1
        if high - low >= self._size:
            return True
        number = bisect_left(self._missed, (low, 0))
        while number < len(self._missed) and self._missed[number][0] <= high:
            begin, missed = self._missed[number]
            common = max(self._size - missed, 0 if lost else 1)
            if begin - low >= common + (size if lost else 0):
                return True
            number += 1
        return False


def _runs(marks: Iterable[bool]) -> list[Pair]:
    """Return where each run of true marks begins, and its length."""
    runs: list[Pair] = []
    length = 0
    place = -1
    for place, mark in enumerate(marks):
        if mark:
            length += 1
        elif length:
            runs.append((place - length, length))
            length = 0
    if length:
        runs.append((place + 1 - length, length))
    return runs


# The command


def read_archive(rows: Iterable[str]) -> dict[str, list[str]]:
    """
    Return the container lines of NDJSON for each server, in the order of their seq.

    Raises:
        ValueError: A row is no line of an archive.

    """
    found: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for number, row in enumerate(rows, start=1):
        try:
            fields = json.loads(row)
            if fields["source"] in _CONTAINER:
                found[fields["server"]].append((fields["seq"], fields["text"]))
        except (ValueError, TypeError, KeyError) as error:
            raise ValueError(f"row {number} is no line of an archive: {error!r}") from error
    return {
        server: [text for _, text in sorted(lines, key=lambda line: line[0])]
        for server, lines in found.items()
    }


def score_files(truth: Iterable[str], archive: Iterable[str]) -> dict[str, Score]:
    """Return the score of each server in the rows of a truth, by its identifier."""
    lines: dict[str, list[KnownLine]] = defaultdict(list)
    for line in read_rows(truth):
        lines[line.server].append(line)
    stored = read_archive(archive)
    scores = {}
    for server, known in lines.items():
        # An archive may name it by its uuid, which begins with the identifier.
        texts = [text for name in stored if name.startswith(server) for text in stored[name]]
        scores[server] = score_lines(known, texts)
    return scores


def main(words: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m archiver.simulator.score",
        description="Compare the container lines of an archive with what a simulated panel "
        "really printed. Exits with 0 if nothing is wrong, else with 7.",
        epilog="example: python -m archiver.simulator.score truth.ndjson archive.ndjson",
    )
    parser.add_argument("truth", type=Path, help="from python -m archiver.simulator --truth")
    parser.add_argument("archive", type=Path, help="NDJSON with server, seq, source and text")
    parser.add_argument("--errors", type=int, default=10, help="shown at most (default: 10)")
    options = parser.parse_args(words)
    try:
        with options.truth.open(encoding="utf-8") as truth, options.archive.open() as archive:
            scores = score_files(truth, archive)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    total = add_up(scores.values())
    sys.stdout.write("".join(f"{row}\n" for row in _table(scores, total, options.errors)))
    return FOUND_ERRORS if total.wrong else 0


def _table(scores: dict[str, Score], total: Score, most: int) -> Iterator[str]:
    head = ("server", "recoverable", "lost", "repeated", "misordered", "undecidable")
    yield "  ".join(f"{name:>11}" for name in head)
    for name, score in [*scores.items(), ("total", total)]:
        yield "  ".join(f"{value:>11}" for value in (name, *score[:5]))
    shown = [(server, error) for server, score in scores.items() for error in score.errors][:most]
    for server, error in shown:
        known = "" if error.decidable else ", undecidable"
        yield f"{server} line {error.place}: {error.lines} {error.kind}{known}: {error.text!r}"
    if len(total.errors) > len(shown):
        yield f"and {len(total.errors) - len(shown)} more places"


if __name__ == "__main__":
    sys.exit(main())
