import asyncio
import logging
from collections.abc import Awaitable
from contextlib import suppress
from pathlib import Path
from random import Random
from time import monotonic
from typing import Any

import pytest

from archiver.client.answers import read_claims
from archiver.client.backoff import Retry, classify
from archiver.client.budget import Ledger, Priority
from archiver.client.failures import FailedError, Kind, PanelFailure
from archiver.client.panel import Panel
from archiver.client.tokens import Tokens
from archiver.client.trust import make_context
from archiver.console.timing import Timing
from archiver.errors import ConfigError
from archiver.simulator.serving import serve
from archiver.simulator.settings import Settings
from archiver.simulator.world import World

QUIET = Settings(seed=3, servers=3, games=("silent",), stats_interval=0)
KEY = "ptlc_canned0key"


def build(url: str, *keys: str, timing: Timing | None = None, **settings: Any) -> Panel:
    return Panel(url, keys or (KEY,), timing=timing or Timing(), tls=make_context(), **settings)


async def fail(request: Awaitable[object]) -> PanelFailure:
    with pytest.raises(FailedError) as caught:
        await request
    failure = caught.value.failure
    assert isinstance(failure, PanelFailure)
    return failure


# Against the simulated panel


async def test_all_servers_of_all_pages_are_listed_once() -> None:
    settings = Settings(servers=207, games=("silent",), stats_interval=0, booted=False)
    async with (
        serve(world := World(settings)) as served,
        build(served.url, served.api_key) as panel,
    ):
        servers = await panel.list_servers()

    assert [server.uuid for server in servers] == [server.uuid for server in world.servers]
    assert [server.name for server in servers] == [server.name for server in world.servers]
    assert world.counters.total("requests") == 3


async def test_scopes_are_asked_for_in_the_panels_words(canned: Any) -> None:
    canned.answer(200, '{"data":[]}')
    async with build(canned.url) as panel:
        for scope in ("all", "owned", "admin", "admin-all"):
            await panel.list_servers(scope)

    queries = [request.split()[1].partition("?")[2] for request in canned.requests]
    assert queries == [
        "per_page=100&page=1",
        "per_page=100&type=owner&page=1",
        "per_page=100&type=admin&page=1",
        "per_page=100&type=admin-all&page=1",
    ]


async def test_one_server_is_shown_as_it_is_now_with_the_users_permissions() -> None:
    async with serve(world := World(QUIET)) as served, build(served.url, served.api_key) as panel:
        uuid = world.servers[0].uuid
        before = await panel.server(uuid)
        world.suspend(uuid)
        after = await panel.server(uuid)

    assert (before.is_suspended, before.permissions) == (False, ("*",))
    assert (after.is_suspended, after.status) == (True, "suspended")


async def test_a_token_comes_with_the_address_of_its_socket() -> None:
    async with serve(world := World(QUIET)) as served, build(served.url, served.api_key) as panel:
        uuid = world.servers[0].uuid
        address = await panel.websocket(uuid, Priority.FIRST)

    claims = read_claims(address.jwt)
    assert address.url == f"ws{served.url.removeprefix('http')}/api/servers/{uuid}/ws"
    assert (claims.life, claims.permissions, claims.server_uuid) == (600.0, ("*",), uuid)


