"""``archiver export``: what is recorded, for other programs."""

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import click

from archiver.cli import options
from archiver.cli.options import Command, Invocation
from archiver.cli.output import stdout, tell

if TYPE_CHECKING:
    from archiver.operations.export import Format


@click.group()
def export() -> None:
    """Write what is recorded for other programs."""


@export.command(cls=Command, example="archiver export lines -s survival -S 1d -O lines.ndjson")
@options.lines
@click.option(
    "-n",
    "--lines",
    "count",
    callback=options.read_count,
    default="all",
    show_default=True,
    metavar="N|all",
    help="The newest so many lines, or all.",
)
@click.option(
    "-o",
    "--output",
    "--format",
    "kind",
    type=click.Choice(["ndjson", "csv"]),
    default="ndjson",
    show_default=True,
    help="Format.",
)
@click.option(
    "-O",
    "--output-file",
    "path",
    type=click.Path(path_type=Path),
    default="-",
    help="File to write; - is standard output, and the default.",
)
@click.option("--force", is_flag=True, help="Write over a file that exists.")
@options.zone
@options.pass_invocation
def lines(
    invocation: Invocation,
    /,
    *,
    count: int | None,
    kind: "Format",
    path: Path,
    force: bool,
    utc: bool,
    tz: str | None,
    **chosen: object,
) -> int:
    """
    Write lines as NDJSON or CSV.

    Several servers' are ordered by time, one server's as it printed them. Times are
    in UTC whatever --tz says; that is for reading -S and -U. The file appears only
    when all is written, and takes constant memory. 'raw' is null where it is the
    same as 'text'.
    """
    from archiver.operations.export import whole_file, write_lines

    zone = options.chosen_zone(utc=utc, tz=tz)
    is_stream = str(path) == "-"
    with invocation.reader() as reader:
        wanted = options.chosen_lines(reader, now=invocation.clock(), zone=zone, **chosen)  # type: ignore[arg-type]  # as Click gave them
        rows = (
            reader.iter_lines(wanted)
            if count is None
            else reader.lines(wanted, limit=count, newest=True)
        )
        with nullcontext(stdout()) if is_stream else whole_file(path, force=force) as file:
            written = write_lines(rows, kind, file)
        gaps = reader.gaps(wanted.server_ids, wanted.since, wanted.until)
    missing = sum(gap.closed_at is None for gap in gaps)
    told = f"{written} line{'s' * (written != 1)}"
    if not is_stream:
        told += f" to {path}"
    if missing:
        told += f"; {missing} known gap{'s' * (missing != 1)} among them, see 'archiver gaps'"
    tell(told)
    return 0 if written else 1
