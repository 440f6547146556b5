import json
from typing import Any

import pytest

from archiver.simulator.truth import TrueEvent


def texts_of(events: list[TrueEvent]) -> list[str]:
    return [event.text for event in events]


def test_a_boot_says_offline_starting_running_and_clears_the_log(build, watch):
    world = build(games=("paper",), rate=0.0)
    seen = watch(world, "Survival")
    first = seen.server.console.replay()
    world.restart("Survival")
    world.pass_time(5)
    assert [text for text in seen.texts("status") if text != "stopping"][-2:] == [
        "starting",
        "running",
    ]
    assert len(first) == len(seen.server.console.replay()) == 9
    assert first[0] == seen.server.console.replay()[0]
    assert [run.number for run in seen.server.runs] == [1, 2]
    assert seen.server.runs[0].ended_at < seen.server.runs[1].started_at
    assert {line.run for line in world.truth("Survival")} == {1, 2}


def test_daemon_lines_come_before_starting_and_container_lines_after(build, watch):
    world = build(games=("paper",), rate=0.0)
    seen = watch(world, "Survival")
    world.restart("Survival")
    world.pass_time(5)
    order = [
        "daemon" if "Daemon]" in args[0] else "line" if event == "console output" else args[0]
        for _, event, args in seen.frames
        if event in ("console output", "status")
    ]
    collapsed = [now for now, before in zip(order, [None, *order], strict=False) if now != before]
    assert collapsed == [
        *["stopping", "line", "offline", "daemon", "starting", "line", "running"],
    ]


def test_an_egg_that_never_matches_stays_starting(build):
    world = build(games=("valheim",), booted=False)
    world.boot("Midgard")
    world.pass_time(60)
    assert world.server("Midgard").state == "starting"
    assert len(world.truth("Midgard")) > 60


def test_a_restarted_daemon_takes_what_runs_for_running(build):
    world = build(games=("valheim",), booted=False)
    world.boot("Midgard")
    world.pass_time(10)
    world.restart_daemon(seconds=1)
    world.pass_time(2)
    assert texts_of(world.server("Midgard").statuses) == ["starting", "running"]


@pytest.mark.parametrize("restarts", [True, False])
def test_a_crash_is_offline_daemon_lines_and_a_start(build, watch, restarts):
    world = build(games=("paper",), rate=0.0, auto_restart=restarts)
    seen = watch(world, "Survival")
    world.crash("Survival", 137, out_of_memory=True)
    world.pass_time(5)
    said = texts_of(seen.server.console.daemon_lines)
    assert "Detected server process in a crashed state!" in said[0]
    assert "Exit code: 137" in said[1]
    assert "Out of memory: true" in said[2]
    statuses = texts_of(seen.server.statuses[1:])
    assert statuses == (["offline", "starting", "running"] if restarts else ["offline"])
    run = seen.server.runs[0]
    assert (run.exit_code, run.out_of_memory) == (137, True)
    assert any("OutOfMemoryError" in text for text in seen.texts())


def test_a_second_crash_within_a_minute_is_not_followed_by_a_start(world):
    world.crash("Silent")
    world.pass_time(30)
    world.crash("Silent")
    world.pass_time(30)
    server = world.server("Silent")
    assert server.state == "offline"
    assert "less than 60 seconds ago" in server.console.daemon_lines[-1].text
    world.boot("Silent")
    world.pass_time(61)
    world.crash("Silent")
    world.pass_time(30)
    assert server.state == "running"


def test_kill_says_offline_before_the_last_lines_arrive(build, watch):
    early = 0
    for seed in range(30):
        world = build(seed=seed)
        seen = watch(world)
        world.print_line("Silent", "last words")
        world.server("Silent").kill()
        world.pass_time(1)
        early += seen.events().index("status") < seen.events().index("console output")
        assert seen.server.runs[0].exit_code == 137
    assert 0 < early < 30


def test_a_status_is_read_when_it_is_sent_so_one_is_skipped_and_the_next_comes_twice(world, watch):
    seen = watch(world)
    world.server("Silent").kill()
    world.pass_time(1)
    assert texts_of(seen.server.statuses) == ["running", "stopping", "offline"]
    assert seen.texts("status") == ["offline", "offline"]


