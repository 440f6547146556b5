"""
How many lines are lost, repeated or misordered, by schedule of faults and kind of text.

    python benchmarks/alignment.py [--lines 20000] [--kind KIND] [--schedule NAME]
    python benchmarks/alignment.py --sockets [--seconds 150] ...    see `sockets`

Runs the archiver's own procedure and three simpler strategies against the same
simulated worlds in virtual time, and holds what each has stored against the truth:
errors per million lines that a good client could have had, and behind the slash those
of them that the text decides (in `undecidable` text nobody could know). The last columns
are the archiver's own wrong lines; `uncovered` are those that neither an open gap nor
an uncertain mark covers. The simpler
strategies ask for the replay on the one socket that they have:

    hashes    drop what was seen among the last 1,000 lines, within 2 s of the request
    overlap   the longest end of what is stored that is the beginning of the burst
    difflib   what difflib does not match between the two is new

Audits are asked for every 20 s in schedules that drop lines without a trace ("drops",
"lossy"): without evidence the default of 15 minutes would never see them.
"""

import argparse
import gzip
import json
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from difflib import SequenceMatcher
from functools import cache
from pathlib import Path
from random import Random
from typing import NamedTuple

import sockets

from archiver.console.lines import comparison_key, is_daemon_line
from archiver.console.records import Flag, Source
from archiver.console.timing import Timing
from archiver.operations.rehearse import Rehearsal
from archiver.simulator import texts
from archiver.simulator.schedules import SCHEDULES, Fault, plant
from archiver.simulator.score import Score, add_up, score_lines
from archiver.simulator.session import Session
from archiver.simulator.world import World

SECONDS = 1200.0  # of each world
AFTER = 150.0  # seconds to come back from the last fault
SECOND = 1_000_000
SHORTEST = 2000  # lines of a real console that is used
LARGEST_BURST = 2000  # lines
SILENTLY_LOSSY = {"drops", "lossy", "everything"}
CORPUS = Path(__file__).parents[2] / "shared" / "corpus" / "public"
KINDS = (*texts.KINDS, "real")


class Cell(NamedTuple):
    """One number of the table."""

    schedule: str
    kind: str
    strategy: str
    lines: int  # recoverable ones, at least
    seed: int


@cache
def real_streams() -> list[list[str]]:
    """Return real consoles, where the corpus is there."""
    streams = []
    for path in sorted(CORPUS.glob("*.jsonl.gz")):
        with gzip.open(path, "rt", errors="surrogateescape") as file:
            lines = [json.loads(row)["line"] for row in file]
        if len(lines) >= SHORTEST:
            streams.append([line.encode("utf-8", "replace").decode()[:16_000] for line in lines])
    return streams


def make_text(kind: str, random: Random) -> texts.Text:
    """Return a source of lines of one kind."""
    if kind != "real":
        return texts.KINDS[kind]()
    stream = random.choice(real_streams())
    start = random.randrange(len(stream))
    return texts.stream(stream[start:] + stream[:start])


