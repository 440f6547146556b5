"""
The installed program as a process of its own, against a simulated panel in this one.

What would be unrealistic: no network lies between them, and the panel shares one
event loop with the test that asks the archive.
"""

import asyncio
import os
import signal
import sqlite3
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, closing
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from archiver.console.lines import searchable_text
from archiver.operations.compare import Difference, Stored, StoredGap, compare_lines
from archiver.simulator.daemon import GameServer
from archiver.simulator.serving import Shell, serve
from archiver.simulator.settings import Settings
from archiver.simulator.world import World

PROGRAM = Path(sys.executable).with_name("archiver")
PATIENCE = 20.0  # seconds for anything that is waited for; all of it is usually much faster


def _count(server: GameServer, *_: object) -> list[str]:
    """Return its next line; each has a number."""
    return [f"line {len(server.console.lines):06}"]


def say(world: World, count: int = 1) -> None:
    """Let every game print lines with the next numbers."""
    for server in world.servers:
        for _ in range(count):
            world.print_line(server.uuid, _count(server)[0])


@asynccontextmanager
async def talking(world: World, rate: float = 100.0) -> AsyncIterator[None]:
    """Let every game print so many lines a second."""

    async def talk() -> None:
        while True:
            say(world)
            await asyncio.sleep(1 / rate)

    async with asyncio.TaskGroup() as group:
        task = group.create_task(talk())
        yield
        task.cancel()


class Ended(NamedTuple):
    """What a command left."""

    code: int
    out: str
    err: str


