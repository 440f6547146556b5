import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from archiver.client.intake import Frame, Inbox
from archiver.console.procedure import Procedure
from archiver.console.records import Source
from archiver.simulator.world import World


def print_lines(world: World, first: int, last: int, name: str = "Silent") -> None:
    for number in range(first, last + 1):
        world.print_line(name, f"line {number}")


async def test_lines_are_stored_once_and_in_order_live_and_replayed(serving, recording):
    async with serving() as panel:
        print_lines(panel.world, 1, 50)
        async with recording(panel) as collector:
            await collector.until_live()
            print_lines(panel.world, 51, 100)
            await collector.until_right(panel.world)
            expected = [f"line {number}" for number in range(1, 51)]
            assert collector.archive.texts("Silent", Source.REPLAY) == expected
            assert len(collector.archive.texts("Silent", Source.LIVE)) == 50
            assert collector.archive.gaps("Silent") == []


@pytest.mark.parametrize("code", [1006, 1001, 1012, 4409])
async def test_after_a_close_what_was_missed_comes_back(serving, recording, code):
    async with serving() as panel, recording(panel) as collector:
        await collector.until_live()
        print_lines(panel.world, 1, 20)
        await collector.until_right(panel.world)
        panel.world.drop_sockets("Silent", code)
        print_lines(panel.world, 21, 60)
        await collector.until_right(panel.world)
        assert collector.archive.gaps("Silent") == []
        (row,) = collector.archive.rows(
            "SELECT close_code FROM connections WHERE closed_at IS NOT NULL"
        )
        assert row == (None if code == 1006 else code,)


async def test_more_than_a_replay_holds_is_a_gap(serving, recording):
    async with serving() as panel, recording(panel) as collector:
        await collector.until_live()
        print_lines(panel.world, 1, 20)
        await collector.until_right(panel.world)
        panel.world.drop_sockets("Silent")
        print_lines(panel.world, 21, 320)
        await collector.until_right(panel.world)
        ((lower, upper, reason),) = collector.archive.gaps("Silent")
        assert (lower, upper) == (1, None)
        assert "reconnect after" in reason


async def test_a_node_whose_sockets_all_break_is_not_stormed(serving, recording):
    async with serving(servers=16) as panel, recording(panel) as collector:
        world = panel.world
        await collector.until_live(16)
        for server in world.servers:
            print_lines(world, 1, 5, server.name)
        await collector.until_right(world)
        world.drop_sockets()
        for server in world.servers:
            print_lines(world, 6, 10, server.name)
        await collector.until_right(world)
        counters = world.counters
        assert counters.total("tokens") == 16  # each is used again
        assert counters.total("throttled") == 0
        assert counters.most_open[world.servers[0].node.name] <= 4  # that asked for a replay
        for server in world.servers:
            assert counters.most_open[server.uuid] <= 2
            assert counters.total("replays", server.uuid) == 2


async def test_a_token_is_renewed_on_the_socket_and_no_line_is_lost(serving, recording):
    async with (
        serving(generation="1.11", token_life=3.0, ticker=0.5, expiring=0) as panel,
        recording(panel) as collector,
    ):
        world = panel.world
        await collector.until_live()
        number = 0
        while collector.archive.one("SELECT renewals FROM connections") != 2:
            number += 1
            print_lines(world, number, number)
            await asyncio.sleep(0.01)
        await collector.until_right(world)
        assert collector.archive.gaps("Silent") == []
        assert collector.archive.one("SELECT count(*) FROM connections") == 1
        assert len(world.server("Silent").console.listeners) == 1
        assert world.counters.total("replays") == 1
        assert collector.archive.one("SELECT count(*) FROM events WHERE event = 'jwt error'") == 0


@pytest.mark.parametrize("status", [409, 429])
async def test_what_was_withheld_while_no_token_came_is_brought_by_a_replay(
    serving, recording, timing, status
):
    async with (
        serving(generation="1.11", token_life=3.0, ticker=0.5, expiring=0) as panel,
        recording(panel, timing=replace(timing, slow_retry=1.5)) as collector,
    ):
        world = panel.world
        await collector.until_live()
        print_lines(world, 1, 10)
        await collector.until_right(world)
        world.fail_requests(status, 9, containing="/websocket")
        world.panel._settings = replace(world.settings, token_life=600.0)
        withheld = "SELECT count(*) FROM events WHERE event = 'jwt error'"
        await collector.until(lambda: collector.archive.one(withheld))
        print_lines(world, 11, 20)
        world.panel._faults.clear()
        await collector.until(lambda: world.counters.total("tokens") == 2)
        print_lines(world, 21, 30)
        await collector.until_right(world)
        assert collector.archive.gaps("Silent") == []
        assert len(world.server("Silent").console.listeners) == 1


