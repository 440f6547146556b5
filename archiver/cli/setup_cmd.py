"""``archiver setup``: from nothing to a configuration that is known to work."""

import os
import sys

import click

from archiver import errors
from archiver.cli import options
from archiver.cli.options import Command, Invocation
from archiver.cli.output import tell

# What the configuration calls an answer -> what the person calls it.
_TYPED = {
    "ARCHIVER_PANEL_URL": "the address that you gave",
    "ARCHIVER_API_KEY": "the key that you gave",
}


@click.command(cls=Command, example="archiver setup")
@options.pass_invocation
def setup(invocation: Invocation, /) -> None:
    """
    Ask for a panel and a key, test them, write the configuration.

    Wants a client API key, which you create in your account on the panel; it is not
    shown while you type it. Lists the servers that the key sees and opens one
    console. Writes nothing unless the panel accepts the key, and never over a file
    that exists.
    """
    from archiver.config import layers
    from archiver.config.load import load
    from archiver.operations import setup as operation

    environ = dict(invocation.environ)
    path = invocation.config or layers.user_file(environ)
    if os.path.lexists(path):  # False too where it may not be looked at
        raise errors.ConfigError(
            "there is a configuration already",
            where=str(path),
            do="edit it, move it away, or name another with --config",
        )
    url = click.prompt("Address of the panel, as in a browser", err=True).strip()
    if "://" not in url:
        url = f"https://{url}"
    environ |= {"ARCHIVER_PANEL_URL": url}
    try:
        load(environ=environ)  # before anybody copies a key
        key = click.prompt("Client API key", hide_input=sys.stdin.isatty(), err=True)
        environ |= {"ARCHIVER_API_KEY": key}
        settings = load(environ=environ, with_keys=True)
    except errors.ConfigError as exc:
        where = _TYPED.get(exc.where or "", exc.where)
        raise errors.ConfigError(exc.what, where=where, do=exc.do) from exc
    panel = settings.panels[0]
    tell(f"asking {panel.url} ...")
    found = operation.try_panel(settings, panel)
    tell(f"the key is accepted; it sees {len(found.servers)} servers")
    for server in found.servers[:10]:
        tell(f"  {server.identifier}  {server.name}")
    if len(found.servers) > 10:  # noqa: PLR2004  # enough to recognise one's own
        tell(f"  and {len(found.servers) - 10} more")
    if found.console is not None:
        tell(f"the console of {found.console.name!r} answers")
    for trouble in found.troubles:
        tell(f"Warning: {trouble.error()}")
    key_path = operation.write_configuration(path, panel)
    tell(f"written: {path}\n         {key_path}, which only you can read")
    tell("start recording with: archiver ingest")
