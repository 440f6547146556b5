import os
import signal
import stat
import subprocess
import sys

import pytest

from archiver import errors
from archiver.store import refusals
from archiver.store.location import parse
from archiver.store.lock import CollectorLock
from archiver.store.writer import Writer

HOLDER = """
import sys, time
from pathlib import Path
from archiver.store.writer import Writer

writer = Writer.open(sys.argv[1], Path(sys.argv[2]), now=1_780_000_000_000_000)
print("open", flush=True)
time.sleep(600)
"""


@pytest.fixture
def holder(archive_url, tmp_path):
    """Another process that records into the archive, from another directory."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, archive_url, str(tmp_path / "data")],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        yield process
        process.kill()


def test_second_collector_is_told_who_records(holder, archive_url, tmp_path, now):
    with pytest.raises(errors.CollectorRunningError) as caught:
        Writer.open(archive_url, tmp_path / "data", now=now)

    for part in (f"process {holder.pid}", repr(os.uname().nodename), "2026-05-28T20:26:40Z"):
        assert part in caught.value.what
    assert caught.value.where == str(parse(archive_url))


def test_killed_collector_makes_room_for_the_next(holder, archive_url, tmp_path, now):
    holder.send_signal(signal.SIGKILL)
    holder.wait()

    for _ in range(1000):  # PostgreSQL notices when it next looks at the socket
        try:
            Writer.open(archive_url, tmp_path / "data", now=now).close()
        except errors.CollectorRunningError:
            assert archive_url.startswith("postgresql")
        else:
            return
    pytest.fail("the lock was never given back")


def test_collectors_of_one_postgresql_in_two_directories_see_each_other(
    postgresql_url, tmp_path, now
):
    with (
        Writer.open(postgresql_url, tmp_path / "one", now=now),
        pytest.raises(errors.CollectorRunningError, match=f"process {os.getpid()}"),
    ):
        Writer.open(postgresql_url, tmp_path / "two", now=now)
    Writer.open(postgresql_url, tmp_path / "two", now=now).close()


def test_lock_before_there_is_an_archive_still_holds(tmp_path):
    where = parse(f"sqlite:///{tmp_path}/archive.db")
    first = CollectorLock(tmp_path / "data", where)

    with pytest.raises(errors.CollectorRunningError, match="another collector"):
        CollectorLock(tmp_path / "data", where)
    (tmp_path / "archive.db").touch()  # the first has got no further
    with pytest.raises(errors.CollectorRunningError, match="another collector"):
        CollectorLock(tmp_path / "data", where)
    first.release()
    CollectorLock(tmp_path / "data", where).release()


def test_data_directory_and_lock_are_private(tmp_path):
    old = os.umask(0)
    try:
        CollectorLock(tmp_path / "data", parse("sqlite:////srv/archive.db")).release()
    finally:
        os.umask(old)

    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "data" / "collector.lock").stat().st_mode) == 0o600


def test_data_directory_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(refusals.RefusedError, match="lock cannot be made: its directory is a file"):
        CollectorLock(tmp_path / "file", parse("sqlite:////srv/archive.db"))
