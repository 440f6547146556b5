"""
The table of `alignment.py` once more, over real sockets: ``alignment.py --sockets``.

For each cell a panel with some servers is served on loopback, and what ``archiver
ingest`` runs records them in a process of its own. Only the waits after a failure are
shorter than for everybody, as in the other table, else most of the time nothing would
be connected. Each server says its own lines and meets its own faults; those of a node,
of a panel or of the archiver meet all. A kill is SIGKILL, after which the archiver is
started again at once. At the end the collector is asked to end; what ``archiver export
lines`` writes is held against the truth, and ``archiver db verify`` has a look.

Left out: faults that set the archiver's clock, which is this machine's.
"""

import asyncio
import io
import os
import signal
import sys
import tempfile
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import NamedTuple

from archiver.cli import log
from archiver.config.load import load
from archiver.operations.ingest import make_timing, run
from archiver.simulator.schedules import CLIENT, SCHEDULES, Fault, plant
from archiver.simulator.score import Score, add_up, read_archive, score_lines
from archiver.simulator.serving import Shell, serve
from archiver.simulator.texts import Text
from archiver.simulator.truth import KnownLine, write_rows
from archiver.simulator.world import World

USUAL_SCHEDULES = ("short", "flap", "midreplay", "kill", "expiry", "reboot", "everything")
USUAL_KINDS = ("distinct", "seconds", "none", "constant")
WAITS = {"backoff_most": 4.0, "slow_retry": 5.0}  # seconds, after a failure
TOGETHER = 7  # cells at once: they wait more than they work
COME_BACK = 60.0  # seconds, at most, from the last fault until all is quiet
QUIET = 12.0  # seconds with a socket to each server, and so with a replay

MakeText = Callable[[str, Random], Text]


class Cell(NamedTuple):
    """One row of the table."""

    schedule: str
    kind: str
    seed: int
    servers: int
    seconds: float
    audit_interval: float


class Recording(NamedTuple):
    """What came of one cell."""

    cell: Cell
    faults: int
    kills: int
    truth: dict[str, list[KnownLine]]  # by the server's identifier
    stored: dict[str, list[str]]
    gaps: int
    verified: int  # exit code of the verifier


def collect() -> None:
    """Be ``archiver ingest`` with other waits, configured by the environment."""
    log.configure(1)
    settings = load(environ=os.environ, file=None, options={}, with_keys=True)
    run(settings, timing=replace(make_timing(settings), **WAITS))


class Collector:
    """
    The archiver as a process, started again whenever it was killed.

    Args:
        panel: What it records.
        directory: For its archive, its key and its log.
        audit_interval: Seconds.

    """

    def __init__(self, panel: Shell, directory: Path, audit_interval: float) -> None:
        self.kills = 0
        self._log = directory / "log"
        self._process: Process | None = None
        self._ending = False
        key = directory / "key"
        key.touch(mode=0o600)
        key.write_text(panel.api_key)
        self._environment = {k: v for k, v in os.environ.items() if not k.startswith("ARCHIVER_")}
        self._environment |= {
            "ARCHIVER_DATA_DIR": str(directory / "data"),
            "ARCHIVER_PANEL_URL": panel.url,
            "ARCHIVER_API_KEY_FILE": str(key),
            "ARCHIVER_AUDIT_INTERVAL": str(audit_interval),
        }

    async def record(self) -> None:
        """Record until asked to end."""
        while not self._ending:
            with self._log.open("ab") as log:
                self._process = await asyncio.create_subprocess_exec(
                    *(sys.executable, __file__),
                    env=self._environment,
                    stderr=log,
                )
            code = await self._process.wait()
            if code not in {-signal.SIGKILL, 0}:
                raise RuntimeError(f"it ended with {code}: {self._log.read_text()[-2000:]}")

    def kill(self) -> None:
        """Kill it, if it runs."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            self.kills += 1

    def end(self) -> None:
        """Ask it to end."""
        self._ending = True
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()

    async def ask(self, *words: str) -> tuple[int, str]:
        """Run another command; return its exit code and what it printed."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "archiver", *words),
            env=self._environment,
            stdout=PIPE,
            stderr=PIPE,
        )
        out, err = await process.communicate()
        if process.returncode not in {0, 1, 7}:  # 1: nothing is there; 7: a check found something
            raise RuntimeError(f"{words} ended with {process.returncode}: {err.decode()}")
        return process.returncode, out.decode()


