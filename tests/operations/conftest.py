"""
A simulated panel on real sockets, and collectors beside it in the same process.

What would be unrealistic: panel, nodes and collector share one event loop and one
clock, so a turn of one delays the others, and no network lies between them.
"""

import asyncio
import shutil
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import pytest

from archiver.config.secret import Secret
from archiver.config.settings import PanelSettings, Settings
from archiver.console.lines import searchable_text
from archiver.console.records import Flag, Line, Records, Source, StreamState
from archiver.console.timing import Timing
from archiver.operations.compare import Difference, Stored, StoredGap, compare_lines
from archiver.operations.ingest import Ingest
from archiver.operations.seal import Sealed, Sealer
from archiver.operations.verify import verify
from archiver.simulator.serving import Shell, serve
from archiver.simulator.settings import Settings as PanelKind
from archiver.simulator.world import World
from archiver.store.checks import Checks
from archiver.store.writer import Writer

PATIENCE = 15.0  # seconds for anything that is waited for; all of it is usually much faster

# A tenth, but for what a busy machine delays: a burst that pauses is not over.
TIMING = replace(
    Timing().scaled(0.1),
    open_timeout=5.0,
    auth_timeout=3.0,
    auth_spacing=1.0,
    ping_interval=20.0,
    ping_timeout=20.0,
    status_timeout=1.0,
    stats_timeout=1.0,
    slow_retry=1.0,
    replay_quiet=0.15,
    replay_empty=0.4,
    replay_timeout=1.2,
    throttled_wait=1.5,
    twin_window=0.08,
    request_timeout=5.0,
    discovery_interval=60.0,
    stats_interval=10.0,
    commit_interval=0.1,
)


