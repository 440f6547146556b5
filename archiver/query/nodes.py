"""
What a query is made of; each part prints itself as query text.

``parser.parse(str(node)) == node`` for everything that the parser makes. The words in
here are folded (see :mod:`archiver.query.words`). What the parts mean is said by
:mod:`archiver.query.matcher`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

# A regexp that /.../ can hold: no blanks, and a slash only behind a backslash.
_SLASHED = re.compile(r"(?:[^/\\\s]|\\\S)+")
_BARE = re.compile(r"[^\s\"`()]+")
_TICKS = re.compile("`+")


@dataclass(frozen=True, slots=True)
class Word:
    """The line has this word."""

    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Phrase:
    """These words stand one after the other, whatever lies between that is no word."""

    words: tuple[str, ...]  # two or more

    def __str__(self) -> str:
        return f'"{" ".join(self.words)}"'


@dataclass(frozen=True, slots=True)
class Prefix:
    """A word begins like this."""

    text: str

    def __str__(self) -> str:
        return f"{self.text}*"


@dataclass(frozen=True, slots=True)
class Wildcard:
    """
    A word fits the pattern: ``*`` is any characters, ``?`` is one.

    Or the line has the pattern's own words one after the other, as where the pattern
    was pasted from: ``5*3`` fits 503 and 5*3, ``what?`` fits whats and what.
    """

    pattern: str  # word characters, * and ?

    @property
    def words(self) -> tuple[str, ...]:
        """The pattern's own words: what lies between its wildcards, one or more."""
        return tuple(re.findall(r"\w+", self.pattern))

    def __str__(self) -> str:
        return self.pattern


@dataclass(frozen=True, slots=True)
class Fuzzy:
    """
    A word is at most one edit away.

    An edit inserts a character, takes one out, puts another in its place, or swaps two
    neighbours.
    """

    text: str  # at most lexer.LONGEST_FUZZY characters

    def __str__(self) -> str:
        return f"{self.text}~1"


@dataclass(frozen=True, slots=True)
class Regexp:
    """The line's text has a match of this RE2 pattern, which minds the case."""

    pattern: str

    def __str__(self) -> str:
        if _SLASHED.fullmatch(self.pattern):
            return f"/{self.pattern}/"
        return f"regexp:{_ticked(self.pattern)}"


@dataclass(frozen=True, slots=True)
class Literal:
    """The line's text has this text in it, in any case or in exactly this one."""

    text: str  # not empty
    case: bool = False

    def __str__(self) -> str:
        return f"{'case:' if self.case else ''}{_ticked(self.text)}"


@dataclass(frozen=True, slots=True)
class Field:
    """
    A field of the line has this value.

    ``server``: identifier or name, or a glob over them. ``source``: a name of
    ``fields.SOURCES``. ``run``: its number. ``level``: a name of ``fields.LEVELS``, and
    the line is as severe or more.
    """

    name: str
    value: str

    def __str__(self) -> str:
        if _BARE.fullmatch(self.value):
            return f"{self.name}:{self.value}"
        if '"' not in self.value:
            return f'{self.name}:"{self.value}"'
        return f"{self.name}:{_ticked(self.value)}"


@dataclass(frozen=True, slots=True)
class And:
    """All parts are true; without any, as of each line: every line fits."""

    parts: tuple["Node", ...]

    def __str__(self) -> str:
        return " ".join(map(_grouped, self.parts)) or "*"


@dataclass(frozen=True, slots=True)
class Or:
    """One of the parts is true."""

    parts: tuple["Node", ...]

    def __str__(self) -> str:
        return " OR ".join(map(_grouped, self.parts))


@dataclass(frozen=True, slots=True)
class Not:
    """The part is not true."""

    part: "Node"

    def __str__(self) -> str:
        return f"NOT {_grouped(self.part)}"


Node: TypeAlias = (
    Word | Phrase | Prefix | Wildcard | Fuzzy | Regexp | Literal | Field | And | Or | Not
)

EVERY_LINE: Node = And(())


def leaves(node: Node) -> Iterator[Node]:
    """Yield what *node* is made of, but AND, OR and NOT, from left to right."""
    match node:
        case And(parts) | Or(parts):
            for part in parts:
                yield from leaves(part)
        case Not(part):
            yield from leaves(part)
        case _:
            yield node


def is_plain(node: Node) -> bool:
    """
    Return whether *node* asks for words and phrases only, all of them.

    Else something in the query was understood as more than words, and whoever wrote it
    should see how.
    """
    match node:
        case And(parts):
            return all(map(is_plain, parts))
        case Word() | Phrase():
            return True
        case _:
            return False


def joined(kind: type[And | Or], parts: list[Node]) -> Node:
    """Return *parts* as one node, without repeats, and without a node of its own kind inside."""
    flat: dict[Node, None] = {}
    for part in parts:
        flat.update(dict.fromkeys(part.parts if isinstance(part, kind) else (part,)))
    return next(iter(flat)) if len(flat) == 1 else kind(tuple(flat))


def _grouped(node: Node) -> str:
    return f"({node})" if isinstance(node, And | Or) else str(node)


def _ticked(text: str) -> str:
    """Return *text* between backticks, by the rule of Markdown's code spans."""
    inside = set(_TICKS.findall(text))
    ticks = "`"
    while ticks in inside:
        ticks += "`"
    padded = text.strip(" ") and (text[0] + text[-1] == "  " or "`" in text[0] + text[-1])
    return f"{ticks} {text} {ticks}" if padded else f"{ticks}{text}{ticks}"
