"""
The tokens of all servers: each is fetched once and shared by every socket that needs it.

A panel gives five a minute for each server, to all its users together, and a token
opens any number of sockets until it expires. So a socket that broke comes back with
the token it had.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from random import Random

from archiver.client.answers import SocketAddress, read_claims
from archiver.client.budget import Priority
from archiver.console.timing import Timing


@dataclass(frozen=True, slots=True)
class Token:
    """
    A token and what it opens.

    Its life is counted on our own monotonic clock from its receipt, so that clocks
    which differ between panel, node and archiver do not matter.
    """

    jwt: str = field(repr=False)
    url: str  # of the socket
    life: float  # seconds, from issue to expiry
    received: float  # monotonic
    permissions: tuple[str, ...] | None = None  # None: it does not say

    def remaining(self, now: float) -> float:
        """Return the seconds that are left; negative: it has expired."""
        return self.received + self.life - now


class Tokens:
    """
    The tokens of one panel's servers.

    Args:
        fetch: Asks the panel: ``Panel.websocket``.
        timing: Says how long before its end a token is renewed.
        random: Source of the jitter.
        clock: Monotonic seconds.

    """

    def __init__(
        self,
        fetch: Callable[[str, Priority], Awaitable[SocketAddress]],
        timing: Timing,
        *,
        random: Random,
        clock: Callable[[], float],
    ) -> None:
        self._fetch = fetch
        self._timing = timing
        self._random = random
        self._clock = clock
        self._tokens: dict[str, Token] = {}
        self._known: set[str] = set()  # had a token at some time
        self._fetching: dict[str, asyncio.Future[Token]] = {}

    async def get(self, server: str, *, instead_of: Token | None = None) -> Token:
        """
        Return a token that is good for a while: the cached one, or another.

        Those who ask while it is being fetched get the same one, or the same failure.

        Args:
            server: Its uuid.
            instead_of: Not this one: it is to be renewed, or the daemon refuses it.

        Raises:
            FailedError: The panel does not give one.

        """
        while True:
            token = self._tokens.get(server)
            if token is not None and token != instead_of and self._is_usable(token):
                return token
            fetching = self._fetching.get(server)
            if fetching is None:
                return await self._renew(server, instead_of)
            await asyncio.wait([fetching])
            if not fetching.cancelled():
                return fetching.result()

    def forget(self, server: str) -> None:
        """Never return the cached token again."""
        self._tokens.pop(server, None)

    def renew_at(self, token: Token) -> float:
        """
        Return when to ask for the next one; another moment at each call.

        Before the last ``renew_before`` seconds of its life, earlier by some jitter,
        but never in the first half of it.
        """
        jitter = self._random.uniform(0, self._timing.renew_jitter)
        early = token.life - self._timing.renew_before - jitter
        return token.received + max(early, token.life / 2)

    def _is_usable(self, token: Token) -> bool:
        enough = min(self._timing.renew_before, token.life / 2)
        return token.remaining(self._clock()) > enough

    async def _renew(self, server: str, instead_of: Token | None) -> Token:
        if instead_of is not None and instead_of.remaining(self._clock()) > 0:
            priority = Priority.RENEWAL
        else:
            priority = Priority.RECONNECT if server in self._known else Priority.FIRST
        fetching = asyncio.get_running_loop().create_future()
        self._fetching[server] = fetching
        try:
            address = await self._fetch(server, priority)
            claims = read_claims(address.jwt)
            token = Token(address.jwt, address.url, claims.life, self._clock(), claims.permissions)
        except asyncio.CancelledError:
            fetching.cancel()  # whoever waits with us asks again
            raise
        except Exception as error:
            fetching.set_exception(error)
            fetching.exception()  # seen: with nobody else waiting this is no loss
            raise
        else:
            self._tokens[server] = token
            self._known.add(server)
            fetching.set_result(token)
            return token
        finally:
            del self._fetching[server]
