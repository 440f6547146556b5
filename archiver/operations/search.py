"""
Find lines: candidates from the index, and the matcher's word on each of their lines.

The index only narrows. Every line that is returned was read from the store and judged
by :mod:`archiver.query.matcher`, and every line that the index does not know of is
judged, too: the answer is that of a look at all lines, also for one that was committed
a moment ago.
"""

import heapq
from collections.abc import Callable, Iterator
from dataclasses import replace

from archiver.index.partitions import Index
from archiver.operations.places import Explanation, Places, Seen
from archiver.query import literals, narrow
from archiver.query.blocks import EVERY, AllOf, AnyOf, BlockQuery, HasTerm
from archiver.query.matcher import Matcher
from archiver.query.nodes import EVERY_LINE, Field, Node, leaves
from archiver.query.terms import fact
from archiver.store.reads import LineFilter, Reader
from archiver.store.rows import LineRow

_LEVELS = range(1, 25)  # OpenTelemetry severity numbers


class Search:
    """
    One query over one archive, as it stands when the search begins.

    Args:
        reader: The archive.
        index: What is sealed of it; None: every line is looked at.
        node: What is looked for.
        wanted: Which lines may be hits.
        newest: From the newest to the oldest; else the other way round.
        watch: Told of each range that was read, so that a person sees it going on.

    """

    def __init__(
        self,
        reader: Reader,
        index: Index | None,
        node: Node,
        wanted: LineFilter,
        *,
        newest: bool = True,
        watch: Callable[[Explanation], None] = lambda _: None,
    ) -> None:
        self._matches = Matcher(node).matches
        self._is_every_line = node == EVERY_LINE
        self._reader = reader
        self._wanted = replace(
            wanted,
            server_ids=_servers(reader, node, wanted),
            batch_until=reader.last_batch() if wanted.batch_until is None else wanted.batch_until,
            literals=(*wanted.literals, *literals.literals(node)),
        )
        narrowed = narrow.narrow(node)
        self.reads_all = narrowed == EVERY and node != EVERY_LINE  # the index cannot help
        query = AllOf((narrowed, *_facts(wanted)))
        self._places = Places(reader.partitions(), index, query, self._wanted, newest=newest)
        self._newest = newest
        self._watch = watch

    @property
    def explanation(self) -> Explanation:
        """What was looked at so far."""
        return self._places.explanation

    def hits(self) -> Iterator[LineRow]:
        """
        Yield all hits in the order of (at, server_id, seq), or in its reverse.

        Reads no further than what is taken needs: the first hundred of a million are
        there as soon as the lines that they stand among have been read.
        """
        found: list[tuple[tuple[int, int, int], LineRow]] = []
        sign = -1 if self._newest else 1
        seen: dict[int, Seen] = {}
        for at, each in self._places:
            # What is still to come lies at this time or beyond.
            while found and found[0][0] < (sign * at,):
                yield heapq.heappop(found)[1]
            if each is None:
                continue
            fresh = seen.setdefault(each.server_id, Seen()).add(each.first_seq, each.last_seq)
            for first, last in fresh:
                for line in self._read(each.server_id, first, last):
                    key = (sign * line.at, sign * line.server_id, sign * line.seq)
                    heapq.heappush(found, (key, line))
        while found:
            yield heapq.heappop(found)[1]

    def count(self) -> int:
        """Return how many hits there are."""
        for first, last, server_id in self._fresh():
            place = (server_id, first, last, self._wanted)
            if self._is_every_line:
                hits = read = self._reader.count_between(*place)
            else:
                rows = self._reader.texts_between(*place)
                hits, read = sum(map(self._matches, rows)), len(rows)
            self._note(read, hits)
        return self.explanation.hits

    def _fresh(self) -> Iterator[tuple[int, int, int]]:
        """Yield first seq, last seq and server of all that may hold hits, each line once."""
        seen: dict[int, Seen] = {}
        for _, each in self._places:
            if each is not None:
                of_server = seen.setdefault(each.server_id, Seen())
                for first, last in of_server.add(each.first_seq, each.last_seq):
                    yield first, last, each.server_id

    def _read(self, server_id: int, first_seq: int, last_seq: int) -> list[LineRow]:
        """Return the hits between two seqs, both included."""
        rows = self._reader.between(server_id, first_seq, last_seq, self._wanted)
        hits = [row for row in rows if self._matches(row)]
        self._note(len(rows), len(hits))
        return hits

    def _note(self, read: int, hits: int) -> None:
        self.explanation.ranges += 1
        self.explanation.lines += read
        self.explanation.hits += hits
        self._watch(self.explanation)


def _servers(reader: Reader, node: Node, wanted: LineFilter) -> tuple[int, ...] | None:
    """Return which servers may have hits; None: all of them."""
    if not any(isinstance(leaf, Field) and leaf.name == "server" for leaf in leaves(node)):
        return wanted.server_ids
    return tuple(
        server.id
        for server in reader.servers()
        if (wanted.server_ids is None or server.id in wanted.server_ids)
        and narrow.may_match(node, server.identifier, server.name)
    )


def _facts(wanted: LineFilter) -> Iterator[BlockQuery]:
    """Yield what a filter says of a block that has a line which it lets through."""
    if wanted.sources is not None:
        yield AnyOf(tuple(HasTerm(fact("source", source)) for source in wanted.sources))
    if wanted.level_from is not None:
        levels = (level for level in _LEVELS if level >= wanted.level_from)
        yield AnyOf(tuple(HasTerm(fact("level", level)) for level in levels))
