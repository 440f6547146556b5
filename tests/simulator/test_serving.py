import asyncio
import json
import urllib.request
from typing import Any
from urllib.error import HTTPError

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidMessage, InvalidStatus

from archiver.simulator.daemon import GameServer
from archiver.simulator.serving import Shell, serve
from archiver.simulator.settings import Settings
from archiver.simulator.world import World


def fetch(panel: Shell, path: str) -> tuple[Any, dict[str, str]]:
    headers = {"Authorization": f"Bearer {panel.api_key}", "Accept": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(panel.url + path, headers=headers)) as got:
        return json.load(got), dict(got.headers)


async def ask(panel: Shell, path: str) -> tuple[Any, dict[str, str]]:
    return await asyncio.to_thread(fetch, panel, path)


def message(event: str, *args: str | None) -> str:
    return json.dumps({"event": event, "args": list(args)})


async def open_socket(panel: Shell, server: GameServer, **options: Any) -> ClientConnection:
    body, _ = await ask(panel, f"/api/client/servers/{server.identifier}/websocket")
    defaults: dict[str, Any] = {
        "origin": panel.url,
        "compression": None,
        "proxy": None,
        "max_queue": None,
    }
    socket = await connect(body["data"]["socket"], **(defaults | options))
    await socket.send(message("auth", body["data"]["token"]))
    assert await socket.recv() == '{"event":"auth success"}\n'
    assert json.loads(await socket.recv())["event"] == "status"
    return socket


async def lines_until(socket: ClientConnection, last: str) -> list[str]:
    """Return the console lines up to one with that text."""
    lines: list[str] = []
    async for frame in socket:
        parsed = json.loads(frame)
        if parsed["event"] == "console output":
            lines.append(parsed["args"][0])
            if lines[-1] == last:
                break
    return lines


@pytest.fixture
def build():
    def build_world(**settings: Any) -> World:
        silent: dict[str, Any] = {"games": ("silent",), "servers": 1}
        return World(Settings(**(silent | settings)))

    return build_world


async def test_rest_and_sockets_share_a_port_and_live_lines_and_replays_arrive(build):
    world = build()
    async with serve(world) as panel:
        body, headers = await ask(panel, "/api/client")
        assert body["meta"]["pagination"]["total"] == 1
        assert headers["X-RateLimit-Remaining"] == "719"
        socket = await open_socket(panel, world.servers[0])
        for text in ("<é>", "a \rb"):
            world.print_line("Silent", text)
        assert await socket.recv() == '{"event":"console output","args":["\\u003cé\\u003e"]}\n'
        assert await lines_until(socket, "a\r\nb") == ["a\r\nb"]
        await socket.send(message("send logs", None))
        assert await lines_until(socket, "a \rb") == ["<é>", "a \rb"]
        await socket.close()


async def test_a_world_begins_by_the_wall_clock_and_time_may_go_faster(build):
    world = build(rate=5.0, games=("paper",))
    async with serve(world, speed=20.0) as panel:
        socket = await open_socket(panel, world.servers[0])
        loop = asyncio.get_running_loop()
        began, real_began = world.now, loop.time()
        frames = [json.loads(await socket.recv()) for _ in range(30)]
        assert {frame["event"] for frame in frames} >= {"console output"}
        # Against the same clock, and with room for a turn that comes late.
        assert world.now - began > 5 * 1_000_000 * (loop.time() - real_began)
        assert abs(world.servers[0].runs[0].started_at - world.now) < 600_000_000
        await socket.close()


@pytest.mark.parametrize(("origin", "status"), [(None, 403), ("http://127.0.0.1", 403)])
async def test_another_origin_is_refused_before_the_upgrade(build, origin, status):
    world = build()
    async with serve(world) as panel:
        with pytest.raises(InvalidStatus) as refused:
            await open_socket(panel, world.servers[0], origin=origin)
        assert refused.value.response.status_code == status


async def test_a_node_that_is_down_answers_no_socket(build):
    world = build()
    async with serve(world) as panel:
        world.restart_daemon(seconds=60)
        with pytest.raises((OSError, InvalidMessage)):
            await open_socket(panel, world.servers[0])


@pytest.mark.parametrize(
    ("code", "reason"), [(1005, ""), (1006, ""), (1012, "restart"), (4409, "server is suspended")]
)
async def test_a_close_is_seen_with_its_code_or_as_a_cut(build, code, reason):
    world = build()
    async with serve(world) as panel:
        socket = await open_socket(panel, world.servers[0])
        world.drop_sockets(code=code, reason=reason or "is not sent")
        with pytest.raises(ConnectionClosed) as closed:
            await socket.recv()
        received = closed.value.rcvd
        got = (received.code, received.reason) if received else (1006, "")
        assert got == (code, reason)
        assert world.counters.open_sockets[""] == 0


async def test_a_client_that_leaves_is_forgotten(build):
    world = build()
    async with serve(world) as panel:
        socket = await open_socket(panel, world.servers[0])
        await socket.close()
        while world.counters.open_sockets[""]:
            await ask(panel, "/api/client")
        assert world.servers[0].console.listeners == []


async def test_a_reader_that_stops_feels_the_ring(build):
    world = build(games=("silent",), stats_interval=0.0)
    async with serve(world) as panel:
        socket = await open_socket(panel, world.servers[0], max_queue=1)
        number = 0
        while not world.counters.total("lines dropped"):
            for _ in range(20):
                world.print_line("Silent", f"{number} {'x' * 20_000}")
                number += 1
            await asyncio.sleep(0.001)
        world.print_line("Silent", "end")
        got = [int(line.split()[0]) for line in (await lines_until(socket, "end"))[:-1]]
        assert got == sorted(set(got))
        assert len(got) < number
        await socket.close()


@pytest.mark.parametrize(("deflate", "expected"), [(True, True), (False, False)])
async def test_compression_is_a_setting_and_takes_no_context_over(build, deflate, expected):
    world = build(deflate=deflate)
    async with serve(world) as panel:
        socket = await open_socket(panel, world.servers[0], compression="deflate")
        assert socket.response is not None
        extensions = socket.response.headers.get("Sec-WebSocket-Extensions", "")
        assert ("permessage-deflate" in extensions) == expected
        assert ("server_no_context_takeover" in extensions) == expected
        world.print_line("Silent", "hello " * 100)
        assert (await lines_until(socket, "hello " * 100))[0].startswith("hello")
        await socket.close()


async def test_a_login_page_and_errors_come_over_http_too(build):
    world = build()
    world.fail_requests(522, body="<html>origin unreachable</html>")
    async with serve(world) as panel:
        with pytest.raises(HTTPError) as failed:
            await ask(panel, "/api/client")
        assert failed.value.code == 522
        failed.value.close()
        with pytest.raises(HTTPError) as failed:
            await ask(panel, "/api/servers/nothere/ws")
        assert failed.value.code == 404
        failed.value.close()


async def test_two_worlds_are_served_at_once_and_one_may_be_served_again(build):
    world, other = build(seed=1), build(seed=2)
    async with serve(world) as first, serve(other) as second:
        assert first.url != second.url
        assert first.api_key != second.api_key
    async with serve(world) as again:
        assert (await ask(again, "/api/client"))[0]["meta"]["pagination"]["total"] == 1
