import asyncio
import gc
import json
import logging
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic, time_ns
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection
from websockets.asyncio.server import serve as serve_websockets
from websockets.frames import Close

from archiver.client.backoff import Retry, classify
from archiver.client.budget import Priority
from archiver.client.failures import Closed, FailedError, Kind, NodeFailure
from archiver.client.intake import Frame, Inbox, Intake, Item, Overflow
from archiver.client.panel import Panel
from archiver.client.socket import MAX_FRAME, Socket, open_socket
from archiver.client.trust import make_context
from archiver.console.timing import Timing
from archiver.simulator.serving import serve
from archiver.simulator.settings import Settings
from archiver.simulator.world import World

QUIET = Settings(seed=3, servers=3, games=("silent",), stats_interval=0)
ORIGIN = "https://panel.example"


@asynccontextmanager
async def serving(
    talk: Callable[[ServerConnection], Awaitable[None]], tls: ssl.SSLContext | None = None
) -> AsyncIterator[str]:
    """Give the address of a daemon that says what a test wants."""
    server = await serve_websockets(talk, "127.0.0.1", 0, ssl=tls, max_size=None, close_timeout=1)
    async with server:
        host, port = server.sockets[0].getsockname()
        yield f"ws{'s' if tls else ''}://{host}:{port}/api/servers/5f1c/ws"


async def connect(
    url: str,
    tasks: asyncio.TaskGroup,
    *,
    origin: str = ORIGIN,
    intake: Intake | None = None,
    timing: Timing | None = None,
    tls: ssl.SSLContext | None = None,
    compression: bool = False,
) -> Socket:
    return await open_socket(
        url,
        origin=origin,
        tasks=tasks,
        intake=intake or Intake(),
        timing=timing or Timing(),
        tls=tls or make_context(),
        compression=compression,
    )


async def fail(url: str, **words: object) -> NodeFailure:
    async with asyncio.TaskGroup() as tasks:
        with pytest.raises(FailedError) as caught:
            await connect(url, tasks, **words)  # type: ignore[arg-type]
    failure = caught.value.failure
    assert isinstance(failure, NodeFailure)
    return failure


async def take_all(inbox: Inbox) -> list[Item]:
    """Return everything up to the end."""
    items: list[Item] = []
    while not (items and isinstance(items[-1], Closed)):
        items += await inbox.take()
    return items


async def take_until(inbox: Inbox, event: str) -> list[str]:
    """Return the events that came up to the first of this name."""
    events: list[str] = []
    while event not in events:
        events += [
            json.loads(i.content)["event"] for i in await inbox.take() if isinstance(i, Frame)
        ]
    return events


def contents(items: list[Item]) -> list[bytes]:
    return [item.content for item in items if isinstance(item, Frame)]


# Against the simulated daemon


@asynccontextmanager
async def simulated(settings: Settings = QUIET) -> AsyncIterator[tuple[World, Panel, str]]:
    world = World(settings)
    async with (
        serve(world) as served,
        Panel(served.url, [served.api_key], timing=Timing()) as panel,
    ):
        yield world, panel, served.url


async def authenticate(world: World, panel: Panel, tasks: asyncio.TaskGroup, n: int = 0) -> Socket:
    address = await panel.websocket(world.servers[n].uuid, Priority.FIRST)
    socket = await connect(address.url, tasks, origin=panel.url)
    await socket.send(json.dumps({"event": "auth", "args": [address.jwt]}))
    await take_until(socket.inbox, "status")
    return socket


async def test_lines_come_in_order_with_the_time_of_their_receipt() -> None:
    async with simulated() as (world, panel, _), asyncio.TaskGroup() as tasks:
        socket = await authenticate(world, panel, tasks)
        before = time_ns() // 1000, monotonic()
        for number in range(5):
            world.print_line(world.servers[0].uuid, f"line {number}")
        frames: list[Frame] = []
        while len(frames) < 5:
            frames += [item for item in await socket.inbox.take() if isinstance(item, Frame)]
        after = time_ns() // 1000, monotonic()
        await socket.close()

    texts = [json.loads(frame.content)["args"] for frame in frames]
    assert texts == [[f"line {number}"] for number in range(5)]
    assert before[0] <= frames[0].at <= frames[-1].at <= after[0]
    assert before[1] <= frames[0].monotonic <= frames[-1].monotonic <= after[1]


