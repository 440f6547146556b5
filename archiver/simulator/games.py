"""
What games print: templates of our own, filled from a seeded source.

A template line may hold ``{now}`` (the time of day or date as that game writes it),
``{count}`` (how often it has spoken) and the words of ``MAKE``. What a boot prints is the same at every boot but for
its times, as real banners are.
"""

import time
from collections.abc import Callable
from random import Random
from typing import NamedTuple

from archiver.simulator.clock import SECOND

NAMES = ("Aldous", "BramBram", "cykel_42", "Ødegård", "Mírë", "xX_Rook_Xx", "猫柳", "Пчела", "Tove")
SAID = ("anyone at spawn?", "brb", "gg", "who took my boat", "lag?", "sell 3 iron", "ok ✓", "no")
THINGS = ("oak_boat", "lantern", "iron_hoe", "wheat", "rail", "cobblestone", "map", "compass")


MAKE: dict[str, Callable[[Random], str]] = {
    "name": lambda random: random.choice(NAMES),
    "said": lambda random: random.choice(SAID),
    "thing": lambda random: random.choice(THINGS),
    "ip": lambda random: f"203.0.113.{random.randrange(255)}:{random.randrange(1024, 65536)}",
    "id": lambda random: f"{random.getrandbits(32):08x}",
    "n": lambda random: str(random.randrange(1, 100)),
    "big": lambda random: str(random.randrange(1000, 1000000)),
}


class _Words(dict[str, str]):
    """The words of one line, made when the template asks for them."""

    def __init__(self, random: Random, **given: str) -> None:
        super().__init__(given)
        self._random = random

    def __missing__(self, word: str) -> str:
        return MAKE[word](self._random)


def _time_of_day(second: int) -> str:
    return time.strftime("%H:%M:%S", time.gmtime(second))


def _source_time(second: int) -> str:
    return time.strftime("%m/%d/%Y - %H:%M:%S", time.gmtime(second))


def _iso_time(second: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(second))


