"""
Lines to blocks: what the index knows as one.

A block is up to 256 lines or 16 KiB of text of one server and one day (UTC), in the
order of their commit, with rising seq. Two are open for each server. So a line that
was inserted late, or imported, goes beside the newest ones and not between them:
the range from a block's first seq to its last is hardly wider than its lines.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple, TypeAlias

from archiver.query import terms

# Of a line: id, server_id, seq, at, source, level and text; see SealedLine.
LineTuple: TypeAlias = tuple[int, int, int, int, int, int | None, str]

BLOCK_LINES = 256
BLOCK_TEXT = 16 * 1024  # characters; a longer line is a block of its own
_OPEN = 2  # blocks of one server
_DAY = 86_400_000_000  # microseconds


class SealedLine(NamedTuple):
    """What the index must know of a line; see ``console.records.Line``."""

    id: int  # order of commit
    server_id: int
    seq: int
    at: int  # microseconds since the epoch, UTC
    source: int
    level: int | None
    text: str


class BlockRange(NamedTuple):
    """Where the lines of a block are; others may lie between them."""

    server_id: int
    first_seq: int
    last_seq: int
    earliest_at: int
    latest_at: int
    lines: int


class _OpenBlock:
    """A block that may still grow."""

    __slots__ = (
        "day",
        "earliest_at",
        "facts",
        "first_seq",
        "last_seq",
        "latest_at",
        "server_id",
        "size",
        "texts",
    )

    def __init__(self, line: SealedLine, day: int) -> None:
        self.server_id = line.server_id
        self.day = day
        self.first_seq = self.last_seq = line.seq
        self.earliest_at = self.latest_at = line.at
        self.size = 0
        self.texts: list[str] = []
        self.facts: set[tuple[int, int | None]] = set()

    def add(self, line: SealedLine) -> None:
        self.last_seq = line.seq
        if line.at < self.earliest_at:
            self.earliest_at = line.at
        elif line.at > self.latest_at:
            self.latest_at = line.at
        self.size += len(line.text)
        self.texts.append(line.text)
        self.facts.add((line.source, line.level))

    def has_room(self, line: SealedLine) -> bool:
        return len(self.texts) < BLOCK_LINES and self.size + len(line.text) <= BLOCK_TEXT

    def seal(self) -> tuple[BlockRange, set[str]]:
        facts = {terms.fact("source", source) for source, _ in self.facts}
        facts.update(terms.fact("level", level) for _, level in self.facts if level is not None)
        where = BlockRange(
            self.server_id,
            self.first_seq,
            self.last_seq,
            self.earliest_at,
            self.latest_at,
            len(self.texts),
        )
        return where, terms.block_terms(self.texts, facts)


def seal_blocks(lines: Iterable[SealedLine]) -> Iterator[tuple[BlockRange, set[str]]]:
    """
    Yield each block with the set of its terms, in the order in which they are full.

    Args:
        lines: In the order of their commit; of any servers.

    """
    servers: dict[int, list[_OpenBlock]] = defaultdict(list)
    for line in lines:
        day = line.at // _DAY
        opened = servers[line.server_id]
        block = _fitting(opened, line, day)
        if block is None or not block.has_room(line):
            if block is None and len(opened) == _OPEN:
                block = min(opened, key=lambda each: each.last_seq)
            if block is not None:
                opened.remove(block)
                yield block.seal()
            block = _OpenBlock(line, day)
            opened.append(block)
        block.add(line)
    for opened in servers.values():
        for block in opened:
            yield block.seal()


def _fitting(opened: list[_OpenBlock], line: SealedLine, day: int) -> _OpenBlock | None:
    """Return the block that *line* goes on with: of two, the one that ends nearer to it."""
    nearest = None
    for block in opened:
        goes_on = block.day == day and block.last_seq < line.seq
        if goes_on and (nearest is None or nearest.last_seq < block.last_seq):
            nearest = block
    return nearest
