"""
Kinds of console text, from lines that occur once to lines that never differ.

How well a replay can be joined to what is stored depends on how much the lines repeat.
A text is a function: given a source of randomness and the time (microseconds since the
epoch) it returns the next line. `KINDS` makes a new one of each kind; some remember what
they said, so one text belongs to one server.
"""

import itertools
import time
from collections import deque
from collections.abc import Callable, Iterable
from random import Random

from archiver.simulator.clock import SECOND
from archiver.simulator.games import GAMES, MAKE

Text = Callable[[Random, int], str]

# Rust, a bot and a proxy as they talk when nobody turned times on; some always the same.
_PLAIN = (
    "{name} [{big}] has entered the game",
    "{name} was killed by bear (entity)",
    "{name} was killed by fall!",
    "Saved {big} ents, serialization took {n}ms",
    "Checking for new item list",
    "Checking for new item list",
    "Calling 'OnTick' took {n}ms",
    "[event] assets/prefabs/npc/cargo plane/cargo_plane.prefab",
    "<{name}> {said}",
    "<{name}> {said}",
    "fetching {thing}: 10%\rfetching {thing}: 100%",
    "progress \r  bar {n} \r",
    "\x1b[32minfo\x1b[0m {name} ran /{thing}",
    "Exception: no stock for {thing}",
    "    at Shops.Stock.Take (Stock.cs:{n})",
    "    at Shops.Commands.Buy (Commands.cs:41)",
    "GC collected {n} MB",
)
PERIOD = (
    "Autosave started",
    "Autosave finished",
    "Players online: 0/20",
    "Heartbeat sent",
    "Garbage collected",
    "No players, idling",
)
SAME = "Can't keep up! Is the server overloaded?"
SAME_SHARE = 0.97


def distinct() -> Text:
    """Return a text whose lines occur once: milliseconds, and an id in each."""

    def say(random: Random, now: int) -> str:
        seconds, rest = divmod(now, SECOND)
        stamp = time.strftime("%H:%M:%S", time.gmtime(seconds))
        name = MAKE["name"](random)
        return f"[{stamp}.{rest // 1000:03}] request {random.getrandbits(48):012x} of {name} done"

    return say


def seconds() -> Text:
    """Return a realistic text with times of day to the second, stack traces among it."""
    waiting: deque[str] = deque()

    def say(random: Random, now: int) -> str:
        if not waiting:
            waiting.extend(GAMES["paper"].say(random, now))
        return waiting.popleft()

    return say


def none() -> Text:
    """Return a realistic text without times."""

    def say(random: Random, now: int) -> str:
        return GAMES["rust"].fill((random.choice(_PLAIN),), random, now)[0]

    return say


def periodic() -> Text:
    """Return a text of six lines without times, in any order."""
    return lambda random, _now: random.choice(PERIOD)


def cyclic() -> Text:
    """Return a text of six lines without times, one after the other without end."""
    lines = itertools.cycle(PERIOD)
    return lambda _random, _now: next(lines)


def constant() -> Text:
    """Return a text in which 97 of 100 lines are the same."""
    other = none()
    return lambda random, now: SAME if random.random() < SAME_SHARE else other(random, now)


def stream(lines: Iterable[str]) -> Text:
    """Return a text that is these lines; after the last it begins again."""
    endless = itertools.cycle(lines)
    return lambda _random, _now: next(endless)


KINDS: dict[str, Callable[[], Text]] = {
    "distinct": distinct,
    "seconds": seconds,
    "none": none,
    "periodic": periodic,
    "cyclic": cyclic,
    "constant": constant,
}
