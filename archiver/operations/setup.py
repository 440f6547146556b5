"""Try a panel and a key, and write the configuration that uses them."""

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path
from random import Random

from archiver.client import backoff
from archiver.client.answers import Server
from archiver.client.backoff import Verdict
from archiver.client.failures import Closed, FailedError
from archiver.client.intake import Frame, Intake
from archiver.client.socket import Socket
from archiver.config import example
from archiver.config.settings import PanelSettings, Settings
from archiver.console import protocol
from archiver.console.timing import Timing
from archiver.operations.site import Site

SERVERS_TRIED = 3  # consoles; one that works shows that Origin, node and token do


@dataclass(frozen=True, slots=True)
class Findings:
    """What a first contact with a panel shows."""

    servers: tuple[Server, ...]
    skew: float | None  # seconds that the panel's clock is ahead; None: it does not say
    console: Server | None  # whose console answered; None: none did
    troubles: tuple[Verdict, ...]  # why the others did not


def try_panel(settings: Settings, panel: PanelSettings) -> Findings:
    """
    List the servers of *panel* and open the console of one.

    Raises:
        ArchiverError: The panel cannot be reached, or refuses the key.

    """
    return asyncio.run(_try_panel(settings, panel))


async def _try_panel(settings: Settings, panel: PanelSettings) -> Findings:
    site = Site(settings, panel, Timing(), Intake(), Random())  # noqa: S311  # jitter, no secret
    async with site.panel:
        try:
            servers = await site.panel.list_servers(panel.scope)
        except FailedError as failed:
            raise backoff.classify(failed.failure).error() from None
        troubles: list[Verdict] = []
        console: Server | None = None
        for server in servers[:SERVERS_TRIED]:
            trouble = await _try_console(site, server)
            if trouble is None:
                console = server
                break
            troubles.append(trouble)
        return Findings(tuple(servers), site.panel.skew, console, tuple(troubles))


async def _try_console(site: Site, server: Server) -> Verdict | None:
    """Return why the console of *server* does not answer; None: it does."""
    try:
        token = await site.tokens.get(server.uuid)
    except FailedError as failed:
        return backoff.classify(failed.failure)
    verdict: Verdict | None = None
    async with asyncio.TaskGroup() as group:
        try:
            socket = await site.open_socket(token, group)
        except FailedError as failed:
            return backoff.classify(failed.failure)
        verdict = await _authenticate(socket, token.jwt, site.timing)
        await socket.close()
    return verdict


async def _authenticate(socket: Socket, jwt: str, timing: Timing) -> Verdict | None:
    connection = protocol.Connection(timing)
    deadline = time.monotonic() + timing.auth_timeout
    connection.authenticate(jwt, renew_at=deadline * 2, now=time.monotonic())
    while not connection.is_live:
        for message in connection.messages_to_send():
            await socket.send(message)
        try:
            async with asyncio.timeout_at(deadline):
                items = await socket.inbox.take()
        except TimeoutError:
            return Verdict(backoff.Retry.SOON, "the node does not answer to the token")
        for item in items:
            match item:
                case Frame(content, _, mono):
                    connection.receive_frame(content, mono)
                case Closed():
                    return backoff.classify(item)
        for event in connection.events():
            match event:
                case protocol.Refused(reason, do, _):
                    return Verdict(backoff.Retry.SLOW, reason, None, do)
                case protocol.TokenWanted(reason):
                    return Verdict(backoff.Retry.SLOW, f"the node refuses the token: {reason}")
    return None


def write_configuration(path: Path, panel: PanelSettings) -> Path:
    """
    Write a configuration for one panel, its key in a file of its own beside it.

    Returns:
        The key's file.

    Raises:
        ConfigError: One of the files exists, or cannot be written.

    """
    key_path = path.with_name(f"{panel.name}.key")
    example.write_private(key_path, panel.api_keys[0].reveal() + "\n")
    lines = ["[[panels]]", f"name = {_quote(panel.name)}", f"url = {_quote(panel.url)}"]
    lines.append(f"api_key_file = {_quote(str(key_path))}")
    if panel.allow_http:
        lines.append("allow_http = true")
    try:
        example.write_private(path, "\n".join(lines) + "\n\n" + example.render())
    except BaseException:
        key_path.unlink()
        raise
    return key_path


def _quote(text: str) -> str:
    """Return *text* as a TOML basic string."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
