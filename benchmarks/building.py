"""
What it takes to make lines findable: the first table of `search`.

Each is built in a process of its own, from lines that it reads as the archiver's index
does. "Apart" is the rate without that reading; memory is what the process grew by at
most.
"""

import importlib
import multiprocessing
import resource
import time
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from peers import MakeBuilder, read, size_of

MB = 1_000_000
OURS, READING, NAIVE = "archiver", "reading alone", "Whoosh"
NAIVE_LINES = 5_000  # more would take minutes, and the rate only falls


class Cost(NamedTuple):
    """What it took to build something."""

    lines: int
    cpu: float  # seconds
    wall: float  # seconds
    memory: float  # MB
    size: int  # bytes

    @property
    def rate(self) -> float:
        """Lines that one core builds in a second."""
        return self.lines / self.cpu


class Reading:
    """Builds nothing: what it costs to read the lines alone."""

    def __init__(self, archive: Path, _place: Path) -> None:
        self._archive = archive

    def build(self) -> int:
        """Read them."""
        return sum(1 for _ in read(self._archive))

    def size(self) -> int:
        """Return nothing."""
        return 0


class Whoosh:
    """One document for each line, with its place, time, server and words: as most begin."""

    def __init__(self, archive: Path, place: Path) -> None:
        self._archive = archive
        self._place = place
        analysis: Any = importlib.import_module("whoosh.analysis")
        fields: Any = importlib.import_module("whoosh.fields")
        self._index: Any = importlib.import_module("whoosh.index")
        words = analysis.RegexTokenizer(r"\w+") | analysis.LowercaseFilter()
        number = fields.NUMERIC(int, 64, stored=True)
        self._schema = fields.Schema(
            id=number, at=number, server=fields.ID, text=fields.TEXT(words)
        )

    def build(self) -> int:
        """Index some of the lines."""
        count = 0
        with self._index.create_in(str(self._place), self._schema).writer() as writer:
            for count, line in enumerate(read(self._archive), 1):
                server = str(line.server_id)
                writer.add_document(id=line.id, at=line.at, server=server, text=line.text)
                if count == NAIVE_LINES:
                    break
        return count

    def size(self) -> int:
        """Return the bytes of its files."""
        return size_of(self._place)


def spent() -> float:
    """Return the CPU seconds of this process and of those that it has waited for."""
    uses = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(use.ru_utime + use.ru_stime for use in uses)


def memory(of: str) -> float:
    """Return how many MB this process has (VmRSS), or has had at most (VmHWM), on Linux."""
    status = Path("/proc/self/status")
    if not status.exists():
        return float("nan")
    row = next(row for row in status.read_text().splitlines() if row.startswith(of))
    return int(row.split()[1]) * 1024 / MB


def build(make: MakeBuilder, archive: Path, place: Path) -> Cost:
    """Build something and return what it took."""
    place.mkdir()
    builder = make(archive, place)
    before, wall, cpu = memory("VmRSS"), time.perf_counter(), spent()
    lines = builder.build()
    cpu, wall = spent() - cpu, time.perf_counter() - wall
    return Cost(lines, cpu, wall, memory("VmHWM") - before, builder.size())


def build_all(builders: Mapping[str, MakeBuilder], archive: Path, place: Path) -> None:
    """
    Build one after the other, print what it took, and the budget.

    Args:
        builders: By their names; READING and NAIVE are added.
        archive: Whose lines.
        place: For a directory of each, of its name.

    """
    print(f"{'building':14} {'lines':>10} {'lines/s':>9} {'apart':>9}", end="")
    print(f" {'B/line':>7} {'MB more':>8} {'CPU s':>7} {'wall s':>7}")
    costs: dict[str, Cost] = {}
    for name, make in {READING: Reading, **builders, NAIVE: Whoosh}.items():
        # A process for each: what one has grown by must not be there for the next.
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
            cost = costs[name] = pool.submit(build, make, archive, place / name).result()
        reading = costs[READING].cpu * cost.lines / costs[READING].lines
        # What is hardly more than the reading is not told from noise.
        apart = f"{cost.lines / (cost.cpu - reading):,.0f}" if cost.cpu > 2 * reading else "-"
        print(
            f"{name:14} {cost.lines:10,} {cost.rate:9,.0f} {apart:>9} {cost.size / cost.lines:7.1f}"
            f" {cost.memory:8.0f} {cost.cpu:7.1f} {cost.wall:7.1f}",
            flush=True,
        )
    ours, naive = costs[OURS], costs[NAIVE]
    print(
        f"{NAIVE}: one document for each line, of the first {naive.lines:,}; more take longer each"
    )
    show_budget("lines/s", ours.rate, 60_000)
    if "FTS5" in costs:
        show_budget("times the rate of FTS5", ours.rate / costs["FTS5"].rate, 0.4)
    show_budget(f"times the rate of {NAIVE}", ours.rate / naive.rate, 12)
    show_budget("bytes a line", -ours.size / ours.lines, -15)
    show_budget("MB more", -ours.memory, -150)


def show_budget(what: str, figure: float, least: float) -> None:
    """Print a figure beside its budget; where less is better, both are negative."""
    sign = ">=" if least > 0 else "<="
    remark = "" if figure >= least else "  MISSED"
    print(f"  {abs(figure):10,.1f} {what:26} budget {sign} {abs(least):,}{remark}")
