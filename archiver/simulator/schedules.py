"""
Faults by script: what goes wrong when, decided by a seed, and how lines come meanwhile.

The first nine are those of a comparison of strategies, the rest those of a proof over
real sockets; each means here what it meant there. A fault is a call of the world's own
methods, or one of `CLIENT`, which is up to whoever owns the client.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from random import Random
from typing import Any, NamedTuple

from archiver.simulator.clock import SECOND, seeded
from archiver.simulator.session import CUT
from archiver.simulator.settings import Settings
from archiver.simulator.texts import Text, distinct
from archiver.simulator.world import World

SERVER = "{server}"  # stands for the server in a fault's arguments

CLIENT = {
    "kill": "kill the archiver, and start it again at once",
    "set_clock": "set its wall clock by so many seconds",
}
CLOSE_CODES = (1000, 1001, 1005, CUT, 1008, 1009, 1011, 1012, 1013, 4409)
LOOK = SECOND // 4  # between two looks whether a boot has begun
HTML = "<html><head><title>502 Bad Gateway</title></head><body></body></html>"
GARBAGE = (  # frames no daemon should send
    "",
    "{",
    "[]",
    "null",
    '{"event":"console output"}',
    '{"event":"console output","args":null}',
    '{"event":"console output","args":[""]}',
    '{"event":7,"args":["x"]}',
    '{"event":"stats","args":["{}"]}',
    '{"event":"stats","args":["not json"]}',
    '{"event":"status","args":["dreaming"]}',
    '{"event":"status","args":[]}',
    '{"event":"no such event","args":["x","y"]}',
    '{"event":"jwt error","args":[]}',
    '{"args":["console output"]}',
)


class Fault(NamedTuple):
    """One thing that goes wrong."""

    at: float  # seconds from the schedule's start
    verb: str  # a method of the world, or one of CLIENT
    args: tuple[Any, ...] = (SERVER,)
    named: Mapping[str, Any] = {}


Script = Callable[[Random, float], Iterator[Fault]]


@dataclass(frozen=True)
class Schedule:
    """How lines come, and what goes wrong."""

    name: str
    meaning: str  # in one sentence
    script: Script
    rate: float = 5.0  # lines a second on average, besides those of a boot
    burst: int = 3  # lines that come together, on average
    boot_lines: int = 12  # printed by each boot but the first
    boot_rate: float = 60.0  # lines a second while it boots
    settings: Mapping[str, Any] = field(default_factory=dict)  # that differ from the default

    def faults(self, random: Random, seconds: float) -> list[Fault]:
        """Return what goes wrong within so many seconds, in order; effects may last longer."""
        faults = [fault for fault in self.script(random, seconds) if 0 <= fault.at < seconds]
        return sorted(faults, key=lambda fault: fault.at)

    def build_settings(self, seed: int, **others: Any) -> Settings:
        """Return the settings of a world for this schedule: its lines come from `plant`."""
        own: dict[str, Any] = {"servers": 1, "games": ("silent",), "rate": 0.0}
        return Settings(seed=seed, **(own | dict(self.settings) | others))


def plant(
    world: World,
    server: str,
    schedule: Schedule,
    *,
    random: Random,
    seconds: float,
    client: Callable[[Fault], None],
    text: Text | None = None,
) -> list[Fault]:
    """
    Put lines and faults of a schedule on a world's clock, beginning now.

    Args:
        world: With the schedule's settings.
        server: The one that talks, and that the faults meet.
        schedule: What happens.
        random: Decides it; lines and faults do not depend on each other.
        seconds: How long.
        client: Told of the faults that are the client's own, at their time.
        text: What the server says; None: `texts.distinct`.

    Returns:
        The faults, in order.

    """
    words = random.getrandbits(64)
    faults = schedule.faults(seeded(words, "faults"), seconds)
    start = world.now
    found = world.server(server)
    said = text or distinct()
    found.voice = lambda source, now: [said(source, now)]
    _Talk(world, server, schedule, seeded(words, "lines"), start + int(seconds * SECOND)).begin()
    for fault in faults:
        at = start + int(fault.at * SECOND)
        if fault.verb in CLIENT:
            world.at(at, client, fault)
        else:
            args = [server if arg == SERVER else arg for arg in fault.args]
            world.at(at, _call, world, fault, args)
    return faults


def _call(world: World, fault: Fault, args: list[Any]) -> None:
    getattr(world, fault.verb)(*args, **fault.named)


class _Talk:
    """Lets a server say its lines as a schedule has it."""

    def __init__(
        self, world: World, server: str, schedule: Schedule, random: Random, until: int
    ) -> None:
        self._world = world
        self._server = server
        self._schedule = schedule
        self._random = random
        self._until = until
        self._run = 0
        self._next = 0  # when the next lines are due
        self._to_boot = 0  # lines that its boot has yet to print

    def begin(self) -> None:
        """Begin with the run that is there, whose boot is over."""
        self._run = self._world.server(self._server).console.run
        self._go_on()

    def _go_on(self) -> None:
        world, random, schedule = self._world, self._random, self._schedule
        if world.now >= self._until:
            return
        run = world.server(self._server).console.run
        if run != self._run:
            self._run, self._to_boot = run, schedule.boot_lines
        elif world.now < self._next:
            world.at(min(self._next, world.now + LOOK), self._go_on)
            return
        if self._to_boot:
            lines, rate = 1, schedule.boot_rate
            self._to_boot -= 1
        else:
            lines = 1 + int(random.expovariate(1) * (schedule.burst - 0.5))
            rate = schedule.rate / schedule.burst
        world.say(self._server, lines)
        self._next = world.now + int(random.expovariate(rate) * SECOND)
        world.at(min(self._next, world.now + LOOK), self._go_on)


# Scripts


def _times(random: Random, seconds: float, low: float, high: float) -> Iterator[float]:
    """Yield times with pauses between *low* and *high* seconds; none near the end."""
    at = random.uniform(low, high)
    while at < seconds - 10:
        yield at
        at += random.uniform(low, high)


def _outages(low: float, high: float, *, pause: tuple[float, float]) -> Script:
    """Return a script of outages that take between *low* and *high* seconds."""

    def script(random: Random, seconds: float) -> Iterator[Fault]:
        for at in _times(random, seconds, *pause):
            yield Fault(at, "disconnect", (SERVER, random.uniform(low, high)))

    return script


def _reboot(random: Random, seconds: float) -> Iterator[Fault]:
    for at in _times(random, seconds, 40, 120):
        yield Fault(at, "disconnect", (SERVER, random.uniform(4, 25)))
        yield Fault(at + random.uniform(0.1, 3), random.choice(("restart", "crash")))
        yield Fault(at + 10, "boot")  # a second crash within a minute is not followed by one


def _inboot(random: Random, seconds: float) -> Iterator[Fault]:
    for at in _times(random, seconds, 20, 40):
        yield Fault(at, "restart")
        # It boots about 1.4 s later and then prints its 400 lines in about 2.7 s.
        for _ in range(random.randint(2, 4)):
            when = at + 1.4 + random.uniform(0, 3.5)
            yield Fault(when, "disconnect", (SERVER, random.uniform(0.05, 0.8)))


def _flap(random: Random, seconds: float) -> Iterator[Fault]:
    for at in _times(random, seconds, 30, 90):
        when = at
        for _ in range(random.randint(4, 12)):
            yield Fault(when, "drop_sockets", (SERVER,))
            when += random.uniform(0.1, 3)


def _midreplay(random: Random, seconds: float) -> Iterator[Fault]:
    for at in _times(random, seconds, 20, 60):
        for _ in range(random.randint(1, 3)):
            both = {"all_sockets": random.random() < 0.5}  # noqa: PLR2004 - as often as not
            yield Fault(at, "cut_replay", (SERVER, random.randrange(150)), both)
        yield Fault(at, "disconnect", (SERVER, random.uniform(0.05, 6)))


def _kill(random: Random, seconds: float) -> Iterator[Fault]:
    for at in _times(random, seconds, 15, 60):
        yield Fault(at, "kill", ())
        if random.random() < 0.3:  # noqa: PLR2004 - again while it recovers
            yield Fault(at + random.uniform(0.5, 4), "kill", ())


def _drops(random: Random, seconds: float) -> Iterator[Fault]:
    yield Fault(0, "lose_lines", (SERVER, 0.02, seconds))
    for at in _times(random, seconds, 40, 120):
        yield Fault(at, "drop_lines", (SERVER, random.randint(3, 40)))
    yield from _outages(0.05, 4, pause=(30, 90))(random, seconds)


def _closes(random: Random, seconds: float) -> Iterator[Fault]:
    for number, at in enumerate(_times(random, seconds, 15, 45)):
        code = CLOSE_CODES[number % len(CLOSE_CODES)]
        yield Fault(at, "drop_sockets", (SERVER, code, "closed by schedule"))


def _expiry(random: Random, seconds: float) -> Iterator[Fault]:
    for at in _times(random, seconds, 60, 180):
        yield Fault(at, "expire_tokens")


def _http(random: Random, seconds: float) -> Iterator[Fault]:
    failures = (
        (401, None),
        (403, None),
        (404, None),
        (409, None),
        (429, None),
        (500, None),
        (502, HTML),
        (503, None),
        (504, HTML),
        (200, HTML),
    )
    for number, at in enumerate(_times(random, seconds, 60, 150)):
        status, body = failures[number % len(failures)]
        named = {"containing": "/websocket", "body": body}
        yield Fault(at, "fail_requests", (status, random.randint(1, 2)), named)
        # Old tokens are refused now and then, so that new ones are asked for.
        yield Fault(at, "expire_tokens")
        yield Fault(at + random.uniform(0, 0.5), "drop_sockets", (SERVER,))


def _stalls(random: Random, seconds: float) -> Iterator[Fault]:
    for at in _times(random, seconds, 20, 60):
        yield Fault(at, "stall_newest", (SERVER, random.uniform(0.05, 6)))
        if random.random() < 0.3:  # noqa: PLR2004 - the newest socket asks then
            yield Fault(at - 0.3, "drop_sockets", (SERVER,))


def _lossy(random: Random, seconds: float) -> Iterator[Fault]:
    for at in _times(random, seconds, 30, 120):
        share, period = random.uniform(0.05, 0.6), random.uniform(2, 15)
        yield Fault(at, "lose_lines", (SERVER, share, period))
    yield from _outages(0.05, 4, pause=(30, 90))(random, seconds)


def _throttling(random: Random, seconds: float) -> Iterator[Fault]:
    for at in _times(random, seconds, 60, 180):
        yield Fault(at, "say", (SERVER, random.randint(2001, 2600)))


def _bootloop(random: Random, seconds: float) -> Iterator[Fault]:
    for at in _times(random, seconds, 60, 150):
        when = at
        for _ in range(random.randint(3, 8)):
            yield Fault(when, random.choice(("restart", "crash")))
            if random.random() < 0.5:  # noqa: PLR2004 - as often as not
                outage = random.uniform(0.1, 6)
                yield Fault(when + random.uniform(-2, 6), "disconnect", (SERVER, outage))
            when += random.uniform(5, 15)
        yield Fault(when + 5, "boot")  # a second crash within a minute is not followed by one


def _clocks(random: Random, seconds: float) -> Iterator[Fault]:
    for at in _times(random, seconds, 30, 120):
        jump = random.choice((-3600, -60, -2, -0.5, 0.5, 2, 60, 3600)) * random.uniform(0.5, 1.5)
        yield Fault(at, "set_clock", (jump,))
        if random.random() < 0.5:  # noqa: PLR2004 - as often as not
            yield Fault(at + random.uniform(-2, 2), "disconnect", (SERVER, random.uniform(0, 10)))


def _host(random: Random, seconds: float) -> Iterator[Fault]:
    for at in _times(random, seconds, 60, 150):
        match random.randrange(4):
            case 0:
                yield Fault(at, "rotate_log")
                yield Fault(at + random.uniform(-1, 4), "drop_sockets", (SERVER,))
            case 1:
                yield Fault(at, "suspend")
                yield Fault(at + random.uniform(2, 30), "unsuspend")
            case 2:
                yield Fault(at, "restart_daemon", (None,), {"seconds": random.uniform(1, 8)})
            case _:
                yield Fault(at, "stop")
                yield Fault(at + random.uniform(3, 20), "boot")


def _garbage(random: Random, seconds: float) -> Iterator[Fault]:
    for at in _times(random, seconds, 1, 15):
        yield Fault(at, "inject", (SERVER, random.choice(GARBAGE)))
    yield from _outages(0.05, 4, pause=(30, 90))(random, seconds)


_PARTS = (
    _outages(0.05, 4, pause=(10, 30)),
    _outages(20, 90, pause=(20, 40)),
    _reboot,
    _flap,
    _midreplay,
    _kill,
    _closes,
    _expiry,
    _http,
    _stalls,
    _lossy,
    _throttling,
    _bootloop,
    _clocks,
    _host,
    _garbage,
)


def _everything(random: Random, seconds: float) -> Iterator[Fault]:
    # A minute or two of each, in any order, beginning before the last has ended.
    cuts = [*_times(random, seconds, 30, 150), seconds]
    for since, until in pairwise([0.0, *cuts]):
        part = random.choice(_PARTS)
        for fault in part(random, until - since + 120):
            if fault.at < until - since + 60:
                yield fault._replace(at=since + fault.at)
        yield Fault(until + 60, "unsuspend")  # where that was cut off


SCHEDULES: dict[str, Schedule] = {
    schedule.name: schedule
    for schedule in (
        Schedule("short", "outages of 0.05 to 4 s", _outages(0.05, 4, pause=(15, 45))),
        Schedule(
            "long",
            "outages of 20 to 90 s at 5 lines a second, so that a replay may not reach back",
            _outages(20, 90, pause=(60, 200)),
        ),
        Schedule("reboot", "outages within which the server boots again", _reboot),
        Schedule(
            "inboot",
            "short outages within boots that print 400 lines at 150 a second",
            _inboot,
            rate=1.0,
            boot_lines=400,
            boot_rate=150.0,
        ),
        Schedule("flap", "sockets cut again and again, some before they got a replay", _flap),
        Schedule("midreplay", "sockets cut within a replay, alone or all", _midreplay),
        Schedule("kill", "the archiver killed, its memory lost", _kill),
        Schedule("drops", "2 % of live lines dropped, and bursts of them, and outages", _drops),
        Schedule(
            "interleave",
            "60 lines a second while replays take 300 ms",
            _outages(0.05, 2, pause=(15, 45)),
            rate=60.0,
            settings={"replay_gap": 0.004},
        ),
        Schedule("closes", "each close code", _closes),
        Schedule("expiry", "tokens too old at once, without a warning", _expiry),
        Schedule("http", "errors and pages of HTML where a token was asked for", _http),
        Schedule("stalls", "a slow reader, of replays too", _stalls, rate=20.0),
        Schedule("lossy", "times in which 5 to 60 % of live lines are dropped", _lossy),
        Schedule("throttling", "more than 2000 lines at once", _throttling),
        Schedule(
            "bootloop", "a busy server that boots again and again", _bootloop, rate=20.0, burst=6
        ),
        Schedule("clocks", "the archiver's clock set by seconds to hours", _clocks),
        Schedule("host", "log removed, server suspended or stopped, daemon started again", _host),
        Schedule("garbage", "frames that no daemon should send", _garbage),
        Schedule("everything", "all of it at once", _everything, rate=15.0),
    )
}
