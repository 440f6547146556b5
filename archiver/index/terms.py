"""The terms of a partition, one by one, as Whoosh reads them."""

import re
from collections.abc import Iterable
from typing import Any

from whoosh.reading import TermNotFound

from archiver.index.candidates import Bits


class WhooshTerms:
    """What is asked of them; see :class:`archiver.index.candidates.Terms`."""

    def __init__(self, reader: Any) -> None:
        self._reader = reader

    def holding(self, term: str) -> Bits:
        """Return the blocks that hold this term."""
        return self._holding_any([term.encode()])

    def holding_prefix(self, prefix: str) -> Bits:
        """Return the blocks that hold a word that begins like this."""
        words = self._reader.expand_prefix("terms", prefix.encode())
        return self._holding_any(word for word in words if not word.startswith(b":"))

    def holding_match(self, pattern: str) -> Bits:
        """Return the blocks that hold a word that this matches as a whole."""
        matches = re.compile(pattern).fullmatch
        words = (word for word in self._reader.lexicon("terms") if not word.startswith(b":"))
        return self._holding_any(word for word in words if matches(word.decode()))

    def _holding_any(self, terms: Iterable[bytes]) -> Bits:
        found = 0
        for term in terms:
            try:
                matcher = self._reader.postings("terms", term)
            except TermNotFound:
                continue
            for block in matcher.all_ids():
                found |= 1 << block
        return found
