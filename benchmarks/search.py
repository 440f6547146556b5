"""
How fast lines are indexed and found, beside what else finds lines, in one run.

    python benchmarks/search.py [--lines 1000000] [--servers 20] [--days 10]
    python benchmarks/search.py --keep DIR ...      keep the archive that was filled
    python benchmarks/search.py --archive DIR       use it again; its index is made anew

The peers are no dependencies of the project: ``pip install tantivy ripgrep``. What is
not there is left out, and a line says so. ``--text`` says which lines; see `corpus`.

Three tables; all times are CPU time, but where "wall" is said. Compare ratios of one
run, and look at the load.

building         see `building`
finding          milliseconds, median and 95th percentile, in process and warm, to find
                 the newest 100 hits and fetch their rows, index, SQL and checking
                 included: over several queries of each kind (`questions`), each asked
                 several times. Behind them stands which peers are faster, and what
                 misses the budget. All must count the same hits, but for a scan with
                 LIKE, which finds parts of words too; else it ends with 1.
whole processes  from start to end
"""

import argparse
import os
import platform
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import corpus
import peers
import questions
from building import OURS, build_all, spent
from peers import Finder, InexpressibleError
from questions import Question

from archiver.index import distribution
from archiver.index.partitions import Index
from archiver.operations.seal import Sealer
from archiver.operations.search import Search
from archiver.query.parser import parse
from archiver.store.reads import Reader

ENOUGH = 5.0  # seconds that one engine takes for questions of one kind, or once for each
MANY = 1_000  # hits
BUDGET, WORST = 25, 1000  # ms: newest 100 of MANY hits; of words that never meet
WORST_TIMES = 3  # times a scan with LIKE