class Archive:
    """What is committed, as another process sees it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def rows(self, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(f"file:{self._path}?mode=ro", uri=True)) as connection:
            return connection.execute(sql, parameters).fetchall()

    def faults(self) -> list[tuple[str, str | None, str | None]]:
        """What a verifier finds: check, fault and where."""
        with Checks.open(f"sqlite:///{self._path}") as checks:
            verdicts = list(verify(checks, lambda *_: None))
        return [(each.check, each.what, each.where) for each in verdicts if not each.is_ok]

    def one(self, sql: str, *parameters: object) -> Any:
        """The first value of the first row; None: no row."""
        found = self.rows(sql, *parameters)
        return found[0][0] if found else None

    def id_of(self, name: str) -> int:
        return int(self.one("SELECT id FROM servers WHERE name = ?", name) or 0)

    def texts(self, name: str, *sources: Source) -> list[str]:
        marks = ", ".join("?" * len(sources or Source))
        sql = f"SELECT text FROM lines WHERE server_id = ? AND source IN ({marks}) ORDER BY seq"
        return [text for (text,) in self.rows(sql, self.id_of(name), *(sources or Source))]

    def gaps(self, name: str) -> list[tuple[int, int | None, str]]:
        """Lower, upper and reason of those that are not closed."""
        sql = (
            "SELECT lower, upper, reason FROM gaps"
            " WHERE server_id = ? AND closed_at IS NULL ORDER BY id"
        )
        return self.rows(sql, self.id_of(name))

    def statuses(self, name: str) -> list[str]:
        sql = "SELECT status FROM status_changes WHERE server_id = ? ORDER BY id"
        return [status for (status,) in self.rows(sql, self.id_of(name))]

    def status(self, name: str) -> str | None:
        return next(iter(self.statuses(name)[::-1]), None)

    def differences(self, world: World, name: str) -> list[Difference]:
        """How the lines of a server differ from what it printed, with its gaps."""
        server_id = self.id_of(name)
        stored = self.rows(
            "SELECT seq, text FROM lines WHERE server_id = ? AND source IN (1, 2) ORDER BY seq",
            server_id,
        )
        gaps = self.rows(
            "SELECT after_seq, lower, upper FROM gaps"
            " WHERE server_id = ? AND closed_at IS NULL ORDER BY id",
            server_id,
        )
        truth = [searchable_text(text) for line in world.truth(name) for text in line.live]
        return compare_lines(
            [Stored(*row) for row in stored], [StoredGap(*row) for row in gaps], truth
        )


class Collector:
    """One collector that records in this process, and what it recorded."""

    def __init__(self, ingest: Ingest, archive: Archive) -> None:
        self.ingest = ingest
        self.archive = archive
        self.running: asyncio.Task[None] | None = None

    async def until(self, claim: Callable[[], object], *, patience: float = PATIENCE) -> None:
        """Wait until *claim* holds; fails where it never does, or the collector ended."""
        deadline = time.monotonic() + patience
        while not claim():
            if self.running is not None and self.running.done():
                await self.running
                raise AssertionError("the collector ended")
            assert time.monotonic() < deadline, "waited in vain"
            await asyncio.sleep(0.02)

    async def until_live(self, count: int = 1) -> None:
        """Wait until so many servers are connected and their replays taken."""

        def replayed() -> int:
            conversations = [each.conversation for each in self.ingest._listeners.values()]
            return sum(each is not None and each.procedure.is_replayed for each in conversations)

        await self.until(lambda: replayed() >= count)

    async def until_right(self, world: World, *names: str) -> None:
        """Wait until nothing differs from what the servers printed; say what does if it stays."""
        for name in names or [server.name for server in world.servers]:
            is_right = partial(self._is_right, world, name)
            try:
                await self.until(is_right)
            except AssertionError:
                assert self.archive.differences(world, name) == []
                raise

    def _is_right(self, world: World, name: str) -> bool:
        return not self.archive.differences(world, name)


Recording = Callable[..., AbstractAsyncContextManager[Collector]]
Serving = Callable[..., AbstractAsyncContextManager[Shell]]


@pytest.fixture
def timing() -> Timing:
    return TIMING


@pytest.fixture
def serving() -> Serving:
    """Serve a world; its settings are of servers that only print what a test says."""

    def serve_world(**settings: Any) -> AbstractAsyncContextManager[Shell]:
        silent: dict[str, Any] = {
            "games": ("silent",),
            "servers": 1,
            "boot_time": 0.2,
            "stop_time": 0.1,
        }
        return serve(World(PanelKind(**(silent | settings))))

    return serve_world


@pytest.fixture
def data_dir(sqlite_template: Path, tmp_path: Path) -> Path:
    """A data directory with an empty archive."""
    path = tmp_path / "data"
    path.mkdir(mode=0o700)
    shutil.copy(sqlite_template, path / "archive.db")
    return path


@pytest.fixture
def configure(data_dir: Path) -> Callable[..., Settings]:
    """Make settings for panels that are served; what is special of the first is given."""

    def make(*panels: Shell, also: dict[str, Any] | None = None, **special: Any) -> Settings:
        tables: list[dict[str, Any]] = [
            {
                "name": f"panel-{number}",
                "url": panel.url,
                "origin": panel.url,
                "api_keys": (Secret(panel.api_key),),
            }
            for number, panel in enumerate(panels)
        ]
        tables[0] |= special
        return Settings(
            data_dir=data_dir,
            database_url=f"sqlite:///{data_dir / 'archive.db'}",
            panels=tuple(PanelSettings(**table) for table in tables),
            **(also or {}),
        )

    return make


@pytest.fixture
def archive(data_dir: Path) -> Archive:
    return Archive(data_dir / "archive.db")


@pytest.fixture
def recording(configure: Callable[..., Settings], archive: Archive) -> Recording:
    """Record panels inside the context; at its end the collector has committed all it read."""

    @asynccontextmanager
    async def record(
        *panels: Shell,
        timing: Timing = TIMING,
        servers: tuple[str, ...] = (),
        prepare: Callable[[Ingest], object] = lambda _: None,
        **special: Any,
    ) -> AsyncIterator[Collector]:
        settings = configure(*panels, **special)
        ingest = Ingest(settings, servers=servers, timing=timing, random=Random(1))
        prepare(ingest)
        collector = Collector(ingest, archive)
        async with asyncio.TaskGroup() as group:
            collector.running = group.create_task(ingest.run())
            try:
                yield collector
            finally:
                ingest.stop()
        assert archive.faults() == []

    return record


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Callable[[str], list[Any]]:
    """What was logged as one action, as records."""
    caplog.set_level("DEBUG", logger="archiver")
    return lambda action: [r for r in caplog.records if getattr(r, "action", None) == action]


@pytest.fixture
def fill(
    writer: Writer, register: Callable[..., int], line: Callable[..., Line]
) -> Callable[..., dict[str, int]]:
    """Commit lines, given as (server, seq, text); returns the servers' ids by their names."""
    servers: dict[str, int] = {}

    def commit(*rows: tuple[str, int, str], **given: Any) -> dict[str, int]:
        batch: dict[int, list[Line]] = {}
        for server, seq, text in rows:
            if server not in servers:
                servers[server] = register(writer, server)
            flags = Flag.ASCII if text.isascii() else 0
            made = line(seq, text=text, flags=flags, **given)
            batch.setdefault(servers[server], []).append(made)
        writer.commit([Records(key, StreamState(), lines=lines) for key, lines in batch.items()])
        return servers

    return commit


@pytest.fixture
def index_dir(tmp_path: Path) -> Path:
    return tmp_path / "index"


@pytest.fixture
def open_sealer(archive_url: str, index_dir: Path, now: int) -> Callable[..., Sealer]:
    return partial(Sealer, archive_url, index_dir, clock=count(now).__next__)


@pytest.fixture
def seal(open_sealer: Callable[..., Sealer]) -> Callable[..., Sealed]:
    """Update the index of the archive."""

    def update(**given: Any) -> Sealed:
        with open_sealer() as sealer:
            return sealer.update(**given)

    return update
