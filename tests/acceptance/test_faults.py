"""What a panel or node refuses: one clear message, the right exit code, no storm of requests."""

import asyncio
import re
import signal
import time
from collections.abc import Callable
from typing import NamedTuple

import pytest

from archiver.simulator.world import World

HOUR = 3600.0
HTML = "<!DOCTYPE html>\n<html><title>Just a moment...</title></html>\n"
MANY = 10**6  # requests: all


class Fault(NamedTuple):
    """What is wrong, and what ``archiver ingest --once`` makes of it."""

    what: Callable[[World], object]
    code: int
    said: str  # what happened
    do: str  # the next thing to try
    # Of each: requests, tokens, sockets that were turned away. One attempt, where
    # waiting will not help; else three.
    counts: tuple[int, int, int]


def _fail(status: int, containing: str = "") -> Callable[[World], None]:
    return lambda world: world.fail_requests(status, MANY, body=HTML, containing=containing)


FAULTS = {
    "wrong key": Fault(
        lambda world: None,  # the test gives another one
        *(4, "the panel does not know the API key", "create a client API key", (1, 0, 0)),
    ),
    "server missing at the node": Fault(
        lambda world: world.forget("Counter"),
        *(6, "the node does not have this server", "wait if it moves", (2, 1, 1)),
    ),
    "refused origin": Fault(
        lambda world: world.refuse_origin("https://panel.example"),
        *(6, "the node refuses the Origin 'http://127.0.0.1", "allowed_origins", (2, 1, 1)),
    ),
    "panel an hour behind its nodes": Fault(
        lambda world: world.skew(-HOUR),
        *(6, "the daemon calls a fresh token expired", "set the clocks of panel", (3, 2, 0)),
    ),
    "web page": Fault(
        _fail(200),
        *(6, "a web page came instead of the panel's API: HTTP 200", "login page", (1, 0, 0)),
    ),
    "web page with 503": Fault(
        _fail(503), *(6, "the panel is in trouble: HTTP 503", "the proxy before it", (1, 0, 0))
    ),
    "redirect": Fault(
        _fail(302), *(6, "the panel sends us elsewhere: HTTP 302", "set the panel's URL", (1, 0, 0))
    ),
    "web page for a token": Fault(
        _fail(200, "/websocket"),
        *(6, "a web page came instead of the panel's API: HTTP 200", "login page", (2, 0, 0)),
    ),
    "web page with 502 for a token": Fault(
        _fail(502, "/websocket"),
        *(6, "the panel is in trouble: HTTP 502", "the proxy before it", (4, 0, 0)),
    ),
}
EVERY_FAULT = pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)


def break_world(collector, fault: Fault) -> None:
    fault.what(collector.world)
    if fault is FAULTS["wrong key"]:
        collector.key_file.write_text("ptlc_" + "x" * 43)


@EVERY_FAULT
async def test_a_fault_is_told_once_with_its_exit_code_after_few_requests(serving, collect, fault):
    async with serving() as panel:
        collector = collect(panel)
        break_world(collector, fault)
        ended = await collector.run("ingest", "--once")
        counters = panel.world.counters
    assert (ended.code, ended.out) == (fault.code, "")
    assert ended.err.count(fault.said) == 1 + ("502" in fault.said)  # a try, and the end of tries
    assert f"Error: {fault.said}" in ended.err
    assert "  where: " in ended.err
    assert fault.do in ended.err.partition("  do:    ")[2]
    names = ("requests", "tokens", "turned away")
    assert fault.counts == tuple(counters.total(name) for name in names)
    assert panel.api_key not in ended.err
    assert "eyJ" not in ended.err, "how every token begins"
    assert collector.count_lines() == 0
    collector.check()


async def test_a_server_that_no_glob_fits_is_told_with_what_there_is(serving, collect):
    async with serving(servers=2) as panel:
        collector = collect(panel)
        ended = await collector.run("ingest", "--once", "--server", "lobby-*")
        assert (ended.code, ended.out) == (6, "")
        assert ended.err == (
            "Error: no server matches 'lobby-*'\n"
            f"  where: {panel.url}\n"
            "  do:    the key sees 2 servers; name one of them, or check its user\n"
        )
        assert panel.world.counters.total("requests") == 1


