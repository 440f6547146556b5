"""
The names of servers, for a shell that completes a command line.

They are those of the archive. What goes wrong is not said: whoever presses Tab is in
the middle of a line.
"""

import os
import re
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from archiver.store.rows import ServerRow

# No shell gives a meaning of its own to what is in it, but for the spaces.
_PLAIN_NAME = re.compile(r"\w[\w .+-]*")
_PATIENCE = 2  # seconds; a database that takes longer to answer is not asked


def complete_servers(
    ctx: click.Context,
    param: click.Parameter,  # noqa: ARG001  # Click's signature
    incomplete: str,
) -> "list[CompletionItem]":
    """
    Return the servers whose name or identifier begins so, by name.

    Names are written by strangers, and a shell would run what some hold: those stand
    by their identifier, and so do those that two servers have. What was typed stays as
    it is: capitals make no difference to the archive, but do to a shell.
    """
    from click.shell_completion import CompletionItem

    from archiver.operations.visible import visible

    given = ctx.find_root().params
    servers: list[ServerRow] = []
    with suppress(Exception):
        servers = _servers(given.get("config"), given.get("data_dir"))
    names = Counter(server.name.casefold() for server in servers)
    found = []
    for server in servers:
        typed, rest = server.name[: len(incomplete)], server.name[len(incomplete) :]
        is_named = typed.casefold() == incomplete.casefold()
        if is_named and names[server.name.casefold()] == 1 and _PLAIN_NAME.fullmatch(server.name):
            found.append(CompletionItem(_quoted(incomplete + rest), help=server.identifier))
        elif is_named or server.identifier.startswith(incomplete):
            found.append(CompletionItem(server.identifier, help=visible(server.name)))
    return found


def _servers(config: Path | None, data_dir: Path | None) -> "list[ServerRow]":
    from archiver.config.load import load
    from archiver.store import location
    from archiver.store.reads import Reader
    from archiver.store.session import Session

    settings = load(environ=os.environ, file=config, options={"data_dir": data_dir})
    where = location.parse(settings.database_url)
    if where.path is None:
        where = replace(where, options=where.options | {"connect_timeout": _PATIENCE})
    with Reader(Session.open_archive(where)) as reader:
        return reader.servers()


def _quoted(name: str) -> str:
    # Bash puts into the line what it is given, less one backslash that Click's script
    # reads away; zsh and fish quote by themselves.
    is_bash = os.environ.get("_ARCHIVER_COMPLETE", "").startswith("bash")
    quotes = sum(map(os.environ.get("COMP_WORDS", "").count, "'\""))
    is_in_quotes = quotes % 2 == 1
    return name.replace(" ", r"\\ ") if is_bash and not is_in_quotes else name
