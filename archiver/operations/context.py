"""Lines around one, by their place in its server's stream, never by time."""

from collections.abc import Iterable, Iterator, Sequence

from archiver import errors
from archiver.operations.show import interleave
from archiver.store.reads import Reader
from archiver.store.rows import GapRow, LineRow, ServerRow


def show_context(
    reader: Reader, server: ServerRow, seq: int, *, before: int, after: int
) -> Iterator[LineRow | GapRow]:
    """
    Yield the line *seq* of a server with its neighbours and the gaps among them, by seq.

    Args:
        reader: The archive.
        server: Whose line it is.
        seq: Its place.
        before: At most so many lines before it.
        after: At most so many behind it.

    Raises:
        UsageError: No line has this place; names those on both sides of it.

    """
    lines = reader.lines_around(server.id, seq, before, after)
    if seq not in [line.seq for line in lines]:
        raise _missing(reader, server, seq)
    return with_gaps(reader, lines)


def with_gaps(reader: Reader, lines: Sequence[LineRow]) -> Iterator[LineRow | GapRow]:
    """
    Yield *lines* with the gaps that part them or lie right beside them.

    Args:
        reader: The archive.
        lines: Of one server, without leaving any out, by seq.

    """
    if not lines:
        return iter(())
    first, last = lines[0], lines[-1]
    gaps = reader.gaps_among(first.server_id, first.seq, last.seq)
    return interleave(lines, [gap for gap in gaps if gap.closed_at is None])


def around(
    reader: Reader, hits: Iterable[LineRow], *, before: int, after: int
) -> Iterator[list[LineRow]]:
    """
    Yield hits with their neighbours, those in one list whose neighbours touch.

    Args:
        reader: The archive.
        hits: In any order.
        before: So many lines before each.
        after: So many behind each.

    Yields:
        Lines of one server by seq, in the order of their first hits.

    """
    ordered = sorted(hits, key=lambda hit: (hit.server_id, hit.seq))
    groups: list[tuple[tuple[int, int, int], list[LineRow]]] = []
    for hit in ordered:
        lines = reader.lines_around(hit.server_id, hit.seq, before + 1, after)
        # One more than asked for: does it touch what came before?
        groups_last = groups[-1][1] if groups else []
        if (
            groups_last
            and groups_last[-1].server_id == hit.server_id
            and groups_last[-1].seq >= lines[0].seq
        ):
            groups_last += [line for line in lines if line.seq > groups_last[-1].seq]
            continue
        is_more = len(lines) > 1 and sum(line.seq < hit.seq for line in lines) > before
        groups.append(((hit.at, hit.server_id, hit.seq), lines[is_more:]))
    yield from (lines for _, lines in sorted(groups, key=lambda group: group[0]))


def _missing(reader: Reader, server: ServerRow, seq: int) -> errors.UsageError:
    around = [str(line.seq) for line in reader.lines_around(server.id, seq, 1, 0)]
    do = f"the nearest are {' and '.join(around)}" if around else "it has no lines at all"
    if len(around) == 1:
        do = f"the nearest is {around[0]}"
    return errors.UsageError(f"{server.name!r} has no line {seq}", do=do)