async def test_a_server_that_is_deleted_is_given_up_and_the_others_go_on(serving, collect, say):
    async with serving(servers=2) as panel:
        collector, world = collect(panel), panel.world
        await collector.start(ARCHIVER_DISCOVERY_INTERVAL="1")
        await collector.until_joined()
        world.delete("Counter")
        await collector.until(lambda: "lists the server no more" in collector.said(), "its end")
        known = collector.count_lines()
        say(world)
        await collector.until(lambda: collector.count_lines() == known + 1, "the other's line")
        assert await collector.send(signal.SIGTERM) == 0
        asked = world.counters.total("tokens", world.server("Counter").uuid)
    assert asked <= 2
    assert collector.rows("SELECT name FROM servers WHERE deleted_at NOT NULL") == [("Counter",)]
    assert collector.gaps() == []
    collector.check()


@pytest.mark.parametrize("hours", [1, -1])
async def test_a_clock_that_is_an_hour_off_is_told_and_does_not_matter(serving, collect, hours):
    now = time.time_ns() // 1000
    async with serving(start=now + int(hours * HOUR) * 1_000_000) as panel:
        collector = collect(panel)
        ended = await collector.run("ingest", "--once")
        assert ended.code == 0
        (told,) = re.findall(r"the panel's clock is (\d+) s (\w+)", ended.err)
        assert told[1] == ("ahead" if hours > 0 else "behind")
        # The header has whole seconds, and starting takes some.
        assert abs(int(told[0]) - 3600) <= 5
        assert panel.world.counters.total("tokens") == 1
    assert collector.count_lines() > 0
    # When a line was seen is told by this machine's clock.
    (seen,) = collector.rows("SELECT min(observed_at), max(observed_at) FROM lines")
    assert all(now < at < now + HOUR / 2 * 1_000_000 for at in seen)


@pytest.mark.slow  # Retry-After is 5 s
async def test_a_panel_in_trouble_is_asked_again_as_it_says_and_then_recorded(serving, collect):
    async with serving() as panel:
        collector, counters = collect(panel), panel.world.counters
        panel.world.fail_requests(503, 1, body=HTML)  # Retry-After: 5
        await collector.start()
        await collector.until_joined()
        assert await collector.send(signal.SIGTERM) == 0
        first, second = counters.times("requests")[:2]
    assert second - first >= 5_000_000
    assert collector.said().count("the panel is in trouble: HTTP 503") == 1
    assert "where=http" in collector.said()
    assert collector.gaps() == []


@pytest.mark.slow
@pytest.mark.timeout(200)
async def test_no_fault_makes_a_storm_of_requests(serving, collect):
    """All faults at once, each with a panel of its own, for longer than a limit's minute."""

    async def watch(name: str, fault: Fault) -> None:
        async with serving(servers=3) as panel:
            world = panel.world
            collector = collect(panel)
            break_world(collector, fault)
            await collector.start(ARCHIVER_DISCOVERY_INTERVAL="15")
            until = world.now + 100_000_000
            if fault.code == 4:  # it ends by itself
                assert await collector.wait() == 4
            else:
                await collector.until(lambda: world.now > until, "the end", patience=150)
                assert await collector.send(signal.SIGTERM) == 0
            counters = world.counters
            for server in world.servers:
                asked = counters.most_in_window("token requests", 60, server.uuid)
                assert asked <= 5, name
                assert counters.most_in_window("turned away", 60, server.uuid) <= 3, name
            lists = counters.total("requests") - counters.total("token requests")
            assert lists <= 8, name  # one each 15 s
            assert counters.total("refused") == 0, "the panel's limit was never met"

    async with asyncio.TaskGroup() as group:
        for name, fault in FAULTS.items():
            group.create_task(watch(name, fault))