class Simple:
    """A client with one socket; *merge* says which lines of a burst are new."""

    def __init__(self, world: World, server: str, random: Random, merge: "Merge") -> None:
        self.stored: list[str] = []
        self._keys: list[str] = []
        self._world = world
        self._uuid = world.server(server).uuid
        self._random = random
        self._merge = merge
        self._session: Session | None = None
        self._token, self._until = "", 0
        self._burst: list[str] | None = None
        self._heard_at = 0
        self._connect()

    def _after(self, seconds: float, call: Callable[[], object]) -> None:
        self._world.at(self._world.now + int(seconds * SECOND), call)

    def _connect(self) -> None:
        world = self._world
        if world.now > self._until:
            answer = world.respond(
                "GET",
                f"/api/client/servers/{self._uuid}/websocket",
                {"authorization": f"Bearer {world.api_key}", "accept": "application/json"},
            )
            try:
                self._token = json.loads(answer.body)["data"]["token"]
            except (ValueError, KeyError, TypeError):
                return self._after(5, self._connect)
            self._until = world.now + 300 * SECOND
        session = world.connect(self._uuid, world.panel.url, self)
        if not isinstance(session, Session):
            return self._after(1 + self._random.random(), self._connect)
        self._session = session
        return self._ask("auth", self._token)

    def _ask(self, event: str, arg: str | None) -> None:
        if self._session is not None:
            self._session.receive(json.dumps({"event": event, "args": [arg]}))

    def send(self, frame: bytes, at: int, /) -> None:
        """Take a frame."""
        try:
            message = json.loads(frame)
            event, args = message["event"], message.get("args") or [""]
        except (ValueError, KeyError, TypeError, AttributeError):
            return
        if event == "status" and self._burst is None and args[0] != "offline":
            self._burst, self._heard_at = [], at
            self._ask("send logs", None)
            self._after(0.4, self._end_burst)
        elif event == "jwt error":
            self._until = 0
            self.close(0, "", at)
        elif event == "console output" and not is_daemon_line(args[0]) and comparison_key(args[0]):
            self._heard_at = at
            if self._burst is None:
                self._store([args[0]])
            else:
                self._burst.append(args[0])

    def _end_burst(self) -> None:
        if self._burst is None:
            return None
        if self._world.now < self._heard_at + 0.4 * SECOND and len(self._burst) < LARGEST_BURST:
            return self._after(0.1, self._end_burst)
        burst, self._burst = self._burst, None
        keys = [comparison_key(line) for line in burst]
        return self._store([burst[place] for place in self._merge(self._keys[-1000:], keys)])

    def _store(self, lines: list[str]) -> None:
        self.stored += lines
        self._keys += map(comparison_key, lines)

    def close(self, _code: int, _reason: str, _at: int, /) -> None:
        """Be closed; what the burst brought is kept."""
        if self._session is not None:
            self._session.leave()
        self._session = None
        self._heard_at = 0
        self._end_burst()
        self._burst = None
        self._after(1 + self._random.random(), self._connect)


Merge = Callable[[Sequence[str], Sequence[str]], list[int]]


def merge_by_hashes(stored: Sequence[str], burst: Sequence[str]) -> list[int]:
    """Drop what was seen."""
    seen = deque(stored, maxlen=1000)
    known = set(seen)
    new = []
    for place, key in enumerate(burst):
        if key not in known:
            new.append(place)
            known.add(key)
    return new


def merge_by_overlap(stored: Sequence[str], burst: Sequence[str]) -> list[int]:
    """Believe the longest overlap."""
    for size in range(min(len(stored), len(burst)), 0, -1):
        if list(stored[-size:]) == list(burst[:size]):
            return list(range(size, len(burst)))
    return list(range(len(burst)))


def merge_by_difflib(stored: Sequence[str], burst: Sequence[str]) -> list[int]:
    """Believe difflib."""
    new = set(range(len(burst)))
    matcher = SequenceMatcher(None, stored[-450:], burst, autojunk=False)
    for block in matcher.get_matching_blocks():
        new -= set(range(block.b, block.b + block.size))
    return sorted(new)


MERGES: dict[str, Merge] = {
    "hashes": merge_by_hashes,
    "overlap": merge_by_overlap,
    "difflib": merge_by_difflib,
}
STRATEGIES = ("archiver", *MERGES)


def choose_audit_interval(schedule: str) -> float:
    """Return the seconds between audits without evidence."""
    return 20.0 if schedule in SILENTLY_LOSSY else 900.0


def run_world(cell: Cell, number: int) -> tuple[Score, int]:
    """Return the score of one world, and how many wrong lines no gap or mark covers."""
    schedule = SCHEDULES[cell.schedule]
    words = Random(f"{cell.schedule}/{cell.kind}/{cell.seed}/{number}")  # noqa: S311
    settings = schedule.build_settings(words.getrandbits(32), token_limit=None)
    world = World(replace(settings, request_limit=10**9))
    world.begin()
    server = world.servers[0]
    text = make_text(cell.kind, words)
    interval = choose_audit_interval(cell.schedule)
    timing = replace(Timing(audit_interval=interval), **sockets.WAITS)
    rehearsal: Rehearsal | None = None
    simple: Simple | None = None

    def fault(what: Fault) -> None:
        if rehearsal is None:
            return
        if what.verb == "kill":
            rehearsal.kill(seconds=1.0)
        else:
            rehearsal.clock_offset += int(what.args[0] * SECOND)

    world.pass_time(words.uniform(5, 60))
    plant(world, server.name, schedule, random=words, seconds=SECONDS, client=fault, text=text)
    if cell.strategy == "archiver":
        rehearsal = Rehearsal(world, server.name, timing, Random(number))  # noqa: S311
    else:
        simple = Simple(world, server.name, Random(number), MERGES[cell.strategy])  # noqa: S311
    world.pass_time(SECONDS + AFTER)
    if rehearsal is not None:
        rehearsal.finish()
        stored = [
            line.text if line.raw is None else line.raw
            for line in rehearsal.archive.in_order()
            if line.source in {Source.LIVE, Source.REPLAY}
        ]
    else:
        assert simple is not None
        stored = simple.stored
    truth = world.known_lines(server.name)
    score = score_lines(truth, stored)
    uncovered = 0
    if rehearsal is not None:
        spans = list(covered_spans(rehearsal))
        uncovered = sum(
            error.lines
            for error in score.errors
            if not any(
                since <= truth[min(error.place, len(truth) - 1)].at <= until
                for since, until in spans
            )
        )
    return score, uncovered


