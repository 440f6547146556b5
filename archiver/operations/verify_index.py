"""
Hold the index against the lines: is each of them found by each of its words?

Lines that were deleted since they were sealed are no fault: the index may name what is
not there any more, because the store is asked for every line.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from archiver import errors
from archiver.index.candidates import Partition
from archiver.index.partitions import Index
from archiver.query.blocks import EVERY, AllOf, HasTerm
from archiver.query.terms import block_terms, fact
from archiver.store.reads import LineFilter, Reader
from archiver.store.rows import LineRow, PartitionRow

SAMPLE = 1_000  # lines of an archive


@dataclass(slots=True)
class Checked:
    """What was compared, and what is wrong."""

    partitions: int = 0
    lines: int = 0
    faults: list[str] = field(default_factory=list)


class _Sealed:
    """One partition and the lines that belong in it."""

    def __init__(self, reader: Reader, partition: Partition, row: PartitionRow) -> None:
        self._reader = reader
        self._partition = partition
        self._row = row

    def count(self) -> int:
        """Return how many lines belong in it."""
        return self._reader.partitions().count(self._row.first_id, self._row.last_id)

    def sample(self, size: int, random: Random) -> Iterator[LineRow]:
        """Yield some lines, wherever they are."""
        for _ in range(size):
            after = random.randint(self._row.first_id, self._row.last_id) - 1
            for line in self._reader.lines(LineFilter(), after=after, limit=1):
                if line.id <= self._row.last_id:
                    yield line

    def blocks(self) -> Iterator[list[LineRow]]:
        """Yield the lines that lie in each block's range, also those of another block."""
        for each in self._partition.candidates(EVERY):
            lines = self._reader.between(
                each.server_id, each.first_seq, each.last_seq, LineFilter()
            )
            yield [line for line in lines if self._row.first_id <= line.id <= self._row.last_id]

    def missed(self, lines: list[LineRow]) -> Iterator[LineRow]:
        """Yield those of *lines*, of one server, that a search would not come to."""
        if not lines or self._finds(lines):
            return
        # They may be of two blocks: ask for each alone.
        yield from (line for line in lines if not self._finds([line]))

    def _finds(self, lines: list[LineRow]) -> bool:
        """Return whether the terms of all *lines* lead to one block around all of them."""
        seqs = [line.seq for line in lines]
        terms = block_terms([line.text for line in lines], _facts(lines))
        found = self._partition.candidates(
            AllOf(tuple(map(HasTerm, terms))),
            {lines[0].server_id},
            min(line.at for line in lines),
            max(line.at for line in lines) + 1,
        )
        return any(each.first_seq <= min(seqs) and max(seqs) <= each.last_seq for each in found)


def verify_index(
    reader: Reader,
    index_dir: Path,
    *,
    full: bool,
    watch: Callable[[int, int], None] = lambda _done, _total: None,
    random: Random | None = None,
) -> Checked:
    """
    Compare the index with the archive.

    Args:
        reader: The archive.
        index_dir: Its index.
        full: Every line, not a sample.
        watch: Told how many lines of how many were compared.
        random: Chooses the sample; None: another one each time.

    """
    rows = reader.partitions().rows()
    total = sum(row.lines for row in rows)
    found = Checked(partitions=len(rows))
    random = random or Random()  # noqa: S311  # no secret
    for row in rows:
        try:
            with Index(index_dir).open(row.directory, row.described()) as partition:
                sealed = _Sealed(reader, partition, row)
                if full:
                    faults = _compare_all(sealed, found, lambda done: watch(done, total))
                else:
                    size = -(-SAMPLE * row.lines // total)
                    faults = _compare(
                        sealed, ([line] for line in sealed.sample(size, random)), found
                    )
                found.faults += [f"{fault} (in {row.directory})" for fault in faults]
        except errors.IndexUnavailableError as exc:
            found.faults.append(f"{exc.what} ({exc.where})")
    return found


def _compare(sealed: _Sealed, groups: Iterable[list[LineRow]], found: Checked) -> Iterator[str]:
    for lines in groups:
        found.lines += len(lines)
        for line in sealed.missed(lines):
            yield f"a search would miss seq {line.seq} of {line.server_name!r}"


def _compare_all(sealed: _Sealed, found: Checked, watch: Callable[[int], None]) -> Iterator[str]:
    seen: set[int] = set()
    before = found.lines

    def noted() -> Iterator[list[LineRow]]:
        for lines in sealed.blocks():
            seen.update(line.id for line in lines)
            yield lines
            found.lines = before + len(seen)
            watch(found.lines)

    yield from _compare(sealed, noted(), Checked())
    there = sealed.count()
    if len(seen) != there:
        yield f"{there - len(seen)} lines are in no block"


def _facts(lines: Iterable[LineRow]) -> Iterator[str]:
    for line in lines:
        yield fact("source", line.source)
        if line.level is not None:
            yield fact("level", line.level)