async def test_a_wrong_key_is_refused_for_good_and_never_shown(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    async with serve(World(QUIET)) as served, build(served.url) as panel:
        failure = await fail(panel.list_servers())

    verdict = classify(failure)
    assert (failure.status, failure.detail) == (401, "Unauthenticated.")
    assert verdict.retry is Retry.NEVER
    assert panel.refused == {0: failure}
    ours = [record.getMessage() for record in caplog.records if "server" not in record.name]
    assert ours
    assert "canned0key" not in f"{failure!r} {verdict!r} {verdict.error()} {ours} {panel!r}"


async def test_an_application_key_is_told_from_an_unknown_one() -> None:
    async with serve(World(QUIET)) as served, build(served.url, "ptla_application") as panel:
        verdict = classify(await fail(panel.list_servers()))

    assert "application key" in verdict.what


async def test_a_key_that_is_refused_leaves_the_work_to_the_others() -> None:
    async with (
        serve(world := World(QUIET)) as served,
        build(served.url, KEY, served.api_key) as panel,
    ):
        servers = await panel.list_servers()
        uuid = servers[0].uuid
        for _ in range(4):
            await panel.websocket(uuid, Priority.FIRST)

    assert len(servers) == 3
    assert list(panel.refused) == [0]
    assert world.counters.total("requests") == 1 + 1 + 4


async def test_a_failure_of_one_key_never_gives_half_a_list(canned: Any) -> None:
    canned.answer(200, '{"data":[]}')
    canned.answer(500)
    async with build(canned.url, KEY, "ptlc_other") as panel:
        assert (await fail(panel.list_servers())).status == 500


async def test_a_key_that_works_again_is_used_again(canned: Any) -> None:
    canned.answer(401, '{"errors":[{"detail":"Unauthenticated."}]}')
    canned.answer(200, '{"data":[]}')
    async with build(canned.url) as panel:
        await fail(panel.list_servers())
        assert panel.refused
        assert await panel.list_servers() == []
        assert panel.refused == {}


async def test_a_server_is_asked_for_with_a_key_that_sees_it(canned: Any) -> None:
    canned.answer(200, '{"data":[]}')
    canned.answer(200, '{"data":[{"attributes":{"uuid":"5f1c"}}]}')
    canned.answer(200, '{"data":{"token":"t","socket":"wss://node/ws"}}')
    async with build(canned.url, KEY, "ptlc_other") as panel:
        await panel.list_servers()
        for _ in range(3):
            await panel.websocket("5f1c", Priority.FIRST)

    assert all("Bearer ptlc_other" in request for request in canned.requests[2:])


async def test_a_key_that_is_refused_later_is_left_out(canned: Any) -> None:
    canned.answer(200, '{"data":[{"attributes":{"uuid":"5f1c"}}]}')
    canned.answer(200, '{"data":[{"attributes":{"uuid":"5f1c"}}]}')
    canned.answer(401, '{"errors":[{"detail":"Unauthenticated."}]}')
    canned.answer(200, '{"data":{"token":"t","socket":"wss://node/ws"}}')
    async with build(canned.url, KEY, "ptlc_other") as panel:
        await panel.list_servers()
        await fail(panel.websocket("5f1c", Priority.FIRST))
        (refused,) = panel.refused
        for _ in range(4):
            await panel.websocket("5f1c", Priority.FIRST)

    good = (KEY, "ptlc_other")[1 - refused]
    assert all(f"Bearer {good}" in request for request in canned.requests[3:])


@pytest.mark.parametrize("state", ["suspend", "install", "delete"])
async def test_a_server_in_no_state_for_a_token_says_which(state: str) -> None:
    async with serve(world := World(QUIET)) as served, build(served.url, served.api_key) as panel:
        uuid = world.servers[0].uuid
        {"suspend": world.suspend, "delete": world.delete}.get(
            state, lambda uuid: world.server(uuid).install()
        )(uuid)
        verdict = classify(await fail(panel.websocket(uuid, Priority.FIRST)))

    expected = {"suspend": "is suspended", "install": "not installed", "delete": "no such server"}
    assert expected[state] in verdict.what
    assert verdict.retry is Retry.SLOW


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (503, None, Kind.STATUS),
        (500, None, Kind.STATUS),
        (502, "<html>Bad Gateway</html>", Kind.WEB_PAGE),
        (200, "<!DOCTYPE html><title>Panel</title>", Kind.WEB_PAGE),
        (429, '{"error":"Too Many Requests","message":"Try again in 60 seconds."}', Kind.STATUS),
    ],
)
async def test_what_goes_wrong_once_goes_right_the_next_time(
    status: int, body: str | None, kind: Kind
) -> None:
    async with serve(world := World(QUIET)) as served, build(served.url, served.api_key) as panel:
        world.fail_requests(status, 1, body=body, containing="/websocket")
        failure = await fail(panel.websocket(world.servers[0].uuid, Priority.FIRST))
        assert await panel.list_servers() if status != 429 else True

    assert (failure.status, failure.kind) == (status, kind)


async def test_a_panels_clock_is_compared_with_ours() -> None:
    async with serve(world := World(QUIET)) as served:
        for skew in (0, 3600, -3600):
            world.skew(skew)
            async with build(served.url, served.api_key) as panel:
                await panel.list_servers()
                assert panel.skew is not None
                assert skew - 5 < panel.skew < skew + 5


async def test_a_skewed_panel_gives_tokens_of_whole_lives(timing: Timing) -> None:
    async with serve(world := World(QUIET)) as served, build(served.url, served.api_key) as panel:
        world.skew(-3600)
        tokens = Tokens(panel.websocket, timing, random=Random(1), clock=monotonic)
        token = await tokens.get(world.servers[0].uuid)

    assert 590 < token.remaining(monotonic()) <= 600


async def test_the_sixth_token_in_a_minute_is_never_asked_for() -> None:
    async with serve(world := World(QUIET)) as served, build(served.url, served.api_key) as panel:
        uuid, other = world.servers[0].uuid, world.servers[1].uuid
        for _ in range(5):
            await panel.websocket(uuid, Priority.RECONNECT)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await panel.websocket(uuid, Priority.RECONNECT)
        await panel.websocket(other, Priority.RECONNECT)

    assert world.counters.total("tokens", uuid) == 5
    assert world.counters.total("refused") == 0


