"""``archiver logs``: history, without a query, and what comes."""

from functools import partial

import click

from archiver import errors
from archiver.cli import options
from archiver.cli.options import Command, Invocation, LineStyle
from archiver.cli.output import tell

_USUAL_COUNT = 50


@click.command(cls=Command, example="archiver logs survival --since 2h -n all")
@options.lines
@click.option(
    "-n",
    "--lines",
    "count",
    callback=partial(options.read_count, least=0),
    default=str(_USUAL_COUNT),
    show_default=True,
    metavar="N|all",
    help="The newest so many lines, or all.",
)
@options.follow
@options.line_format
@options.pass_invocation
def logs(
    invocation: Invocation,
    /,
    *,
    count: int | None,
    follow: bool,
    style: LineStyle,
    **chosen: object,
) -> int:
    """
    Print recorded lines, the newest last.

    A ~ behind a time: the line was found in a replay after a disconnect, and was
    printed at that time or before. A ? there: so too, but that it stands at the
    right place, or as often as it was printed, is likely and not proven. A ^, with
    --follow: the line came late, and belongs above lines of its server that are
    there already.

    Where lines are known to be missing there is a line "-- gap: at least 12 lines,
    14:07:12 to 14:09:40, reconnect after 148 s --"; 'archiver gaps' lists them, and
    -o ndjson, csv and raw have lines alone. Nothing in a line can act on your
    terminal unless you say --ansi keep.
    """
    from archiver.cli.listing import print_lines
    from archiver.cli.waiting import Waiting, tell_if_nothing_records
    from archiver.operations.follow import show_and_follow
    from archiver.operations.show import show_lines

    if follow:
        options.refuse_end(chosen)
    elif count == 0:
        raise errors.UsageError("-n 0 shows nothing", do="add --follow to see what comes")
    with invocation.reader() as reader:
        wanted = options.chosen_lines(reader, now=invocation.clock(), zone=style.zone, **chosen)  # type: ignore[arg-type]  # as Click gave them
        if follow:
            tell_if_nothing_records(reader)
            rows = show_and_follow(reader, wanted, limit=count, wait=Waiting())
        else:
            rows = show_lines(reader, wanted, limit=count)
        shown = print_lines(
            rows,
            style,
            environ=invocation.environ,
            names=wanted.server_ids is None or len(wanted.server_ids) > 1,
            at_end=count is not None,
            follows=follow,
        )
    if shown == 0:
        tell("no lines")
        return 1
    if shown == count == _USUAL_COUNT:
        tell(f"the newest {count} lines; -n all for all")
    return 0
