"""``archiver db``: look after the database."""

import shutil
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from archiver import errors
from archiver.cli import options
from archiver.cli.options import Command, Invocation
from archiver.cli.output import has_colour, stdout, tell
from archiver.operations.visible import visible

if TYPE_CHECKING:
    from archiver.operations.verify import Verdict

_VERDICT = ("check", "ok", "found", "what", "where", "do")
_BAR = 20  # characters


@click.group()
def db() -> None:
    """Look after the database."""


@db.command(cls=Command, example="archiver db upgrade")
@options.pass_invocation
def upgrade(invocation: Invocation) -> None:
    """
    Bring the database to the revision that this program needs.

    Creates it if there is none. Stop 'archiver ingest' first; make a copy of the
    archive before a new version's first upgrade.
    """
    from archiver.store import database

    url = invocation.settings().database_url
    database.upgrade(url)
    tell(f"the archive is at revision {database.current(url)}")


@db.command(cls=Command, example="archiver db current")
@options.pass_invocation
def current(invocation: Invocation) -> int:
    """
    Print the database's revision.

    Exits with 1 if it is not the one that this program needs.
    """
    from archiver.store import database, revision

    found = database.current(invocation.settings().database_url)
    click.echo(found or "none")
    if found != revision.REVISION:
        tell(f"this program needs {revision.REVISION}: run 'archiver db upgrade'")
        return 1
    return 0


@db.command(cls=Command, example="archiver db verify")
@click.option(
    "-o",
    "--output",
    "kind",
    type=click.Choice(["text", "ndjson"]),
    default="text",
    help="Format; text is for people.",
)
@options.pass_invocation
def verify(invocation: Invocation, /, *, kind: str) -> None:
    """
    Prove that the archive is consistent, without changing it.

    One line for each check: 'ok' and what is so, or 'FAILED' with the first fault,
    where it is and what to do. Looks at the database's own check, at each line's
    place, order, run, connection and times, at runs, gaps and changes of status,
    and at what a collector would go on from. Exits with 7 if a check failed.

    Reads every line twice, about a minute for ten million, a page at a time. It can
    run while 'archiver ingest' records; then the database's own check of a large
    SQLite file is left out, because that would hold up the collector.
    """
    from archiver.operations.export import write_records
    from archiver.operations.verify import Verdict, verify
    from archiver.store.checks import Checks

    failed: list[Verdict] = []
    count = 0
    with Checks.open(invocation.settings().database_url) as archive:
        is_watched = sys.stderr.isatty()

        def verdicts() -> Iterator[Verdict]:
            nonlocal count
            for verdict in verify(archive, _show if is_watched else lambda *_: None):
                if is_watched:
                    click.echo("\r\x1b[2K", nl=False, err=True)
                count += 1
                if not verdict.is_ok:
                    failed.append(verdict)
                yield verdict

        if kind == "ndjson":
            write_records(_VERDICT, map(_values, verdicts()), "ndjson", stdout())
        else:
            colour = has_colour(sys.stdout, invocation.environ)
            for verdict in verdicts():
                sys.stdout.write(_describe(verdict, colour=colour))
        where = str(archive.location)
    if failed:
        raise errors.CheckFailedError(
            f"{len(failed)} of {count} checks failed",
            where=where,
            do="see 'do' at each of them; nothing was changed",
        )
    tell(f"all {count} checks passed")


def _show(what: str, done: float) -> None:
    """Write how far it is over the last such line."""
    bar = "#" * round(done * _BAR)
    width = shutil.get_terminal_size().columns - 1
    line = f"[{bar:{_BAR}}] {done:4.0%}  {what}"[:width]
    click.echo(f"\r\x1b[2K{line}", nl=False, err=True)


def _values(verdict: "Verdict") -> tuple[object, ...]:
    what = verdict.claim if verdict.is_ok else verdict.what
    return verdict.check, verdict.is_ok, verdict.found, what, verdict.where, verdict.do


def _describe(verdict: "Verdict", *, colour: bool) -> str:
    def mark(text: str, hue: str) -> str:
        return click.style(text, fg=hue) if colour else text

    if verdict.is_ok:
        return f"{mark('ok', 'green')}      {verdict.check}: {visible(verdict.claim)}\n"
    more = f" (and {verdict.found - 1} more)" if verdict.found > 1 else ""
    return (
        f"{mark('FAILED', 'red')}  {verdict.check}: {visible(verdict.what or '')}{more}\n"
        f"        where: {visible(verdict.where or '')}\n"
        f"        do:    {verdict.do}\n"
    )
