from random import Random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archiver.simulator.clock import SECOND
from archiver.simulator.session import Session
from archiver.simulator.settings import Settings
from archiver.simulator.world import World

if TYPE_CHECKING:
    from collections.abc import Callable


def recoverable(world: World, **options: float) -> list[str]:
    return [line.text for line in world.known_lines("Silent", **options) if line.recoverable]


def test_a_line_that_a_socket_was_handed_is_recoverable_from_that_moment_on(world, watch):
    watch(world)
    world.print_line("Silent", "heard")
    world.pass_time(0.1)
    world.drop_sockets()
    world.print_line("Silent", "not heard")
    world.pass_time(60)
    heard, other = world.known_lines("Silent")
    assert (heard.heard, heard.recoverable, other.heard, other.recoverable) == (True, True, 0, 0)
    assert 0 <= heard.first_possible - heard.at <= 2000
    assert other.first_possible is None


def test_what_stands_in_the_tail_for_a_second_after_a_subscription_is_recoverable(build, watch):
    world = build(replay_size=10)
    for number in range(15):
        world.print_line("Silent", f"before {number}")
    world.pass_time(60)
    seen = watch(world)
    since = world.now
    world.pass_time(0.5)
    world.drop_lines("Silent", 2)
    for number in range(2):
        world.print_line("Silent", f"dropped {number}")
    world.pass_time(0.4)
    assert recoverable(world) == []
    world.pass_time(0.2)
    world.drop_sockets()
    world.pass_time(60)
    assert seen.texts() == []
    # Two were pushed out before the second was over; whether the dropped ones were had
    # depends on when a client asked.
    assert recoverable(world) == [f"before {number}" for number in range(7, 15)]
    assert recoverable(world, grace=0.3)[:2] == ["before 5", "before 6"]
    assert recoverable(world, grace=2.0) == []
    firsts = {line.first_possible for line in world.known_lines("Silent") if line.recoverable}
    assert len(firsts) == 1
    assert since - 20_000 < firsts.pop() <= since


def test_a_dropped_line_must_stand_in_the_tail_for_five_seconds_of_a_socket(build, watch):
    world = build(replay_size=1)
    watch(world)
    world.pass_time(2)
    for number, stands in enumerate((4.9, 5.1)):
        world.drop_lines("Silent", 1)
        world.print_line("Silent", f"dropped {number}")
        world.pass_time(stands)
        world.print_line("Silent", "heard")
        world.pass_time(1)
    assert recoverable(world) == ["heard", "dropped 1", "heard"]
    assert recoverable(world, interval=4.0) == ["dropped 0", "heard", "dropped 1", "heard"]
    assert recoverable(world, interval=6.0) == ["heard", "heard"]


@pytest.mark.parametrize(
    ("fault", "args"),
    [("drop_sockets", ()), ("expire_tokens", ("Silent",)), ("rotate_log", ("Silent",)), ("stop", ("Silent",))],
)  # fmt: skip
def test_five_seconds_end_with_socket_token_log_or_run(build, watch, fault, args):
    for wait, expected in ((4.0, []), (6.0, ["dropped"])):
        world = build(stop_time=0.1)
        watch(world)
        world.pass_time(2)
        world.drop_lines("Silent", 1)
        world.print_line("Silent", "dropped")
        world.pass_time(wait)
        getattr(world, fault)(*args)
        world.pass_time(30)
        assert recoverable(world) == expected, wait


def test_sockets_of_which_one_is_always_open_are_one_time_of_asking(world, watch):
    first = watch(world)
    world.pass_time(5)
    watch(world)
    world.pass_time(0.2)
    world.drop_lines("Silent", 1)
    world.print_line("Silent", "dropped")
    world.pass_time(1.5)
    first.session.leave()
    world.pass_time(3.4)
    assert recoverable(world) == []
    world.pass_time(0.2)
    assert recoverable(world) == ["dropped"]


