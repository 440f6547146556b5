"""Lines as commands print them: with gaps for people, alone for programs."""

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from archiver.cli.line_printer import LinePrinter
from archiver.cli.options import LineStyle
from archiver.cli.output import has_colour, stdout, tell
from archiver.cli.pager import paged
from archiver.operations.export import write_lines
from archiver.store.rows import GapRow, LineRow


def print_lines(
    rows: Iterable[LineRow | GapRow | None],
    style: LineStyle,
    *,
    environ: Mapping[str, str],
    names: bool,
    marked: frozenset[tuple[int, int]] | None = None,
    spans: Callable[[str], Sequence[tuple[int, int]]] | None = None,
    at_end: bool = False,
    follows: bool = False,
) -> int | None:
    """
    Print lines; of gaps among them only text has room, for the others they are told.

    Args:
        rows: Lines and gaps, in order; None where lines are left out.
        style: How.
        environ: Decides on colours and the pager.
        names: Show each line's server in text.
        marked: Point at these lines in text, given as (server_id, seq); None: at none.
        spans: Tells where to highlight a text; None: nowhere.
        at_end: Let a pager begin at the end.
        follows: There is no end: no pager, and a gap is told at once.

    Returns:
        How many lines; None: somebody left the pager before the last.

    """
    kind = style.kind
    printer = LinePrinter(
        zone=style.zone,
        names=names,
        ansi=style.ansi or ("keep" if kind == "raw" and not sys.stdout.isatty() else "strip"),
        bare=kind == "raw",
        colour=kind == "text" and has_colour(sys.stdout, environ),
        seqs=style.seqs,
        marked=marked,
        spans=spans,
    )
    gaps = 0

    def set_aside(gap: GapRow) -> None:
        nonlocal gaps
        gaps += 1
        if follows:
            tell(printer.gap(gap).rstrip("\n"))

    begin = "+G" if at_end else ""
    if marked is not None and len(marked) == 1 and kind == "text":
        begin = "-j.5 +/^>"  # the line in the middle of the screen
    shown: int | None = None
    with paged(environ, wanted=style.pager and not follows, begin=begin) as file:
        if kind in {"ndjson", "csv"}:
            lines = _lines(rows, set_aside)
            safe = stdout(file, keep=style.ansi == "keep")
            shown = write_lines(lines, "csv" if kind == "csv" else "ndjson", safe)
        else:
            count = 0
            for row in _lines(rows, set_aside) if printer.bare else rows:
                if row is None:
                    file.write("--\n")
                elif isinstance(row, LineRow):
                    file.write(printer.line(row))
                    count += 1
                else:
                    file.write(printer.gap(row))
            shown = count
    if gaps and not follows:
        tell(f"{gaps} gap{'s' * (gaps != 1)} among them, see 'archiver gaps'")
    return shown


def _lines(
    rows: Iterable[LineRow | GapRow | None], set_aside: Callable[[GapRow], object]
) -> Iterator[LineRow]:
    """Yield the lines alone."""
    for row in rows:
        if isinstance(row, LineRow):
            yield row
        elif row is not None:
            set_aside(row)
