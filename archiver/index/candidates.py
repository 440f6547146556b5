"""
Which blocks of a partition can hold what is asked.

Servers and times are looked at first: where they leave no block, no term is looked up.
"""

from collections.abc import Callable, Collection, Sequence
from itertools import compress
from operator import attrgetter
from pathlib import Path
from typing import Protocol, Self

from archiver.index import bits, files
from archiver.index.bits import Bits
from archiver.index.blocks import BlockRange
from archiver.query.blocks import AllOf, AnyOf, BlockQuery, HasMatch, HasPrefix, HasTerm


class Terms(Protocol):
    """What is asked of the terms of a partition; each answer are blocks *within* some."""

    def holding(self, term: str, within: Bits) -> Bits:
        """Return those that hold this term."""

    def holding_prefix(self, prefix: str, within: Bits) -> Bits:
        """Return those that hold a word that begins like this."""

    def holding_match(self, pattern: str, within: Bits) -> Bits:
        """Return those that hold a word that this matches as a whole."""


def narrow(query: BlockQuery, terms: Terms, within: Bits) -> Bits:
    """Return those of the blocks *within* that *query* is true of."""
    match query:
        case HasTerm(term):
            return terms.holding(term, within)
        case HasPrefix(prefix):
            return terms.holding_prefix(prefix, within)
        case HasMatch(pattern):
            return terms.holding_match(pattern, within)
        case AllOf(parts):
            # A term is looked up, a pattern tried on each term there is.
            for part in sorted(parts, key=lambda each: not isinstance(each, HasTerm)):
                if within:
                    within = narrow(part, terms, within)
            return within
        case AnyOf(parts):
            found = 0
            for part in parts:
                if found != within:
                    found |= narrow(part, terms, within ^ found)
            return found


class Partition:
    """
    A partition that was opened; for one thread, until :meth:`close`.

    Args:
        folder: To be named in errors.
        terms: Of its blocks.
        columns: Of the parts of BlockRange, in their order, one value for each block.
        close: Called once.

    """

    def __init__(
        self,
        folder: Path,
        terms: Terms,
        columns: Sequence[Sequence[int]],
        close: Callable[[], None],
    ) -> None:
        self._folder = folder
        self._terms = terms
        self._columns = dict(zip(BlockRange._fields, columns, strict=True))
        self.close = close
        self.blocks = len(self._columns["lines"])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def candidates(
        self,
        query: BlockQuery,
        server_ids: Collection[int] | None = None,
        since: int | None = None,
        until: int | None = None,
    ) -> list[BlockRange]:
        """
        Return the blocks that may hold what is asked for, newest first.

        Args:
            query: What they must hold.
            server_ids: Whose lines; None: anybody's.
            since: Microseconds since the epoch; only blocks with a line at or after it.
            until: Likewise, before it.

        Returns:
            In falling order of ``latest_at``.

        Raises:
            IndexUnavailableError: A file cannot be read.

        """
        within = self._within(server_ids, since, until)
        try:
            found = narrow(query, self._terms, within) if within else 0
        except (OSError, EOFError) as exc:
            raise files.unavailable(f"the index cannot be read: {exc}", self._folder) from exc
        flags = bits.flags(found, self.blocks)
        ranges = list(map(BlockRange, *(compress(each, flags) for each in self._columns.values())))
        ranges.sort(key=attrgetter("latest_at"), reverse=True)
        return ranges

    def _within(
        self, server_ids: Collection[int] | None, since: int | None, until: int | None
    ) -> Bits:
        within = (1 << self.blocks) - 1
        if server_ids is not None:
            within &= bits.from_flags(map(set(server_ids).__contains__, self._columns["server_id"]))
        if since is not None:
            within &= bits.from_flags(map(since.__le__, self._columns["latest_at"]))
        if until is not None:
            within &= bits.from_flags(map(until.__gt__, self._columns["earliest_at"]))
        return within
