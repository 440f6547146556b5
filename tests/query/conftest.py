"""Lines, queries, and what a query means by its plainest definition: word by word."""

import re
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

import pytest
import re2
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from archiver.query import fields, lexer, regexps, words
from archiver.query.nodes import (
    And,
    Field,
    Fuzzy,
    Literal,
    Node,
    Not,
    Or,
    Phrase,
    Prefix,
    Regexp,
    Wildcard,
    Word,
)

REAL_LINES = Path(__file__).parent.parent / "data" / "lines.tsv"


class Line(NamedTuple):
    """What a query looks at."""

    text: str
    source: int = 1
    run_id: int | None = None
    level: int | None = None
    identifier: str = "1a2b3c4d"
    server_name: str = "Survival"


def fits(node: Node, line: Line) -> bool:  # noqa: C901, PLR0911  # one for each kind of node
    """Return what the matcher should, the slow way."""
    found = words.words(line.text)
    match node:
        case Word(text):
            return text in found
        case Phrase(row):
            return stand_in_a_row(row, found)
        case Prefix(text):
            return any(word.startswith(text) for word in found)
        case Wildcard(pattern):
            row = tuple(re.split(r"[*?]+", pattern.strip("*?")))
            return any(fnmatchcase(word, pattern) for word in found) or stand_in_a_row(row, found)
        case Fuzzy(text):
            return any(is_one_edit(text, word) for word in found)
        case Regexp(pattern):
            return re2.search(pattern, line.text) is not None
        case Literal(text, case=True):
            return text in line.text
        case Literal(text):
            return words.fold(text) in words.fold(line.text)
        case Field(name, value):
            return fits_field(name, value, line)
        case And(parts):
            return all(fits(part, line) for part in parts)
        case Or(parts):
            return any(fits(part, line) for part in parts)
        case Not(part):
            return not fits(part, line)


def fits_field(name: str, value: str, line: Line) -> bool:
    if name == "source":
        return line.source == fields.SOURCES[value]
    if name == "run":
        return str(line.run_id) == value
    if name == "level":
        return (line.level or 0) >= fields.LEVELS[value]
    pattern, names = words.fold(value), map(words.fold, (line.identifier, line.server_name))
    return any(name == pattern or fnmatchcase(name, pattern) for name in names)


def stand_in_a_row(row: tuple[str, ...], found: list[str]) -> bool:
    return any(tuple(found[at : at + len(row)]) == row for at in range(len(found)))


def is_one_edit(one: str, other: str) -> bool:
    """Return whether taking out a character here, there or on both sides makes them equal."""
    swaps = (one[:at] + one[at + 1] + one[at] + one[at + 2 :] for at in range(len(one) - 1))
    shorter = {one[:at] + one[at + 1 :] for at in range(len(one))}
    others = {other[:at] + other[at + 1 :] for at in range(len(other))}
    substituted = len(one) == len(other) and any(
        one[:at] == other[:at] and one[at + 1 :] == other[at + 1 :] for at in range(len(one))
    )
    return one in {other, *others} or other in {*swaps, *shorter} or substituted


# Few characters, so that queries and lines meet; those that fold in odd ways among them.
ODD_WORDS = "error errors eror level Kelvin ΣΑΣ σας İ mi\N{LATIN SMALL LETTER LONG S}s"
MARKS = r"""- _ . : * ? ** ( ) / \ ' ` " ~1"""
ATOMS = r"""
    a b e r é K _ 1 - { } ,2 . / ` ] .* [ab] [^a] []a] [\]a] [\pL-] [[:alpha:]] | ^ $
    a? b* a{2} e{0,1} b{,2} r+? (a|b) (?:ab)+ (?i) (?i:a) (a(b)?) (?P<n>a)
    \b \. \- \/ \\ \d \s \w \C \pL \p{Greek} \x41 \x{e9} \061 \Qa|\E
"""