class Collector:
    """
    ``archiver ingest`` with its data directory, and what is in its archive.

    Args:
        directory: For its key and its log.
        data_dir: For its archive; it makes it.
        panel: What it records; only the environment tells it, as a service's would.

    """

    def __init__(self, directory: Path, data_dir: Path, panel: Shell) -> None:
        self.world = panel.world
        self.data_dir = data_dir
        self.path = data_dir / "archive.db"
        self.program: tuple[str | Path, ...] = (PROGRAM,)
        self.directory: Path | None = None  # where its commands run; None: where the tests do
        self.key_file = directory / "key"
        self.log = directory / "stderr"
        self.process: Process | None = None
        self._url = panel.url
        self._connections = 0  # before the last start
        self.log.touch()
        self.key_file.touch(mode=0o600)
        self.key_file.write_text(panel.api_key)

    def environment(self, **more: str) -> dict[str, str]:
        """Return the environment of its commands."""
        return os.environ | {
            "ARCHIVER_DATA_DIR": str(self.data_dir),
            "ARCHIVER_PANEL_URL": self._url,
            "ARCHIVER_API_KEY_FILE": str(self.key_file),
            "ARCHIVER_COMMIT_INTERVAL": "0.1",
            **more,
        }

    async def start(self, *arguments: str, **environment: str) -> None:
        """Start to record; what it says is appended to the log."""
        known = self.rows("SELECT coalesce(max(id), 0) FROM connections")
        self._connections = known[0][0] if known else 0
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *(*self.program, *(arguments or ("ingest",))),
                cwd=self.directory,
                env=self.environment(**environment),
                stdout=log,
                stderr=log,
            )

    async def run(self, *arguments: str, given: str = "", **environment: str) -> Ended:
        """Run another command to its end; *given* is its standard input."""
        process = await asyncio.create_subprocess_exec(
            *(*self.program, *arguments),
            cwd=self.directory,
            env=self.environment(**environment),
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
        )
        out, err = await process.communicate(given.encode())
        assert process.returncode is not None
        return Ended(process.returncode, out.decode(), err.decode())

    async def send(self, number: signal.Signals) -> int:
        """Send a signal and return the exit code; negative: ended by a signal."""
        assert self.process is not None
        self.process.send_signal(number)
        return await asyncio.wait_for(self.process.wait(), PATIENCE)

    async def wait(self) -> int:
        """Wait for it to end by itself and return the exit code."""
        assert self.process is not None
        return await asyncio.wait_for(self.process.wait(), PATIENCE)

    async def until(
        self, claim: Callable[[], object], what: str, *, patience: float = PATIENCE
    ) -> None:
        """Look until *claim* holds; fails where it never does, or the collector ended."""
        deadline = time.monotonic() + patience
        while not claim():
            assert self.process is not None
            assert self.process.returncode is None, f"it ended before {what}: {self.said()[-1000:]}"
            assert time.monotonic() < deadline, f"waited in vain for {what}: {self.said()[-1000:]}"
            await asyncio.sleep(0.02)

    def said(self) -> str:
        """Return its log so far."""
        return self.log.read_text(errors="replace")

    def rows(self, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Ask the archive, as another process sees it; nothing where there is none yet."""
        if not self.path.exists():
            return []
        with closing(sqlite3.connect(f"file:{self.path}?mode=ro", uri=True)) as connection:
            try:
                return connection.execute(sql, parameters).fetchall()
            except sqlite3.OperationalError as error:
                if "no such table" in str(error):
                    return []
                raise

    def count_lines(self) -> int:
        """Return how many container lines are committed."""
        found = self.rows("SELECT count(*) FROM lines WHERE source IN (1, 2)")
        return int(found[0][0]) if found else 0

    def gaps(self) -> list[tuple[Any, ...]]:
        """Return the open gaps between lines; that nothing is known from before is none."""
        return self.rows(
            "SELECT server_id, after_seq, lower, upper, reason FROM gaps"
            " WHERE closed_at IS NULL AND after_seq IS NOT NULL"
        )

    def differences(self) -> list[Difference]:
        """Return how the archive differs from what was printed, but where gaps say so."""
        found: list[Difference] = []
        for server in self.world.servers:
            of_server = "server_id = (SELECT id FROM servers WHERE uuid = ?)"
            stored = self.rows(
                f"SELECT seq, text FROM lines WHERE {of_server} AND source IN (1, 2) ORDER BY seq",
                server.uuid,
            )
            gaps = self.rows(
                f"SELECT after_seq, lower, upper FROM gaps WHERE {of_server} AND closed_at IS NULL",
                server.uuid,
            )
            truth = [searchable_text(text) for line in server.console.lines for text in line.live]
            found += compare_lines(
                [Stored(*row) for row in stored], [StoredGap(*row) for row in gaps], truth
            )
        return found

    async def until_joined(self) -> None:
        """Wait until the replay of every server was joined to what is stored."""
        joined = (
            "SELECT count(DISTINCT server_id) FROM connections"
            " WHERE id > ? AND lines_recovered + lines_repeated > 0"
        )
        wanted = [(len(self.world.servers),)]
        await self.until(lambda: self.rows(joined, self._connections) == wanted, "the replays")

    async def until_right(self) -> None:
        """Wait until all that was printed is stored; no more may be printed meanwhile."""
        try:
            await self.until(lambda: not self.differences(), "the last lines")
        except AssertionError:
            assert self.differences() == []
            raise

    def check_numbers(self) -> None:
        """See that no number of a counter is missing or there twice, and no socket left open."""
        assert self.gaps() == [], "all that was printed meanwhile was in a replay"
        texts = self.rows("SELECT server_id, text FROM lines WHERE source IN (1, 2)")
        assert len(texts) == len(set(texts)), "no number is printed twice"
        assert self.rows("SELECT count(*) FROM connections WHERE closed_at IS NULL") == [(0,)]

    def check(self) -> None:
        """See that the file is sound and that nobody records into it."""
        with closing(sqlite3.connect(self.path)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
            assert connection.execute("SELECT * FROM collectors").fetchall() == []
            assert connection.execute("SELECT * FROM frames").fetchall() == []


Serving = Callable[..., AbstractAsyncContextManager[Shell]]
Collecting = Callable[..., Collector]


@pytest.fixture
def serving() -> Serving:
    """
    Serve a panel; its one server has printed some numbers and is silent.

    With a rate, or where it is made to talk, it goes on to count.
    """

    @asynccontextmanager
    async def serve_world(**settings: Any) -> AsyncIterator[Shell]:
        usual: dict[str, Any] = {"games": ("counter",), "servers": 1, "rate": 0.0}
        world = World(Settings(**(usual | settings)))
        for server in world.servers:
            server.voice = partial(_count, server)
        async with serve(world) as panel:
            say(world, 20)
            yield panel

    return serve_world


@pytest.fixture(name="say")
def say_fixture() -> Callable[..., None]:
    return say


@pytest.fixture(name="talking")
def talking_fixture() -> Callable[..., AbstractAsyncContextManager[None]]:
    return talking


@pytest.fixture
async def collect(tmp_path: Path) -> AsyncIterator[Collecting]:
    """Make collectors; what still runs at the end is killed."""
    numbers = count(1)
    async with AsyncExitStack() as stack:

        def make(panel: Shell, data_dir: Path | None = None) -> Collector:
            directory = tmp_path / f"collector-{next(numbers)}"
            directory.mkdir()
            collector = Collector(directory, data_dir or directory / "data", panel)
            stack.push_async_callback(_end, collector)
            return collector

        yield make


async def _end(collector: Collector) -> None:
    if collector.process is not None and collector.process.returncode is None:
        collector.process.kill()
        await collector.process.wait()
