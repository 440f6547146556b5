"""A disk that is full, an archive that is locked, a directory that is read-only."""

import errno
import os
import signal
import subprocess
from collections.abc import Iterator
from itertools import repeat
from pathlib import Path

import pytest

WITHOUT_POWER = ("setpriv", "--bounding-set", "-dac_override,-dac_read_search")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 4 MB; skips where nobody may mount one."""
    path = tmp_path / "disk"
    path.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m,mode=0700", "tmpfs", path],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode != 0:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.strip()}")
    yield path
    subprocess.run(["umount", "--lazy", path], check=True)


def remount(disk: Path, how: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{how}", disk], check=True)


def fill(disk: Path) -> Path:
    """Leave no room on *disk*; return the file that takes it."""
    ballast = disk / "ballast"
    with (
        ballast.open("wb", buffering=0) as file,
        pytest.raises(OSError, match=os.strerror(errno.ENOSPC)),
    ):
        file.writelines(repeat(bytes(4096)))
    return ballast


async def test_while_the_disk_is_full_lines_are_kept_and_then_stored(
    serving, collect, talking, small_disk
):
    async with serving(servers=2) as panel:
        collector = collect(panel, small_disk / "data")
        await collector.start()
        await collector.until_joined()
        ballast = fill(small_disk)
        async with talking(panel.world):
            await collector.until(lambda: "disk is full" in collector.said(), "the refusal")
        assert f"where={collector.path} do=free space; recording" in collector.said()
        known = collector.count_lines()
        ballast.unlink()
        await collector.until(lambda: collector.count_lines() > known, "commits")
        await collector.until_right()
        assert await collector.send(signal.SIGTERM) == 0
    assert "takes commits again" in collector.said()
    collector.check_numbers()
    collector.check()


async def test_a_disk_that_is_full_at_the_start_is_told_and_leaves_nothing_broken(
    serving, collect, small_disk
):
    async with serving() as panel:
        collector = collect(panel, small_disk / "data")
        ballast = fill(small_disk)
        refused = await collector.run("ingest", "--once")
        assert (refused.code, refused.out) == (3, "")
        assert refused.err.startswith("Error: disk is full")
        assert f"where: {collector.path}" in refused.err
        assert "do:    free space" in refused.err
        assert panel.world.counters.total("requests") == 0

        ballast.unlink()
        assert (await collector.run("ingest", "--once")).code == 0
    assert collector.count_lines() > 0
    collector.check()


@pytest.mark.slow
@pytest.mark.timeout(60)
async def test_a_stop_while_the_disk_is_full_says_so_and_keeps_what_was_committed(
    serving, collect, talking, small_disk
):
    async with serving() as panel:
        collector = collect(panel, small_disk / "data")
        await collector.start()
        await collector.until_joined()
        ballast = fill(small_disk)
        async with talking(panel.world):
            await collector.until(lambda: "disk is full" in collector.said(), "the refusal")
        known = set(collector.rows("SELECT seq, text FROM lines"))
        assert await collector.send(signal.SIGTERM) == 3
        assert "Error: disk is full" in collector.said()
        assert "Traceback" not in collector.said()

        ballast.unlink()
        await collector.start()
        await collector.until_joined()
        assert known <= set(collector.rows("SELECT seq, text FROM lines"))
        await collector.until_right()
        assert await collector.send(signal.SIGTERM) == 0
    collector.check_numbers()
    collector.check()


async def test_while_the_archive_is_locked_lines_are_kept_and_can_be_read(
    serving, collect, say, locked
):
    async with serving() as panel:
        collector = collect(panel)
        await collector.start()
        await collector.until_joined()
        with locked(collector.path):
            known = collector.count_lines()
            say(panel.world, 100)
            # Longer than it takes to commit.
            assert (await collector.run("status")).code == 0
            assert collector.count_lines() == known
        await collector.until_right()
        assert await collector.send(signal.SIGTERM) == 0
    collector.check_numbers()
    collector.check()


@pytest.mark.slow
@pytest.mark.timeout(180)
async def test_a_lock_for_more_than_30_s_is_told_and_outlived(serving, collect, say, locked):
    async with serving() as panel:
        collector = collect(panel)
        await collector.start()
        await collector.until_joined()
        with locked(collector.path):
            say(panel.world, 100)
            told = "archive is locked by another process for more than 30 s"
            await collector.until(lambda: told in collector.said(), "the refusal", patience=60)
        await collector.until(lambda: "takes commits again" in collector.said(), "commits")
        await collector.until_right()
        assert await collector.send(signal.SIGTERM) == 0
    collector.check_numbers()
    collector.check()


@pytest.mark.slow
@pytest.mark.timeout(180)
async def test_an_archive_that_is_locked_at_the_start_is_told(serving, collect, locked):
    async with serving() as panel:
        collector = collect(panel)
        assert (await collector.run("ingest", "--once")).code == 0
        with locked(collector.path):
            refused = await collector.run("ingest", "--once")
        assert refused.code == 3
        assert refused.err.startswith("Error: archive is locked by another process")
        assert (await collector.run("ingest", "--once")).code == 0
    collector.check()


async def test_a_read_only_disk_is_told_and_nothing_is_changed(serving, collect, small_disk):
    async with serving() as panel:
        collector = collect(panel, small_disk / "data")
        assert (await collector.run("ingest", "--once")).code == 0
        requests = panel.world.counters.total("requests")
        before = collector.path.read_bytes()
        remount(small_disk, "ro")

        refused = await collector.run("ingest", "--once")
        assert (refused.code, refused.out) == (3, "")
        assert refused.err == (
            "Error: lock cannot be made: Read-only file system\n"
            f"  where: {collector.data_dir / 'collector.lock'}\n"
            "  do:    make the directory writable for this user\n"
        )
        assert panel.world.counters.total("requests") == requests
        assert collector.path.read_bytes() == before

        remount(small_disk, "rw")
        assert (await collector.run("ingest", "--once")).code == 0
    collector.check()


@pytest.mark.parametrize("mode", [0o500, 0o000])
async def test_a_directory_that_may_not_be_written_is_told_and_nothing_is_changed(
    serving, collect, mode
):
    async with serving() as panel:
        collector = collect(panel)
        assert (await collector.run("ingest", "--once")).code == 0
        before = collector.path.read_bytes()
        if os.geteuid() == 0:  # whom no mode stops, unless it gives that power up
            collector.program = (*WITHOUT_POWER, *collector.program)
        collector.data_dir.chmod(mode)

        refused = await collector.run("ingest", "--once")
        asked = await collector.run("status")
        collector.data_dir.chmod(0o700)
        assert (refused.code, refused.out) == (3, "")
        assert refused.err.startswith("Error: ")
        assert f"  where: {collector.data_dir}" in refused.err
        assert "for this user" in refused.err
        assert "Traceback" not in refused.err
        # SQLite's readers need a writable directory too, where no collector runs.
        assert (asked.code, asked.out) == (3, "")
        assert asked.err.startswith("Error: archive ")
        assert "accessible for this user" in asked.err or "writable for this user" in asked.err
        assert collector.path.read_bytes() == before

        assert (await collector.run("ingest", "--once")).code == 0
    collector.check()
