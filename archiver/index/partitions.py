"""
Partitions: directories of the index, made whole and never changed.

A partition holds every line whose id lies between two, in blocks. It is written under
another name, flushed to the disk, and renamed; the caller names it in SQL after that.
What SQL does not name is left from a process that was killed, and swept.
"""

import os
import re
import shutil
import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from whoosh import index as whoosh_index
from whoosh.filedb.filestore import FileStorage

from archiver import errors
from archiver.index import distribution, files, schema
from archiver.index.blocks import BlockRange, LineTuple, SealedLine, seal_blocks
from archiver.index.candidates import Partition
from archiver.index.codec import BlockCodec

_NAME = re.compile(r"\d+-\d+-\d+")  # first id, last id, generation
_OURS = re.compile(rf"{_NAME.pattern}|\.{_NAME.pattern}\..+")


class PartitionFiles(NamedTuple):
    """What SQL must know of a partition to open it, or to leave it closed."""

    directory: str  # its name in the directory of the index
    files: files.Described
    first_id: int
    last_id: int
    lines: int
    blocks: int
    earliest_at: int | None  # None: it has no lines
    latest_at: int | None


def write_partition(
    index_dir: Path,
    lines: Iterable[LineTuple],
    *,
    first_id: int,
    last_id: int,
    generation: int,
) -> PartitionFiles:
    """
    Write a partition, and return what SQL must name once it is on the disk.

    Its terms are in memory until all *lines* are read: 70 MB for a million lines.

    Args:
        index_dir: Made where it is not there, for its owner alone.
        lines: All that are stored between the two ids, in the order of their ids; tuples
            of the fields of SealedLine.
        first_id: Where the range begins, also if that line is not there any more.
        last_id: Its end, included.
        generation: Another one for each try at the same range.

    Raises:
        ConfigError: Whoosh is installed twice.
        IndexUnavailableError: The directory cannot be written.

    """
    distribution.installed()
    name = f"{first_id}-{last_id}-{generation}"
    try:
        index_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{name}.", dir=index_dir) as written:
            ranges = _write_blocks(written, _checked(lines, first_id, last_id))
            described = files.make_durable(Path(written))
            Path(written).rename(index_dir / name)
        files.flush(index_dir)
    except OSError as exc:
        raise errors.IndexUnavailableError(
            f"the index cannot be written: {exc.strerror or exc}",
            where=str(index_dir),
            do="make room on the disk, or the directory writable for this user",
        ) from exc
    return PartitionFiles(
        name,
        described,
        first_id,
        last_id,
        lines=sum(each.lines for each in ranges),
        blocks=len(ranges),
        earliest_at=min((each.earliest_at for each in ranges), default=None),
        latest_at=max((each.latest_at for each in ranges), default=None),
    )


def _write_blocks(folder: str, lines: Iterable[SealedLine]) -> list[BlockRange]:
    index = whoosh_index.create_in(folder, schema.schema(), indexname=schema.INDEX_NAME)
    ranges = []
    with index.writer(codec=BlockCodec()) as writer:
        for where, terms in seal_blocks(lines):
            writer.add_document(terms=terms, **where._asdict())
            ranges.append(where)
    return ranges


def _checked(lines: Iterable[LineTuple], first_id: int, last_id: int) -> Iterator[SealedLine]:
    before = first_id - 1
    for line in map(SealedLine._make, lines):
        if not before < line.id <= last_id:
            raise ValueError(f"line {line.id} after {before}, in a partition up to {last_id}")
        before = line.id
        yield line


class Index:
    """
    The directory of the index, to read.

    Raises:
        ConfigError: Whoosh is installed twice.

    """

    def __init__(self, index_dir: Path) -> None:
        distribution.installed()
        self._index_dir = index_dir

    def open(self, directory: str, described: Mapping[str, tuple[int, int]]) -> Partition:
        """
        Open a partition.

        Args:
            directory: Its name.
            described: Its files, as write_partition has described them.

        Raises:
            IndexUnavailableError: Anything about it is not as it was written, or
                another user could have changed it.

        """
        folder = self._index_dir / directory
        if not _NAME.fullmatch(directory):
            raise files.unavailable(f"{directory!r} names no partition", self._index_dir)
        files.check(folder, described)
        try:
            storage = FileStorage(str(folder), readonly=True)
            # With a schema given, that which is pickled there is not read.
            reader = storage.open_index(schema.INDEX_NAME, schema.schema()).reader()
            columns = [
                reader.column_reader(name, translate=False) if reader.doc_count() else []
                for name in BlockRange._fields
            ]
            terms = reader.cursor(schema.TERMS)
        except Exception as exc:  # a pickle can raise anything
            raise files.unavailable(f"the index cannot be read: {exc!r}", folder) from exc
        return Partition(folder, terms, columns, reader.close)


def retire(index_dir: Path, directory: str, now: int) -> None:
    """Let a partition that is named no more be swept as if it had been made *now*."""
    with suppress(OSError):  # it is damaged, or somebody else's: nobody reads it
        os.utime(index_dir / directory, ns=(now * 1_000, now * 1_000))


def sweep(index_dir: Path, keep: Collection[str], older_than: int) -> list[str]:
    """
    Remove what no row in SQL names, and return the names.

    Args:
        index_dir: Need not be there.
        keep: Directories that SQL names.
        older_than: Microseconds since the epoch; what was changed later may be about
            to be named, and stays.

    Raises:
        IndexUnavailableError: Something cannot be removed.

    """
    kept = {name for each in keep for name in (each, files.memory_of(Path(each)).name)}
    swept = []
    try:
        for path in sorted(index_dir.iterdir()) if index_dir.exists() else ():
            if path.name in kept or not _OURS.fullmatch(path.name):
                continue
            with suppress(FileNotFoundError):  # a reader that just remembers has renamed it
                if path.lstat().st_mtime_ns // 1000 < older_than:
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
                    swept.append(path.name)
    except OSError as exc:
        raise files.unavailable(f"the index cannot be swept: {exc.strerror}", index_dir) from exc
    return swept