def test_an_expired_token_ends_it_and_a_new_one_begins_it_again(world, watch):
    seen = watch(world)
    world.expire_tokens("Silent")
    world.print_line("Silent", "swallowed")
    world.pass_time(30)
    assert (seen.texts(), recoverable(world)) == ([], [])
    world.pass_time(1)
    seen.authenticate()
    world.pass_time(0.5)
    assert recoverable(world) == []
    world.pass_time(1)
    assert recoverable(world) == ["swallowed"]


def test_a_renewed_token_goes_on_without_a_new_beginning(build, watch):
    world = build(token_life=10.0)
    seen = watch(world)
    world.pass_time(8)
    world.drop_lines("Silent", 1)
    world.print_line("Silent", "dropped")
    world.pass_time(0.1)
    seen.authenticate()
    world.pass_time(5.1)
    assert recoverable(world) == ["dropped"]
    world.pass_time(10)
    world.print_line("Silent", "after the second token's end")
    world.pass_time(10)
    assert recoverable(world) == ["dropped"]


def test_what_a_slow_reader_lost_is_its_own_fault_and_what_the_daemon_dropped_is_not(build, watch):
    world = build(replay_size=5)
    seen = watch(world)
    world.stall(seen.session, 3)
    for number in range(30):
        world.print_line("Silent", f"{number}")
    world.pass_time(4)
    assert len(seen.texts()) < 30
    assert len(recoverable(world)) == 30
    world.lose_lines("Silent", 1.0, 5)
    for number in range(30, 60):
        world.print_line("Silent", f"{number}")
    world.pass_time(2)
    world.drop_sockets()
    world.pass_time(10)
    assert len(recoverable(world)) == 30


def test_every_socket_draws_its_own_losses(world, watch):
    first, second = watch(world), watch(world)
    world.lose_lines("Silent", 0.5, 60)
    for number in range(200):
        world.print_line("Silent", f"{number}")
        world.pass_time(0.1)
    world.pass_time(60)
    world.print_line("Silent", "after it")
    world.pass_time(1)
    assert 60 < len(first.texts()) < 140
    assert first.texts() != second.texts()
    assert first.texts()[-1] == second.texts()[-1] == "after it"
    heard = {line.text for line in world.known_lines("Silent") if line.heard}
    assert heard == {*first.texts(), *second.texts()}


def test_a_line_of_64_kib_hides_all_behind_it_until_it_has_left_the_tail(build, watch):
    world = build(replay_size=8)
    world.print_line("Silent", "before")
    world.print_line("Silent", "x" * 70_000)  # 5 entries, hidden until the first has gone
    world.print_line("Silent", "behind")
    world.pass_time(1)
    watch(world)
    world.pass_time(10)
    assert recoverable(world) == ["before"]
    world.drop_lines("Silent", 3)
    for number in range(3):
        world.print_line("Silent", f"dropped {number}")
    world.pass_time(4)
    assert recoverable(world) == ["before"]
    world.pass_time(2)
    assert recoverable(world) == ["before", "behind", "dropped 0", "dropped 1", "dropped 2"]


def test_a_line_of_two_live_pieces_is_heard_with_the_second(world, watch):
    watch(world)
    for dropped in (1, 2):
        world.drop_lines("Silent", dropped)
        world.print_line("Silent", "x" * 70_000)
        world.pass_time(1)
    world.print_line("Silent", "x" * 70_000)
    world.pass_time(1)
    assert [line.heard for line in world.known_lines("Silent")] == [False, False, True]


def test_the_first_second_of_a_socket_is_no_time_of_asking(build, watch):
    for stays, expected in ((5.7, []), (6.3, ["dropped"])):
        world = build()
        watch(world)
        world.drop_lines("Silent", 1)
        world.print_line("Silent", "dropped")
        world.pass_time(stays)
        world.drop_sockets()
        world.pass_time(1)
        assert recoverable(world) == expected


def test_a_short_socket_beside_a_long_one_changes_nothing(world, watch):
    watch(world)
    asker = watch(world)
    world.pass_time(2)
    world.drop_lines("Silent", 1)
    world.print_line("Silent", "dropped")
    world.pass_time(2)
    asker.session.leave()
    world.pass_time(4)
    assert recoverable(world) == ["dropped"]


