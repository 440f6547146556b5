import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archiver.simulator.clock import SECOND
from archiver.simulator.session import CUT
from archiver.simulator.settings import Settings
from archiver.simulator.world import FIRST_MOMENT, Refusal, World


def play(seed: int, see: Any, *, steps: int) -> tuple[Any, ...]:
    """Let a busy hour go by with one viewer; *steps* is how the time is moved."""
    world = World(Settings(seed=seed, servers=2, rate=3.0))
    seen = see(world, "Survival").authenticate()
    world.at(world.now + 20 * SECOND, world.crash, "Survival", 1)
    world.at(world.now + 40 * SECOND, seen.session.receive, '{"event":"send logs","args":[null]}')
    world.at(world.now + 50 * SECOND, world.stall, seen.session, 2.0)
    end = world.now + 100 * SECOND
    for step in range(steps):
        world.advance(world.now + (end - world.now) // (steps - step))
    return seen.frames, seen.raw, world.truth("Survival"), world.truth("Rust Main")


@pytest.mark.parametrize("steps", [1, 999])
def test_the_same_seed_gives_the_same_frames_times_and_truth(see, steps):
    assert play(7, see, steps=steps) == play(7, see, steps=1)


def test_another_seed_gives_another_story(see):
    assert play(7, see, steps=1)[2] != play(8, see, steps=1)[2]


def test_what_is_printed_does_not_depend_on_who_listens(see):
    alone = World(Settings(seed=7, servers=2, rate=3.0))
    alone.advance(FIRST_MOMENT + 19 * SECOND)
    assert play(7, see, steps=1)[2][: len(alone.truth("Survival"))] == alone.truth("Survival")


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(["1.11", "1.12", "pelican"]))
def test_a_viewer_who_never_stalls_gets_every_line_of_a_run_exactly_once(see, seed, generation):
    world = World(Settings(seed=seed, servers=1, rate=20.0, generation=generation, booted=False))
    seen = see(world, "Survival").authenticate()
    world.boot("Survival")
    world.pass_time(20)
    world.stop("Survival")
    world.pass_time(5)
    live = [piece for line in world.truth("Survival") for piece in line.live]
    assert len(live) > 200
    assert [text for text in seen.texts() if "Daemon]" not in text] == live


def test_servers_have_readable_names_and_full_identities():
    world = World(Settings(servers=20, nodes=3))
    names = [server.name for server in world.servers]
    assert names[:2] == ["Survival", "Rust Main"]
    assert len(set(names)) == len({server.uuid for server in world.servers}) == 20
    assert {server.node.name for server in world.servers} == {"node-01", "node-02", "node-03"}
    assert all(server.identifier == server.uuid[:8] for server in world.servers)
    server = world.servers[3]
    for name in (server.name, server.identifier, server.uuid):
        assert world.server(name) is server
    with pytest.raises(KeyError):
        world.server("nobody")


def test_the_first_use_begins_a_world_unless_it_was_told_when(build):
    assert build().now == FIRST_MOMENT
    told = build()
    told.begin(5)
    told.begin(6)
    assert told.now == 5
    settled = build(start=9)
    settled.begin(5)
    assert settled.now == 9


class NoSink:
    """A far end that must never hear anything."""


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://127.0.0.1:8000", 101),
        ("http://127.0.0.1:8000/", 403),
        ("https://127.0.0.1:8000", 403),
        (None, 403),
    ],
)
def test_the_origin_must_be_the_panel_s_url_to_the_letter(world, origin, status):
    got = world.connect(world.server("Silent").uuid, origin, NoSink())
    assert (got.status if isinstance(got, Refusal) else 101) == status


def test_the_origin_rule_can_be_off_or_name_others(build):
    free = build(origin_checked=False)
    assert free.refusal(free.server("Silent").uuid, None) is None
    strict = build()
    strict.refuse_origin("https://internal")
    uuid = strict.server("Silent").uuid
    assert strict.refusal(uuid, strict.panel.url).status == 403
    assert strict.refusal(uuid, "https://internal") is None
    assert strict.counters.total("turned away") == 1


def test_an_unknown_server_is_a_404_of_the_daemon(world):
    refusal = world.refusal("0" * 36, world.panel.url)
    assert refusal.status == 404
    assert "does not exist on this instance" in json.loads(refusal.body)["error"]


def test_a_node_may_have_forgotten_a_server_that_the_panel_lists(world, watch, fetch_token):
    seen = watch(world)
    world.forget("Silent")
    assert seen.closed == (CUT, "")
    assert world.refusal(seen.server.uuid, world.panel.url).status == 404
    assert fetch_token(world, seen.server.identifier)


def test_thirty_sockets_of_one_server_are_all_that_newer_daemons_give(build, see):
    for generation, refused in (("1.11", False), ("1.12", True)):
        world = build(generation=generation)
        seen = [see(world, "Silent") for _ in range(30)]
        refusal = world.refusal(seen[0].server.uuid, world.panel.url)
        assert (refusal is not None) == refused
        if refused:
            assert refusal == (400, '{"error":"Too many open websocket connections."}')
            seen[3].session.leave()
            assert world.refusal(seen[0].server.uuid, world.panel.url) is None
        assert world.counters.most_open[seen[0].server.uuid] == 30


def test_dropped_sockets_hear_nothing_more_and_others_stay(build, watch):
    world = build(servers=2)
    first, second = (watch(world, server.uuid) for server in world.servers)
    world.drop_sockets(first.server.uuid, 1000, "permission revoked")
    assert first.closed == (1000, "permission revoked")
    assert second.closed is None
    world.drop_sockets()
    assert second.closed == (1006, "")


