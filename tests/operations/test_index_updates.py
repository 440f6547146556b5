"""A collector's index is kept up to date by processes of their own."""

import asyncio
import logging

import pytest

from archiver.config.settings import Settings
from archiver.index.lock import UpdateLock
from archiver.operations import index_updates
from archiver.operations.index_updates import IndexUpdates

pytestmark = pytest.mark.parametrize("archive_url", ["sqlite"], indirect=True)
PATIENCE = 20.0  # seconds


@pytest.fixture
def updates(monkeypatch, archive_url, tmp_path):
    monkeypatch.setattr(index_updates, "LEAST", 5)
    return IndexUpdates(Settings(data_dir=tmp_path, database_url=archive_url))


async def until(condition) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110  # another process does it
            await asyncio.sleep(0.02)


@pytest.fixture
def sealed(reader):
    return lambda: [row.lines for row in reader.partitions().rows()]


async def test_what_is_there_at_the_start_and_what_comes_is_sealed(fill, updates, sealed):
    fill(*(("u1", seq, "old") for seq in range(7)))
    running = asyncio.create_task(updates.run())  # noqa: TID251  # cancelled below
    await until(lambda: sealed() == [7])

    fill(*(("u1", seq, "new") for seq in range(10, 16)))
    updates.note(4)
    updates.note(2)
    await until(lambda: sealed() == [7, 6])

    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_failure_is_told_and_the_next_is_tried(fill, updates, sealed, tmp_path, caplog):
    fill(*(("u1", seq, "old") for seq in range(7)))
    lock = UpdateLock(tmp_path / "index")
    running = asyncio.create_task(updates.run())  # noqa: TID251  # cancelled below
    with caplog.at_level(logging.WARNING):
        await until(lambda: caplog.records)
    (record,) = caplog.records
    assert record.message == "the index could not be updated; searches take longer"
    assert "another process updates the index" in record.said
    lock.release()

    updates.note(5)
    await until(lambda: sealed() == [7])
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_an_update_ends_with_the_collector(
    updates, monkeypatch, fill, *, tmp_path, archive_url
):
    fill(*(("u1", seq, "old") for seq in range(7)))
    monkeypatch.setattr("sys.executable", "/bin/sleep")
    sleeping = IndexUpdates(Settings(data_dir=tmp_path, database_url=archive_url))
    started = []
    create = asyncio.create_subprocess_exec

    async def watched(program, *_, **more):
        started.append(await create(program, "1000", **more))
        return started[0]

    monkeypatch.setattr(asyncio, "create_subprocess_exec", watched)
    running = asyncio.create_task(sleeping.run())  # noqa: TID251  # cancelled below
    await until(lambda: started)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert started[0].returncode == -15
