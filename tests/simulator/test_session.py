import json
import re
from collections import Counter

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from archiver.simulator import tokens
from archiver.simulator.clock import SECOND
from archiver.simulator.settings import Settings
from archiver.simulator.world import World

UNEXPECTED = "an unexpected error was encountered while handling this request"
PREFIX = re.compile(r"Error Event \[[0-9a-f-]{36}\]: ")


@pytest.fixture
def claim(world):
    """Sign a token for the silent server, good for ten minutes but for what is changed."""

    def sign(target=world, key=None, **changes):
        server = target.server("Silent")
        now = target.now // SECOND
        claims = {
            "iat": now,
            "exp": now + 600,
            "server_uuid": server.uuid,
            "permissions": ["*"],
            "scope": "websocket",
        }
        return tokens.issue(claims | changes, key or server.node.key)

    return sign


# Authentication


def test_the_first_auth_is_answered_by_success_and_status(world, see):
    seen = see(world, "Silent").authenticate()
    assert [(event, args) for _, event, args in seen.frames] == [
        ("auth success", None),
        ("status", ["running"]),
    ]


def test_an_offline_server_adds_one_sample_with_zeros(build, see):
    seen = see(build(booted=False), "Silent").authenticate()
    assert seen.events() == ["auth success", "status", "stats"]
    sample = json.loads(seen.texts("stats")[0])
    assert (sample["state"], sample["uptime"], sample["memory_bytes"]) == ("offline", 0, 0)


def test_while_it_installs_there_is_no_sample(build, see, claim):
    world = build(booted=False)
    world.server("Silent").install()
    assert "stats" not in see(world, "Silent").authenticate(claim(world)).events()


def test_a_second_auth_subscribes_nothing_and_gets_success_only(world, watch):
    seen = watch(world)
    seen.authenticate()
    world.print_line("Silent", "once")
    world.pass_time(0.1)
    assert seen.events() == ["auth success", "console output"]


def test_two_auths_at_once_may_subscribe_twice(world, see, fetch_token):
    doubled = 0
    for _ in range(30):
        seen = see(world, "Silent")
        token = fetch_token(world, seen.server.identifier)
        seen.say("auth", token)
        seen.authenticate(token)
        seen.clear()
        world.print_line("Silent", "line")
        world.pass_time(0.1)
        doubled += seen.texts() == ["line", "line"]
        seen.session.leave()
    assert 0 < doubled < 30


def test_a_line_may_come_before_the_first_status(world, see):
    before = 0
    for _ in range(60):
        seen = see(world, "Silent")
        for step in range(60):
            world.at(world.now + step * 50, world.print_line, "Silent", "line")
        seen.authenticate()
        before += seen.events().index("console output") < seen.events().index("status")
        seen.session.leave()
    assert 0 < before < 60


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"exp": 0}, ("jwt error", "jwt: exp claim is invalid")),
        ({"permissions": ["control.console"]}, ("jwt error", "jwt: missing connect permission")),
        ({"scope": None}, ("jwt error", "jwt: missing connect permission")),
        ({"key": b"other"}, ("daemon error", UNEXPECTED)),
    ],
    ids=["expired", "no permission", "no scope", "bad signature"],
)
def test_a_token_that_is_no_good_is_refused_and_the_socket_stays_open(
    world, see, claim, changes, expected
):
    seen = see(world, "Silent").authenticate(claim(**changes))
    [(_, event, [text])] = seen.frames
    assert PREFIX.match(text)
    assert (event, PREFIX.sub("", text)) == expected
    assert seen.closed is None
    seen.authenticate()
    assert "auth success" in seen.events()


def test_an_old_daemon_needs_no_scope(build, see, claim):
    world = build(generation="1.11")
    assert "auth success" in see(world, "Silent").authenticate(claim(world, scope=None)).events()


def test_a_token_from_before_the_daemon_s_start_is_on_the_denylist(world, see, claim):
    old = claim()
    world.restart_daemon(seconds=2)
    world.pass_time(3)
    [(_, event, [text])] = see(world, "Silent").authenticate(old).frames
    assert event == "jwt error"
    assert PREFIX.sub("", text) == "jwt: created too far in past (denylist)"


def test_the_token_of_another_server_is_accepted_and_then_fails_every_event(build, see, claim):
    world = build(servers=2)
    seen = see(world, "Silent").authenticate(claim(world, server_uuid=world.servers[1].uuid))
    assert [(event, args) for _, event, args in seen.frames] == [
        ("auth success", None),
        ("jwt error", ["jwt: server uuid mismatch"]),
    ]


