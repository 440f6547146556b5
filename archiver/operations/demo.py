"""
Show the archiver at work: a simulated panel, a real collector, and what goes wrong.

The panel and its nodes run in this process, on loopback; the collector is the
installed program in a process of its own, with a configuration file, as it would
run for real. At the end the archive is held against the true log.
"""

import asyncio
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from archiver import errors
from archiver.console.lines import searchable_text
from archiver.console.records import Source
from archiver.operations.compare import Stored, StoredGap, compare_lines
from archiver.simulator.serving import serve
from archiver.simulator.settings import Settings
from archiver.simulator.world import World
from archiver.store.reads import LineFilter, Reader
from archiver.store.rows import GapRow, LineRow, RunRow

MARK = "made by archiver demo"  # a file with this name may be removed with its directory
PATIENCE = 15.0  # seconds for anything that is waited for
RECOVERED = 40  # lines that are printed while one server's connection is broken
LOST = 320  # the same, for another; a panel replays 150
GAMES = ("paper", "source", "rust")
RATE = 3.0  # lines a second of each server

CONTAINER = (Source.LIVE, Source.REPLAY)


class Outcome(NamedTuple):
    """What the demo leaves."""

    lines: int
    recovered: int
    gaps: int
    differences: list[str]  # between the archive and the true log; empty: none


def run(data_dir: Path, say: Callable[[str], None]) -> Outcome:
    """
    Run the demo; takes under 20 seconds.

    Args:
        data_dir: Where the demo's archive goes; one of an earlier demo is replaced.
        say: Told what happens, one sentence at a time.

    Raises:
        UsageError: There is something else in *data_dir*.
        StoreError: It cannot be made.
        CheckFailedError: The collector did not do its part in time.

    """
    _prepare(data_dir)
    return asyncio.run(_run(data_dir, say))


def _prepare(data_dir: Path) -> None:
    try:
        if data_dir.exists() and any(data_dir.iterdir()) and not (data_dir / MARK).exists():
            raise errors.UsageError(
                "directory of the demo holds something else",
                where=str(data_dir),
                do="move it away, or name another with --data-dir",
            )
        shutil.rmtree(data_dir, ignore_errors=True)
        data_dir.mkdir(parents=True, mode=0o700)
        (data_dir / MARK).touch()
    except OSError as exc:
        raise errors.StoreError(
            f"directory of the demo cannot be made: {exc.strerror}",
            where=str(data_dir),
            do="make its parent writable for this user, or name another with --data-dir",
        ) from exc


async def _run(data_dir: Path, say: Callable[[str], None]) -> Outcome:
    world = World(Settings(seed=7, servers=3, games=GAMES, rate=RATE))
    async with serve(world) as panel:
        config = _write_config(data_dir, panel.url, panel.api_key)
        say(f"a simulated panel with {len(world.servers)} servers runs on {panel.url}")
        environment = {k: v for k, v in os.environ.items() if not k.startswith("ARCHIVER_")}
        log_path = data_dir / "ingest.log"
        with log_path.open("w", encoding="utf-8") as log_file:
            collector = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "archiver", "--config", str(config), "ingest"),
                env=environment,
                stderr=log_file,
            )
        archive = _Archive(f"sqlite:///{data_dir / 'archive.db'}", collector, log_path)
        try:
            await _tell_story(world, archive, say)
        finally:
            if collector.returncode is None:
                collector.send_signal(signal.SIGTERM)
            code = await collector.wait()
        say(f"the collector was asked to end, committed what it had, and ended with code {code}")
    return _judge(archive, world)


async def _tell_story(world: World, archive: "_Archive", say: Callable[[str], None]) -> None:
    first, second, third = (server.name for server in world.servers)
    await archive.until(lambda: archive.is_connected(first, second, third), "the connections")
    say("'archiver ingest' found them, took what each console still held, and listens")
    await asyncio.sleep(2.0)

    say(f"{first}: the connection breaks, and {RECOVERED} lines are printed meanwhile")
    known = archive.recovered(first)
    world.drop_sockets(first)
    _print_lines(world, first, RECOVERED)
    await archive.until(lambda: archive.recovered(first) >= known + RECOVERED, "the lines")
    say(f"{first}: connected again, {archive.recovered(first) - known} lines recovered by replay")

    say(f"{third}: the connection breaks, and {LOST} lines are printed: a panel replays 150")
    world.drop_sockets(third)
    _print_lines(world, third, LOST)
    await archive.until(lambda: bool(archive.gaps(third)), "the gap")
    say(f"{third}: connected again; what no replay holds any more is written down as a gap")

    say(f"{second}: the game runs out of memory, crashes, and is started again")
    world.crash(second, exit_code=137, out_of_memory=True)
    await archive.until(lambda: len(archive.runs(second)) > 1, "the new run")
    await asyncio.sleep(2.0)
    for server in world.servers:
        world.stop(server.name)
    await archive.until(archive.is_offline, "the end of all games")
    await archive.until(lambda: not archive.compare(world), "the last lines", give_up=False)


