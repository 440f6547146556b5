"""``archiver search``: find lines."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from operator import attrgetter
from typing import TYPE_CHECKING

import click

from archiver import errors
from archiver.cli import options
from archiver.cli.bars import Ticker
from archiver.cli.options import Command, Invocation, LineStyle
from archiver.cli.output import tell

if TYPE_CHECKING:
    from archiver.operations.places import Explanation
    from archiver.operations.search import Search
    from archiver.query.nodes import Node
    from archiver.store.reads import LineFilter, Reader
    from archiver.store.rows import GapRow, LineRow, Mark

_USUAL_COUNT = 100

_in_order = attrgetter("at", "server_id", "seq")


@dataclass(frozen=True, slots=True)
class _Hits:
    """Which hits to print, and how."""

    count: int | None  # None: all
    reverse: bool
    before: int  # lines around each
    after: int
    style: LineStyle
    names: bool
    spans: Callable[[str], Sequence[tuple[int, int]]]
    environ: Mapping[str, str]


@click.command(cls=Command, example="archiver search 'connection lost' -S 2h -C 3")
@click.argument("words", nargs=-1, metavar="[QUERY]...")
@options.server_option
@options.filters
@click.option(
    "-F", "--fixed", is_flag=True, help="QUERY is a text to look for as it is, in any case."
)
@click.option(
    "-E", "--regexp", is_flag=True, help="QUERY is one regular expression (RE2); it minds the case."
)
@click.option("--case", is_flag=True, help="With -F: mind the case, as -E does.")
@click.option(
    "-n",
    "--lines",
    "count",
    callback=options.read_count,
    default=str(_USUAL_COUNT),
    show_default=True,
    metavar="N|all",
    help="The newest so many hits, or all.",
)
@click.option("--oldest-first", is_flag=True, help="The oldest so many instead.")
@click.option("-r", "--reverse", is_flag=True, help="Print the newest first.")
@click.option(
    "-C",
    "--context",
    "both",
    type=click.IntRange(0),
    default=0,
    metavar="N",
    help="With N lines before and after each hit, as its console printed them.",
)
@click.option("-B", "--before", type=click.IntRange(0), metavar="N", help="With N lines before.")
@click.option("-A", "--after", type=click.IntRange(0), metavar="N", help="With N lines after.")
@click.option("--count", "only_count", is_flag=True, help="Print only how many hits there are.")
@click.option("--explain", is_flag=True, help="Say how the query was understood and answered.")
@click.option("--highlight", metavar="RE", help="Highlight what this finds, too (RE2).")
@options.follow
@options.line_format
@options.pass_invocation
def search(
    invocation: Invocation,
    /,
    *,
    words: tuple[str, ...],
    fixed: bool,
    regexp: bool,
    case: bool,
    count: int | None,
    oldest_first: bool,
    reverse: bool,
    both: int,
    before: int | None,
    after: int | None,
    only_count: bool,
    explain: bool,
    highlight: str | None,
    follow: bool,
    style: LineStyle,
    **chosen: object,
) -> int:
    """
    Find lines, the newest hits by default, printed oldest first.

    \b
    connection lost        both words, in any order and case
    "connection lost"      one after the other
    diamond* *wolf* st?ve  with wildcards, on one word
    wolfe~1                but for one wrong letter
    -chat, NOT chat        without
    steve OR alex          either; parentheses group
    /took [0-9]+ms/        a regular expression (RE2)
    level:error            this level or worse; also source:, run:, server:
    @name                  a query from [queries] in the configuration

    Whatever else you paste from a console is found as it stands; -F leaves out even
    the operators. Every hit was checked on the line itself, and lines that are not
    indexed yet are searched, too: the answer is complete, also for the last second.
    With --context gaps are shown as in 'archiver logs'. Exits with 1 if nothing was
    found.
    """  # noqa: D301  # Click's mark for text that keeps its lines
    from archiver.cli.queries import hint, read_query

    started = time.perf_counter()
    hits = _Hits(
        count=count,
        reverse=reverse,
        before=both if before is None else before,
        after=both if after is None else after,
        style=style,
        names=True,
        spans=lambda _: (),
        environ=invocation.environ,
    )
    _refuse(hits, chosen, follow=follow, only_count=only_count)
    settings = invocation.settings()
    node = read_query(
        words, settings.queries, fixed=fixed, regexp=regexp, case=case, explain=explain
    )
    with invocation.reader() as reader, Ticker() as ticker:
        wanted = options.chosen_lines(reader, now=invocation.clock(), zone=style.zone, **chosen)  # type: ignore[arg-type]  # as Click gave them
        hits = replace(
            hits,
            names=wanted.server_ids is None or len(wanted.server_ids) > 1,
            spans=_spans(node, highlight),
        )
        newest = reverse if count is None else not oldest_first
        mark = reader.mark()
        wanted = replace(wanted, batch_until=mark.batch)
        found = _start(invocation, reader, node, wanted, ticker, newest=newest)
        if found.reads_all:
            tell("nothing in this query can be looked up: all lines are read, one after the other")
        if only_count:
            number = found.count()
            ticker.end()
            click.echo(number)
        else:
            more = _committed_after(mark, reader, node, wanted) if follow else None
            number = _print(reader, found, hits, more, ticker)
        _warn(found.explanation.unusable)
        if explain:
            _explain(found.explanation, time.perf_counter() - started)
        if not number:
            tell("nothing found")
            hint(reader, node, wanted)
            return 1
    if number == count == _USUAL_COUNT and not only_count:
        which = "oldest" if oldest_first else "newest"
        tell(f"the {which} {count} hits; -n all for all")
    return 0


def _refuse(hits: _Hits, chosen: Mapping[str, object], *, follow: bool, only_count: bool) -> None:
    """Refuse what cannot be meant together."""
    if follow:
        options.refuse_end(chosen)
    given = {
        "--follow": follow,
        "--count": only_count,
        "--context": hits.before or hits.after,
    }
    names = [name for name, is_given in given.items() if is_given]
    if len(names) > 1:
        raise errors.UsageError(f"{names[0]} contradicts {names[1]}", do="leave one out")


def _spans(node: "Node", highlight: str | None) -> Callable[[str], Sequence[tuple[int, int]]]:
    from archiver.query.matcher import Matcher
    from archiver.query.nodes import Or
    from archiver.query.parser import parse_regexp

    if highlight is not None:
        node = Or((node, parse_regexp(highlight)))
    return Matcher(node).spans


def _start(
    invocation: Invocation,
    reader: "Reader",
    node: "Node",
    wanted: "LineFilter",
    ticker: Ticker,
    *,
    newest: bool,
) -> "Search":
    from archiver.index.partitions import Index
    from archiver.operations.search import Search

    index = Index(invocation.settings().index_dir)

    def watch(done: "Explanation") -> None:
        share = done.passed / max(1, done.within)
        ticker.show(f"searching: {done.lines:,} lines read, {done.hits:,} hits, {share:.0%}")

    return Search(reader, index, node, wanted, newest=newest, watch=watch)


def _unticked(rows: "Iterable[LineRow]", ticker: Ticker) -> "Iterator[LineRow]":
    """Yield *rows*, without the ticker as soon as they come to its terminal."""
    for row in rows:
        if sys.stdout.isatty():
            ticker.end()
        yield row
    ticker.end()


def _print(
    reader: "Reader",
    found: "Search",
    hits: _Hits,
    more: "Iterator[LineRow | GapRow] | None",
    ticker: Ticker,
) -> int:
    """Print hits and *more* that come, if any, and return how many there are."""
    from archiver.cli.listing import print_lines

    rows: Iterable[LineRow] = found.hits()
    has_context = bool(hits.before or hits.after)
    if hits.count is not None or has_context:
        rows = sorted(islice(rows, hits.count), key=_in_order, reverse=hits.reverse)
    rows = _unticked(rows, ticker)
    if not has_context:
        shown = print_lines(
            chain(rows, more or ()),
            hits.style,
            environ=hits.environ,
            names=hits.names,
            spans=hits.spans,
            follows=more is not None,
        )
        return found.explanation.hits if shown is None else shown
    rows = list(rows)
    print_lines(
        _with_context(reader, rows, hits),
        hits.style,
        environ=hits.environ,
        names=hits.names,
        spans=hits.spans,
        marked=frozenset((row.server_id, row.seq) for row in rows),
    )
    return len(rows)


def _with_context(
    reader: "Reader", rows: "list[LineRow]", hits: _Hits
) -> "Iterator[LineRow | GapRow | None]":
    from archiver.operations.context import around, with_gaps

    groups = list(around(reader, rows, before=hits.before, after=hits.after))
    for number, group in enumerate(reversed(groups) if hits.reverse else groups):
        if number:
            yield None
        yield from with_gaps(reader, group)


def _committed_after(
    mark: "Mark", reader: "Reader", node: "Node", wanted: "LineFilter"
) -> "Iterator[LineRow | GapRow]":
    """Yield the hits among what is committed from now on; never ends by itself."""
    from archiver.cli.waiting import Waiting, tell_if_nothing_records
    from archiver.operations.follow import follow
    from archiver.query.literals import literals
    from archiver.query.matcher import Matcher

    tell_if_nothing_records(reader)
    wanted = replace(wanted, literals=literals(node), batch_until=None)
    return follow(reader, wanted, mark, wait=Waiting(), keep=Matcher(node).matches)


def _warn(unusable: "Sequence[errors.IndexUnavailableError]") -> None:
    if unusable:
        tell(f"Warning: lines were read without the index, which takes longer: {unusable[0]}")
    if len(unusable) > 1:
        tell(f"  {len(unusable)} parts of the index could not be used; this is the first")


def _explain(done: "Explanation", seconds: float) -> None:
    tell(
        f"index: {done.opened} of {done.partitions} partitions opened, with {done.blocks:,}"
        f" blocks; {done.unsealed:,} lines are not sealed\n"
        f"read:  {done.ranges:,} ranges of {done.candidates:,} candidates, {done.lines:,} lines\n"
        f"time:  {seconds * 1000:,.0f} ms"
    )