_WORDS = st.one_of(
    st.text("ab1_é", min_size=1, max_size=4),
    st.sampled_from(ODD_WORDS.split()),
    st.text("ab", min_size=79, max_size=83),
)
_BEGINNINGS = [" ", ' "', " ``", " /", ": ", " -", " NOT ", " OR ", " AND ", " server:", " level:"]
_BETWEEN = st.sampled_from([*MARKS.split(), *_BEGINNINGS, "\N{KELVIN SIGN}"])
_FOLDED = _WORDS.map(words.fold).filter(re.compile(r"\w+").fullmatch)
_ATOMS = st.sampled_from([*ATOMS.split(), " "])


def queries_of(regexps_too: SearchStrategy[Regexp]) -> SearchStrategy[Node]:
    """Return a strategy for all that the parser makes."""
    leaves = st.one_of(
        _FOLDED.map(Word),
        st.lists(_FOLDED, min_size=2, max_size=3).map(lambda row: Phrase(tuple(row))),
        _FOLDED.map(Prefix),
        st.lists(st.one_of(_FOLDED, st.sampled_from(["*", "?"])), min_size=2, max_size=6)
        .map("".join)
        .map(lambda text: re.sub(r"\*+", "*", text))
        .filter(lambda text: re.search(r"\w", text) and not re.fullmatch(r"\w+\*?", text))
        .map(Wildcard),
        _FOLDED.filter(lambda text: len(text) <= lexer.LONGEST_FUZZY).map(Fuzzy),
        st.builds(Literal, st.one_of(_texts(), st.text(min_size=1)), st.booleans()),
        st.builds(Field, st.just("level"), st.sampled_from([*fields.LEVELS])),
        st.builds(Field, st.just("source"), st.sampled_from([*fields.SOURCES])),
        st.builds(Field, st.just("run"), st.integers(0, 3).map(str)),
        st.builds(
            Field,
            st.just("server"),
            st.one_of(
                st.sampled_from(["1A2B*", "survival", "s?rvival", "[a-t]*"]), st.text(min_size=1)
            ),
        ),
        regexps_too,
    )
    return st.recursive(leaves, _combined, max_leaves=5)


def _combined(parts: SearchStrategy[Node]) -> SearchStrategy[Node]:
    several = st.lists(parts, min_size=2, max_size=3, unique=True).map(tuple)
    return st.one_of(
        several.filter(lambda nodes: not any(isinstance(node, And) for node in nodes)).map(And),
        several.filter(lambda nodes: not any(isinstance(node, Or) for node in nodes)).map(Or),
        parts.filter(lambda node: not isinstance(node, Not)).map(Not),
    )


def _texts() -> SearchStrategy[str]:
    pieces = st.lists(st.tuples(_WORDS, _BETWEEN), min_size=1, max_size=5)
    return st.one_of(
        pieces.map(lambda pairs: "".join(word + between for word, between in pairs)),
        pieces.map(lambda pairs: "".join(between + word for word, between in pairs)),
    )


@pytest.fixture(scope="session")
def patterns() -> SearchStrategy[str]:
    """Regular expressions that RE2 takes."""
    return (
        st.lists(_ATOMS, min_size=1, max_size=5)
        .map("".join)
        .filter(lambda pattern: regexps.fault(pattern) is None)
    )


@pytest.fixture(scope="session")
def queries(patterns) -> SearchStrategy[Node]:
    return queries_of(patterns.map(Regexp))


@pytest.fixture(scope="session")
def texts() -> SearchStrategy[str]:
    """Texts of lines: of few words and much that means something in a query, or any."""
    return st.one_of(_texts(), st.text(st.characters(exclude_categories=["Cs", "Cc"])))


@pytest.fixture(scope="session")
def lines(texts) -> SearchStrategy[Line]:
    return st.builds(
        Line,
        texts,
        source=st.integers(1, 7),
        run_id=st.none() | st.integers(0, 3),
        level=st.none() | st.integers(1, 24),
    )


@pytest.fixture(scope="session")
def plain_fits():
    return fits


@pytest.fixture(scope="session")
def line():
    """Make a line."""
    return Line


@pytest.fixture(scope="session")
def real_texts() -> list[str]:
    rows = REAL_LINES.read_text("utf-8").splitlines()
    return [text for _, _, text in (row.partition("\t") for row in rows)]
