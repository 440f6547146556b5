"""``archiver ingest``: the service, in the foreground."""

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from archiver.cli import options
from archiver.cli.completion import complete_servers
from archiver.cli.options import Command, Invocation
from archiver.cli.output import tell

if TYPE_CHECKING:
    from archiver.operations.ingest import Progress
from archiver.operations.visible import visible


@click.command(cls=Command, example="archiver ingest --server 'survival-*'")
@click.option(
    "--panel-url",
    metavar="URL",
    allow_from_autoenv=False,
    help="Record this panel, whatever the configuration says (env: ARCHIVER_PANEL_URL).",
)
@click.option(
    "--api-key-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    allow_from_autoenv=False,
    help="File that holds its client API key (env: ARCHIVER_API_KEY_FILE, or the key "
    "itself in ARCHIVER_API_KEY).",
)
@click.option(
    "-s",
    "--server",
    "servers",
    multiple=True,
    metavar="NAME|GLOB",
    shell_complete=complete_servers,
    help="Only these of the configured servers. Repeatable.",
)
@click.option("--once", is_flag=True, help="Take each server's backlog and exit.")
@options.pass_invocation
def ingest(
    invocation: Invocation,
    /,
    *,
    panel_url: str | None,
    api_key_file: Path | None,
    servers: tuple[str, ...],
    once: bool,
) -> None:
    """
    Record the consoles of all configured servers.

    Runs until SIGTERM or Ctrl-C, then commits what it has read; a second signal
    leaves at once. Lines that are printed while it does not run come back with the
    next replay, as far as the panel still holds them. Creates the archive if there
    is none. With --once, a console that cannot be reached is tried three times.
    """
    from archiver.cli import log
    from archiver.operations.ingest import run

    settings = invocation.settings(with_keys=True, url=panel_url, api_key_file=api_key_file)
    is_watched = sys.stderr.isatty()
    # A service's log says what happens; a person sees it in the line of progress.
    log.configure(max(invocation.verbosity, 0 if is_watched else 1))
    try:
        run(settings, servers=servers, once=once, progress=_show if is_watched else None)
    finally:
        if is_watched:
            tell("")


def _show(progress: "Progress") -> None:
    """Write one line over the last one."""
    width = shutil.get_terminal_size().columns - 1
    click.echo(f"\r\x1b[2K{describe(progress)[:width]}", nl=False, err=True)


def describe(progress: "Progress") -> str:
    """Say in one line how recording goes, what is wrong first."""
    parts = []
    if progress.refused_for is not None:
        parts.append(f"the store has refused for {progress.refused_for:.0f} s")
    if progress.dropped:
        parts.append(f"{progress.dropped:,} frames dropped")
    parts += [
        f"{progress.live}/{progress.servers} servers",
        f"{progress.lines_per_second:,.0f} lines/s",
        f"{progress.lines:,} lines",
        f"{progress.recovered:,} recovered",
        f"{progress.gaps:,} gap{'s' * (progress.gaps != 1)}",
    ]
    if progress.trouble:
        parts.append(progress.trouble.partition("\n")[0])
    return visible("  ".join(parts))
