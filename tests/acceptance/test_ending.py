"""How a collector ends: asked to, twice asked to, killed, and beside another one."""

import asyncio
import os
import signal
import sqlite3
from contextlib import closing
from random import Random

import pytest


async def test_sigterm_commits_what_was_read_and_exits_0(serving, collect, talking):
    async with serving(servers=2) as panel:
        collector = collect(panel)
        await collector.start()
        await collector.until_joined()
        async with talking(panel.world):
            await collector.until(lambda: collector.count_lines() > 60, "lines")
            assert await collector.send(signal.SIGTERM) == 0
    collector.check_numbers()
    collector.check()


async def test_a_second_signal_leaves_at_once(serving, collect):
    async with serving() as panel:
        collector = collect(panel)
        await collector.start()
        await collector.until_joined()
        # The store refuses, so that the first signal has something to wait for.
        with closing(sqlite3.connect(collector.path, isolation_level=None)) as holder:
            holder.execute("BEGIN IMMEDIATE")
            collector.process.send_signal(signal.SIGTERM)
            await collector.until(lambda: "ending" in collector.said(), "the first signal")

            assert await collector.send(signal.SIGTERM) == -signal.SIGTERM


async def test_a_second_collector_is_refused_by_pid_and_host_of_the_first(serving, collect):
    async with serving() as panel:
        collector = collect(panel)
        await collector.start()
        await collector.until(lambda: collector.rows("SELECT * FROM collectors"), "the first one")

        second = await collector.run("ingest")

        assert second.code == 3
        assert f"process {collector.process.pid} on '{os.uname().nodename}'" in second.err
        assert await collector.send(signal.SIGTERM) == 0


LINES = "SELECT id, server_id, seq, batch, text FROM lines"


@pytest.mark.parametrize(
    "kills",
    [
        pytest.param(5, marks=pytest.mark.timeout(120)),
        pytest.param(50, marks=[pytest.mark.slow, pytest.mark.timeout(900)]),
    ],
)
async def test_kills_lose_nothing_that_was_committed_and_repeat_nothing(
    serving, collect, say, talking, kills
):
    random = Random(kills)
    # Without limits: nobody starts six times a minute, and five tokens would have to do.
    async with serving(servers=4, token_limit=None, request_limit=10**6) as panel:
        collector = collect(panel)
        # While replays are taken, too; slowly, so that one holds what is printed in a start.
        async with talking(panel.world, rate=15.0):
            for _ in range(kills):
                await collector.start()
                await collector.until_joined()
                async with talking(panel.world):
                    known = collector.count_lines()
                    await collector.until(
                        lambda known=known: collector.count_lines() > known, "lines"
                    )
                    # Not to wait for something: another moment of the commits each time.
                    await asyncio.sleep(random.uniform(0.0, 0.3))
                    committed = set(collector.rows(LINES))
                    assert await collector.send(signal.SIGKILL) == -signal.SIGKILL
                say(panel.world, 20)  # at once

                stored = set(collector.rows(LINES))
                assert committed <= stored, "what another process could read is there"
            await collector.start()
            await collector.until_joined()
        say(panel.world)
        await collector.until_right()
        assert await collector.send(signal.SIGTERM) == 0
    collector.check_numbers()
    collector.check()


@pytest.mark.slow
@pytest.mark.timeout(120)
async def test_kills_while_replays_are_taken_repeat_nothing(serving, collect):
    # At 10 lines/s the 150 of a replay hold what is printed in all the starts.
    async with serving(servers=4, rate=10.0, token_limit=None, request_limit=10**6) as panel:
        collector = collect(panel)
        for _ in range(5):
            known = panel.world.counters.total("replays")
            await collector.start()
            await collector.until(
                lambda known=known: panel.world.counters.total("replays") > known, "a replay"
            )
            await collector.send(signal.SIGKILL)
        await collector.start()
        await collector.until_joined()
        for server in panel.world.servers:
            panel.world.stop(server.uuid)
        await collector.until_right()
        assert await collector.send(signal.SIGTERM) == 0
    collector.check_numbers()
    collector.check()
