"""``archiver index``: look after the search index."""

import os
from typing import TYPE_CHECKING

import click

from archiver import errors
from archiver.cli import options
from archiver.cli.bars import Watch, bar
from archiver.cli.options import Command, Invocation
from archiver.cli.output import tell

if TYPE_CHECKING:
    from archiver.operations.seal import Sealed, Sealer


@click.group()
def index() -> None:
    """
    Look after the search index.

    The index only makes searching fast. It can be deleted at any time: a search then
    reads every line, and 'archiver index update' makes it anew from the archive.
    """


@index.command(cls=Command, example="archiver index status -o ndjson")
@options.table_format
@options.pass_invocation
def status(invocation: Invocation, /, *, kind: str, utc: bool, tz: str | None) -> int:
    """
    Show how much of the archive is sealed, and in which files.

    What is not sealed yet is searched all the same, line by line.
    """
    from archiver.cli.tables import moment, print_table
    from archiver.operations.seal import damaged
    from archiver.store.partitions import unsealed

    settings = invocation.settings()
    with invocation.reader() as reader:
        partitions = reader.partitions()
        rows, last = partitions.rows(), partitions.last_line_id()
    print_table(
        ("directory", "lines", "blocks", "bytes", "earliest_at", "latest_at", "sealed_at"),
        (
            (
                row.directory,
                row.lines,
                row.blocks,
                sum(size for size, _ in row.described().values()),
                moment(row.earliest_at),
                moment(row.latest_at),
                moment(row.created_at),
            )
            for row in rows
        ),
        kind,
        zone=options.chosen_zone(utc=utc, tz=tz),
        invocation=invocation,
        less=("sealed_at", "blocks", "earliest_at"),
    )
    lines = sum(row.lines for row in rows)
    size = sum(size for row in rows for size, _ in row.described().values())
    waiting = sum(end - begin + 1 for begin, end in unsealed(rows, last))
    told = f"{lines:,} lines are sealed in {_partitions(len(rows))}, {waiting:,} are not yet"
    if lines:
        told += f"; {size / 1e6:,.1f} MB, {size / lines:.1f} bytes a line"
    tell(f"{told}\nwhere: {settings.index_dir}")
    if spoilt := len(list(damaged(settings.index_dir, rows))):
        tell(
            f"Warning: {_partitions(spoilt)} cannot be used, which makes searches slower:"
            " run 'archiver index update'"
        )
    return 0


@index.command(cls=Command, example="archiver index update")
@click.option(
    "--least",
    type=click.IntRange(1),
    default=1,
    metavar="N",
    help="Do nothing unless N lines are new.",
)
@options.pass_invocation
def update(invocation: Invocation, /, *, least: int) -> None:
    """
    Seal the lines that are not sealed yet, mend what is damaged, and end.

    'archiver ingest' starts it by itself when there is enough to seal.
    """
    with bar("sealing") as watch, _open_sealer(invocation, watch) as sealer:
        done = sealer.update(least=least)
    tell(_describe(done))


@index.command(cls=Command, example="archiver index rebuild")
@click.option(
    "--jobs",
    type=click.IntRange(1),
    metavar="N",
    help="Processes that work side by side; as many as there are cores.",
)
@options.pass_invocation
def rebuild(invocation: Invocation, /, *, jobs: int | None) -> None:
    """
    Make the whole index anew from the archive.

    Recording and searches go on meanwhile. Interrupted, it goes on where it was when
    it is started again.
    """
    with bar("rebuilding") as watch, _open_sealer(invocation, watch) as sealer:
        done = sealer.rebuild(workers=jobs or _cores())
    tell(_describe(done))


@index.command(cls=Command, example="archiver index verify --full")
@click.option("--full", is_flag=True, help="Compare every line, not a thousand of them.")
@options.pass_invocation
def verify(invocation: Invocation, /, *, full: bool) -> None:
    """
    Compare the index with the archive.

    Looks whether the files are as they were written, and whether lines are found by
    each of their words: a thousand of them, or with --full all, which takes about a
    minute for each million. Exits with 7 if something is wrong.
    """
    from archiver.operations.verify_index import verify_index

    settings = invocation.settings()
    with bar("verifying") as watch, invocation.reader() as reader:
        found = verify_index(reader, settings.index_dir, full=full, watch=watch)
    if found.faults:
        raise errors.CheckFailedError(
            f"the index has faults, {len(found.faults)} in all; the first: {found.faults[0]}",
            where=str(settings.index_dir),
            do="run 'archiver index update', which mends what is damaged, and verify again; "
            "if that does not help, 'archiver index rebuild'. Searches stay right meanwhile "
            "where files are damaged",
        )
    told = _partitions(found.partitions)
    tell(f"{found.lines:,} lines are found by each of their words, in {told}")


def _open_sealer(invocation: Invocation, watch: Watch) -> "Sealer":
    from archiver.operations.seal import Sealer

    settings = invocation.settings()
    return Sealer(settings.database_url, settings.index_dir, clock=invocation.clock, watch=watch)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _partitions(count: int, kind: str = "") -> str:
    return f"{count} {kind}partition{'s' * (count != 1)}"


def _describe(done: "Sealed") -> str:
    told = f"{done.lines:,} new lines sealed"
    if done.again:
        told += f", {done.again:,} sealed again"
    if done.mended:
        told += f", {_partitions(done.mended, 'damaged ')} mended"
    return told