def test_a_message_before_auth_gets_an_error_and_nothing_closes(world, see):
    seen = see(world, "Silent")
    seen.say("send logs", None)
    world.pass_time(3600)
    assert seen.texts("jwt error") == ["jwt: no jwt present"]
    assert seen.closed is None


def test_messages_sent_at_once_overtake_each_other(world, see, fetch_token):
    early = 0
    for _ in range(30):
        seen = see(world, "Silent")
        token = fetch_token(world, seen.server.identifier)
        seen.say("auth", token)
        seen.say("send stats")
        world.pass_time(0.1)
        early += "jwt error" in seen.events()
        seen.session.leave()
    assert 0 < early < 30


# The token's end


def test_after_expiry_every_event_becomes_an_error_until_the_next_auth(build, watch):
    world = build(token_life=20.0, ticker=1000.0)
    seen = watch(world)
    world.print_line("Silent", "a")
    world.pass_time(22)
    for text in "bc":
        world.print_line("Silent", text)
    seen.server.console.publish("status", "running")
    world.pass_time(1)
    assert seen.texts() == ["a"]
    assert seen.texts("jwt error") == ["jwt: exp claim is invalid"] * 3
    seen.authenticate()
    world.print_line("Silent", "d")
    world.pass_time(1)
    assert seen.texts() == ["a", "d"]
    assert seen.closed is None


@pytest.mark.parametrize(
    ("life", "events"),
    [
        (100.0, ["token expiring", "token expiring", "jwt error"]),
        (600.0, ["token expiring", "token expiring", "token expired", "jwt error"]),
    ],
    ids=["ticks beside the end", "a tick in the very second"],
)
def test_expiry_is_announced_on_a_30_s_tick_and_rarely_its_coming(build, watch, life, events):
    world = build(token_life=life)
    seen = watch(world)
    world.pass_time(life + 31)
    assert seen.events() == events
    assert seen.frames[0][2] is None


def test_revoked_permissions_end_the_stream_of_an_old_daemon_with_errors(build, watch):
    world = build(generation="1.11")
    seen = watch(world)
    world.pass_time(5)
    world.permit("Silent", "file.read")
    world.print_line("Silent", "secret")
    world.pass_time(1)
    assert seen.texts("jwt error") == ["jwt: created too far in past (denylist)"]


@pytest.mark.parametrize(
    ("event", "permission"),
    [
        ("install output", "admin.websocket.install"),
        ("transfer logs", "admin.websocket.transfer"),
        ("backup completed", "backup.read"),
    ],
)
def test_some_events_take_a_permission(build, watch, event, permission):
    for permissions, expected in (
        (("websocket.connect",), []),
        (("websocket.connect", permission), ["text"]),
    ):
        world = build(permissions=permissions)
        seen = watch(world)
        seen.server.console.publish(event, "text")
        assert seen.texts(event) == expected


# Replays


def test_a_replay_is_the_tail_of_the_log_for_the_asker_only(build, watch):
    world = build(replay_size=3)
    asking, other = watch(world), watch(world)
    for text in ("a", "b", "", "c"):
        world.print_line("Silent", text)
    world.pass_time(1)
    asking.clear()
    asking.say("send logs", None)
    world.pass_time(1)
    assert asking.texts() == ["b", "", "c"]
    assert other.texts() == ["a", "b", "c"]


def test_a_replay_is_one_snapshot_and_live_lines_come_between_its_lines(world, watch):
    seen = watch(world)
    for number in range(150):
        world.print_line("Silent", f"old {number}")
    world.pass_time(1)
    seen.clear()
    seen.say("send logs", None)
    for number in range(40):
        world.pass_time(0.001)
        world.print_line("Silent", f"new {number}")
    world.pass_time(1)
    count = Counter(seen.texts())
    asked_for = [text for text in seen.texts() if text.startswith("old")]
    assert asked_for == sorted(asked_for, key=lambda text: int(text[4:]))
    assert [text for text in dict.fromkeys(seen.texts()) if text.startswith("new")] == [
        f"new {number}" for number in range(40)
    ]
    twice = [number for number in range(40) if count[f"new {number}"] == 2]
    assert twice == list(range(len(twice)))  # in the snapshot up to one moment
    first, last = seen.texts().index(asked_for[0]), seen.texts().index(asked_for[-1])
    assert any(text.startswith("new") for text in seen.texts()[first:last])