async def test_after_a_refusal_nothing_is_asked_until_the_panel_said_so() -> None:
    ledger = Ledger(1)
    async with (
        serve(world := World(QUIET)) as served,
        build(served.url, served.api_key, ledger=ledger) as panel,
    ):
        world.fail_requests(429, 100)
        failure = await fail(panel.list_servers())
        now = asyncio.get_running_loop().time()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await panel.list_servers()

    assert failure.retry_after == 5.0
    assert 4 < ledger.next_room(now) - now <= 5
    assert world.counters.total("requests") == 1


async def test_a_browser_that_takes_the_tokens_of_a_server_stops_only_that_server() -> None:
    ledger = Ledger(1)
    async with (
        serve(world := World(QUIET)) as served,
        build(served.url, served.api_key, ledger=ledger) as panel,
    ):
        busy, quiet = world.servers[0].uuid, world.servers[1].uuid
        for _ in range(5):  # by somebody else
            world.respond(
                "GET",
                f"/api/client/servers/{busy}/websocket",
                {"authorization": f"Bearer {served.api_key}", "accept": "application/json"},
            )
        await panel.list_servers()
        failure = await fail(panel.websocket(busy, Priority.FIRST))
        assert (await panel.websocket(quiet, Priority.FIRST)).url

    assert failure.status == 429
    assert 50 < (failure.retry_after or 0) <= 60
    assert ledger.pick(busy, [0], asyncio.get_running_loop().time()) is None


@pytest.mark.slow
@pytest.mark.timeout(120)
async def test_a_storm_stays_within_the_limits_in_every_window() -> None:
    settings = Settings(
        servers=12,
        games=("silent",),
        stats_interval=0,
        booted=False,
        generation="pelican",
        request_limit=40,
    )
    async with (
        serve(world := World(settings)) as served,
        build(served.url, served.api_key) as panel,
    ):
        tokens = Tokens(panel.websocket, Timing(), random=Random(1), clock=monotonic)
        servers = await panel.list_servers()
        world.fail_requests(500, 10, containing="/websocket")
        world.fail_requests(200, 5, body="<html>", containing=f"{servers[3].uuid}/websocket")

        async def hammer(uuid: str) -> None:
            while True:
                with suppress(FailedError):
                    await tokens.get(uuid)
                tokens.forget(uuid)

        with suppress(TimeoutError):
            async with asyncio.timeout(70), asyncio.TaskGroup() as tasks:
                for server in servers:
                    tasks.create_task(hammer(server.uuid))

    assert world.counters.total("refused") == 0
    assert world.counters.total("requests") >= 2 * 38
    assert world.counters.most_in_window("requests") <= 38
    for server in servers:
        assert world.counters.most_in_window("tokens", 60, server.uuid) <= 5
        assert world.counters.total("tokens", server.uuid) > 0


# Against one that says anything


async def test_requests_say_who_asks_and_what_for(canned: Any) -> None:
    canned.answer(200, '{"data":[]}')
    async with build(canned.url) as panel:
        await panel.list_servers()

    head = canned.requests[0].lower()
    assert "accept: application/json\r\n" in head
    assert "user-agent: console-archiver/" in head
    assert f"authorization: bearer {KEY}\r\n" in head


async def test_no_redirect_is_followed(canned: Any) -> None:
    canned.answer(302, "<html>", Location="/auth/login")
    async with build(canned.url) as panel:
        failure = await fail(panel.list_servers())

    assert len(canned.requests) == 1
    assert (failure.status, failure.detail) == (302, "/auth/login")
    assert "'/auth/login'" in classify(failure).what


async def test_no_cookie_is_kept(canned: Any) -> None:
    canned.answer(200, '{"data":[]}', Set_Cookie="session=abc; path=/")
    async with build(canned.url) as panel:
        await panel.list_servers()
        await panel.list_servers()

    assert "cookie" not in canned.requests[1].lower()


async def test_proxies_of_the_environment_count_only_where_they_are_wanted(
    canned: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", canned.url)
    monkeypatch.setenv("NO_PROXY", "")
    canned.answer(200, '{"data":[]}')
    url = "http://panel.invalid"
    async with build(url) as direct, build(url, trust_env=True) as proxied:
        failure = await fail(direct.list_servers())
        assert await proxied.list_servers() == []

    assert failure.kind is Kind.NAME
    assert canned.requests[0].startswith("GET http://panel.invalid/api/client")


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ("{}", "no list of servers"),
        ('{"data":[{}]}', "a server without attributes"),
        ('{"data":[{"attributes":{}}]}', "a server without a uuid"),
    ],
)
async def test_an_odd_list_is_a_failure_and_no_crash(
    canned: Any, body: str | None, detail: str
) -> None:
    canned.answer(200, body)
    async with build(canned.url) as panel:
        failure = await fail(panel.list_servers())

    assert (failure.kind, failure.detail) == (Kind.SHAPE, detail)