async def test_a_token_is_in_no_log_at_any_level(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with simulated() as (world, panel, _), asyncio.TaskGroup() as tasks:
        socket = await authenticate(world, panel, tasks)
        address = await panel.websocket(world.servers[0].uuid, Priority.FIRST)
        await socket.send(address.jwt)
        await socket.close()

    ours = [record.getMessage() for record in caplog.records if "server" not in record.name]
    assert ours
    assert not [line for line in ours if address.jwt[:20] in line]


async def test_an_origin_that_the_node_refuses_is_named() -> None:
    async with simulated() as (world, panel, _):
        address = await panel.websocket(world.servers[0].uuid, Priority.FIRST)
        failure = await fail(address.url, origin="https://other.example")

    verdict = classify(failure)
    assert (failure.kind, failure.status) == (Kind.STATUS, 403)
    assert "'https://other.example'" in verdict.what
    assert "allowed_origins" in (verdict.do or "")


async def test_a_server_that_the_node_does_not_have_needs_a_new_token() -> None:
    async with simulated() as (world, panel, url):
        address = await panel.websocket(world.servers[0].uuid, Priority.FIRST)
        failure = await fail(address.url.replace("/servers/", "/servers/0"), origin=url)

    assert failure.status == 404
    assert failure.detail == "The requested resource does not exist on this instance."
    assert classify(failure).fresh_token


async def test_the_thirty_first_socket_is_turned_away() -> None:
    async with simulated() as (world, panel, url), asyncio.TaskGroup() as tasks:
        address = await panel.websocket(world.servers[0].uuid, Priority.FIRST)
        sockets = [await connect(address.url, tasks, origin=url) for _ in range(30)]
        failure = await fail(address.url, origin=url)
        for socket in sockets:
            await socket.close()

    assert "too many open consoles" in classify(failure).what


async def test_a_daemon_that_restarts_is_not_there_for_a_while() -> None:
    async with simulated() as (world, panel, url), asyncio.TaskGroup() as tasks:
        socket = await authenticate(world, panel, tasks)
        address = await panel.websocket(world.servers[0].uuid, Priority.FIRST)
        world.restart_daemon(seconds=60)
        items = await take_all(socket.inbox)
        failure = await fail(address.url, origin=url)

    assert items == [Closed(1006, url=address.url)]
    assert classify(failure).retry is Retry.SOON


async def test_all_sockets_may_break_off_at_once_and_the_token_opens_them_again() -> None:
    async with simulated() as (world, panel, url), asyncio.TaskGroup() as tasks:
        address = await panel.websocket(world.servers[0].uuid, Priority.FIRST)
        sockets = [await connect(address.url, tasks, origin=url) for _ in range(20)]
        world.drop_sockets()
        ends = [(await take_all(socket.inbox))[-1] for socket in sockets]
        again = await connect(address.url, tasks, origin=url)
        await again.send(json.dumps({"event": "auth", "args": [address.jwt]}))
        assert "auth success" in await take_until(again.inbox, "auth success")
        await again.close()

    assert ends == [Closed(1006, url=address.url)] * 20
    assert world.counters.total("tokens") == 1


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (1000, "permission revoked"),
        (1001, "server deleted"),
        (1012, ""),
        (4409, "server is suspended"),
    ],
)
async def test_a_close_comes_with_its_code_and_reason(code: int, reason: str) -> None:
    async with simulated() as (world, panel, _), asyncio.TaskGroup() as tasks:
        socket = await authenticate(world, panel, tasks)
        world.drop_sockets(code=code, reason=reason)
        closed = (await take_all(socket.inbox))[-1]

    assert isinstance(closed, Closed)
    assert (closed.code, closed.reason, closed.by_us) == (code, reason, False)


@pytest.mark.parametrize("compression", [False, True])
async def test_frames_are_compressed_only_where_it_is_wanted(*, compression: bool) -> None:
    settings = Settings(servers=1, games=("silent",), stats_interval=0, deflate=True)
    async with simulated(settings) as (world, panel, url), asyncio.TaskGroup() as tasks:
        address = await panel.websocket(world.servers[0].uuid, Priority.FIRST)
        socket = await connect(address.url, tasks, origin=url, compression=compression)
        extensions = [each.name for each in socket._connection.protocol.extensions]
        await socket.send(json.dumps({"event": "auth", "args": [address.jwt]}))
        assert "status" in await take_until(socket.inbox, "status")
        await socket.close()

    assert extensions == (["permessage-deflate"] if compression else [])