def _write_config(data_dir: Path, url: str, api_key: str) -> Path:
    key_file, config = data_dir / "api-key", data_dir / "config.toml"
    settings = (
        f"data_dir = {str(data_dir)!r}\ncommit_interval = 0.25\n\n"
        f"[[panels]]\nname = 'demo'\nurl = {url!r}\napi_key_file = {str(key_file)!r}\n"
    )
    for path, text in ((key_file, api_key), (config, settings)):
        path.touch(mode=0o600)
        path.write_text(text, encoding="utf-8")
    return config


def _print_lines(world: World, server: str, count: int) -> None:
    for number in range(1, count + 1):
        world.print_line(server, f"[backup] region {number:03} of {count} written, checksum ok")


class _Archive:
    """The demo's archive, as any other process sees it."""

    def __init__(self, url: str, collector: asyncio.subprocess.Process, log_path: Path) -> None:
        self._url = url
        self._collector = collector
        self._log_path = log_path

    async def until(self, claim: Callable[[], bool], what: str, *, give_up: bool = True) -> None:
        """Look until *claim* holds."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if self._collector.returncode is not None:
                break
            try:
                if claim():
                    return
            except errors.StoreError:
                pass  # it is being created
            await asyncio.sleep(0.1)
        if give_up:
            raise errors.CheckFailedError(
                f"the collector did not record {what} within {PATIENCE:g} s",
                where=str(self._log_path),
                do="read what it logged, and report it",
            )

    def is_connected(self, *servers: str) -> bool:
        with Reader.open(self._url) as reader:
            connected = {row.name for row in reader.status_of_all(since=0) if row.lines_today}
        return set(servers) <= connected

    def is_offline(self) -> bool:
        with Reader.open(self._url) as reader:
            return all(row.status == "offline" for row in reader.status_of_all(since=0))

    def lines(self, server: str) -> list[LineRow]:
        """Return the container lines of *server* in order."""
        with Reader.open(self._url) as reader:
            ids = _ids(reader, server)
            return list(reader.iter_lines(LineFilter(server_ids=ids, sources=CONTAINER)))

    def recovered(self, server: str) -> int:
        return sum(line.source == Source.REPLAY for line in self.lines(server))

    def gaps(self, server: str) -> list[GapRow]:
        with Reader.open(self._url) as reader:
            return [gap for gap in reader.gaps(_ids(reader, server)) if gap.closed_at is None]

    def runs(self, server: str) -> list[RunRow]:
        with Reader.open(self._url) as reader:
            return list(reader.runs(_ids(reader, server)))

    def compare(self, world: World) -> list[str]:
        """Return how the archive differs from the true logs."""
        differences = []
        for server in world.servers:
            stored = [Stored(line.seq, line.text) for line in self.lines(server.name)]
            gaps = [StoredGap(g.after_seq, g.lower, g.upper) for g in self.gaps(server.name)]
            truth = [
                searchable_text(text) for line in world.truth(server.name) for text in line.live
            ]
            differences += [
                f"{server.name}, {difference.where}: {difference.what}"
                for difference in compare_lines(stored, gaps, truth)
            ]
        return differences


def _ids(reader: Reader, server: str) -> tuple[int, ...]:
    return tuple(row.id for row in reader.servers() if row.name == server)


def _judge(archive: _Archive, world: World) -> Outcome:
    names = [server.name for server in world.servers]
    return Outcome(
        lines=sum(len(archive.lines(name)) for name in names),
        recovered=sum(archive.recovered(name) for name in names),
        gaps=sum(len(archive.gaps(name)) for name in names),
        differences=archive.compare(world),
    )
