"""
Sorted terms in one run of bytes, each with a number, its place.

A term is found by halving, those with a prefix are neighbours, and a regular
expression goes through all of them in one pass. Nothing is unpacked for that: a
partition may have hundreds of thousands of terms.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate

import re2

_PAGE = 64  # terms
_FACT = b":"  # a term that begins so is no word: see archiver.query.terms
_LAST = b"\xff"  # no byte of UTF-8; sorts after whatever follows a prefix

_OPTIONS = re2.Options()
_OPTIONS.log_errors = False
_OPTIONS.never_capture = True


def pack(terms: Sequence[str]) -> tuple[bytes, list[int]]:
    """
    Pack sorted terms.

    Returns:
        The terms in UTF-8, each with a line end behind it, and the offsets where each
        64 of them begin, with the length of all at the end.

    """
    pages = [
        "\n".join([*terms[first : first + _PAGE], ""]).encode()
        for first in range(0, len(terms), _PAGE)
    ]
    text = b"".join(pages)
    if text.count(b"\n") != len(terms):
        raise ValueError("a term holds a line end")
    return text, list(accumulate(map(len, pages), initial=0))


def pages(terms: int) -> int:
    """Return how many pages so many terms have."""
    return -(-terms // _PAGE)


class Lexicon:
    """
    Terms to look up; what is found are ranges of numbers, in order, none of them empty.

    Args:
        text: They, as :func:`pack` has packed them.
        marks: Likewise.

    """

    def __init__(self, text: bytes, marks: Sequence[int]) -> None:
        self._text = text
        self._marks = marks
        self._facts = self._place(_FACT), self._place(_FACT + _LAST)

    def find(self, term: str) -> list[range]:
        """Return the number of *term*, if it is there."""
        encoded = term.encode()
        return _kept(range(self._place(encoded), self._place(encoded + b"\0")))

    def with_prefix(self, prefix: str) -> list[range]:
        """Return the numbers of the words that begin with *prefix*."""
        first, last = self._place(prefix.encode()), self._place(prefix.encode() + _LAST)
        before, after = self._facts
        return _kept(range(first, min(last, before)), range(max(first, after), last))

    def matching(self, pattern: str) -> Iterator[range]:
        """Yield the numbers of the words that *pattern* matches as a whole."""
        whole = re2.compile(f"(?m)^(?:{pattern})$", _OPTIONS)
        number = before = 0
        for match in whole.finditer(self._text):
            start, end = match.span()
            number += self._text.count(b"\n", before, start)
            before = start
            if start < end and not self._text.startswith(_FACT, start):
                yield range(number, number + 1)

    def _place(self, term: bytes) -> int:
        """Return how many terms there are before *term*."""
        pages = len(self._marks) - 1
        page = bisect_left(self._marks, term, hi=pages, key=self._term_at) - 1
        if page < 0:
            return 0
        terms = self._text[self._marks[page] : self._marks[page + 1]].split(b"\n")
        return page * _PAGE + bisect_left(terms, term, hi=len(terms) - 1)

    def _term_at(self, start: int) -> bytes:
        return self._text[start : self._text.index(b"\n", start)]


def _kept(*found: range) -> list[range]:
    return [each for each in found if each]