def test_a_stopped_game_prints_nothing_more(build):
    world = build(games=("paper",), rate=50.0)
    world.stop("Survival")
    world.pass_time(2)
    lines = len(world.truth("Survival"))
    world.print_line("Survival", "from nowhere")
    world.pass_time(60)
    assert len(world.truth("Survival")) == lines
    assert world.server("Survival").runs[0].exit_code == 0


def test_a_counter_goes_on_over_its_lives(build):
    world = build(games=("counter",), servers=1, rate=10.0)
    world.pass_time(5)
    world.restart("Counter")
    world.pass_time(10)
    said = [line.text for line in world.truth("Counter")]
    assert {line.run for line in world.truth("Counter")} == {1, 2}
    assert said == [f"line {number:06}" for number in range(len(said))]


def test_starting_twice_is_starting_once(build):
    world = build(booted=False)
    assert world.server("Silent").start()
    assert not world.server("Silent").start()
    world.pass_time(10)
    assert not world.server("Silent").start()
    assert len(world.server("Silent").runs) == 1


def test_a_suspended_server_does_not_start(build):
    world = build(booted=False)
    world.suspend("Silent")
    assert not world.server("Silent").start()


def samples(seen: Any) -> list[tuple[int, Any]]:
    return [(at, json.loads(args[0])) for at, event, args in seen.frames if event == "stats"]


def test_a_running_server_sends_a_sample_each_second_and_an_offline_one_none(build, watch):
    world = build(stats_interval=1.0)
    seen = watch(world)
    world.pass_time(60)
    assert 59 <= len(samples(seen)) <= 61
    world.server("Silent").kill()
    world.pass_time(1)
    seen.clear()
    world.pass_time(60)
    assert samples(seen) == []


def test_a_stop_sends_one_sample_of_zeros(build, watch):
    world = build(stats_interval=1.0)
    seen = watch(world)
    world.pass_time(10)
    world.server("Silent").kill()
    world.pass_time(1)
    _, last = samples(seen)[-1]
    assert (last["state"], last["uptime"], last["memory_bytes"]) == ("offline", 0, 0)


def test_uptime_only_ever_lags_and_by_less_than_two_seconds(build, watch):
    for seed in range(20):
        world = build(seed=seed, stats_interval=1.0)
        seen = watch(world)
        world.pass_time(20)
        began = seen.server.runs[0].started_at
        late = [at - sample["uptime"] * 1000 - began for at, sample in samples(seen)[1:]]
        assert all(0 <= lag <= 2_000_000 for lag in late)


def test_uptime_is_exact_after_the_daemon_restarted(build, watch):
    world = build(stats_interval=1.0)
    world.restart_daemon()
    world.pass_time(5)
    seen = watch(world)
    world.pass_time(5)
    began = seen.server.runs[0].started_at
    assert all(at - s["uptime"] * 1000 - began <= 4_000 for at, s in samples(seen))


def test_counters_start_anew_with_every_container(build, watch):
    world = build(stats_interval=1.0)
    seen = watch(world)
    world.pass_time(60)
    before = samples(seen)[-1][1]
    world.restart("Silent")
    world.pass_time(6)
    after = samples(seen)[-1][1]
    assert after["network"]["rx_bytes"] < before["network"]["rx_bytes"]
    assert after["uptime"] < before["uptime"]


@pytest.mark.parametrize(
    ("settings", "present", "absent"),
    [
        ({}, {"uptime"}, {"disk_io"}),
        ({"uptime": False}, set(), {"uptime", "disk_io"}),
        ({"generation": "pelican"}, {"uptime", "disk_io"}, set()),
    ],
)
def test_generations_differ_in_what_a_sample_holds(build, watch, settings, present, absent):
    world = build(stats_interval=1.0, **settings)
    seen = watch(world)
    world.pass_time(2)
    keys = set(samples(seen)[-1][1])
    assert present <= keys
    assert not absent & keys


def test_an_installation_sends_its_output_to_administrators_only(build, watch):
    world = build(booted=False, permissions=("*", "admin.websocket.install"))
    admin = watch(world)
    admin.server.permissions = ("*",)
    owner = watch(world)
    admin.server.install()
    world.pass_time(10)
    assert owner.events() == [
        *["install started", "daemon message", "daemon message", "install completed"]
    ]
    assert len(admin.texts("install output")) == 5
    assert owner.frames[0][2] == [""]
