"""
What stands in the text of every line that fits a query: for SQL to look for.

Clauses: of each, one alternative stands in the text, once folded. A database compares
without the difference of capital and small in ASCII only. That is what folding does,
too, but for the three letters of ``words.DISGUISES``; so it may leave out a line by these
only if it has none of them, or the alternatives have nothing that they are folded to.
"""

import re
from collections.abc import Iterator

from archiver.query import regexps, words
from archiver.query.nodes import (
    And,
    Fuzzy,
    Literal,
    Node,
    Or,
    Phrase,
    Prefix,
    Regexp,
    Wildcard,
    Word,
)

Clause = tuple[str, ...]

# Databases limit how long an expression and a pattern are (SQLite: 1,000 deep, 50,000
# bytes), and after the first few clauses there is nothing left to leave out.
_MOST_CLAUSES = 8
_MOST_ALTERNATIVES = 32
_LONGEST = 100  # characters
_ASCII = re.compile(r"[\x00-\x7f]+")


def literals(node: Node) -> tuple[Clause, ...]:
    """
    Return what a line that fits *node* has in its text, once folded.

    Returns:
        The most telling clauses first: of each, one alternative stands in the text. All
        are of ASCII, without capitals, not empty. Without any clause nothing is known.

    """
    clauses = []
    for clause in dict.fromkeys(_clauses(node)):
        alternatives = tuple(dict.fromkeys(map(_ascii_part, clause)))
        if alternatives and all(alternatives) and len(alternatives) <= _MOST_ALTERNATIVES:
            clauses.append(alternatives)
    return tuple(sorted(clauses, key=_worth, reverse=True)[:_MOST_CLAUSES])


def _ascii_part(text: str) -> str:
    """Return the longest part of *text* that is ASCII; empty: none is."""
    return max(_ASCII.findall(text), key=len, default="")[:_LONGEST]


def _clauses(node: Node) -> Iterator[Clause]:  # noqa: C901  # one case for each kind of node
    match node:
        case Word(text) | Prefix(text):
            yield (text,)
        case Literal(text):
            yield (words.fold(text),)
        case Phrase(parts) | Wildcard(words=parts):
            for word in parts:
                yield (word,)
        case Fuzzy(text):
            yield from _fuzzy_clauses(text)
        case Regexp(pattern):
            yield from _clauses(regexps.literal_parts(pattern))
        case And(parts):
            for part in parts:
                yield from _clauses(part)
        case Or(parts):
            best = [max(_clauses(part), key=_worth, default=()) for part in parts]
            if all(best):
                yield tuple(dict.fromkeys(text for clause in best for text in clause))
        case _:
            return


def _fuzzy_clauses(word: str) -> Iterator[Clause]:
    """Yield that one half is whole, or that the swap of two characters broke both."""
    middle = len(word) // 2
    if middle:
        left, right = word[:middle], word[middle:]
        yield left, right, left[:-1] + right[0] + left[-1] + right[1:]


def _worth(clause: Clause) -> int:
    """Return how much a clause tells: as much as its shortest alternative."""
    return min(map(len, clause))
