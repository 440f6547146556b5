"""Lines as history: in order, with the gaps between them where they belong."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence

from archiver.store.reads import LineFilter, Reader
from archiver.store.rows import GapRow, LineRow


def show_lines(
    reader: Reader, wanted: LineFilter, *, limit: int | None
) -> Iterator[LineRow | GapRow]:
    """
    Yield lines and the gaps among them, oldest first.

    A gap belongs to them if it touches the time that was asked for, or one of the
    lines at either end. Gaps that were found complete are left out.

    Args:
        reader: The archive.
        wanted: Which lines.
        limit: The newest so many lines; None: all of them, in constant memory.

    """
    lines: Iterable[LineRow]
    since, first, is_cut = wanted.since, dict[int, int](), False
    if limit is None:
        lines = reader.iter_lines(wanted)
    else:
        lines = page = reader.lines(wanted, limit=limit, newest=True)
        is_cut = len(page) == limit
        if is_cut:
            # Gaps are dated by our clock, claimed lines by that of their host.
            since = min(min(line.at, line.observed_at) for line in page)
            for line in page:
                first.setdefault(line.server_id, line.seq)
    gaps = reader.gaps(wanted.server_ids, since, wanted.until, before=list(first.items()))
    open_gaps = [gap for gap in gaps if gap.closed_at is None]
    return interleave(lines, open_gaps, is_cut=is_cut, run_ids=wanted.run_ids)


def interleave(
    lines: Iterable[LineRow],
    gaps: Iterable[GapRow],
    *,
    is_cut: bool = False,
    run_ids: Sequence[int] | None = None,
) -> Iterator[LineRow | GapRow]:
    """
    Put each gap before the first line of its server that comes after it.

    One after the last line, or of a server without a line, comes at the end.

    Args:
        lines: Those of one server by seq.
        gaps: In any order.
        is_cut: Older lines were left out: leave out gaps that touch only them, too.
        run_ids: The lines are of these runs: leave out gaps that neither belong to
            one nor touch one of the lines; None: of any run.

    """
    waiting: dict[int, deque[GapRow]] = {}
    for gap in sorted(gaps, key=place):
        waiting.setdefault(gap.server_id, deque()).append(gap)
    last: dict[int, int] = {}  # server_id -> seq

    def is_of_run(gap: GapRow) -> bool:
        return run_ids is None or gap.run_id in run_ids

    for line in lines:
        queue = waiting.get(line.server_id)
        while queue and place(queue[0]) < line.seq:
            gap = queue.popleft()
            touches = gap.before_seq is None or gap.before_seq >= line.seq
            if line.server_id in last or touches or (not is_cut and is_of_run(gap)):
                yield gap
        last[line.server_id] = line.seq
        yield line
    rest = [gap for queue in waiting.values() for gap in queue]
    yield from sorted(
        (
            gap
            for gap in rest
            if is_of_run(gap) or (gap.server_id in last and place(gap) <= last[gap.server_id])
        ),
        key=_end,
    )


def place(gap: GapRow) -> float:
    """Return the seq that a gap stands behind; minus infinity: before all."""
    return float("-inf") if gap.after_seq is None else gap.after_seq


def _end(gap: GapRow) -> int:
    return gap.to_at
