"""Runs that ended without a stop, each with what was seen last of it."""

from collections import deque
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from archiver.console.endings import Ending
from archiver.console.records import Source
from archiver.store.reads import Reader
from archiver.store.rows import LifeRow, LineRow, SampleRow

_PAGE = 200  # lines that one statement reads
_CONTAINER = {Source.LIVE, Source.REPLAY, Source.IMPORT}  # what the game itself printed


class Crash(NamedTuple):
    """A run that ended without a stop."""

    life: LifeRow
    ending: Ending
    lines: list[LineRow]  # the last that the game itself printed, by seq
    sample: SampleRow | None  # the last one while it lived; None: there is none

    @property
    def ran(self) -> int | None:
        """How long it ran, in microseconds; None: its end was not seen."""
        end = self.life.ended_at
        return None if end is None else max(0, end - self.life.began_at)

    @property
    def is_whole(self) -> bool:
        """Whether all of its life is known; else it had begun before it was first seen."""
        return self.life.started_at is not None or self.life.noticed != "first"


def find_crashes(
    reader: Reader,
    server_ids: Sequence[int] | None,
    *,
    since: int | None,
    until: int | None,
    lines: int,
) -> Iterator[Crash]:
    """
    Yield the runs that ended without a stop, by their ends, the newest last.

    Which those are is said in ``console.endings``. A run whose exit code was told, but
    whose end was not seen, is taken to have ended when the next run was seen, or now.

    Args:
        reader: The archive.
        server_ids: Of these servers; None: of all.
        since: Only ended at or after it; None: no such bound.
        until: Only ended before it; None: no such bound.
        lines: At most so many of each run's last lines.

    """
    found = []
    for life in reader.history().lives(server_ids):
        ending, end = life.ending, life.over_at
        if ending is None or not ending.is_crash:
            continue
        is_in = end is None or since is None or end >= since
        if is_in and (until is None or (end is not None and end < until)):
            found.append((life, ending))
    found.sort(key=lambda each: (each[0].over_at is None, each[0].over_at or 0, each[0].id))
    for life, ending in found:
        yield Crash(
            life, ending, _last_lines(reader, life, lines), reader.history().last_sample(life)
        )


def _last_lines(reader: Reader, life: LifeRow, count: int) -> list[LineRow]:
    """Return the last lines that a run printed; what the daemon said around them is left out."""
    seq = reader.history().seq_near_end(life) if count else None
    if seq is None:
        return []
    # Its times may disagree with its order: by seq, what is close may not be the last.
    last = deque(_walk(reader, life, seq, is_back=False), maxlen=count)
    last.extendleft(islice(_walk(reader, life, seq, is_back=True), count - len(last)))
    return list(last)


def _walk(reader: Reader, life: LifeRow, seq: int, *, is_back: bool) -> Iterator[LineRow]:
    """Yield lines of a run from a place on, or before it, until there are those of another."""
    while True:
        if is_back:
            page = reader.lines_around(life.server_id, seq, _PAGE, -1)[::-1]
        else:
            page = reader.lines_around(life.server_id, seq, 0, _PAGE - 1)
        for line in page:
            if line.source in _CONTAINER:
                if line.run_id not in {life.id, None}:
                    return
                if line.run_id == life.id:
                    yield line
        if len(page) < _PAGE:
            return
        seq = page[-1].seq + (not is_back)
