"""``archiver demo``: everything at work, on loopback, without an account."""

import shlex
import shutil
import sys
from pathlib import Path

import click

from archiver import errors
from archiver.cli import options
from archiver.cli.options import Command, Invocation
from archiver.cli.output import tell


@click.command(cls=Command, example="archiver demo")
@options.pass_invocation
def demo(invocation: Invocation, /) -> None:
    """
    Show the archiver at work, with a simulated panel.

    Starts a panel with three game servers on loopback, records them with a real
    'archiver ingest', breaks connections, crashes a game, and holds the archive
    against what was really printed. Takes 20 seconds, needs no account and no
    network, and leaves its archive in the folder 'demo' of the data directory.
    """
    from archiver.operations.demo import run

    data_dir = invocation.settings().data_dir / "demo"
    outcome = run(data_dir, lambda sentence: tell(f"  {sentence}"))
    if outcome.differences:
        raise errors.CheckFailedError(
            "the archive differs from what was printed: " + "; ".join(outcome.differences),
            where=str(data_dir),
            do="report this with the folder: it should never happen",
        )
    program = _program()
    click.echo(
        f"{outcome.lines} lines are stored, each once and in order; {outcome.recovered} came by"
        f" replay, and {outcome.gaps} gap{'s' * (outcome.gaps != 1)} says where lines are lost.\n"
        f"Try next:\n"
        f"  export ARCHIVER_DATA_DIR={shlex.quote(str(data_dir))}\n"
        f"  {program} logs -n 20                    the newest lines of all servers\n"
        f"  {program} search 'out of memory' -C 3   what happened, with lines around it\n"
        f"  {program} logs 'Rust Main' -n 200       one server, with the gap in its place\n"
        f"  {program} runs                          each life of each game, and how it ended\n"
        f"  {program} export lines -o csv -O lines.csv\n"
        f"and for your own panel: unset ARCHIVER_DATA_DIR; {program} setup"
    )


def _program() -> str:
    """Return how to call this program again from where it was called."""
    found = shutil.which("archiver")
    if found is not None and Path(found).samefile(sys.argv[0]):
        return "archiver"
    return shlex.quote(sys.argv[0]) if Path(sys.argv[0]).name == "archiver" else "archiver"
