"""
What it costs to join one replay of 150 lines to its stored tail, in milliseconds.

    python benchmarks/joining.py [--repeat 50]

Prints for each case the median and the longest time to tell the replay from live lines
and to lay it over 450 stored ones, and how many such replays one core joins a second.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from random import Random

from archiver.console.joining import Joining, Showing
from archiver.console.lines import hash_key
from archiver.console.log import Log
from archiver.console.records import Source, StreamState
from archiver.console.separation import Heard, separate_replay

SECOND = 1_000_000
STORED, REPLAY = 450, 150
NEW = 20  # lines printed during the outage
WINDOW = 0.08

DULL = 0.97  # of the lines are equal

Text = Callable[[Random, int], str]

CASES: dict[str, tuple[Text, int, int]] = {  # text, lost lines of what is stored, live lines
    "distinct, exact": (lambda _, n: f"line {n}", 0, 0),
    "distinct, exact, 20 live lines": (lambda _, n: f"line {n}", 0, 20),
    "distinct, 5 lost": (lambda _, n: f"line {n}", 5, 3),
    "40 templates, 5 lost": (lambda r, _: f"template {r.randrange(40)}", 5, 3),
    "6 templates, exact": (lambda r, _: f"template {r.randrange(6)}", 0, 3),
    "6 templates, 5 lost": (lambda r, _: f"template {r.randrange(6)}", 5, 20),
    "97 % equal, exact": (lambda r, _: "tick" if r.random() < DULL else "tock", 0, 3),
    "97 % equal, 5 lost": (lambda r, _: "tick" if r.random() < DULL else "tock", 5, 20),
}


def hear(text: str, mono: float) -> Heard:
    """Return a line as a socket brings it."""
    return Heard(hash_key(text), mono, int(mono * SECOND), text)


def join_once(text: Text, lost: int, live: int, random: Random) -> float:
    """Return how many milliseconds one replay takes."""
    printed = [text(random, number) for number in range(STORED + NEW + live)]
    missed = set(random.sample(range(STORED - REPLAY // 2, STORED - 5), lost))
    numbers = iter(range(1, 1_000))
    log = Log(StreamState(), lambda: next(numbers))
    log.run_id = 1
    for number in range(STORED):
        if number not in missed:
            log.append(Source.LIVE, hear(printed[number], number * 0.2))
    log.lines.clear()
    asked_at = STORED * 0.2 + 4
    until = STORED + NEW  # the log is read here
    burst = [hear(line, asked_at + 0.03) for line in printed[until - REPLAY : until]]
    came = [hear(line, asked_at + 0.05 + n * 0.02) for n, line in enumerate(printed[until:])]
    showing = Showing(
        at=int((asked_at + 1) * SECOND),
        since=int((asked_at - 4) * SECOND),
        until=int(asked_at * SECOND),
        asked_at=asked_at,
        frames=REPLAY,
        cut=None,
    )
    held = [(Source.LIVE, heard) for heard in came]
    began = time.perf_counter()
    readings = separate_replay([*burst, *came], came, asked_at=asked_at, window=WINDOW)
    Joining(log, readings, held, showing).run()
    return (time.perf_counter() - began) * 1000


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--repeat", type=int, default=50)
    options = parser.parse_args()
    print(f"{'':32} {'median ms':>10} {'longest ms':>11} {'replays/s':>10}")
    for name, (text, lost, live) in CASES.items():
        random = Random(7)  # noqa: S311  # the same lines in each run
        times = [join_once(text, lost, live, random) for _ in range(options.repeat)]
        median = statistics.median(times)
        print(f"{name:32} {median:10.2f} {max(times):11.2f} {1000 / median:10.0f}")


if __name__ == "__main__":
    main()
