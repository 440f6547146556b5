"""
Who may ask a panel next: its limits are kept, and what matters most goes first.

``Ledger`` is pure: it counts, and time comes in as an argument. ``Budget`` lets
tasks wait for their turn. A request counts from before it is sent until a window
after its answer, so that however long it took on its way, no window of that length
at the panel holds more than the limit.

Sources: Laravel's ThrottleRequests; pterodactyl/panel 01fe4ba app/Enum/ResourceLimit.php
(5 tokens a minute and server, all its users together), config/http.php.
"""

import asyncio
from bisect import insort
from collections import deque
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import IntEnum
from math import inf

ASSUMED_LIMIT = 240  # requests a minute and key, until a header tells: the oldest panels' number
SHARE = 0.95  # of a key's limit; the rest is for the user's browser
TOKEN_LIMIT = 5  # a minute and server, never more, also where a panel sets no limit
LARGEST_TOKEN_LIMIT = 60  # a limit header above it is the key's, whatever was asked for
WINDOW = 60.5  # seconds; the half for clocks that do not run alike
LONGEST_PAUSE = 900.0  # seconds; a panel that asks for more is asked again all the same
AT_ONCE = 8  # requests of one panel on their way; its PHP has about as many workers


class Priority(IntEnum):
    """What a request is for; the first goes first."""

    RENEWAL = 0  # a socket is open and goes deaf without it
    FIRST = 1  # the first token of a server: nothing of it is recorded yet
    RECONNECT = 2  # another token of a server that is not connected
    DISCOVERY = 3


class Allowance:
    """
    One limit of requests in any window of time.

    Args:
        limit: At most so many; at least one.
        window: Seconds.

    """

    def __init__(self, limit: int, window: float) -> None:
        self.limit = limit
        self._window = window
        self._running = 0
        self._ended: deque[float] = deque()  # when, oldest first; of the last window
        self._foreign = 0  # spent by others, as the panel's count shows
        self._foreign_until = -inf
        self._paused_until = -inf

    def room(self, now: float) -> int:
        """Return how many more may begin; not positive: none."""
        if now < self._paused_until:
            return 0
        while self._ended and self._ended[0] + self._window <= now:
            self._ended.popleft()
        foreign = self._foreign if now < self._foreign_until else 0
        return self.limit - self._running - len(self._ended) - foreign

    def next_room(self, now: float) -> float:
        """Return when there may be room; infinite: only the end of a request can tell."""
        now = max(now, self._paused_until)
        if self.room(now) > 0:
            return now
        later = [self._ended[0] + self._window] if self._ended else []
        if now < self._foreign_until:
            later.append(self._foreign_until)
        return min(later, default=inf)

    def begin(self) -> None:
        """Count one request that is about to be sent."""
        self._running += 1

    def end(self, now: float) -> None:
        """Note that its answer came, or that none will."""
        self._running -= 1
        self._ended.append(now)

    def note_remaining(self, spent: int, now: float) -> None:
        """
        Note how many requests the panel counts in its window.

        What it counts and we did not send was spent by others with the same account,
        or on the same server; it is kept free until it cannot matter any more.
        """
        self._foreign = max(spent - self._running - len(self._ended), 0)
        self._foreign_until = now + self._window

    def pause(self, until: float) -> None:
        """Begin no more requests before *until*."""
        self._paused_until = max(self._paused_until, until)