class Archiver:
    """What this is about."""

    def __init__(self, archive: Path, _place: Path) -> None:
        self._url = f"sqlite:///{archive.resolve()}/archive.db"
        self._index_dir = archive / "index"
        self._reader = Reader.open(self._url)

    def build(self) -> int:
        """Seal all lines, or seal them again."""
        with Sealer(self._url, self._index_dir, clock=lambda: time.time_ns() // 1000) as sealer:
            done = sealer.rebuild() if self._reader.partitions().rows() else sealer.update()
        return done.lines + done.again

    def size(self) -> int:
        """Return the bytes of the partitions that are named."""
        rows = self._reader.partitions().rows()
        return sum(size for row in rows for size, _ in row.described().values())

    def count(self, question: Question) -> int:
        """Return how many lines fit."""
        return self._search(question).count()

    def newest(self, question: Question) -> int:
        """Fetch the newest of them."""
        return len(list(islice(self._search(question).hits(), peers.NEWEST)))

    def _search(self, question: Question) -> Search:
        node = parse(str(question.node))
        return Search(self._reader, Index(self._index_dir), node, question.wanted)


class Timing(NamedTuple):
    """How long one engine takes for questions of one kind, in ms."""

    median: float
    late: float  # only one of twenty takes longer

    def __str__(self) -> str:
        return f"{self.median:.1f}/{self.late:.1f}"


def measure(times: Sequence[float]) -> Timing:
    """Return the median and the 95th percentile of some seconds."""
    late = sorted(times)[int(len(times) * 0.95)]
    return Timing(statistics.median(times) * 1000, late * 1000)


def time_all(
    finders: Mapping[str, Finder], asked: Sequence[Question], repeat: int, *, counted: bool
) -> dict[str, Timing]:
    """
    Ask all the same, in turns.

    Args:
        finders: By their names; each can be asked.
        asked: The questions.
        repeat: So many times, or fewer if it takes long.
        counted: Whether hits are counted; else the newest are fetched.

    """
    times: dict[str, list[float]] = {name: [] for name in finders}
    for _ in range(repeat):
        for question in asked:
            for name, finder in finders.items():
                if sum(times[name]) > ENOUGH and len(times[name]) >= len(asked):
                    continue
                began = spent()
                finder.count(question) if counted else finder.newest(question)
                times[name].append(spent() - began)
    return {name: measure(some) for name, some in times.items()}


def count_all(finders: Mapping[str, Finder], asked: Sequence[Question]) -> dict[str, list[int]]:
    """Return how many hits each counts of each question; who cannot be asked is left out."""
    counts = {}
    for name, finder in finders.items():
        try:
            counts[name] = [finder.count(question) for question in asked]
            for question, count in zip(asked, counts[name], strict=True):
                assert finder.newest(question) == min(count, peers.NEWEST), (name, question)
        except InexpressibleError:
            continue
    return counts


def find_all(
    finders: Mapping[str, Finder], kinds: Mapping[str, Sequence[Question]], repeat: int
) -> bool:
    """Print how long each takes to find; return whether all found the same."""
    heads = "".join(f"{name:>15}" for name in finders if name != OURS)
    print(f"{'finding, ms':22} {'hits':>11}{OURS:>15} {'budget':>7}{heads}  faster")
    agree = True
    for kind, asked in kinds.items():
        if not asked:
            print(f"{kind:22} nothing of that kind is in these lines")
            continue
        counts = count_all(finders, asked)
        able = {name: finder for name, finder in finders.items() if name in counts}
        # Parts of words do meet: LIKE would end at a hundred lines that are no hits.
        counted = kind in {questions.COUNT, questions.NEVER}
        timings = time_all(able, asked, repeat, counted=counted)
        ours, hits = timings[OURS], counts[OURS]
        row = ""
        for name in finders:
            is_comparable = name != "LIKE" or kind == questions.INFIX
            if is_comparable and counts.get(name, hits) != hits:
                agree = False
                row += f"{sum(counts[name]):>10,} hits"
            elif name != OURS:
                row += f"{timings.get(name, '-')!s:>15}"
        budget = WORST if kind == questions.NEVER else BUDGET if min(hits) >= MANY else None
        remarks = [name for name, each in timings.items() if each.median < ours.median]
        if budget and kind != questions.COUNT and ours.median > budget:
            remarks.append("MISSED")
        if kind == questions.NEVER and "LIKE" in timings:
            times = ours.median / timings["LIKE"].median
            remarks.append(f"({times:.1f} times LIKE{', MISSED' if times > WORST_TIMES else ''})")
        shown = "-" if budget is None or kind == questions.COUNT else budget
        print(f"{kind:22} {sum(hits):11,}{ours!s:>15} {shown:>7}{row}  {' '.join(remarks)}")
        sys.stdout.flush()
    return agree


def time_processes(archive: Path, word: str, repeat: int) -> None:
    """Print how long whole processes take."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("ARCHIVER_")}
    environment["ARCHIVER_DATA_DIR"] = str(archive)
    print(f"{'whole processes':36} {'CPU ms':>7} {'wall ms':>8} {'budget':>7}")
    for words, budget in (
        (["-c", "pass"], None),
        (["-m", "archiver", "--help"], 150),
        (["-m", "archiver", "search", word], 400),
        (["-m", "archiver", "search", "-C", "3", word], 400),
    ):
        cpus, walls = [], []
        for _ in range(repeat):
            began, wall = spent(), time.perf_counter()
            subprocess.run(  # noqa: S603  # ourselves
                [sys.executable, *words], check=True, capture_output=True, env=environment
            )
            cpus.append(spent() - began)
            walls.append(time.perf_counter() - wall)
        cpu, wall = statistics.median(cpus) * 1000, statistics.median(walls) * 1000
        remark = "  MISSED" if budget and cpu > budget else ""
        command = " ".join(["python", *words])
        print(f"{command:36} {cpu:7.0f} {wall:8.0f} {budget or '-':>7}{remark}", flush=True)


def describe(archive: Path) -> None:
    """Print what is measured, and on what."""
    with Reader.open(f"sqlite:///{archive.resolve()}/archive.db") as reader:
        lines, servers = reader.partitions().last_line_id(), len(reader.servers())
    size = (archive / "archive.db").stat().st_size
    print(
        f"{lines:,} lines of {servers} servers, {size / lines:.0f} bytes each in SQLite;"
        f" {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f};"
        f" Python {platform.python_version()}, SQLite {sqlite3.sqlite_version},"
        f" {distribution.installed()}"
    )


def run(archive: Path, place: Path, wanted: set[str], options: argparse.Namespace) -> None:
    """Print the tables of one archive."""
    describe(archive)
    chosen = {name: make for name, make in peers.BUILDERS.items() if name in wanted}
    build_all({**chosen, OURS: Archiver}, archive, place)
    ours = Archiver(archive, place)
    finders: dict[str, Finder] = {OURS: ours}
    for name, make in peers.FINDERS.items():
        if name in wanted:
            finders[name] = make(archive, place / name)
    with Reader.open(f"sqlite:///{archive.resolve()}/archive.db") as reader:
        kinds = questions.choose(reader, options.queries, lambda each: not ours.count(each))
    for kind, asked in kinds.items():
        print(f"  {kind}: {'; '.join(map(str, asked))}")
    agree = find_all(finders, kinds, options.repeat)
    time_processes(archive, str(kinds[questions.COMMON][0]), 2 * options.repeat + 1)
    print(f"load {os.getloadavg()[0]:.1f}")
    if not agree:
        raise SystemExit("they do not agree: where hits are shown instead of times")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--lines", type=int, default=1_000_000)
    add("--servers", type=int, default=20)
    add("--days", type=int, default=10, help="that the lines are spread over")
    add("--text", choices=corpus.KINDS, default=corpus.USUAL, help="default: %(default)s")
    add("--archive", type=Path, metavar="DIR", help="one that was kept")
    add("--keep", type=Path, metavar="DIR", help="the archive that is filled")
    add("--peer", action="append", choices=list(peers.FINDERS), help="default: all that are there")
    add("--queries", type=int, default=5, help="of each kind")
    add("--repeat", type=int, default=5, help="times that each is asked, at most")
    options = parser.parse_args()
    lacking = peers.lacking()
    for name, remedy in lacking.items():
        print(f"without {name}: {remedy}")
    if "ripgrep" not in lacking and peers.which_ripgrep() is None:
        print("grep for ripgrep: pip install ripgrep")
    wanted = set(options.peer or peers.FINDERS) - set(lacking)
    with tempfile.TemporaryDirectory() as scratch:
        archive = options.archive or options.keep or Path(scratch)
        if options.archive is None:
            corpus.fill(archive, options.text, options.lines, options.servers, options.days)
        run(archive, Path(scratch), wanted, options)


if __name__ == "__main__":
    main()
