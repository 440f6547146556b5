import json
from collections import Counter
from random import Random

import pytest

from archiver.simulator.clock import SECOND
from archiver.simulator.schedules import CLIENT, CLOSE_CODES, SCHEDULES, SERVER, Fault, plant
from archiver.simulator.session import Session
from archiver.simulator.texts import KINDS
from archiver.simulator.world import World

PROMISED = {
    *("short", "long", "reboot", "inboot", "flap", "midreplay", "kill", "drops", "interleave"),
    *("closes", "expiry", "http", "stalls", "lossy", "bootloop", "clocks", "everything"),
}


class Plain:
    """A client that connects again and again and asks at each status, and no more."""

    session: Session

    def __init__(self, world: World) -> None:
        self.world = world
        self.server = world.servers[0]
        self.texts: list[str] = []
        self.events: Counter[str] = Counter()
        self.codes: Counter[int] = Counter()
        self.told: list[Fault] = []
        self.token: str | None = None

    def send(self, frame: bytes, at: int, /) -> None:
        try:
            message = json.loads(frame)
            event, args = message["event"], message.get("args")
        except (ValueError, TypeError, KeyError):
            self.events["garbage"] += 1
            return
        self.events[str(event)] += 1
        if event == "console output" and args:
            self.texts.append(args[0])
        elif event == "status":
            self.session.receive('{"event":"send logs","args":[null]}')
        elif event == "jwt error" and self.token:
            self.token = None
            self.world.at(at + SECOND, self.authenticate, self.session)

    def close(self, code: int, reason: str, at: int, /) -> None:
        self.codes[code] += 1
        self.world.at(at + SECOND // 2, self.connect)

    def connect(self) -> None:
        got = self.world.connect(self.server.uuid, self.world.panel.url, self)
        if isinstance(got, Session):
            self.session = got
            self.authenticate(got)
        else:
            self.world.at(self.world.now + SECOND, self.connect)

    def authenticate(self, session: Session) -> None:
        if not session.open:
            return
        if self.token is None:
            path = f"/api/client/servers/{self.server.identifier}/websocket"
            headers = {
                "authorization": f"Bearer {self.world.api_key}",
                "accept": "application/json",
            }
            answer = self.world.respond("GET", path, headers)
            self.events[f"HTTP {answer.status}"] += 1
            try:
                self.token = json.loads(answer.body)["data"]["token"]
            except (ValueError, KeyError):
                self.world.at(self.world.now + 5 * SECOND, self.authenticate, session)
                return
        session.receive(json.dumps({"event": "auth", "args": [self.token]}))


def play(
    name: str, *, seed: int = 1, seconds: float = 900, kind: str = "distinct"
) -> tuple[World, Plain, list[Fault]]:
    """Let a schedule go to its end and some more."""
    schedule = SCHEDULES[name]
    world = World(schedule.build_settings(seed))
    client = Plain(world)
    server = world.servers[0].name
    faults = plant(
        world,
        server,
        schedule,
        random=Random(seed),
        seconds=seconds,
        client=client.told.append,
        text=KINDS[kind](),
    )
    client.connect()
    world.pass_time(seconds + 120)
    return world, client, faults


def test_all_that_were_compared_before_are_there():
    assert set(SCHEDULES) >= PROMISED
    assert all(name == schedule.name for name, schedule in SCHEDULES.items())


@pytest.mark.parametrize("name", SCHEDULES)
def test_the_same_seed_gives_the_same_faults_in_order_and_each_is_a_verb(name):
    schedule = SCHEDULES[name]
    faults = schedule.faults(Random(3), 3000)
    assert faults == schedule.faults(Random(3), 3000)
    assert faults != schedule.faults(Random(4), 3000)
    assert len(faults) >= 8
    times = [fault.at for fault in faults]
    assert times == sorted(times)
    assert 0 <= times[0] <= times[-1] < 3000
    for fault in faults:
        assert fault.verb in CLIENT or callable(getattr(World, fault.verb))


@pytest.mark.parametrize("name", SCHEDULES)
def test_every_schedule_goes_to_its_end_against_a_plain_client(name):
    world, client, faults = play(name)
    world.print_line("Silent", "the last")
    world.pass_time(1)
    lines = world.known_lines("Silent")
    assert client.told == [fault for fault in faults if fault.verb in CLIENT]
    assert sum(line.recoverable for line in lines) > 400
    assert sum(line.heard for line in lines) > 300
    # It runs and is listened to in the end, so nothing was left broken.
    assert client.session.open
    assert (lines[-1].text, lines[-1].heard) == ("the last", True)
    # Whatever a client got was printed, but for the daemon's own lines and a blank garbage one.
    heard = {text for text in client.texts if text and "Daemon]" not in text}
    assert heard <= {line.text for line in lines}


@pytest.mark.parametrize("name", ["short", "reboot", "everything"])
def test_the_same_seed_gives_the_same_truth(name):
    first, second = (play(name, seconds=300)[0] for _ in range(2))
    assert first.known_lines("Silent") == second.known_lines("Silent")


def test_no_suspension_lasts_to_the_end_of_everything():
    for seed in range(60):
        faults = SCHEDULES["everything"].faults(Random(seed), 3000)
        suspended = [fault.at for fault in faults if fault.verb == "suspend" and fault.at < 2700]
        back = [fault.at for fault in faults if fault.verb == "unsuspend"]
        assert max(suspended, default=0) < max(back)


def test_what_is_said_depends_on_text_and_seed_and_on_no_fault():
    short = [line.text for line in play("short", kind="cyclic")[0].truth("Silent")]
    flap = [line.text for line in play("flap", kind="cyclic")[0].truth("Silent")]
    assert short == flap


@pytest.mark.parametrize(("name", "rate"), [("long", 5), ("interleave", 60), ("stalls", 20)])
def test_lines_come_at_the_schedule_s_rate(name, rate):
    lines = play(name, kind="cyclic")[0].truth("Silent")
    assert 0.85 < len(lines) / (900 * rate) < 1.15


def test_short_outages_are_within_a_replay_and_long_ones_are_not():
    shares = []
    for name in ("short", "long"):
        lines = play(name, seconds=1800)[0].known_lines("Silent")
        missed = [line for line in lines if not line.heard]
        assert len(missed) > 200
        shares.append(sum(line.recoverable for line in missed) / len(missed))
    assert shares[0] == 1
    assert 0.3 < shares[1] < 0.8


def test_the_boots_of_inboot_print_400_lines_at_150_a_second():
    world, client, _ = play("inboot", seconds=300)
    lines = world.truth("Silent")
    runs = client.server.runs
    assert len(runs) > 5
    for run in runs[1:-1]:
        of_boot = [line.at for line in lines if line.run == run.number][:400]
        assert len(of_boot) == 400
        assert 2 < (of_boot[-1] - of_boot[0]) / SECOND < 3.5


def test_what_a_schedule_is_named_for_reaches_the_client():
    assert set(play("closes")[1].codes) == set(CLOSE_CODES)
    assert play("expiry")[1].events["jwt error"] > 3
    assert play("expiry")[1].events["token expiring"] == 0
    seen = play("http", seconds=2400)[1].events
    assert {f"HTTP {code}" for code in (401, 403, 404, 409, 429, 500, 502, 503, 504)} <= set(seen)
    assert play("garbage")[1].events["garbage"] > 10
    assert play("stalls")[0].counters.total("lines dropped") > 50
    assert play("throttling")[0].counters.total("sockets") == 1
    assert [fault.verb for fault in play("kill")[1].told if fault.args == ()].count("kill") > 5
    assert len(play("bootloop")[1].server.runs) > 10
    assert any(abs(fault.args[0]) > 1000 for fault in play("clocks")[1].told)


def test_a_fault_names_the_server_by_a_placeholder_until_it_is_planted(build):
    world = build()
    schedule = SCHEDULES["closes"]
    [first, *_] = schedule.faults(Random(1), 300)
    assert first == Fault(first.at, "drop_sockets", (SERVER, 1000, "closed by schedule"))
    planted = plant(world, "Silent", schedule, random=Random(1), seconds=300, client=print)
    assert planted[0].args[0] == SERVER