async def test_a_restart_that_nobody_saw_is_a_new_run_and_a_gap(serving, recording):
    async with serving() as panel, recording(panel) as collector:
        world, server = panel.world, panel.world.server("Silent")
        server.runs[0].started_at -= 60_000_000  # what began just now cannot be told apart
        await collector.until_live()
        print_lines(world, 1, 10)
        await collector.until_right(world)
        server.node.up = False
        world.drop_sockets()
        world.restart("Silent")
        await collector.until(lambda: len(server.runs) == 2 and server.state == "running")
        print_lines(world, 11, 20)
        await collector.until(lambda: server.stats().uptime)
        server.node.up = True
        await collector.until_right(world)
        assert collector.archive.one("SELECT count(*) FROM runs") == 2
        ((lower, upper, reason),) = collector.archive.gaps("Silent")
        assert (lower, upper, reason) == (0, None, "restarted while not connected")


async def test_without_uptime_a_restart_that_nobody_saw_is_a_gap_all_the_same(serving, recording):
    async with serving(uptime=False) as panel, recording(panel) as collector:
        world, server = panel.world, panel.world.server("Silent")
        await collector.until_live()
        print_lines(world, 1, 10)
        await collector.until_right(world)
        server.node.up = False
        world.drop_sockets()
        print_lines(world, 11, 15)  # with the container they are gone
        world.restart("Silent")
        await collector.until(lambda: len(server.runs) == 2 and server.state == "running")
        print_lines(world, 16, 20)
        server.node.up = True
        await collector.until_right(world)
        assert len(collector.archive.gaps("Silent")) == 1


async def test_a_crash_is_recorded_with_how_it_ended(serving, recording):
    async with serving() as panel, recording(panel) as collector:
        world = panel.world
        await collector.until_live()
        print_lines(world, 1, 3)
        world.crash("Silent", exit_code=137, out_of_memory=True)
        runs = "SELECT exit_code, out_of_memory, ended_at IS NOT NULL FROM runs ORDER BY id"
        await collector.until(
            lambda: collector.archive.rows(runs) == [(137, 1, 1), (None, None, 0)]
        )
        await collector.until(lambda: collector.archive.status("Silent") == "running")
        print_lines(world, 4, 6)
        await collector.until_right(world)
        assert collector.archive.gaps("Silent") == []
        assert collector.archive.statuses("Silent") == [
            *("running", "offline", "starting", "running")
        ]
        assert any("Exit code: 137" in text for text in collector.archive.texts("Silent", 3))


async def test_an_offline_server_is_recorded_from_its_start_on(serving, recording):
    async with serving(booted=False) as panel, recording(panel) as collector:
        world = panel.world
        await collector.until_live()
        await collector.until(lambda: collector.archive.status("Silent") == "offline")
        world.boot("Silent")
        await collector.until(lambda: collector.archive.status("Silent") == "running")
        print_lines(world, 1, 10)
        await collector.until_right(world)
        assert collector.archive.gaps("Silent") == []
        assert world.counters.total("replays") == 0


async def test_a_throttled_replay_is_asked_for_again(serving, recording, monkeypatch):
    sockets: list[Any] = []

    def connect(*arguments: Any) -> Any:
        sockets.append(real(*arguments))
        if len(sockets) == 2:  # the first that asks
            sockets[-1]._limits["send logs"]._left = -0.2
        return sockets[-1]

    real = World.connect
    monkeypatch.setattr(World, "connect", connect)
    async with serving() as panel:
        print_lines(panel.world, 1, 20)
        async with recording(panel) as collector:
            await collector.until_right(panel.world)
            assert panel.world.counters.total("throttled") == 1
            assert panel.world.counters.total("replays") == 1
            assert collector.archive.gaps("Silent") == []


async def test_a_daemon_that_restarts_gets_a_fresh_token(serving, recording):
    async with serving(servers=2) as panel, recording(panel) as collector:
        world = panel.world
        await collector.until_live(2)
        for server in world.servers:
            print_lines(world, 1, 10, server.name)
        await collector.until_right(world)
        world.restart_daemon(seconds=1.5)
        for server in world.servers:
            print_lines(world, 11, 30, server.name)
        await collector.until_right(world)
        assert collector.archive.gaps("Silent") == []
        for server in world.servers:
            assert 2 <= world.counters.most_in_window("tokens", 60, server.uuid) <= 5