async def record(cell: Cell, make_text: MakeText, directory: Path) -> Recording:
    """Let one cell happen; returns when its collector has ended."""
    schedule = SCHEDULES[cell.schedule]
    words = Random(f"{cell.schedule}/{cell.kind}/{cell.seed}/sockets")  # noqa: S311
    settings = schedule.build_settings(
        words.getrandbits(32), servers=cell.servers, token_limit=None, request_limit=10**9
    )
    world = World(settings)
    async with serve(world) as panel:
        collector = Collector(panel, directory, cell.audit_interval)

        def meet(fault: Fault) -> None:
            if fault.verb == "kill":
                collector.kill()

        async with asyncio.TaskGroup() as group:
            group.create_task(collector.record())
            await _wait(world, QUIET)
            faults = 0
            for number, server in enumerate(world.servers):
                planted = plant(
                    world,
                    server.uuid,
                    schedule,
                    random=words,
                    seconds=cell.seconds,
                    client=meet if number == 0 else _ignore,
                    text=make_text(cell.kind, words),
                )
                faults += sum(number == 0 or fault.verb not in CLIENT for fault in planted)
            await asyncio.sleep(cell.seconds)
            await _wait(world, QUIET)
            collector.end()
        truth = {server.identifier: world.known_lines(server.uuid) for server in world.servers}
    with (directory / "truth.ndjson").open("w", encoding="utf-8") as file:
        file.writelines(write_rows(line for lines in truth.values() for line in lines))
    _, exported = await collector.ask("export", "lines")
    _, gaps = await collector.ask("gaps", "-o", "ndjson")
    verified, _ = await collector.ask("db", "verify")
    stored = read_archive(io.StringIO(exported))
    return Recording(cell, faults, collector.kills, truth, stored, len(gaps.splitlines()), verified)


def _ignore(_fault: Fault) -> None:
    """Leave it to the first server's schedule: all servers have one client."""


async def _wait(world: World, seconds: float) -> None:
    """Wait until there has been a socket to each server for so long."""
    deadline = time.monotonic() + COME_BACK
    since = time.monotonic()
    while time.monotonic() < min(deadline, since + seconds):
        if not all(world.counters.open_sockets[server.uuid] for server in world.servers):
            since = time.monotonic()
        await asyncio.sleep(0.1)


async def _record_all(
    cells: Sequence[Cell], make_text: MakeText, directory: Path
) -> list[Recording]:
    async with asyncio.TaskGroup() as group:
        tasks = []
        for cell in cells:
            place = directory / f"{cell.kind}-{cell.schedule}"
            place.mkdir(parents=True)
            tasks.append(group.create_task(record(cell, make_text, place)))
    return [task.result() for task in tasks]


def judge(recording: Recording) -> Score:
    """Return the score of all servers of a cell together."""
    return add_up(
        score_lines(lines, recording.stored.get(server, []))
        for server, lines in recording.truth.items()
    )


def print_table(cells: Sequence[Cell], make_text: MakeText, keep: Path | None) -> None:
    """
    Record some cells at once, then the next ones, and print their rows.

    Args:
        cells: One for each row.
        make_text: Given a kind.
        keep: A directory for archives, logs and truths; None: they are removed.

    """
    with nullcontext(keep) if keep else tempfile.TemporaryDirectory() as directory:
        _print_table(cells, make_text, Path(directory))


def _print_table(cells: Sequence[Cell], make_text: MakeText, directory: Path) -> None:
    print(
        f"{'over real sockets':20} {'lines':>7} {'faults':>7} {'kills':>6} {'lost':>6}"
        f" {'repeated':>9} {'misordered':>11} {'undecidable':>12} {'gaps':>5}  verify",
        flush=True,
    )
    for number in range(0, len(cells), TOGETHER):
        # Scored afterwards: the panels' own process must not be busy meanwhile.
        some = cells[number : number + TOGETHER]
        for recording in asyncio.run(_record_all(some, make_text, directory)):
            score, cell = judge(recording), recording.cell
            print(
                f"{cell.kind:9} {cell.schedule:10} {score.recoverable:7,} {recording.faults:7}"
                f" {recording.kills:6} {score.lost:6} {score.repeated:9} {score.misordered:11}"
                f" {score.undecidable:12} {recording.gaps:5}"
                f"  {'ok' if recording.verified == 0 else 'found something'}",
                flush=True,
            )
            for error in score.errors[:5]:
                known = "" if error.decidable else ", undecidable"
                print(f"    line {error.place}: {error.lines} {error.kind}{known}: {error.text!r}")


if __name__ == "__main__":
    collect()
