"""Importing beside a collector, and importing that is killed."""

import asyncio
import signal
import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

LINES = 30_000


@pytest.fixture
def history(tmp_path: Path) -> Path:
    """A log of ten hours in which each second has a few equal lines."""
    path = tmp_path / "2025-03-01-1.log"
    begin = datetime(2025, 3, 1, tzinfo=UTC)
    lines = (
        f"[{begin + timedelta(seconds=n * 36_000 // LINES):%H:%M:%S} INFO]: history {n % 2}\n"
        for n in range(LINES)
    )
    path.write_text("".join(lines))
    return path


def stored(path: Path) -> list[str]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        rows = connection.execute("SELECT text FROM lines WHERE source = 7 ORDER BY seq")
        return [text for (text,) in rows]


async def test_a_collector_goes_on_meanwhile_and_its_replays_are_joined_as_ever(
    serving, collect, talking, history
):
    async with serving() as panel:
        collector = collect(panel)
        await collector.start()
        await collector.until_joined()
        async with talking(panel.world):
            command = ("import", str(history), "-s", "Counter", "--utc")
            first, second = await asyncio.gather(
                collector.run(*command), collector.run(*command, ARCHIVER_IMPORT_DATE="2020-01-01")
            )
            assert sorted((first.code, second.code)) == [0, 3]  # one at a time
            panel.world.drop_sockets()
        await collector.until_right()
        await collector.send(signal.SIGTERM)
        await collector.start()
        await collector.until_joined()
        await collector.until_right()
        assert stored(collector.path) == history.read_text().splitlines()
        verified = await collector.run("db", "verify")
        assert verified.code == 0, verified.out
        assert await collector.send(signal.SIGTERM) == 0
        collector.check_numbers()


async def test_an_import_that_is_killed_goes_on_where_it_was(serving, collect, history):
    async with serving() as panel:
        collector = collect(panel)
        assert (await collector.run("ingest", "--once")).code == 0
        known = 0
        for number, code in ((signal.SIGINT, 130), *[(signal.SIGKILL, -signal.SIGKILL)] * 2):
            await collector.start("import", str(history), "-s", "Counter", "--utc")
            before = known
            deadline = time.monotonic() + 20
            while (known := len(stored(collector.path))) == before:
                assert time.monotonic() < deadline
                await asyncio.sleep(0.002)
            assert await collector.send(number) == code
        assert "goes on where it was" in collector.said()
        assert 0 < known < LINES
        ended = await collector.run("import", str(history), "-s", "Counter", "--utc")
        assert ended.code == 0
        assert "already there" in ended.err
        assert stored(collector.path) == history.read_text().splitlines()
        assert (await collector.run("db", "verify")).code == 0