@pytest.mark.parametrize("generation", ["1.12", "pelican"])
async def test_a_suspended_server_is_taken_up_again(serving, recording, said, generation):
    async with serving(generation=generation) as panel, recording(panel) as collector:
        world, server = panel.world, panel.world.server("Silent")
        await collector.until_live()
        print_lines(world, 1, 10)
        await collector.until_right(world)
        world.suspend("Silent")
        await collector.until(lambda: "suspended" in str(collector.ingest.progress().trouble))
        server.suspended = False
        world.boot("Silent")
        await collector.until(lambda: server.state == "running")
        print_lines(world, 11, 20)
        await collector.until_right(world)
        assert collector.ingest.progress().trouble is None
        told = [record for record in said("connection_failed") if record.levelname == "WARNING"]
        assert len(told) == 1  # once, not at each attempt


async def test_samples_are_kept_by_interval_and_at_each_change_of_state(serving, recording):
    async with serving(stats_interval=0.1) as panel, recording(panel) as collector:
        world, server = panel.world, panel.world.server("Silent")
        await collector.until_live()
        await collector.until(lambda: server._sampled_at - server.runs[0].started_at > 1_000_000)
        world.stop("Silent")
        await collector.until(lambda: collector.archive.status("Silent") == "offline")
        states = "SELECT state FROM stats_samples ORDER BY at"
        await collector.until(lambda: ("offline",) in collector.archive.rows(states))
        assert collector.archive.rows(states) == [("running",), ("stopping",), ("offline",)]


async def test_a_status_whose_event_was_lost_is_inferred(serving, recording, monkeypatch):
    async with serving(stats_interval=0.2) as panel, recording(panel) as collector:
        server = panel.world.server("Silent")
        await collector.until_live()
        monkeypatch.setattr(server, "_publish_status", lambda: None)
        server._become("stopping")
        await collector.until(lambda: collector.archive.status("Silent") == "stopping")
        changes = "SELECT previous, status, inferred FROM status_changes ORDER BY id"
        assert collector.archive.rows(changes) == [
            (None, "running", 0),
            ("running", "stopping", 1),
        ]


async def test_events_are_kept_within_a_quota(serving, recording):
    async with serving(stats_interval=0) as panel, recording(panel) as collector:
        console = panel.world.server("Silent").console
        await collector.until_live()
        for number in range(520):
            console.publish("transfer status", f"step {number}")
            if number % 5 == 0:
                await asyncio.sleep(0)
        kept = "SELECT count(*) FROM events WHERE event = 'transfer status'"
        over = "SELECT sum(count) FROM events WHERE event = 'over quota'"
        await collector.until(lambda: collector.archive.one(over) == 20)
        assert collector.archive.one(kept) == 500


async def test_what_was_read_when_it_ends_is_committed(serving, recording, monkeypatch):
    receive, put = Procedure.receive, Inbox.put
    read: list[str] = []

    def receive_and_stop(procedure: Procedure, frame: bytes, at: int, now: float) -> None:
        receive(procedure, frame, at, now)
        if len(read) > 1000:
            collector.ingest.stop()  # in the middle of all that was taken at once

    def note(inbox: Inbox, frame: Frame) -> None:
        put(inbox, frame)
        if b"line " in frame.content:
            read.append(json.loads(frame.content)["args"][0])

    monkeypatch.setattr(Procedure, "receive", receive_and_stop)
    monkeypatch.setattr(Inbox, "put", note)
    async with serving(stats_interval=0) as panel:
        async with recording(panel) as collector:
            await collector.until_live()
            print_lines(panel.world, 1, 1500)
            await asyncio.wait([collector.running])
        assert len(read) > 1000
        assert collector.archive.texts("Silent") == read
        closed = "SELECT close_reason, lines_live FROM connections WHERE closed_at IS NOT NULL"
        assert collector.archive.rows(closed) == [("the archiver stopped listening", len(read))]


async def test_the_room_of_frames_that_nobody_takes_is_given_back(serving, recording):
    async with serving(stats_interval=0, replay_size=3000) as panel:
        world, server = panel.world, panel.world.server("Silent")
        for first in range(0, 3000, 1000):
            print_lines(world, first + 1, first + 1000)
        async with recording(panel) as collector:
            intake = collector.ingest._intake
            await collector.until(lambda: intake.frames > 100)
            for _ in range(2):
                collector.ingest._miss(1)  # it is gone from the list, and the replay goes on
            await collector.until(lambda: not server.viewers)
            await collector.until(lambda: (intake.frames, intake.bytes) == (0, 0))
