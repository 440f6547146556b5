"""What is recorded beside the lines, on both engines."""

import subprocess
import sys
from typing import Any

import pytest

from archiver.console.endings import Ending
from archiver.console.records import Connection, Run, StatsSample, StatusChange, StreamState
from archiver.store.rows import HeardRow, LifeRow, SampleRow

NOW = 1_780_000_000_000_000
SECOND = 1_000_000


@pytest.fixture
def server(writer, register):
    return register(writer, "u1")


@pytest.fixture
def other(writer, register):
    return register(writer, "u2")


def change(second: int, status: str, previous: str | None = None, **more: Any) -> StatusChange:
    plain = StatusChange(1, NOW + second * SECOND, None, status, previous, inferred=False)
    return plain._replace(**more)


def sample(second: int, **more: Any) -> StatsSample:
    plain = StatsSample(
        NOW + second * SECOND, 1, 500, 1_000, 12.5, 0, 0, 0, None, None, 1, "running"
    )
    return plain._replace(**more)


def test_an_empty_archive_has_no_history(reader):
    history = reader.history()
    assert history.lives() == history.changes(1) == history.heard(1, 0, NOW) == []


def test_changes_come_with_the_one_before(writer, reader, server, other, commit):
    given = [
        change(0, "running"),
        change(10, "offline", "running", earliest_at=NOW, inferred=True),
        change(20, "starting", "offline"),
    ]
    commit(writer, server, status_changes=given)
    commit(writer, other, status_changes=[change(5, "running")])

    def statuses(since: int | None = None, until: int | None = None) -> list[str]:
        first, last = (None if at is None else NOW + at * SECOND for at in (since, until))
        return [row.status for row in reader.history().changes(server, first, last)]

    assert statuses() == ["running", "offline", "starting"]
    assert statuses(since=-5) == ["running", "offline", "starting"]
    assert statuses(since=10) == ["running", "offline", "starting"]
    assert statuses(since=11) == ["offline", "starting"]
    assert statuses(since=99) == ["starting"]
    assert statuses(until=10) == ["running"]
    assert statuses(since=-9, until=0) == []
    row = reader.history().changes(server)[1]
    assert (row.server_id, row.run_id, row.at, row.earliest_at) == (
        server,
        1,
        NOW + 10 * SECOND,
        NOW,
    )
    assert (row.previous, row.inferred, row.identifier, row.server_name) == (
        "running",
        True,
        "u1",
        "Lobby u1",
    )


def test_what_was_heard_is_what_was_authenticated(writer, reader, server, other, commit):
    connections = [
        Connection(1, NOW, NOW + 1, NOW + 10),
        Connection(2, NOW + 20, None, NOW + 30),
        Connection(3, NOW + 40, NOW + 41),
    ]
    state = StreamState(last_frame_at=NOW + 50)
    commit(writer, server, connections=connections, state=state)
    commit(writer, other, connections=[Connection(4, NOW, NOW + 1, NOW + 10)])
    first, open_one = HeardRow(NOW + 1, NOW + 10, NOW + 50), HeardRow(NOW + 41, None, NOW + 50)

    heard = reader.history().heard
    assert heard(server, NOW, NOW + 99) == [first, open_one]
    assert heard(server, NOW + 10, NOW + 99) == [open_one]
    assert heard(server, NOW + 9, NOW + 41) == [first]
    assert heard(server, NOW + 9, NOW + 42) == [first, open_one]


