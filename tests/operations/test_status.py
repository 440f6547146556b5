import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from archiver.operations.status import Status, read_status
from archiver.store.reads import Reader
from archiver.store.rows import CollectorRow
from archiver.store.writer import Writer

NOW = 1_795_096_800_000_000


@pytest.fixture
def asking(sqlite_url: str) -> Callable[[], Status]:
    def ask() -> Status:
        with Reader.open(sqlite_url) as reader:
            return read_status(reader, today=NOW)

    return ask


def test_a_collector_that_runs_is_recording(asking, sqlite_url, tmp_path):
    with Writer.open(sqlite_url, tmp_path / "data", now=NOW) as writer:
        writer.register(
            panel_origin="o",
            panel_name="p",
            uuid="u",
            identifier="i",
            name="n",
            node="node1",
            seen_at=NOW,
        )
        status = asking()
        assert (status.is_alive, status.is_recording) == (True, True)
        assert status.collector is not None
        assert status.collector.pid == os.getpid()
        assert [row.identifier for row in status.servers] == ["i"]
    ended = asking()
    assert (ended.collector, ended.is_alive, ended.is_recording) == (None, None, False)


def test_a_collector_that_was_killed_is_not(asking, sqlite_url, tmp_path):
    code = (
        "import os, sys; from pathlib import Path; from archiver.store.writer import Writer;"
        "Writer.open(sys.argv[1], Path(sys.argv[2]), now=1); os._exit(9)"
    )
    command = [sys.executable, "-c", code, sqlite_url, str(tmp_path / "data")]
    assert subprocess.run(command, check=False, timeout=20).returncode == 9
    status = asking()
    assert status.collector is not None
    assert (status.is_alive, status.is_recording) == (False, False)


@pytest.mark.parametrize(("is_alive", "is_recording"), [(True, True), (False, False), (None, True)])
def test_one_on_another_host_is_believed(is_alive, is_recording):
    status = Status(CollectorRow(1, "elsewhere", NOW), is_alive, [])
    assert status.is_recording is is_recording


def test_another_user_s_process_is_alive(monkeypatch, asking, sqlite_url, tmp_path):
    def refuse(pid: int, number: int) -> None:
        raise PermissionError

    with Writer.open(sqlite_url, Path(tmp_path / "data"), now=NOW):
        monkeypatch.setattr("os.kill", refuse)
        assert asking().is_alive is True
