"""One panel as ingest uses it: its REST, its tokens, its nodes, with the settings that hold."""

import asyncio
from collections import defaultdict
from random import Random
from urllib.parse import urlsplit

from archiver.client import trust
from archiver.client.intake import Intake
from archiver.client.panel import Panel
from archiver.client.socket import Socket, open_socket
from archiver.client.tokens import Token, Tokens
from archiver.config.settings import PanelSettings, Settings
from archiver.console.timing import Timing

ASKING_AT_ONCE = 4  # sockets that ask for a replay, of one node: they cost it 150 lines each
AUDIT_PACE = 1 / 6  # times `replay_timeout`: a second between two audits of one node


class Site:
    """
    Everything that the servers of one panel share.

    Args:
        settings: All settings.
        panel: Those of this panel, with its keys.
        timing: Waits.
        intake: The account of queued frames of the whole process.
        random: Source of jitter.

    """

    def __init__(
        self,
        settings: Settings,
        panel: PanelSettings,
        timing: Timing,
        intake: Intake,
        random: Random,
    ) -> None:
        self.settings = panel
        self.timing = timing
        self._compression = settings.compression
        self._intake = intake
        self.panel = Panel(
            panel.url,
            [key.reveal() for key in panel.api_keys],
            timing=timing,
            tls=trust.make_context(panel.ca_file),
            allow_http=panel.allow_http,
            trust_env=settings.trust_env,
        )
        loop = asyncio.get_running_loop()
        self.tokens = Tokens(self.panel.websocket, timing, random=random, clock=loop.time)
        self._next_audit: dict[str, float] = {}  # by node, the loop's time
        self._asking = defaultdict[str, asyncio.Semaphore](
            lambda: asyncio.Semaphore(ASKING_AT_ONCE)
        )

    def asking_place(self, token: Token) -> asyncio.Semaphore:
        """Return what limits how many replays are asked of the token's node at once."""
        return self._asking[urlsplit(token.url).netloc]

    async def audit_turn(self, token: Token) -> None:
        """Wait until another audit may be asked of the token's node."""
        node = urlsplit(token.url).netloc
        now = asyncio.get_running_loop().time()
        turn = max(now, self._next_audit.get(node, now))
        self._next_audit[node] = turn + AUDIT_PACE * self.timing.replay_timeout
        await asyncio.sleep(turn - now)

    async def open_socket(self, token: Token, tasks: asyncio.TaskGroup) -> Socket:
        """
        Open a socket to the token's node, trusting it as the settings say.

        Raises:
            FailedError: It cannot be opened.

        """
        host = (urlsplit(token.url).hostname or "").lower()
        node = self.settings.nodes.get(host)
        if node is None:
            tls = trust.make_context(self.settings.ca_file)
        else:
            tls = trust.make_context(node.ca_file or self.settings.ca_file, verify=node.verify)
        return await open_socket(
            token.url,
            origin=self.settings.origin,
            tasks=tasks,
            intake=self._intake,
            timing=self.timing,
            tls=tls,
            compression=self._compression,
        )
