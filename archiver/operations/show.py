"""Lines as history: in order, with the gaps between them where they belong."""

from collections import deque
from collections.abc import Iterable, Iterator

from archiver.store.reads import LineFilter, Reader
from archiver.store.rows import GapRow, LineRow


def show_lines(
    reader: Reader, wanted: LineFilter, *, limit: int | None
) -> Iterator[LineRow | GapRow]:
    """
    Yield lines and the gaps among them, oldest first.

    Args:
        reader: The archive.
        wanted: Which lines.
        limit: The newest so many lines; None: all of them, in constant memory.

    """
    if limit is None:
        lines: Iterable[LineRow] = reader.iter_lines(wanted)
        since = wanted.since
    else:
        lines = page = reader.lines(wanted, limit=limit, newest=True)
        cut = len(page) == limit
        since = min(line.at for line in page) if cut else wanted.since
    gaps = [
        gap
        for gap in reader.gaps(wanted.server_ids, since, wanted.until)
        if gap.closed_at is None
        and (wanted.run_ids is None or gap.run_id is None or gap.run_id in wanted.run_ids)
    ]
    return interleave(lines, gaps)


def interleave(lines: Iterable[LineRow], gaps: Iterable[GapRow]) -> Iterator[LineRow | GapRow]:
    """
    Put each gap before the first line of its server that comes after it.

    A gap that lies wholly before its server's first line is left out; one after the
    last, or of a server without a line, comes at the end.
    """
    waiting: dict[int, deque[GapRow]] = {}
    for gap in sorted(gaps, key=_place):
        waiting.setdefault(gap.server_id, deque()).append(gap)
    begun: set[int] = set()
    for line in lines:
        queue = waiting.get(line.server_id)
        while queue and _place(queue[0]) < line.seq:
            gap = queue.popleft()
            if line.server_id in begun or gap.before_seq is None or gap.before_seq >= line.seq:
                yield gap
        begun.add(line.server_id)
        yield line
    yield from sorted((gap for queue in waiting.values() for gap in queue), key=_end)


def _place(gap: GapRow) -> float:
    return float("-inf") if gap.after_seq is None else gap.after_seq


def _end(gap: GapRow) -> int:
    return gap.to_at
