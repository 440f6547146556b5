"""
Seal lines: bring the index up to what is committed, make it anew, mend it.

A partition holds the lines of a range of ids. Those that were committed since the last
one make the next. Four neighbours of about one size are sealed again as one, from the
lines themselves, so there are few of them however often a few lines are sealed; none
grows over a million lines. Files are written first and named in the archive then: a
process that is killed leaves files that nobody names, and the next one sweeps them.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from archiver import errors
from archiver.index import partitions as index
from archiver.index.lock import UpdateLock
from archiver.operations import seal_apart
from archiver.operations.seal_apart import Range
from archiver.store import partitions as store
from archiver.store.database import Database
from archiver.store.reads import Reader
from archiver.store.rows import PartitionRow

LARGEST = 1_000_000  # lines of a partition
_FAN = 4  # neighbours that are worth to be one
_LINGER = 3_600_000_000  # microseconds that files stay that are named no more: some read them

Watch = Callable[[int, int], None]  # lines that were sealed, and all that are to be


@dataclass(frozen=True, slots=True)
class Sealed:
    """What an update has done."""

    lines: int  # for the first time
    again: int  # lines of partitions that were made anew
    mended: int  # partitions whose files were not as they were written


class Sealer:
    """
    The right to change the index of one archive; a context manager.

    Args:
        url: The archive.
        index_dir: Its index.
        clock: Gives the time in microseconds since the epoch.
        watch: Told how far the sealing is; None: nobody watches.

    Raises:
        IndexUnavailableError: Another process has that right, or the directory refuses.
        StoreError: There is no archive, or it refuses.

    """

    def __init__(
        self,
        url: str,
        index_dir: Path,
        *,
        clock: Callable[[], int],
        watch: Watch | None = None,
    ) -> None:
        self._url = url
        self._index_dir = index_dir
        self._clock = clock
        self._watch = watch
        self._reader = Reader.open(url)
        try:
            self._partitions = self._reader.partitions()
            self._lock = UpdateLock(index_dir)
            self._database = Database.open(url)
        except BaseException:
            self._reader.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()
        self._lock.release()
        self._reader.close()

    def update(self, *, least: int = 1) -> Sealed:
        """
        Seal what was committed, and mend what is damaged.

        Args:
            least: So many new lines are worth a partition; fewer wait.

        Raises:
            IndexUnavailableError: The index cannot be written.
            StoreError: The archive refuses.

        """
        self._sweep()
        rows = self._partitions.rows()
        broken = [_joined([row]) for row in damaged(self._index_dir, rows)]
        new = [
            Range(first, min(first + LARGEST - 1, last))
            for begin, last in store.unsealed(rows, self._partitions.last_line_id())
            for first in range(begin, last + 1, LARGEST)
        ]
        if sum(each.last_id - each.first_id + 1 for each in new) < least:
            new = []
        mended = self._seal(broken)
        lines = self._seal(new)
        again = mended
        while neighbours := find_neighbours(self._partitions.rows()):
            again += self._seal([_joined(neighbours)])
        return Sealed(lines, again, len(broken))

    def rebuild(self, *, workers: int = 1) -> Sealed:
        """
        Make the whole index anew, while the old one goes on answering.

        Goes on where an earlier one was interrupted.

        Args:
            workers: Processes that seal side by side.

        Raises:
            IndexUnavailableError: The index cannot be written.
            StoreError: The archive refuses.

        """
        rows = self._partitions.rows()
        mark = self._partitions.rebuild_mark()
        if not any(row.id <= mark for row in rows):  # none was interrupted, or updates ended it
            mark = max((row.id for row in rows), default=0)
            store.mark_rebuild(self._database, mark)
        old = [_joined(group) for group in _groups(rows, mark)]
        again = self._seal(old, workers=workers)
        store.mark_rebuild(self._database, 0)
        done = self.update()
        return Sealed(done.lines, again + done.again, done.mended)

    def _sweep(self) -> None:
        named = [row.directory for row in self._partitions.rows()]
        index.sweep(self._index_dir, named, older_than=self._clock() - _LINGER)

    def _seal(self, ranges: Sequence[Range], *, workers: int = 1) -> int:
        """Seal *ranges*, naming each as soon as it is written; return their lines."""
        total = sum(each.last_id - each.first_id + 1 for each in ranges)
        named = {row.id: row.directory for row in self._partitions.rows()}
        lines = 0
        for done in self._written(ranges, total, min(workers, len(ranges))):
            files, replaced = done
            row = PartitionRow(
                id=0,
                first_id=files.first_id,
                last_id=files.last_id,
                lines=files.lines,
                blocks=files.blocks,
                earliest_at=files.earliest_at,
                latest_at=files.latest_at,
                directory=files.directory,
                files=json.dumps(files.files),
                created_at=self._clock(),
            )
            for key in replaced:
                index.retire(self._index_dir, named[key], self._clock())
            store.replace(self._database, row, replaced)
            lines += files.lines
        return lines

    def _written(
        self, ranges: Sequence[Range], total: int, workers: int
    ) -> Iterator[tuple[index.PartitionFiles, tuple[int, ...]]]:
        """Yield the partitions as they are on the disk, with what each replaces."""
        if workers <= 1:
            done = 0
            for each in ranges:

                def watch(read: int, before: int = done) -> None:
                    if self._watch is not None:
                        self._watch(before + read, total)

                lines = seal_apart.watched(
                    self._partitions.lines(each.first_id, each.last_id), watch
                )
                yield seal_apart.write(self._index_dir, each, lines, self._clock()), each.replaced
                done += each.last_id - each.first_id + 1
            return
        yield from seal_apart.written(
            self._url,
            self._index_dir,
            ranges,
            workers=workers,
            clock=self._clock,
            watch=lambda read: self._watch and self._watch(read, total),
        )


def damaged(index_dir: Path, rows: Iterable[PartitionRow]) -> Iterator[PartitionRow]:
    """Yield the partitions whose files are not as they were written."""
    opened = index.Index(index_dir)
    for row in rows:
        try:
            opened.open(row.directory, row.described()).close()
        except errors.IndexUnavailableError:
            yield row


def find_neighbours(rows: Sequence[PartitionRow]) -> Sequence[PartitionRow]:
    """
    Return partitions that should be one; none: there are no such.

    Together they are at least twice as large as the largest of them. So a line is
    sealed again only when its partition doubles, six times in its life.
    """
    for first in range(len(rows) - _FAN + 1):
        found = rows[first : first + _FAN]
        lines = sum(row.lines for row in found)
        if lines <= LARGEST and 2 * max(row.lines for row in found) <= lines:
            return found
    return ()


def _groups(rows: Sequence[PartitionRow], mark: int) -> Iterator[list[PartitionRow]]:
    """Yield neighbours that a rebuild makes one partition of: all up to *mark*."""
    group: list[PartitionRow] = []
    for row in rows:
        is_old = row.id <= mark
        if group and (not is_old or sum(each.lines for each in group) + row.lines > LARGEST):
            yield group
            group = []
        if is_old:
            group.append(row)
    if group:
        yield group


def _joined(rows: Sequence[PartitionRow]) -> Range:
    return Range(rows[0].first_id, rows[-1].last_id, tuple(row.id for row in rows))