# Against one that says anything


async def test_the_handshake_says_who_we_are_and_nothing_else() -> None:
    seen: list[dict[str, str]] = []

    async def talk(connection: ServerConnection) -> None:
        assert connection.request is not None
        seen.append(dict(connection.request.headers.raw_items()))

    async with serving(talk) as url, asyncio.TaskGroup() as tasks:
        socket = await connect(url, tasks)
        await take_all(socket.inbox)

    assert seen[0].pop("User-Agent").startswith("console-archiver/")
    assert seen[0].pop("Origin") == ORIGIN
    assert set(seen[0]) == {
        "Host",
        "Upgrade",
        "Connection",
        "Sec-WebSocket-Key",
        "Sec-WebSocket-Version",
    }


async def test_no_proxy_of_the_environment_comes_between(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "ws_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    async def talk(connection: ServerConnection) -> None:
        await connection.send("here")

    async with serving(talk) as url, asyncio.TaskGroup() as tasks:
        socket = await connect(url, tasks)
        assert contents(await take_all(socket.inbox)) == [b"here"]


async def test_a_long_frame_passes_and_a_longer_one_ends_its_own_socket_only() -> None:
    async def talk(connection: ServerConnection) -> None:
        length = int(await connection.recv())
        await connection.send("x" * length)
        await connection.wait_closed()

    intake = Intake()
    async with serving(talk) as url, asyncio.TaskGroup() as tasks:
        good = await connect(url, tasks, intake=intake)
        bad = await connect(url, tasks, intake=intake)
        await bad.send(str(MAX_FRAME + 1))
        await good.send(str(MAX_FRAME))
        ended = await take_all(bad.inbox)
        (frame,) = await good.inbox.take()
        await good.close()

    assert isinstance(frame, Frame)
    assert len(frame.content) == MAX_FRAME
    (closed,) = ended
    assert isinstance(closed, Closed)
    assert (closed.code, closed.by_us) == (1009, True)
    assert "over 1 MiB" in classify(closed).what
    assert (intake.frames, intake.bytes) == (1, MAX_FRAME)


async def test_binary_fragmented_and_broken_texts_are_frames_like_others() -> None:
    async def talk(connection: ServerConnection) -> None:
        await connection.send(b"\x00\xff")
        await connection.send(["in ", "two ", "pieces"])
        await connection.send(b"not \xff UTF-8", text=True)
        await connection.send("")
        await connection.send("after")

    async with serving(talk) as url, asyncio.TaskGroup() as tasks:
        items = await take_all((await connect(url, tasks)).inbox)

    assert contents(items) == [b"\x00\xff", b"in two pieces", b"not \xff UTF-8", b"", b"after"]
    assert items[-1] == Closed(1000, url=url)


async def test_a_flood_is_read_counted_and_never_holds_up_the_sender() -> None:
    sent = asyncio.Event()

    async def talk(connection: ServerConnection) -> None:
        for number in range(20_000):
            await connection.send(f"line {number:05}")
        sent.set()

    intake = Intake(limit_frames=1000)
    async with serving(talk) as url, asyncio.TaskGroup() as tasks:
        socket = await connect(url, tasks, intake=intake)
        await sent.wait()  # though nobody takes anything
        items = await take_all(socket.inbox)

    assert contents(items) == [f"line {number:05}".encode() for number in range(1000)]
    (overflow,) = [item for item in items if isinstance(item, Overflow)]
    assert overflow.frames == 19_000
    assert overflow.since_us < overflow.until_us


async def test_a_node_that_answers_no_ping_is_given_up() -> None:
    async def freeze(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = (await reader.readuntil(b"\r\n\r\n")).decode()
        key = next(line for line in request.split("\r\n") if "Sec-WebSocket-Key" in line)
        writer.write(upgrade(key.split(": ")[1]))
        await reader.read()  # to the end
        writer.close()
        over.set()

    over = asyncio.Event()
    server = await asyncio.start_server(freeze, "127.0.0.1", 0)
    url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    async with server, asyncio.TaskGroup() as tasks:
        socket = await connect(url, tasks, timing=Timing().scaled(0.002))
        (closed,) = await take_all(socket.inbox)
        await over.wait()

    assert isinstance(closed, Closed)
    assert (closed.code, closed.by_us) == (1011, True)
    assert "pings" in classify(closed).what


def upgrade(key: str) -> bytes:
    from websockets.utils import accept_key  # noqa: PLC0415  # only here

    head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    return f"{head}Sec-WebSocket-Accept: {accept_key(key)}\r\n\r\n".encode()


async def test_sending_on_a_closed_socket_is_silent() -> None:
    async def talk(connection: ServerConnection) -> None:
        await connection.close(4400, "go")

    async with serving(talk) as url, asyncio.TaskGroup() as tasks:
        socket = await connect(url, tasks)
        assert await take_all(socket.inbox) == [Closed(4400, "go", url=url)]
        await socket.send("more")
        await socket.close()


async def test_our_own_close_is_told_from_theirs() -> None:
    ends: list[Close | None] = []

    async def talk(connection: ServerConnection) -> None:
        await connection.wait_closed()
        ends.append(connection.protocol.close_rcvd)

    async with serving(talk) as url, asyncio.TaskGroup() as tasks:
        socket = await connect(url, tasks)
        await socket.close()
        assert await take_all(socket.inbox) == [Closed(1000, by_us=True, url=url)]

    assert ends == [Close(1000, "")]


async def test_a_cancelled_group_leaves_nothing_open() -> None:
    left = asyncio.Event()

    async def talk(connection: ServerConnection) -> None:
        await connection.wait_closed()
        left.set()

    async def listen(url: str) -> None:
        async with asyncio.TaskGroup() as tasks:
            socket = await connect(url, tasks)
            while True:
                await socket.inbox.take()

    async with serving(talk) as url:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(listen(url), 0.1)
        await left.wait()
    gc.collect()  # a transport left open would warn now


@pytest.mark.parametrize(
    ("answer", "kind", "status", "what"),
    [
        (
            b"HTTP/1.1 302 Found\r\nLocation: ws://127.0.0.1:9/\r\n\r\n",
            Kind.STATUS,
            302,
            "HTTP 302",
        ),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>", Kind.STATUS, 200, "HTTP 200"),
        (b"HTTP/1.1 502 Bad Gateway\r\nRetry-After: 9\r\n\r\n", Kind.STATUS, 502, "in trouble"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", Kind.UNREACHABLE, None, "cannot be reached"),
        (b"", Kind.UNREACHABLE, None, "cannot be reached"),
    ],
)
async def test_what_is_no_daemon_is_a_failure_and_no_redirect_is_followed(
    answer: bytes, kind: Kind, status: int | None, what: str
) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server:
        failure = await fail(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/")

    assert (failure.kind, failure.status) == (kind, status)
    assert what in classify(failure).what
    assert failure.retry_after == (9.0 if status == 502 else None)


async def test_a_dead_port_and_a_dead_name_are_told_apart() -> None:
    assert (await fail("ws://127.0.0.1:9/")).kind is Kind.UNREACHABLE
    assert (await fail("ws://node.invalid/")).kind is Kind.NAME
    assert (await fail("nonsense")).kind is Kind.SHAPE


async def test_a_node_that_never_answers_is_given_up() -> None:
    over = asyncio.Event()

    async def freeze(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        over.set()

    server = await asyncio.start_server(freeze, "127.0.0.1", 0)
    url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    async with server:
        failure = await fail(url, timing=Timing().scaled(0.005))
        await over.wait()

    assert failure.kind is Kind.TIMEOUT


async def test_a_node_that_signed_itself_is_believed_only_by_file_or_without_verification(
    certificate: Path,
) -> None:
    async def talk(connection: ServerConnection) -> None:
        await connection.send("here")

    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    async with serving(talk, tls) as url:
        failure = await fail(url)
        for context in (make_context(certificate), make_context(verify=False)):
            async with asyncio.TaskGroup() as tasks:
                socket = await connect(url, tasks, tls=context)
                assert contents(await take_all(socket.inbox)) == [b"here"]

    assert failure.kind is Kind.CERTIFICATE
    assert "verify = false" in (classify(failure).do or "")


async def test_a_node_without_tls_is_told_from_one_with_another_certificate(canned: Any) -> None:
    canned.answer(400)  # so does a daemon, to whom this is no HTTP
    assert (await fail(canned.url.replace("http:", "wss:"))).kind is Kind.TLS
