"""``archiver config``: make, show and find the configuration."""

import os
from datetime import UTC
from pathlib import Path

import click

from archiver.cli import options
from archiver.cli.options import Command, Invocation
from archiver.cli.output import tell
from archiver.operations.visible import visible


@click.group()
def config() -> None:
    """Make, show and find the configuration."""


def _file(invocation: Invocation) -> Path:
    """Return the file in force, else where one belongs."""
    from archiver.config import layers

    environ = invocation.environ
    return layers.find_file(invocation.config, environ) or layers.user_file(environ)


@config.command(cls=Command, example="archiver config init")
@options.pass_invocation
def init(invocation: Invocation) -> None:
    """
    Write an example file, each setting explained and commented out.

    Only you may read the file. One that exists is never written over.
    """
    from archiver.config import example, layers

    named = invocation.config or invocation.environ.get("ARCHIVER_CONFIG")
    path = _file(invocation) if named else layers.user_file(invocation.environ)
    example.write_private(path, example.render())
    click.echo(visible(str(path)))


@config.command(cls=Command, example="archiver config show")
@click.option(
    "-o",
    "--output",
    "kind",
    type=click.Choice(["text", "ndjson", "csv"]),
    default="text",
    help="Format; text is for people.",
)
@options.pass_invocation
def show(invocation: Invocation, kind: str) -> None:
    """
    Show each setting in force and where it came from.

    Keys and passwords are stars. A key that cannot be read is not noticed here:
    only commands that need one read it.
    """
    from archiver.cli.tables import print_table

    settings = invocation.settings()
    rows = settings.rows()
    print_table(("setting", "value", "from"), rows, kind, zone=UTC, invocation=invocation)


@config.command(cls=Command, example="archiver config path")
@options.pass_invocation
def path(invocation: Invocation) -> int:
    """
    Print the path of the file in force.

    Exits with 1 if there is none; what is printed then is where it belongs.
    """
    found = _file(invocation)
    click.echo(visible(str(found)))
    if not os.path.lexists(found):  # nor where it may not be looked at
        tell("there is no such file yet; 'archiver config init' makes one")
        return 1
    return 0
