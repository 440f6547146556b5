"""
What a query asks of a block: which terms it must hold.

A block is a few hundred lines of one server, known to an index by the set of their
terms: each word, and each fact about a line such as its level (see
:mod:`archiver.query.terms`). A block query only narrows: it is true of every block
that holds a hit, and may be true of others. So it knows no NOT: a block that holds a
word may still hold lines without it.
"""

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class HasTerm:
    """The block holds exactly this term."""

    term: str


@dataclass(frozen=True, slots=True)
class HasPrefix:
    """The block holds a word that begins like this."""

    prefix: str


@dataclass(frozen=True, slots=True)
class HasMatch:
    """
    The block holds a word that this regular expression matches as a whole.

    It is of the syntax that :mod:`re` and RE2 share. Of ASCII it matches word characters
    only: no blank, line break or colon.
    """

    pattern: str


@dataclass(frozen=True, slots=True)
class AllOf:
    """All of these are true of the block; without any: it is any block."""

    parts: tuple["BlockQuery", ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """One of these is true of the block; without any: there is no such block."""

    parts: tuple["BlockQuery", ...]


BlockQuery: TypeAlias = HasTerm | HasPrefix | HasMatch | AllOf | AnyOf

EVERY: BlockQuery = AllOf(())
NONE: BlockQuery = AnyOf(())
