"""``archiver context``: lines around one."""

import click

from archiver import errors
from archiver.cli import options
from archiver.cli.completion import complete_servers
from archiver.cli.options import Command, Invocation, LineStyle


@click.command(cls=Command, example="archiver context survival 65536 -C 5")
@click.argument("name", metavar="SERVER", shell_complete=complete_servers)
@click.argument("seq", type=int, metavar="SEQ")
@click.option(
    "-C",
    "--context",
    "around",
    type=click.IntRange(min=0),
    default=20,
    show_default=True,
    metavar="N",
    help="So many lines before and after it.",
)
@click.option(
    "-B", "--before", type=click.IntRange(min=0), metavar="N", help="So many before it instead."
)
@click.option(
    "-A", "--after", type=click.IntRange(min=0), metavar="N", help="So many after it instead."
)
@options.line_format
@options.pass_invocation
def context(
    invocation: Invocation,
    /,
    *,
    name: str,
    seq: int,
    around: int,
    before: int | None,
    after: int | None,
    style: LineStyle,
) -> int:
    """
    Print the lines around one.

    SEQ is the line's place in its server's console, as 'archiver logs --seq' shows it
    and -o ndjson and csv have it. A > points at the line; its neighbours are those
    that the console printed before and after it, whatever their times. The other
    marks are those of 'archiver logs', and gaps are shown as there.
    """
    from archiver.cli.listing import print_lines
    from archiver.operations.context import show_context

    with invocation.reader() as reader:
        found = options.chosen_servers(reader, (name,), ()) or ()
        if len(found) != 1:
            raise errors.UsageError(
                f"{name!r} fits {len(found)} servers", do="name the one whose line it is"
            )
        server = next(server for server in reader.servers() if server.id == found[0])
        rows = show_context(
            reader,
            server,
            seq,
            before=around if before is None else before,
            after=around if after is None else after,
        )
        marked = frozenset({(server.id, seq)})
        print_lines(rows, style, environ=invocation.environ, names=False, marked=marked)
    return 0