def test_what_a_stopped_server_last_said_is_not_readable_until_it_boots(build, watch):
    world = build(stop_time=0.1, boot_time=0.1)
    watch(world)
    world.pass_time(2)
    world.drop_lines("Silent", 1)
    world.print_line("Silent", "dropped")
    world.pass_time(4)
    world.stop("Silent")
    world.pass_time(10)
    world.boot("Silent")
    world.pass_time(10)
    assert recoverable(world) == []


def test_a_log_that_is_removed_at_its_size_ends_it_too(build, watch):
    world = build(log_size=1000)
    watch(world)
    world.pass_time(2)
    world.drop_lines("Silent", 1)
    world.print_line("Silent", "dropped")
    world.pass_time(4)
    world.print_line("Silent", "x" * 960)
    world.pass_time(10)
    assert recoverable(world) == ["x" * 960]


def test_a_renewal_by_a_token_that_is_no_good_ends_it(build, see, watch, fetch_token):
    world = build(servers=2)
    first, second = world.servers
    seen = watch(world, first.uuid)
    world.pass_time(2)
    world.drop_lines(first.uuid, 1)
    world.print_line(first.uuid, "dropped")
    seen.say("auth", fetch_token(world, second.identifier))
    # Its key is the node's, so it is taken, and then every event is an error.
    world.pass_time(10)
    assert not any(line.recoverable for line in world.known_lines(first.uuid))


def test_nobody_listening_and_no_replays_make_nothing_recoverable(build, watch):
    world = build(replay_size=0)
    world.print_line("Silent", "alone")
    world.pass_time(1)
    watch(world)
    world.pass_time(30)
    assert recoverable(world) == []


class Diligent:
    """A client that asks within a second of each subscription, and then every five, at random."""

    def __init__(self, world: World, random: Random) -> None:
        self.world = world
        self.random = random
        self.server = world.servers[0]
        self.sessions: list[Session] = []
        self.had: set[str] = set()
        self.lines = 0
        self.ask_on()

    def connect(self) -> None:
        session = self.world.connect(self.server.uuid, self.world.panel.url, self)
        assert isinstance(session, Session)
        self.sessions.append(session)
        path = f"/api/client/servers/{self.server.identifier}/websocket"
        headers = {"authorization": f"Bearer {self.world.api_key}", "accept": "application/json"}
        token = self.world.respond("GET", path, headers).body.split(b'"')[5].decode()
        session.receive('{"event":"auth","args":["' + token + '"]}')

    def send(self, frame: bytes, at: int, /) -> None:
        if b"auth success" in frame:
            self.world.at(at + self.random.randrange(2000, SECOND - 2000), self.ask)

    def close(self, code: int, reason: str, at: int, /) -> None:
        pass

    def ask(self) -> None:
        console = self.server.console
        if console.running and any(session.open and session.good for session in self.sessions):
            self.had.update(console.replay())

    def ask_on(self) -> None:
        self.ask()
        self.world.at(self.world.now + self.random.randrange(SECOND, 5 * SECOND - 1), self.ask_on)

    def print_some(self) -> None:
        for _ in range(self.random.randrange(6)):
            self.lines += 1
            self.world.print_line("Silent", f"line {self.lines}")


@given(st.integers(0, 10**6))
def test_who_asks_within_a_second_and_then_every_five_has_all_that_counts(seed):
    random = Random(seed)
    world = World(
        Settings(
            seed=seed,
            servers=1,
            games=("silent",),
            rate=0.0,
            stats_interval=0.0,
            token_limit=None,
            request_limit=1000,
            replay_size=random.choice((3, 20)),
        )
    )
    client = Diligent(world, random)
    steps: list[Callable[[], object]] = [
        world.drop_sockets,
        lambda: world.drop_lines("Silent", random.randrange(9)),
        lambda: world.rotate_log("Silent"),
        lambda: world.restart("Silent"),
        *[client.connect] * 3,
        *[client.print_some] * 5,
    ]
    for _ in range(60):
        random.choice(steps)()
        world.pass_time(random.choice((0.1, 1.2, 3, 7)))
    for line in world.known_lines("Silent"):
        assert line.heard or not line.recoverable or line.text in client.had, line
