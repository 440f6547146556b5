"""``archiver completion``: what lets a shell complete commands and servers."""

import sys

import click

from archiver.cli.options import Command
from archiver.cli.output import tell

# What to do with it, in each shell.
_HINTS = {
    "bash": """add to ~/.bashrc: eval "$(archiver completion bash)\"""",
    "zsh": """add to ~/.zshrc, after compinit: eval "$(archiver completion zsh)\"""",
    "fish": "run once: archiver completion fish > ~/.config/fish/completions/archiver.fish",
}


@click.command(cls=Command, example="archiver completion bash")
@click.argument("shell", type=click.Choice(list(_HINTS)))
@click.pass_context
def completion(ctx: click.Context, /, *, shell: str) -> None:
    """
    Print what lets a shell complete commands and servers.

    Commands, options and their choices are completed, files, and the names of the
    servers in the archive. For good: in bash and zsh, have their start file do what
    it prints, 'eval "$(archiver completion bash)"'; in fish, save it as
    ~/.config/fish/completions/archiver.fish.
    """
    from click.shell_completion import get_completion_class

    found = get_completion_class(shell)
    assert found is not None  # Click has all of these
    script = found(ctx.find_root().command, {}, "archiver", "_ARCHIVER_COMPLETE").source()
    click.echo(script)
    if sys.stdout.isatty():  # a shell that reads it at its start should not say this
        tell(_HINTS[shell])
