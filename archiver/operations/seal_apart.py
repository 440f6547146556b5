"""
Write ranges of lines as partitions, in this process or in several of their own.

Workers read the archive themselves and write files; what they have written is named in
the archive by the process that started them.
"""

import multiprocessing
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from archiver.index import partitions as index
from archiver.store import partitions as store
from archiver.store.reads import Reader
from archiver.store.rows import SealedLine

if TYPE_CHECKING:
    from multiprocessing.sharedctypes import Synchronized
    from multiprocessing.synchronize import Event

_LOOK = 0.2  # seconds between two looks at how far the workers are


class Range(NamedTuple):
    """Lines to seal: all with ids between two, both included, in the place of partitions."""

    first_id: int
    last_id: int
    replaced: tuple[int, ...] = ()


def write(
    index_dir: Path, each: Range, lines: Iterator[SealedLine], now: int
) -> index.PartitionFiles:
    """Write a partition of *lines*, all that are in the range."""
    return index.write_partition(
        index_dir, lines, first_id=each.first_id, last_id=each.last_id, generation=now
    )


def watched(lines: Iterator[SealedLine], watch: Callable[[int], None]) -> Iterator[SealedLine]:
    """Yield *lines*, and tell *watch* of each page how many have been read."""
    read = 0
    for line in lines:
        yield line
        read += 1
        if read % store.PAGE == 0:
            watch(read)
    watch(read)


def written(
    url: str,
    index_dir: Path,
    ranges: Sequence[Range],
    *,
    workers: int,
    clock: Callable[[], int],
    watch: Callable[[int], object],
) -> Iterator[tuple[index.PartitionFiles, tuple[int, ...]]]:
    """
    Yield the partitions of *ranges* as they are on the disk, with what each replaces.

    Args:
        url: The archive.
        index_dir: Its index.
        ranges: What each partition is to hold.
        workers: Processes that write side by side.
        clock: Gives the time in microseconds since the epoch.
        watch: Told how many lines all of them have read.

    """
    context = multiprocessing.get_context("spawn")
    read: Synchronized[int] = context.Value("q", 0)
    stop = context.Event()
    with ProcessPoolExecutor(workers, context, _share, (read, stop)) as pool:
        with _undisturbed():
            waiting = {
                pool.submit(_write_apart, url, index_dir, each, clock()): each for each in ranges
            }
        try:
            while waiting:
                ended, _ = wait(waiting, _LOOK, FIRST_COMPLETED)
                watch(read.value)
                for future in ended:
                    yield future.result(), waiting.pop(future).replaced
        finally:  # interrupted, or one of them has failed: nobody names what the others write
            stop.set()
            pool.shutdown(cancel_futures=True)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Let Ctrl-C not reach the processes that start meanwhile: they are told to stop."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _StoppedError(Exception):
    """Whoever started this worker does not want its partition any more."""


# In a worker: lines that all of them have read, and whether they are to stop.
_read: "Synchronized[int] | None" = None
_stop: "Event | None" = None


def _share(read: "Synchronized[int]", stop: "Event") -> None:
    global _read, _stop  # how a pool hands what is shared to its workers
    _read, _stop = read, stop


def _write_apart(url: str, index_dir: Path, each: Range, now: int) -> index.PartitionFiles:
    """Write a partition in a worker's process."""
    told = 0

    def watch(read: int) -> None:
        nonlocal told
        if _stop is not None and _stop.is_set():
            raise _StoppedError
        if _read is not None:
            with _read.get_lock():
                _read.value += read - told
        told = read

    with closing(Reader.open(url)) as reader:
        lines = reader.partitions().lines(each.first_id, each.last_id)
        return write(index_dir, each, watched(lines, watch), now)