class Ledger:
    """
    The limits of one panel: one for each key, one for each server's tokens.

    Args:
        keys: How many; they are told apart by their number, from 0. Only keys of
            different users have limits of their own.
        window: Seconds that the limits are for.
        at_once: At most so many requests on their way.

    """

    def __init__(self, keys: int, *, window: float = WINDOW, at_once: int = AT_ONCE) -> None:
        self._window = window
        self._at_once = at_once
        self._running = 0
        self._keys = [Allowance(int(ASSUMED_LIMIT * SHARE), window) for _ in range(keys)]
        self._told: list[int | None] = [None] * keys  # the limit as the panel said it
        self._tokens: dict[str, Allowance] = {}

    def pick(self, server: str | None, keys: Collection[int], now: float) -> int | None:
        """
        Return the key with the most room; None: not now.

        Args:
            server: The uuid of the server whose token is asked for; None: no token.
            keys: Which may be used.
            now: The time.

        """
        if self._running >= self._at_once:
            return None
        if server is not None and self._tokens_of(server).room(now) <= 0:
            return None
        room, key = max(((self._keys[key].room(now), -key) for key in keys), default=(0, 0))
        return -key if room > 0 else None

    def next_chance(self, server: str | None, keys: Collection[int], now: float) -> float:
        """Return when to call ``pick`` again; infinite: after the next ``end``."""
        if self._running >= self._at_once:
            return inf
        chance = min((self._keys[key].next_room(now) for key in keys), default=inf)
        return chance if server is None else max(chance, self._tokens_of(server).next_room(now))

    def next_room(self, now: float) -> float:
        """Return when any request at all may begin; infinite: after the next ``end``."""
        return self.next_chance(None, range(len(self._keys)), now)

    def begin(self, key: int, server: str | None) -> None:
        """Count a request that is about to be sent."""
        self._running += 1
        self._keys[key].begin()
        if server is not None:
            self._tokens_of(server).begin()

    def end(self, key: int, server: str | None, now: float) -> None:
        """Note that its answer came, or that none will."""
        self._running -= 1
        self._keys[key].end(now)
        if server is not None:
            self._tokens_of(server).end(now)

    def note_answer(
        self, key: int, server: str | None, limits: "Limits", now: float, *, refused: bool
    ) -> None:
        """
        Learn from the headers of an answer; before ``end``.

        Args:
            key: That was used.
            server: Whose token was asked for; None: no token.
            limits: What the headers say.
            now: The time.
            refused: The answer was 429: pause what is used up.

        """
        told = limits.limit
        of_server = (
            server is not None
            and told is not None
            and told != self._told[key]
            and told <= LARGEST_TOKEN_LIMIT
        )
        if of_server and server is not None:
            allowance = self._tokens_of(server)
            allowance.limit = max(min(told or 1, TOKEN_LIMIT), 1)
            spare = max((told or 0) - TOKEN_LIMIT, 0)  # we never take it, others may
        else:
            spare = 0
            allowance = self._keys[key]
            if told is not None:
                self._told[key] = told
                allowance.limit = max(int(told * SHARE), 1)
        if told is not None and limits.remaining is not None:
            allowance.note_remaining(told - limits.remaining - spare, now)
        if refused:
            wait = self._window if limits.retry_after is None else limits.retry_after
            allowance.pause(now + min(wait, LONGEST_PAUSE))

    def _tokens_of(self, server: str) -> Allowance:
        if server not in self._tokens:
            self._tokens[server] = Allowance(TOKEN_LIMIT, self._window)
        return self._tokens[server]


@dataclass(frozen=True, slots=True)
class Limits:
    """What the headers of an answer say about limits; None: nothing."""

    limit: int | None = None
    remaining: int | None = None
    retry_after: float | None = None  # seconds


@dataclass(slots=True)
class Turn:
    """Leave to send one request."""

    key: int
    limits: Limits = field(default_factory=Limits)  # set it from the answer
    refused: bool = False  # set it where the answer was 429


@dataclass(slots=True)
class _Waiter:
    rank: tuple[Priority, int]
    server: str | None
    keys: frozenset[int]
    granted: asyncio.Future[int]


class Budget:
    """
    The turns of one panel's requests; belongs to one event loop.

    Args:
        ledger: Counts them.

    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._waiters: list[_Waiter] = []
        self._asked = 0
        self._timer: asyncio.TimerHandle | None = None

    @asynccontextmanager
    async def turn(
        self, priority: Priority, keys: Collection[int], *, token_of: str | None = None
    ) -> AsyncIterator[Turn]:
        """
        Wait for leave to send one request, and send it inside.

        Args:
            priority: What it is for.
            keys: Which may be used; one of them is chosen.
            token_of: The uuid of the server whose token it asks for; None: no token.

        """
        loop = asyncio.get_running_loop()
        self._asked += 1
        granted: asyncio.Future[int] = loop.create_future()
        waiter = _Waiter((priority, self._asked), token_of, frozenset(keys), granted)
        insort(self._waiters, waiter, key=lambda waiter: waiter.rank)
        self._grant()
        try:
            key = await granted
        except asyncio.CancelledError:
            if granted.done() and not granted.cancelled():  # granted in this very moment
                self._ledger.end(granted.result(), token_of, loop.time())
            self._grant()
            raise
        turn = Turn(key)
        try:
            yield turn
        finally:
            now = loop.time()
            self._ledger.note_answer(key, token_of, turn.limits, now, refused=turn.refused)
            self._ledger.end(key, token_of, now)
            self._grant()

    def _grant(self) -> None:
        """Give leave to all who can have it now, and look again when others might."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        chance = inf
        kept: list[_Waiter] = []
        for place, waiter in enumerate(self._waiters):
            if waiter.granted.done():
                continue
            if self._ledger.next_room(now) > now:  # of thousands who wait, do not ask each
                chance = min(chance, self._ledger.next_room(now))
                kept += self._waiters[place:]
                break
            key = self._ledger.pick(waiter.server, waiter.keys, now)
            if key is None:
                chance = min(chance, self._ledger.next_chance(waiter.server, waiter.keys, now))
                kept.append(waiter)
            else:
                self._ledger.begin(key, waiter.server)
                waiter.granted.set_result(key)
        self._waiters = kept
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if kept and chance < inf:
            self._timer = loop.call_at(max(chance, now), self._grant)
