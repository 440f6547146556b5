import asyncio
import base64
import json
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archiver.client.answers import SocketAddress
from archiver.client.budget import Priority
from archiver.client.failures import FailedError, Kind, PanelFailure
from archiver.client.tokens import Token, Tokens
from archiver.console.timing import Timing

LIFE = 600


class Source:
    """Gives numbered tokens, when it is let."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Priority]] = []
        self.now = 1000.0
        self.life = LIFE
        self.open = asyncio.Event()
        self.open.set()
        self.failure: PanelFailure | None = None

    def clock(self) -> float:
        return self.now

    async def fetch(self, server: str, priority: Priority) -> SocketAddress:
        self.asked.append((server, priority))
        await self.open.wait()
        if self.failure is not None:
            raise FailedError(self.failure)
        claims = {"iat": 5, "exp": 5 + self.life, "permissions": ["*"], "n": len(self.asked)}
        middle = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
        return SocketAddress(f"wss://node/{server}", f"h.{middle}.s")


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def tokens(source: Source, timing: Timing, random: Random) -> Tokens:
    return Tokens(source.fetch, timing, random=random, clock=source.clock)


async def test_a_token_is_used_again_while_more_than_90_seconds_remain(
    source: Source, tokens: Tokens
) -> None:
    first = await tokens.get("a")
    source.now += LIFE - 91

    assert await tokens.get("a") is first

    source.now += 2

    assert await tokens.get("a") is not first
    assert source.asked == [("a", Priority.FIRST), ("a", Priority.RECONNECT)]


async def test_servers_have_their_own_tokens(tokens: Tokens) -> None:
    assert (await tokens.get("a")).url == "wss://node/a"
    assert (await tokens.get("b")).url == "wss://node/b"


async def test_a_renewal_gets_another_token_although_the_old_one_is_good(
    source: Source, tokens: Tokens
) -> None:
    old = await tokens.get("a")
    source.now += LIFE - 140

    new = await tokens.get("a", instead_of=old)

    assert new.jwt != old.jwt
    assert source.asked[-1] == ("a", Priority.RENEWAL)
    assert await tokens.get("a", instead_of=old) is new, "others renew with the same one"
    assert len(source.asked) == 2


async def test_an_expired_token_is_replaced_without_the_haste_of_a_renewal(
    source: Source, tokens: Tokens
) -> None:
    old = await tokens.get("a")
    source.now += LIFE + 1

    await tokens.get("a", instead_of=old)

    assert source.asked[-1] == ("a", Priority.RECONNECT)


async def test_a_forgotten_token_does_not_come_back(source: Source, tokens: Tokens) -> None:
    first = await tokens.get("a")
    tokens.forget("a")
    tokens.forget("never seen")

    assert await tokens.get("a") != first


async def wait_for_request(source: Source, count: int) -> None:
    while len(source.asked) < count:  # noqa: ASYNC110  # each turn is one step of the others
        await asyncio.sleep(0)
    await asyncio.sleep(0)


async def test_all_who_ask_at_once_share_one_request(source: Source, tokens: Tokens) -> None:
    source.open.clear()
    async with asyncio.TaskGroup() as tasks:
        asking = [tasks.create_task(tokens.get("a")) for _ in range(20)]
        await wait_for_request(source, 1)
        source.open.set()

    assert len(source.asked) == 1
    assert {id(task.result()) for task in asking} == {id(asking[0].result())}


async def test_all_who_ask_at_once_share_one_failure(source: Source, tokens: Tokens) -> None:
    source.failure = PanelFailure(Kind.TIMEOUT, "https://panel")
    source.open.clear()

    async def fail() -> None:
        with pytest.raises(FailedError):
            await tokens.get("a")

    async with asyncio.TaskGroup() as tasks:
        for _ in range(20):
            tasks.create_task(fail())
        await wait_for_request(source, 1)
        source.open.set()

    assert len(source.asked) == 1

    source.failure = None

    assert (await tokens.get("a")).url


async def test_who_waits_for_a_cancelled_request_asks_anew(source: Source, tokens: Tokens) -> None:
    source.open.clear()
    async with asyncio.TaskGroup() as tasks:
        first = tasks.create_task(tokens.get("a"))
        second = tasks.create_task(tokens.get("a"))
        third = tasks.create_task(tokens.get("a"))
        await wait_for_request(source, 1)
        first.cancel()
        third.cancel()
        await wait_for_request(source, 2)
        source.open.set()

    assert first.cancelled()
    assert third.cancelled()
    assert second.result().url == "wss://node/a"
    assert len(source.asked) == 2


def token_of(life: float) -> Token:
    return Token("jwt", "wss://node", life, 1000.0)


@given(life=st.floats(1, 1e5), seed=st.integers(), factor=st.sampled_from([0.05, 1.0]))
def test_a_token_is_renewed_in_the_second_half_of_its_life_and_in_time(
    life: float, seed: int, factor: float
) -> None:
    timing = Timing().scaled(factor)
    tokens = Tokens(Source().fetch, timing, random=Random(seed), clock=lambda: 0.0)
    renew_at = tokens.renew_at(token_of(life)) - 1000.0

    assert life / 2 - 1e-6 <= renew_at < life
    most = timing.renew_before + timing.renew_jitter
    if life > 2 * most:
        assert timing.renew_before - 1e-6 <= life - renew_at <= most + 1e-6


@given(life=st.floats(1, 1e5))
def test_a_renewed_token_was_not_refused_to_others_long_before(life: float) -> None:
    now = 0.0
    tokens = Tokens(Source().fetch, Timing(), random=Random(1), clock=lambda: now)
    token = token_of(life)
    now = 1000.0 + life / 2 - 0.01

    assert tokens._is_usable(token)


def test_renewals_of_many_sockets_spread_over_a_minute(timing: Timing, random: Random) -> None:
    tokens = Tokens(Source().fetch, timing, random=random, clock=lambda: 0.0)
    times = sorted(tokens.renew_at(token_of(600.0)) for _ in range(600))

    assert times[0] < 1000 + 460
    assert times[-1] > 1000 + 500
    for start in range(1450, 1510, 10):
        assert sum(start <= time < start + 10 for time in times) > 50


def test_a_token_shows_nothing_of_itself() -> None:
    assert "jwt" not in repr(token_of(600.0))
    assert token_of(600.0).remaining(1100.0) == 500.0