@pytest.mark.parametrize("state", ["offline", "ended", "nothing printed"])
def test_no_log_is_no_frame_and_no_error(build, watch, state):
    world = build(booted=state != "offline")
    seen = watch(world)
    if state == "ended":
        world.print_line("Silent", "last words")
        world.server("Silent").kill()
        world.pass_time(1)
        seen.clear()
    seen.say("send logs", None)
    world.pass_time(1)
    assert seen.frames == []


def test_a_log_driver_that_cannot_be_read_is_a_daemon_error(world, watch):
    seen = watch(world)
    seen.server.log_readable = False
    seen.say("send logs", None)
    world.pass_time(1)
    assert seen.events() == ["daemon error"]


def test_a_replay_waits_for_a_slow_reader_and_loses_nothing(world, watch):
    seen = watch(world)
    for number in range(20):
        world.print_line("Silent", str(number))
    world.pass_time(1)
    seen.clear()
    seen.say("send logs", None)
    world.pass_time(0.0012)
    world.stall(seen.session, 5)
    world.pass_time(4)
    assert len(seen.texts()) < 20
    world.pass_time(2)
    assert seen.texts() == [str(number) for number in range(20)]


# Other messages


def test_send_stats_is_answered_at_once_with_the_last_sample(build, watch):
    world = build(stats_interval=1.0)
    seen = watch(world)
    world.pass_time(10)
    pushed = json.loads(seen.texts("stats")[-1])
    seen.clear()
    seen.say("send stats")
    world.pass_time(0.002)
    assert json.loads(seen.texts("stats")[0]) == pushed
    assert next(iter(json.loads(seen.texts("stats")[0]))) == "memory_bytes"


def test_an_answer_waits_for_a_slow_reader(world, watch):
    seen = watch(world)
    world.stall(seen.session, 5)
    seen.say("send stats")
    world.pass_time(4)
    assert seen.frames == []
    world.pass_time(2)
    assert seen.events() == ["stats"]


@pytest.mark.parametrize(("generation", "answered"), [("1.11", True), ("1.12", False)])
def test_newer_daemons_ignore_binary_messages(build, watch, generation, answered):
    seen = watch(build(generation=generation))
    seen.session.receive(b'{"event":"send stats","args":[]}')
    seen.world.pass_time(1)
    assert seen.events() == ["stats"] * answered


def test_a_command_reaches_the_game_and_comes_back_as_a_line(world, watch):
    seen = watch(world)
    seen.say("send command", "say ", "hello")
    world.pass_time(0.1)
    assert [command.text for command in seen.server.commands] == ["say hello"]
    assert seen.texts() == ["say hello"]


def test_a_command_without_permission_or_to_an_offline_server_is_ignored(build, watch):
    for settings in ({"permissions": ("websocket.connect",)}, {"booted": False}):
        world = build(**settings)
        seen = watch(world)
        seen.say("send command", "stop")
        world.pass_time(0.1)
        assert seen.server.commands == []
        assert seen.frames == []


@pytest.mark.parametrize(
    ("action", "states"),
    [
        ("stop", ["stopping", "offline"]),
        ("restart", ["stopping", "offline", "starting", "running"]),
        ("kill", ["stopping", "offline"]),
        ("start", []),
    ],
)
def test_set_state_does_what_it_says(world, watch, action, states):
    seen = watch(world)
    seen.say("set state", action)
    world.pass_time(10)
    assert [status.text for status in seen.server.statuses[1:]] == states


def test_a_second_power_action_is_refused_while_one_runs(world, watch):
    seen = watch(world)
    seen.say("set state", "restart")
    world.pass_time(0.1)
    seen.say("set state", "restart")
    world.pass_time(0.1)
    assert "another power action is currently being processed" in seen.texts("daemon error")[0]


def test_power_takes_its_permission(build, watch):
    world = build(permissions=("websocket.connect", "control.start"))
    seen = watch(world)
    seen.say("set state", "stop")
    world.pass_time(5)
    assert seen.server.state == "running"


