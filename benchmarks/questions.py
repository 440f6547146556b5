"""
Queries to ask of an archive, chosen from what is in it, the same in each run.

All words are of ASCII letters and digits, so that every engine understands them alike.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from itertools import combinations, islice, pairwise
from random import Random
from typing import NamedTuple

from archiver.query.nodes import And, Fuzzy, Node, Not, Phrase, Prefix, Regexp, Wildcard, Word
from archiver.query.words import words
from archiver.store.reads import LineFilter, Reader

SAMPLE = 400  # places of the archive that are looked at
PLACE = 1_000  # lines of each
HOUR = 3_600_000_000  # microseconds
STRANGERS = 60  # words among which pairs are looked for that never meet
FREQUENT, MIDDLING = 0.02, 0.002  # of the lines, at least
RARE = 2  # in the sample, at most
LONG = 7  # characters
EVERY_LINE = LineFilter()
COMMON, NEVER, INFIX = "common word", "AND, never together", "infix wildcard"
COUNT = "count of a common word"  # is to be counted, not fetched
WITHOUT_LITERAL = (r"[0-9]{7,}", r"[A-Z][a-z]+[A-Z][a-z]+[A-Z]", r"\b[a-f]+[0-9]+[a-f]+[0-9]+")
WITHOUT_HIT = (r"[qxz]{9}[0-9]", r"[0-9]{3}[qxz]{7}", r"[QX][0-9]{3}[qz]{5}")

_PLAIN = re.compile(r"[a-z]{4,20}")
_RARE = re.compile(r"[a-z0-9]{4,20}")


class Question(NamedTuple):
    """A query and, where it is about one hour of one server, that."""

    node: Node
    wanted: LineFilter

    def __str__(self) -> str:
        of = [f"server {server}" for server in self.wanted.server_ids or ()]
        return " ".join([str(self.node), *of])

    def bounds(self) -> list[int]:
        """Return server, first and last time; nothing: of all lines."""
        if self.wanted.server_ids is None:
            return []
        assert self.wanted.since is not None
        assert self.wanted.until is not None
        return [*self.wanted.server_ids, self.wanted.since, self.wanted.until]


class Sampled(NamedTuple):
    """A line of the sample."""

    place: tuple[int, int]  # which part of the sample, and which server
    at: int
    words: list[str]


class Sample:
    """
    Some of an archive's lines, and what is in them.

    Args:
        reader: The archive.

    """

    def __init__(self, reader: Reader) -> None:
        self.lines = list(_sampled(reader))
        # Not by sets, whose order is another one in each process.
        counts = Counter(word for line in self.lines for word in dict.fromkeys(line.words))
        self._counts = dict(counts.most_common())

    def words(self, least: float, most: float = 1.0) -> list[str]:
        """Return the words of some share of the lines, the most frequent first."""
        low, high = least * len(self.lines), most * len(self.lines)
        found = self._counts.items()
        return [word for word, count in found if low <= count < high and _is_plain(word)]

    def rare(self) -> list[str]:
        """Return words that are nearly nowhere, also numbers and ids."""
        found = self._counts.items()
        return [word for word, count in found if count <= RARE and _RARE.fullmatch(word)]

    def phrases(self, least: float) -> list[tuple[str, ...]]:
        """Return three words that stand one after the other in some share of the lines."""
        found: Counter[tuple[str, ...]] = Counter()
        for line in self.lines:
            in_a_row = zip(line.words, line.words[1:], line.words[2:], strict=False)
            found.update(dict.fromkeys(in_a_row, 1))
        low = least * len(self.lines)
        return [each for each, count in found.most_common() if count >= low and _are_plain(each)]

    def pairs(self, among: list[str]) -> list[tuple[str, str]]:
        """Return words that meet in a line, the most frequent pairs first."""
        return [pair for pair, _ in self._meetings(among).most_common()]

    def strangers(self, among: list[str]) -> list[tuple[str, str]]:
        """Return words that no line of the sample has both of; first those that are often near."""
        known = set(among)
        near: defaultdict[tuple[int, int], set[str]] = defaultdict(set)
        for line in self.lines:
            near[line.place].update(known.intersection(line.words))
        counts = Counter(pair for some in near.values() for pair in combinations(sorted(some), 2))
        meetings = self._meetings(among)
        return [pair for pair, _ in counts.most_common() if pair not in meetings]

    def _meetings(self, among: list[str]) -> "Counter[tuple[str, str]]":
        known = set(among)
        return Counter(
            pair
            for line in self.lines
            for pair in combinations(sorted(known.intersection(line.words)), 2)
        )


def choose(
    reader: Reader, number: int, has_no_hit: Callable[[Question], bool]
) -> dict[str, list[Question]]:
    """
    Return *number* questions of each kind, or fewer where there are not so many.

    Args:
        reader: The archive.
        number: Of each kind.
        has_no_hit: Tells of a question whether all lines are without.

    """
    sample = Sample(reader)
    random = Random(1)  # noqa: S311  # the same in each run
    common = sample.words(FREQUENT)
    middling = sample.words(MIDDLING, FREQUENT)

    def some(kind: list[str]) -> list[str]:
        return random.sample(kind, min(number, len(kind)))

    def every(nodes: Iterable[Node]) -> list[Question]:
        return [Question(node, EVERY_LINE) for node in islice(nodes, number)]

    long = some([word for word in middling if len(word) >= LONG])
    phrases = sample.phrases(MIDDLING)
    frequent = sample.words(MIDDLING)[:STRANGERS]
    strangers = (
        Question(And((Word(a), Word(b))), EVERY_LINE) for a, b in sample.strangers(frequent)
    )
    return {
        "rare word": every(map(Word, some(sample.rare()))),
        COMMON: every(map(Word, common)),
        "AND": every(And((Word(a), Word(b))) for a, b in sample.pairs(middling)),
        NEVER: list(islice(filter(has_no_hit, strangers), number)),
        "phrase": every(map(Phrase, random.sample(phrases, min(number, len(phrases))))),
        "prefix": every(Prefix(word[:4]) for word in some(middling)),
        INFIX: every(Wildcard(f"*{word[1:-1]}*") for word in long),
        "NOT": every(And((Word(a), Not(Word(b)))) for a, b in pairwise(common)),
        "fuzzy": every(Fuzzy(f"{word[:3]}x{word[4:]}") for word in long),
        "regexp with a literal": every(
            Regexp(rf"(?i){word}.*[0-9][0-9]") for word in some(middling)
        ),
        "regexp without": every(map(Regexp, WITHOUT_LITERAL)),
        "regexp without, no hit": every(map(Regexp, WITHOUT_HIT)),
        "hour of a server": [
            Question(Word(random.choice(common)), _hour(random.choice(sample.lines)))
            for _ in range(number)
        ],
        COUNT: every(map(Word, common)),
    }


def _hour(line: Sampled) -> LineFilter:
    since = line.at // HOUR * HOUR
    return LineFilter(server_ids=(line.place[1],), since=since, until=since + HOUR)


def _sampled(reader: Reader) -> Iterator[Sampled]:
    partitions = reader.partitions()
    last = partitions.last_line_id()
    step = max(PLACE, last // SAMPLE)
    for first in range(1, last + 1, step):
        for line in partitions.lines(first, min(last, first + PLACE - 1)):
            yield Sampled((first, line.server_id), line.at, words(line.text))


def _is_plain(word: str) -> bool:
    return _PLAIN.fullmatch(word) is not None


def _are_plain(some: tuple[str, ...]) -> bool:
    return all(map(_is_plain, some))