async def test_an_endless_list_ends(canned: Any) -> None:
    canned.answer(200, '{"data":[],"meta":{"pagination":{"total_pages":9999}}}')
    async with build(canned.url) as panel:
        assert await panel.list_servers() == []

    assert len(canned.requests) == 1


@pytest.mark.parametrize("socket", ["http://node/ws", "wss://", "wss://a:b:c:d/ws"])
async def test_an_address_of_a_socket_that_leads_nowhere_is_refused(
    canned: Any, socket: str
) -> None:
    canned.answer(200, f'{{"data":{{"token":"eyJsecret","socket":"{socket}"}}}}')
    async with build(canned.url) as panel:
        failure = await fail(panel.websocket("5f1c", Priority.FIRST))

    assert failure.kind is Kind.SHAPE
    assert socket in failure.detail
    assert "eyJsecret" not in repr(failure)


async def test_tokens_and_lines_never_cross_a_network_readable_unless_allowed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plain = "ws://node.example:8080/ws"
    async with (
        build("https://panel.example") as safe,
        build("https://panel.example", allow_http=True) as allowed,
        build("http://panel.example") as plain_anyway,
    ):
        assert not safe._allow_plain
        assert allowed._allow_plain
        assert plain_anyway._allow_plain

        answer = {"data": {"token": "t", "socket": plain}}
        for panel in (safe, allowed):
            monkeypatch.setattr(panel, "_get", lambda *_, **__: asyncio.sleep(0, answer))
        assert (await fail(safe.websocket("5f1c", Priority.FIRST))).kind is Kind.SHAPE
        assert (await allowed.websocket("5f1c", Priority.FIRST)).url == plain


async def test_a_dead_port_a_dead_name_and_a_broken_answer_are_told_apart(canned: Any) -> None:
    canned.answers.append(b"")
    async with build("http://127.0.0.1:9") as refused, build("http://panel.invalid") as unnamed:
        assert (await fail(refused.list_servers())).kind is Kind.UNREACHABLE
        assert (await fail(unnamed.list_servers())).kind is Kind.NAME
    async with build(canned.url) as cut:
        assert (await fail(cut.list_servers())).kind is Kind.UNREACHABLE


@pytest.mark.parametrize("drip", [b"", b"X-More: of it\r\n"])
async def test_a_panel_that_never_comes_to_an_end_is_given_up(drip: bytes) -> None:
    given_up = asyncio.Event()

    async def freeze(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n" if drip else b"")
        while drip and not writer.transport.is_closing():
            writer.write(drip)
            await asyncio.sleep(0.01)
        with suppress(ConnectionError):
            await reader.read()
        writer.close()
        given_up.set()

    server = await asyncio.start_server(freeze, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, build(url, timing=Timing().scaled(0.005)) as panel:
        assert (await fail(panel.list_servers())).kind is Kind.TIMEOUT
        await given_up.wait()


async def test_a_certificate_is_believed_only_by_file(
    canned: Any, tls_url: str, certificate: Path, timing: Timing
) -> None:
    canned.answer(200, '{"data":[]}')
    async with build(tls_url) as stranger:
        failure = await fail(stranger.list_servers())
    for context in (make_context(certificate), make_context(verify=False)):
        async with Panel(tls_url, [KEY], timing=timing, tls=context) as friend:
            assert await friend.list_servers() == []

    assert failure.kind is Kind.CERTIFICATE
    assert "self-signed" in failure.detail
    assert "ca_file" in (classify(failure).do or "")


async def test_a_panel_without_tls_is_told_from_one_with_another_certificate(canned: Any) -> None:
    canned.answer(200)
    async with build(canned.url.replace("http", "https", 1)) as panel:
        assert (await fail(panel.list_servers())).kind is Kind.TLS


@pytest.mark.parametrize("url", ["https://\u2603.example", "https://panel\0.example"])
async def test_a_url_that_leads_nowhere_is_refused_before_it_is_used(url: str) -> None:
    with pytest.raises(ConfigError, match="not usable"):
        build(url)


@pytest.mark.parametrize("key", ["", "two words", "line\nbreak", "ptlc_\xe9", "tab\t"])
async def test_a_key_that_no_header_can_hold_is_refused_unseen(key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        build("https://panel.example", key)

    assert "API key" in str(caught.value)
    assert not key or key not in str(caught.value)