def covered_spans(rehearsal: Rehearsal) -> Iterator[tuple[int, int]]:
    """Yield the times in which the archive says that it may be wrong."""
    for gap in rehearsal.archive.open_gaps():
        yield (gap.from_at or 0) - 2 * SECOND, gap.to_at + 2 * SECOND
    for line in rehearsal.archive.lines.values():
        if line.flags & Flag.UNCERTAIN:
            since = line.observed_at if line.earliest_at is None else line.earliest_at
            yield since - 2 * SECOND, line.observed_at + 2 * SECOND


def run_cell(cell: Cell) -> tuple[Cell, Score, int]:
    """Run worlds until there are enough lines; return the score and uncovered errors."""
    scores: list[Score] = []
    uncovered = 0
    while sum(score.recoverable for score in scores) < cell.lines:
        score, more = run_world(cell, len(scores))
        scores.append(score)
        uncovered += more
    return cell, add_up(scores), uncovered


def show(score: Score) -> str:
    """Return errors per million: lost+repeated+misordered, and those that are decidable."""
    share = 1e6 / max(score.recoverable, 1)
    return f"{score.wrong * share:9,.0f}/{(score.wrong - score.undecidable) * share:<8,.0f}"


def run_all(cells: Sequence[Cell], jobs: int) -> Iterator[tuple[Cell, Score, int]]:
    """Run cells, in the order given."""
    if jobs == 1:
        yield from map(run_cell, cells)
        return
    with ProcessPoolExecutor(jobs) as pool:
        yield from pool.map(run_cell, cells)


def print_sockets(options: argparse.Namespace) -> None:
    """Print the table over real sockets."""
    cells = [
        sockets.Cell(
            schedule,
            kind,
            options.seed,
            options.servers,
            options.seconds,
            choose_audit_interval(schedule),
        )
        for kind in options.kind or sockets.USUAL_KINDS
        for schedule in options.schedule or sockets.USUAL_SCHEDULES
    ]
    sockets.print_table(cells, make_text, options.keep)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--lines", type=int, default=20_000, help="recoverable lines of each cell, at least")
    add("--kind", action="append", choices=KINDS, help="default: all that are there")
    add("--schedule", action="append", choices=sorted(SCHEDULES), help="default: all")
    add("--strategy", action="append", choices=STRATEGIES, help="default: all")
    add("--seed", type=int, default=1)
    add("--jobs", type=int, default=2)
    add("--sockets", action="store_true", help="the archiver as a process, over real sockets")
    add("--seconds", type=float, default=150.0, help="of each cell over sockets")
    add("--servers", type=int, default=4, help="in each cell over sockets")
    add("--keep", type=Path, metavar="DIR", help="archives, logs and truths of those")
    options = parser.parse_args()
    if options.sockets:
        print_sockets(options)
        return
    kinds = options.kind or [kind for kind in KINDS if kind != "real" or CORPUS.is_dir()]
    strategies = options.strategy or STRATEGIES
    cells = [
        Cell(schedule, kind, strategy, options.lines, options.seed)
        for kind in kinds
        for schedule in options.schedule or SCHEDULES
        for strategy in strategies
    ]
    head = "".join(f"{strategy:>18}" for strategy in strategies)
    print(f"{'errors per million':20} {'lines':>9}{head}   lost repeated misordered uncovered")
    row: list[str] = []
    for cell, score, uncovered in run_all(cells, options.jobs):
        if cell.strategy == strategies[0]:
            sys.stdout.write(f"{cell.kind:9} {cell.schedule:10} {score.recoverable:9,}")
            row = [f"{score.lost:7} {score.repeated:8} {score.misordered:10} {uncovered:9}"]
        sys.stdout.write(show(score))
        if cell.strategy == strategies[-1]:
            print("  " + row[0], flush=True)


if __name__ == "__main__":
    main()
