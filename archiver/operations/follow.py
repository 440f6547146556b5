"""
Lines as they are committed: none is left out, none comes twice.

They come in order of commit, which is that of ``LineRow.id``. A line that a replay
shows late, or that fills a gap, comes when it is found, though its place is above
lines that came before; it is a :class:`LateRow`.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import chain
from math import inf

from archiver.operations.show import interleave, place, show_lines
from archiver.store.reads import WINDOW, LineFilter, Reader
from archiver.store.refusals import RefusedError
from archiver.store.rows import GapRow, LineRow, Mark

# Told why nothing could be read, or None, it returns when to look again; it ends the
# following by an exception.
Wait = Callable[[RefusedError | None], object]


class LateRow(LineRow):
    """A line that is committed behind lines of its server with a larger seq."""

    __slots__ = ()


def show_and_follow(
    reader: Reader, wanted: LineFilter, *, limit: int | None, wait: Wait
) -> Iterator[LineRow | GapRow]:
    """
    Yield the newest lines and their gaps, then what is committed; never ends.

    Args:
        reader: The archive.
        wanted: Which lines.
        limit: First the newest so many; None: all.
        wait: See :func:`follow`.

    """
    mark = reader.mark()
    first: Iterator[LineRow | GapRow] = iter(())
    if limit != 0:
        first = show_lines(reader, replace(wanted, batch_until=mark.batch), limit=limit)
    known = (row for row in first if isinstance(row, LineRow) or row.id <= mark.gap)
    return chain(known, follow(reader, wanted, mark, wait=wait))


def follow(
    reader: Reader,
    wanted: LineFilter,
    mark: Mark,
    *,
    wait: Wait,
    keep: Callable[[LineRow], bool] = lambda _: True,
) -> Iterator[LineRow | GapRow]:
    """
    Yield what is committed after *mark*, and the gaps that are found; never ends.

    A gap stands before the first line of its server behind it that comes with it, and
    is shown once: if it is found to be larger or smaller later, that is not said. A
    database that refuses for a while, or was started again, is asked until it answers.

    Args:
        reader: The archive; connected again where the connection was lost.
        wanted: Which lines, and of which servers the gaps.
        mark: From ``reader.mark()``: where to begin.
        wait: Called whenever there is nothing more to read; returns when to look again.
        keep: Which of these lines to yield.

    Raises:
        StoreError: The archive refuses and will go on refusing.

    """
    following = _Following(reader, wanted, mark, keep)
    refused: RefusedError | None = None
    while True:
        wait(refused)
        try:
            if refused is not None:
                reader.reopen()
                refused = None
            yield from following.look()
        except RefusedError as exc:
            if not exc.retryable:
                raise
            refused = exc


class _Following:
    """
    How far an archive was read.

    It moves on only by what was read whole: after a refusal the same is read again.
    """

    def __init__(
        self, reader: Reader, wanted: LineFilter, mark: Mark, keep: Callable[[LineRow], bool]
    ) -> None:
        self._reader = reader
        self._wanted = wanted
        self._seen = mark
        self._keep = keep
        self._last_seqs: dict[int, float] = {}  # server_id -> the largest so far
        self._gaps: list[GapRow] = []  # found, but lines before them are still to be read

    def look(self) -> Iterator[LineRow | GapRow]:
        """Yield what is new; one read where nothing is."""
        now = self._reader.mark()
        while self._seen.batch < now.batch:
            page = self._reader.lines(self._wanted, after=self._seen.line, limit=WINDOW)
            gaps = self._reader.gaps_after(self._seen.gap, self._wanted.server_ids)
            self._meet_servers(page)
            is_all = len(page) < WINDOW
            reached = now if is_all else self._seen
            self._seen = Mark(
                reached.batch,
                max([self._seen.line, reached.line, *(line.id for line in page[-1:])]),
                max([self._seen.gap, *(gap.id for gap in gaps[-1:])]),
            )
            self._gaps += [gap for gap in gaps if gap.closed_at is None]
            lines = filter(self._keep, [self._judge(line) for line in page])
            ready = [gap for gap in self._gaps if is_all or self._is_passed(gap)]
            self._gaps = [gap for gap in self._gaps if gap not in ready]
            yield from interleave(lines, ready, run_ids=self._wanted.run_ids)

    def _meet_servers(self, page: list[LineRow]) -> None:
        """See how far servers were that come for the first time."""
        for server_id in {line.server_id for line in page} - self._last_seqs.keys():
            last = self._reader.last_seq(server_id, before_id=page[0].id)
            self._last_seqs[server_id] = -inf if last is None else last

    def _judge(self, line: LineRow) -> LineRow:
        last = self._last_seqs[line.server_id]
        self._last_seqs[line.server_id] = max(last, line.seq)
        return LateRow(*line) if line.seq < last else line

    def _is_passed(self, gap: GapRow) -> bool:
        """Return whether a line behind the gap was read."""
        return place(gap) < self._last_seqs.get(gap.server_id, -inf)