def test_a_restarted_daemon_cuts_every_socket_and_the_games_print_on(build, watch, see):
    world = build(servers=2, nodes=2)
    seen, other = (watch(world, server.uuid) for server in world.servers)
    world.restart_daemon("node-01", seconds=2)
    world.pass_time(1)
    assert (seen.closed, other.closed) == ((1006, ""), None)
    assert world.refusal(seen.server.uuid, world.panel.url).status == 0
    world.print_line(seen.server.uuid, "printed meanwhile")
    world.pass_time(2)
    again = watch(world, seen.server.uuid)
    again.say("send logs", None)
    world.pass_time(1)
    assert again.texts() == ["printed meanwhile"]
    assert [status.text for status in seen.server.statuses] == ["running"]
    assert len(seen.server.runs) == 1


@pytest.mark.parametrize(
    ("generation", "closed", "state"),
    [("1.11", None, "offline"), ("1.12", (1006, ""), "offline")],
)
def test_a_suspension_stops_the_server_and_newer_daemons_cut(
    build, watch, generation, closed, state
):
    world = build(generation=generation)
    seen = watch(world)
    world.suspend("Silent")
    assert (seen.closed, seen.server.state) == (closed, state)


@pytest.mark.parametrize(
    ("generation", "closed"),
    [("1.11", (1001, "server deleted")), ("1.12", (1006, "server deleted"))],
)
def test_a_deletion_says_so_and_closes(build, watch, generation, closed):
    world = build(generation=generation)
    seen = watch(world)
    world.delete("Silent")
    assert seen.closed == closed
    assert ("deleted", ["null"]) in [(event, args) for _, event, args in seen.frames]
    assert world.refusal(seen.server.uuid, world.panel.url).status == 404


def test_revoked_permissions_cut_the_sockets_of_newer_daemons(world, watch):
    seen = watch(world)
    world.permit("Silent", "websocket.connect")
    assert seen.closed == (1006, "")


def test_a_cut_network_refuses_sockets_for_a_while_and_the_daemon_notices_nothing(world, watch):
    seen = watch(world)
    world.disconnect("Silent", 3)
    assert seen.closed == (1006, "")
    for left in (3, 1):
        assert world.refusal(seen.server.uuid, world.panel.url) == Refusal(0, "")
        world.pass_time(left - 0.5)
    assert world.refusal(seen.server.uuid, world.panel.url) is None
    assert len(seen.server.statuses) == 1


@pytest.mark.parametrize(("all_sockets", "other"), [(False, None), (True, (1006, ""))])
def test_a_replay_is_cut_within_once(world, watch, all_sockets, other):
    for number in range(20):
        world.print_line("Silent", f"{number}")
    world.pass_time(1)
    main, asker, later = (watch(world) for _ in range(3))
    world.cut_replay("Silent", 7, all_sockets=all_sockets)
    asker.say("send logs", None)
    world.pass_time(1)
    assert (asker.texts(), asker.closed) == ([f"{number}" for number in range(7)], (1006, ""))
    assert main.closed == other
    if not all_sockets:
        later.say("send logs", None)
        world.pass_time(1)
        assert len(later.texts()) == 20


def test_expired_tokens_turn_lines_into_errors_and_only_a_new_one_helps(world, watch, fetch_token):
    old = fetch_token(world, world.server("Silent").identifier)
    seen = watch(world)
    world.pass_time(5)
    world.expire_tokens("Silent")
    assert seen.frames == []
    world.print_line("Silent", "swallowed")
    world.pass_time(1)
    assert seen.frames[0][1:] == ("jwt error", ["jwt: exp claim is invalid"])
    seen.clear()
    seen.authenticate(old)
    assert seen.frames[0][2][0].endswith("jwt: exp claim is invalid")
    seen.clear()
    seen.authenticate()
    world.print_line("Silent", "heard")
    world.pass_time(1)
    assert (seen.events()[0], seen.texts()) == ("auth success", ["heard"])


def test_injected_frames_come_as_they_are_to_all_sockets(build, see):
    world = build()
    sinks = [Taker(world), Taker(world)]
    world.inject("Silent", '{"event":')
    assert [sink.frames for sink in sinks] == [[b'{"event":'], [b'{"event":']]


class Taker:
    """A far end that keeps the bytes."""

    def __init__(self, world: World) -> None:
        self.frames: list[bytes] = []
        world.connect(world.servers[0].uuid, world.panel.url, self)

    def send(self, frame: bytes, at: int, /) -> None:
        self.frames.append(frame)

    def close(self, code: int, reason: str, at: int, /) -> None:
        raise AssertionError(code)


def test_the_newest_socket_stalls_and_the_others_do_not(world, watch):
    world.stall_newest("Silent", 1)  # there is none
    older, newer = watch(world), watch(world)
    world.stall_newest("Silent", 2)
    world.print_line("Silent", "line")
    world.pass_time(1)
    assert (older.texts(), newer.texts()) == (["line"], [])
    world.pass_time(2)
    assert newer.texts() == ["line"]


def test_a_game_says_so_many_lines_at_once_and_above_2000_live_lines_are_dropped(build, watch):
    world = build(games=("ticker",), rate=0.0)
    seen = watch(world, "Ticker")
    world.pass_time(1)
    world.say("Ticker", 2100)
    world.pass_time(1)
    assert len(world.truth("Ticker")) == 2101  # one is the banner
    assert sum(text in ("tick", "tock") for text in seen.texts()) == 2000
    assert sum(line.heard for line in world.known_lines("Ticker")[1:]) == 2000
    build().say("Silent", 3)  # has nothing to say


def test_a_suspension_can_be_taken_back(world):
    world.suspend("Silent")
    world.unsuspend("Silent")
    world.pass_time(5)
    assert (world.server("Silent").suspended, world.server("Silent").state) == (False, "running")