def test_a_run_comes_with_its_neighbours_and_its_end(writer, reader, server, other, commit):
    ended = NOW + 10 * SECOND
    commit(
        writer,
        server,
        runs=[
            Run(1, NOW, "first", NOW - 5, ended, exit_code=1, out_of_memory=False),
            Run(3, NOW + 20 * SECOND, "status"),
            Run(4, NOW + 30 * SECOND, "status"),
        ],
        status_changes=[
            change(0, "running"),
            change(10, "offline", "running"),
            change(20, "starting", "offline", run_id=3),
            change(25, "stopping", "starting", run_id=3),
            # `offline` was dropped
            change(30, "starting", "stopping", run_id=4, earliest_at=NOW + 28 * SECOND),
        ],
    )
    commit(writer, other, runs=[Run(2, NOW + 5 * SECOND, "first")])

    lives = reader.history().lives()

    assert [life.id for life in lives] == [1, 2, 3, 4]
    assert lives[0] == LifeRow(
        id=1,
        server_id=server,
        first_seen_at=NOW,
        noticed="first",
        started_at=NOW - 5,
        ended_at=ended,
        exit_code=1,
        out_of_memory=False,
        previous_at=None,
        next_at=NOW + 20 * SECOND,
        last_status="running",
        absent_since=None,
        identifier="u1",
        server_name="Lobby u1",
    )
    assert (lives[0].began_at, lives[0].over_at, lives[0].ending) == (
        NOW - 5,
        ended,
        Ending.CRASHED,
    )
    assert (lives[1].next_at, lives[1].over_at, lives[1].ending) == (None, None, None)
    third = lives[2]
    assert (third.previous_at, third.next_at) == (NOW, NOW + 30 * SECOND)
    assert (third.last_status, third.absent_since) == ("stopping", NOW + 28 * SECOND)
    assert (third.began_at, third.over_at) == (NOW + 20 * SECOND, NOW + 30 * SECOND)
    assert third.ending is Ending.STOPPED
    assert lives[3].ending is None
    assert [life.id for life in reader.history().lives([server])] == [1, 3, 4]
    assert reader.history().lives([]) == []


def test_the_last_sample_is_of_a_process_that_lived(writer, reader, server, commit):
    commit(
        writer,
        server,
        runs=[
            Run(1, NOW, "first", ended_at=NOW + 10 * SECOND),
            Run(2, NOW + 20 * SECOND, "status"),
            Run(3, NOW + 30 * SECOND, "status"),
        ],
        stats_samples=[
            sample(1),
            sample(9, memory_bytes=900),
            sample(10, memory_bytes=0, cpu_absolute=0.0, state="offline"),
            sample(11, memory_bytes=0, state=None),
            sample(21, run_id=2, memory_bytes=7, state=None),
        ],
    )
    first, second, third = reader.history().lives()

    found = reader.history().last_sample(first)
    assert found == SampleRow(NOW + 9 * SECOND, 900, 1_000, 12.5)
    assert reader.history().last_sample(second) == SampleRow(NOW + 21 * SECOND, 7, 1_000, 12.5)
    assert reader.history().last_sample(third) is None


def test_a_place_near_the_end_of_a_run_is_found_by_time(writer, reader, server, line, commit):
    commit(
        writer,
        server,
        runs=[
            Run(1, NOW, "first", ended_at=NOW + 10),
            Run(2, NOW + 20, "status", ended_at=NOW + 30),
            Run(3, NOW + 40, "status"),
        ],
        lines=[
            line(-9, run_id=1, at=NOW - 10**12),  # replayed: printed long before it was seen
            line(1, run_id=1),
            line(12, run_id=1),  # its output ends behind its end
            line(22, run_id=2),
        ],
    )
    first, second, third = reader.history().lives()

    assert reader.history().seq_near_end(first) == 12
    assert reader.history().seq_near_end(second) == 22
    assert reader.history().seq_near_end(third) is None


def test_reading_history_needs_no_sqlalchemy(writer, archive_url):
    if archive_url.startswith("postgresql"):
        pytest.skip("its driver is another matter")
    script = (
        "import sys; from archiver.store.reads import Reader\n"
        "with Reader.open(sys.argv[1]) as reader: reader.history().lives()\n"
        "print([name for name in ('sqlalchemy', 'alembic') if name in sys.modules])"
    )
    command = [sys.executable, "-c", script, archive_url]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "[]\n"