class Game(NamedTuple):
    """
    One kind of game.

    A said thing is a tuple of lines that are printed together, such as a stack trace.
    """

    name: str
    clock: Callable[[int], str]  # seconds since the epoch -> {now}
    boot: tuple[str, ...]
    said: tuple[tuple[str, ...], ...]  # what it prints while it runs, each as likely
    stop: tuple[str, ...]
    crash: tuple[str, ...]
    done: bool = True  # prints what the panel takes for "running"; else it stays `starting`

    def fill(self, lines: tuple[str, ...], random: Random, now: int, count: int = 0) -> list[str]:
        """Return template lines as printed at *now*."""
        given = {"now": self.clock(now // SECOND), "count": f"{count:06}"}
        return [line.format_map(_Words(random, **given)) if "{" in line else line for line in lines]

    def say(self, random: Random, now: int, count: int = 0) -> list[str]:
        """
        Return the next thing the game prints by itself; empty if it has nothing to say.

        Args:
            random: Chooses.
            now: The time.
            count: How often it has spoken before.

        """
        return self.fill(random.choice(self.said), random, now, count) if self.said else []


GAMES = {
    game.name: game
    for game in (
        Game(
            "paper",
            _time_of_day,
            boot=(
                "Starting the block server on port 25565",
                "[{now} INFO]: Environment: release build 114, protocol 9",
                "[{now} INFO]: Loading settings",
                "[{now} INFO]: Default game mode: SURVIVAL",
                '[{now} INFO]: Preparing level "world"',
                "[{now} INFO]: Preparing spawn area: 0%",
                "[{now} INFO]: Preparing spawn area: 51%",
                "[{now} INFO]: Time elapsed: 1814 ms",
                '[{now} INFO]: Done (2.114s)! For help, type "help"',
            ),
            said=(
                ("[{now} INFO]: {name} joined the game",),
                (
                    "[{now} INFO]: {name}[/{ip}] logged in with entity id {big} at ({n}.5, 64.0, {n}.5)",
                ),
                ("[{now} INFO]: <{name}> {said}",),
                ("[{now} INFO]: <{name}> {said}",),
                ("[{now} INFO]: \x1b[36m[Shops]\x1b[0m {name} bought {n} x {thing}",),
                ("[{now} INFO]: {name} left the game",),
                ("[{now} WARN]: Running {big}ms behind, skipping {n} tick(s)",),
                ("[{now} INFO]: Saved {n} chunks",),
                (
                    "[{now} ERROR]: Could not pass event ItemMoved to Shops v2.1",
                    "example.blocks.event.EventError: null",
                    "\tat example.blocks.event.Listeners.call(Listeners.java:{n}) ~[blocks.jar:114]",
                    "\tat example.shops.Stock.take(Stock.java:{n}) ~[shops.jar:2.1]",
                    "Caused by: java.lang.IllegalStateException: no stock for {thing}",
                    "\t... {n} more",
                ),
            ),
            stop=("[{now} INFO]: Stopping the server", "[{now} INFO]: Saving worlds"),
            crash=(
                "[{now} ERROR]: Encountered an unexpected exception",
                "java.lang.OutOfMemoryError: heap space",
                "\tat example.blocks.world.Chunk.load(Chunk.java:{n}) ~[blocks.jar:114]",
                "[{now} ERROR]: This crash report has been saved to: crash-{id}.txt",
            ),
        ),
        Game(
            "source",
            _source_time,
            boot=(
                "Setting breakpad minidump AppID = 4020",
                'L {now}: Log file started (file "logs/l001.log")',
                'L {now}: Loading map "ctf_harbor"',
                "L {now}: server cvars start",
                'L {now}: "mp_timelimit" = "30"',
                "L {now}: server cvars end",
                "Connection to the master servers successful.",
            ),
            said=(
                ('L {now}: "{name}<{n}><[U:1:{big}]><>" connected, address "{ip}"',),
                ('L {now}: "{name}<{n}><[U:1:{big}]><Red>" say "{said}"',),
                ('L {now}: "{name}<{n}><[U:1:{big}]><Blue>" triggered "flagevent"',),
                ('L {now}: World triggered "Round_Start"',),
                ('L {now}: rcon from "{ip}": command "status"',),
            ),
            stop=("L {now}: Log file closed.",),
            crash=("Segmentation fault (core dumped)", 'Add "-debug" to the command line'),
        ),
        Game(
            "rust",
            _time_of_day,
            boot=(
                "Loading prefab bundle",
                "Generating procedural map of size 3500 with seed 1337",
                "Spawning 4,211 ore nodes",
                "Server startup complete",
            ),
            said=(
                ("{name} [{big}] has entered the game",),
                ("{ip}/{big}/{name} joined [windows/{big}]",),
                ("Saved {big} ents, serialization took {n}ms",),
                ("{name} was killed by bear (entity)",),
                ("Checking for new item list",),
                ("",),
            ),
            stop=("Saving complete", "Shutting down"),
            crash=("Crash!!! signal 11", "0x00007f{id} in loop ()"),
        ),
        Game(
            "valheim",
            _iso_time,
            boot=(
                "Starting server PRESS CTRL-C to exit",
                "Load world: Midgard",
                "Game server connected",
            ),
            said=(
                ("Got connection SteamID {big}{big}",),
                ("Got character ZDOID from {name} : {big}:{n}",),
                ("{now}: World saved ( {big}ms )",),
                ("Random event set:{thing}",),
            ),
            stop=("Net scene destroyed",),
            crash=("Obtained {n} stack frames.",),
            done=False,
        ),
        Game(
            "ticker",
            _time_of_day,
            boot=("tick",),
            said=(("tick",), ("tick",), ("tick",), ("tock",)),
            stop=(),
            crash=("tick?",),
        ),
        Game(
            "bot",
            _iso_time,
            boot=(
                "container@panel~ node index.js",
                "\x1b[90m{now}\x1b[0m \x1b[32minfo\x1b[0m  logging in",
                "\x1b[90m{now}\x1b[0m \x1b[32minfo\x1b[0m  ready, 12 commands",
            ),
            said=(
                ("\x1b[90m{now}\x1b[0m \x1b[32minfo\x1b[0m  {name} ran /{thing} in {n}ms",),
                ("\x1b[90m{now}\x1b[0m \x1b[33mwarn\x1b[0m  rate limited for {n}ms",),
                ("\x1b[90m{now}\x1b[0m \x1b[31merror\x1b[0m no permission in channel {id}{id}",),
                ("fetching {thing}: 10%\rfetching {thing}: 55%\rfetching {thing}: 100%",),
                ("progress \r  bar {n} \r",),
                ("🎉 {name} reached level {n} 🎉",),
            ),
            stop=("\x1b[90m{now}\x1b[0m bye",),
            crash=("Error: socket hang up", "    at connect (index.js:{n}:{n})", "    at main"),
        ),
        # No line twice, and one that is missing shows: for tests.
        Game("counter", _time_of_day, boot=(), said=(("line {count}",),), stop=(), crash=()),
        Game("silent", _time_of_day, boot=(), said=(), stop=(), crash=()),  # for tests
    )
}
MIXED = ("paper", "rust", "source", "bot", "valheim", "ticker")  # given where none is named
TITLES = {
    "paper": ("Survival", "Creative", "Skyblock", "Lobby"),
    "rust": ("Rust Main", "Rust Monthly"),
    "source": ("Harbor CTF", "Sandbox"),
    "bot": ("Modbot", "Music Bot"),
    "valheim": ("Midgard", "Jötunheim"),
    "ticker": ("Ticker",),
    "counter": ("Counter", "Second Counter"),
    "silent": ("Silent",),
}