@pytest.mark.parametrize(
    "message",
    [
        "",
        "nonsense",
        "[]",
        "3",
        "{}",
        '{"event":3,"args":[1]}',
        '{"event":"auth","args":[{}]}',
        b"x",
    ],
)
@pytest.mark.parametrize("generation", ["1.11", "1.12"])
def test_what_cannot_be_read_is_ignored(build, watch, message, generation):
    seen = watch(build(generation=generation))
    seen.session.receive(message)
    seen.world.pass_time(1)
    assert seen.frames == []
    assert seen.closed is None


# Limits of newer daemons


@pytest.mark.parametrize("generation", ["1.12", "pelican"])
def test_send_logs_is_limited_to_a_burst_of_two_and_then_one_per_5_s(build, watch, generation):
    world = build(generation=generation)
    seen = watch(world)
    world.print_line("Silent", "line")
    for _ in range(20):
        seen.say("send logs", None)
        world.pass_time(1)
    assert seen.texts() == ["line"] * 6  # live, 2 at once, at 5, 10 and 15 s
    assert seen.texts("throttled") == ["send logs"] * 4  # one for each period
    assert world.counters.total("replays") == 5
    assert world.counters.total("throttled") == 15


def test_auth_is_limited_by_itself(world, see, claim):
    seen = see(world, "Silent")
    for _ in range(4):
        seen.authenticate(claim())
    assert seen.events().count("auth success") == 2
    assert seen.texts("throttled") == ["auth"]


def test_all_messages_together_are_limited_too(world, watch):
    seen = watch(world)
    world.pass_time(1)
    for number in range(15):
        seen.say("send command", str(number))
    world.pass_time(1)
    assert len(seen.server.commands) == 10
    assert "global" in seen.texts("throttled")


def test_an_old_daemon_limits_nothing(build, watch):
    world = build(generation="1.11")
    seen = watch(world)
    for _ in range(50):
        seen.say("send stats")
    world.pass_time(1)
    assert seen.events() == ["stats"] * 50


def test_a_large_message_closes_a_newer_socket_with_1009(build, watch):
    for generation, closed in (("1.11", None), ("1.12", (1009, ""))):
        seen = watch(build(generation=generation))
        seen.say("send command", "x" * 4096)
        assert seen.closed == closed


def test_a_socket_to_a_suspended_server_is_closed_with_4409(world, watch, see):
    seen = watch(world)
    world.suspend("Silent", cut=False)  # as a restore on Pelican does
    assert seen.closed is None
    assert see(world, "Silent").closed == (4409, "server is suspended")
    seen.say("send stats")
    assert seen.closed == (4409, "server is suspended")


def test_a_closed_socket_gets_nothing_more(world, watch):
    seen = watch(world)
    world.print_line("Silent", "on its way")
    seen.session.leave()
    seen.session.leave()
    seen.say("send stats")
    world.pass_time(100)
    assert seen.frames == []
    assert world.counters.open_sockets[""] == 0


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["event", "args"]), inner),
    )
)
@example({"event": [], "args": []})
@example({"event": "auth", "args": ["\ud800"]})
@example({"event": "auth", "args": ["\ud800.x"]})
@example({"event": "set state", "args": ["nothing"]})
def test_no_message_breaks_a_daemon(see, content):
    world = World(Settings(generation="1.11", games=("silent",)))
    seen = see(world, "Silent").authenticate()
    seen.session.receive(json.dumps(content))
    seen.session.receive("[" * 100_000)
    world.pass_time(0.1)
    assert seen.closed is None


def test_a_socket_that_closes_while_its_reader_stalls_leaves_nothing_behind(world, watch):
    seen = watch(world)
    for number in range(150):
        world.print_line("Silent", str(number))
    world.pass_time(1)
    seen.say("send logs", None)
    seen.say("send stats")
    world.stall(seen.session, 10)
    world.pass_time(1)
    seen.session.leave()
    seen.clear()
    world.pass_time(100)
    assert seen.frames == []
    assert world.next_at() is None


def test_sockets_that_ask_for_replays_are_counted_by_node(build, watch):
    world = build(servers=3)
    for server in world.servers:
        seen = watch(world, server.uuid)
        for _ in range(2):
            seen.say("send logs", None)
        world.pass_time(0.1)
        seen.session.leave() if server is world.servers[0] else None
    assert world.counters.total("asking sockets", "node-01") == 3
    assert world.counters.most_in_window("asking sockets", 1, "node-01") == 3
    assert world.counters.most_open["node-01"] == 2
    assert world.counters.open_sockets["node-01"] == 2
