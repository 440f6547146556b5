"""
What a block of lines is known by: its words, and facts about its lines.

A fact is written so that no word can equal it. There is none for a line's run, which
can be corrected after its block was sealed, and none for its server, which every block
has one of.
"""

from collections.abc import Iterable

from archiver.query import words

# Longer words are cut: they are mostly encoded bytes, which nobody types, and an index
# should not be filled with them. A term of this length may stand for a longer word.
TERM_LENGTH = 80  # characters


def block_terms(texts: Iterable[str], facts: Iterable[str]) -> set[str]:
    """Return the terms of a block: the words of all *texts*, cut, and the *facts*."""
    found = words.distinct(texts)
    long = {word for word in found if len(word) > TERM_LENGTH}
    if long:
        found -= long
        found.update(map(cut, long))
    found.update(facts)
    return found


def cut(word: str) -> str:
    """Return the term that stands for *word*."""
    return word[:TERM_LENGTH]


def fact(name: str, value: int) -> str:
    """Return the term for a fact about some line of a block, such as its ``level``."""
    return f":{name}={value}"
