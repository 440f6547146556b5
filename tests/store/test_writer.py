"""The life of a collector's write side: numbers, restart, refusals, retries, kills."""

import resource
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from archiver import errors
from archiver.console.records import Connection, Records, Run, StreamState
from archiver.store import refusals
from archiver.store.location import parse
from archiver.store.reads import LineFilter, Reader
from archiver.store.session import Session
from archiver.store.writer import Writer


def seqs(writer: Writer) -> list[int]:
    with closing(Session.open(writer._database.location)) as session:
        return [seq for (seq,) in session.rows("SELECT seq FROM lines ORDER BY seq")]


def path_of(url: str) -> Path:
    path = parse(url).path
    assert path is not None
    return path


@pytest.fixture
def sqlite_writer(sqlite_url, tmp_path, now):
    with Writer.open(sqlite_url, tmp_path / "data", now=now) as writer:
        yield writer


@pytest.fixture
def postgresql_writer(postgresql_url, tmp_path, now):
    with Writer.open(postgresql_url, tmp_path / "data", now=now) as writer:
        yield writer


@pytest.fixture
def refuse_commit(monkeypatch):
    """Let the next COMMIT fail: before it arrives, or only its answer is lost."""

    def refuse(writer, *, arrived):
        dialect = writer._database.engine.dialect
        real = dialect.do_commit

        def fail(connection):
            monkeypatch.undo()
            if arrived:
                real(connection)
            if dialect.name == "postgresql":
                raise psycopg.OperationalError("the answer is lost")
            exc = sqlite3.OperationalError("the answer is lost")
            exc.sqlite_errorcode = sqlite3.SQLITE_IOERR
            raise exc

        monkeypatch.setattr(dialect, "do_commit", fail)

    return refuse


def insist(writer: Writer, batch: list[Records]) -> int:
    """Commit as the recorder does: PostgreSQL may not have noticed yet that a session is lost."""
    while True:
        try:
            return writer.commit(batch)
        except refusals.RefusedError as refused:
            if "the collector's lock" not in refused.what:
                raise


# --- opening and closing


def test_first_collector_makes_the_archive(tmp_path, empty_postgresql_url, now):
    for url in (f"sqlite:///{tmp_path}/new/archive.db", empty_postgresql_url):
        with Writer.open(url, tmp_path / "data", now=now), Reader.open(url) as reader:
            assert reader.last_batch() == 0


def test_archive_of_another_revision_is_refused_and_left_alone(archive_url, open_writer):
    writer = open_writer()
    with writer._database.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0000'")
    writer.close()

    with pytest.raises(errors.SchemaOutOfDateError, match="'0000'"):
        open_writer()


def test_collector_is_named_while_it_records(open_writer, archive_url, now):
    writer = open_writer()
    with Reader.open(archive_url) as reader:
        during = reader.collector()
        writer.close()
        writer.close()

        assert during is not None
        assert during.since == now
        assert reader.collector() is None


def test_refused_opening_gives_the_lock_back(open_writer, archive_url, tmp_path, now):
    with pytest.raises(errors.ConfigError):
        Writer.open("mysql://", tmp_path / "data", now=now)
    with pytest.raises(refusals.RefusedError):
        Writer.open(f"postgresql:///x?host={tmp_path}", tmp_path / "data", now=now)

    open_writer()


def test_connections_that_a_dead_collector_left_open_are_closed(
    open_writer, register, commit, archive_url, now
):
    writer = open_writer()
    heard, silent = register(writer, "u1"), register(writer, "u2")
    ended = Connection(writer.next_connection_id(), now, closed_at=now + 1, close_reason="lost")
    lost = Connection(writer.next_connection_id(), now + 5, authenticated_at=now + 6)
    commit(writer, heard, state=StreamState(last_frame_at=now + 9), connections=[ended, lost])
    never = Connection(writer.next_connection_id(), now + 5)
    commit(writer, silent, state=StreamState(last_frame_at=now + 2), connections=[never])
    writer._database.close()
    writer._lock.release()  # as the kernel does
    writer._closed = True

    open_writer()

    with Reader.open(archive_url) as reader:
        assert [(row.id, row.closed_at, row.close_reason) for row in reader.connections()] == [
            (ended.id, now + 1, "lost"),
            (lost.id, now + 9, "collector ended"),
            (never.id, now + 5, "collector ended"),
        ]


# --- numbers


def test_numbers_go_on_where_the_last_collector_committed(open_writer, register, commit, now):
    writer = open_writer()
    server = register(writer)
    assert [writer.next_run_id() for _ in range(3)] == [1, 2, 3]
    writer.next_connection_id()
    writer.next_gap_id()
    writer.next_event_id()
    commit(writer, server, runs=[Run(1, now, "first")])
    writer.next_run_id()  # never committed
    writer.close()

    writer = open_writer()

    assert writer.next_run_id() == 4
    assert (writer.next_connection_id(), writer.next_gap_id(), writer.next_event_id()) == (2, 2, 2)


def test_batches_have_no_gap_and_ids_are_not_used_again(
    open_writer, register, commit, line, archive_url
):
    writer = open_writer()
    server = register(writer)
    batches = [commit(writer, server, lines=[line(seq)]) for seq in (10, 20)]
    with writer._database.begin() as connection:
        connection.exec_driver_sql("DELETE FROM lines")
    writer.close()
    writer = open_writer()
    batches.append(commit(writer, server, lines=[line(30)]))

    assert batches == [1, 2, 3]
    with Reader.open(archive_url) as reader:
        assert reader.last_batch() == 3
        assert [found.id for found in reader.lines(LineFilter(), limit=9)] == [3]


# --- servers


def test_server_keeps_its_number_whatever_else_changes(open_writer, register, archive_url, now):
    writer = open_writer()
    first = register(writer, "u1", name="Lobby", node="node1", identifier="abc")
    again = register(writer, "u1", name="Hub", node="node2", identifier="abd", seen_at=now + 5)
    writer.close()
    writer = open_writer()
    restarted = register(writer, "u1", name="Hub", node="node2", identifier="abd", seen_at=now + 9)

    assert first == again == restarted
    with Reader.open(archive_url) as reader:
        assert [row[1:] for row in reader.servers()] == [
            ("main", "abd", "u1", "Hub", "node2", now, now + 5, None)
        ]


def test_name_that_no_database_takes_is_stored_without_what_it_refuses(writer, register, reader):
    register(writer, "u1", name="a\0b\ud800c", node="n\0")

    found = reader.servers()[0]
    assert (found.name, found.node) == ("a\u2400b\ufffdc", "n\u2400")


def test_same_uuid_on_two_panels_is_two_servers(writer, register):
    here = register(writer, "u1", panel_origin="https://a.example")
    there = register(writer, "u1", panel_origin="https://b.example")

    assert here != there


def test_renamed_panel_stays_the_same(writer, register, reader):
    register(writer, "u1", panel_name="old")
    register(writer, "u1", panel_name="new")
    register(writer, "u2", panel_name="new")

    assert [row.panel for row in reader.servers()] == ["new", "new"]


def test_unchanged_server_is_only_seen_again_with_the_next_commit(
    open_writer, register, archive_url, now
):
    writer = open_writer()
    server = register(writer)
    writer.close()
    writer = open_writer()
    register(writer, seen_at=now + 7)
    with Reader.open(archive_url) as reader:
        before = reader.servers()[0].last_seen_at
        writer.commit([Records(server, StreamState())])

        assert (before, reader.servers()[0].last_seen_at) == (now, now + 7)


def test_deleted_server_is_marked_until_it_is_listed_again(writer, register, reader, now):
    server = register(writer)
    writer.mark_deleted(server, now + 5)
    gone = reader.servers()[0].deleted_at
    listed = reader.servers(deleted=False)

    assert register(writer, seen_at=now + 9) == server
    assert (gone, listed, reader.servers()[0].deleted_at) == (now + 5, [], None)


# --- refusals and retries


@pytest.mark.parametrize("arrived", [True, False])
def test_commit_whose_answer_was_lost_is_written_once(
    writer, register, line, refuse_commit, arrived
):
    server = register(writer)
    first = [Records(server, StreamState(), [line(10)])]
    refuse_commit(writer, arrived=arrived)

    with pytest.raises(refusals.RefusedError) as caught:
        writer.commit(first)
    with_answer = seqs(writer)
    number = insist(writer, first)
    following = writer.commit([Records(server, StreamState(), [line(20)])])

    assert caught.value.retryable
    assert with_answer == ([10] if arrived else [])
    assert (number, following) == (1, 2)
    assert seqs(writer) == [10, 20]


def test_two_lost_answers_in_a_row_are_told_apart(writer, register, line, refuse_commit):
    server = register(writer)
    batch = [Records(server, StreamState(), [line(10)])]
    for arrived in (False, True):
        refuse_commit(writer, arrived=arrived)
        with pytest.raises(refusals.RefusedError):
            insist(writer, batch)

    assert insist(writer, batch) == 1
    assert seqs(writer) == [10]


def test_somebody_else_who_records_is_noticed(writer, register, commit, line):
    server = register(writer)
    commit(writer, server, lines=[line(10)])
    with writer._database.begin() as connection:
        connection.exec_driver_sql("UPDATE counters SET value = value + 1 WHERE name = 'commit'")

    with pytest.raises(refusals.RefusedError, match="somebody else") as caught:
        commit(writer, server, lines=[line(20)])
    assert not caught.value.retryable


def test_batches_and_lines_of_an_import_in_between_are_taken_into_account(
    writer, register, commit, line, reader
):
    server = register(writer)
    commit(writer, server, lines=[line(10)])
    with writer._database.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE counters SET value = value + 5 WHERE name IN ('batch', 'line')"
        )

    assert commit(writer, server, lines=[line(20)]) == 7
    assert [row.id for row in reader.lines(LineFilter(), limit=9)] == [1, 7]


def test_recording_goes_on_when_a_full_disk_has_space_again(sqlite_writer, register, line):
    server = register(sqlite_writer)
    batch = [Records(server, StreamState(), [line(seq, text="x" * 500) for seq in range(99)])]

    def limit(connection, _record=None):
        connection.execute("PRAGMA max_page_count = 1")  # no more than there are

    engine = sqlite_writer._database.engine
    sa.event.listen(engine, "connect", limit)
    sqlite_writer._database.close()
    for _ in range(3):
        with pytest.raises(refusals.RefusedError, match="disk is full") as caught:
            sqlite_writer.commit(batch)
        assert caught.value.retryable
    nothing = seqs(sqlite_writer)
    sa.event.remove(engine, "connect", limit)

    assert sqlite_writer.commit(batch) == 1
    assert (nothing, seqs(sqlite_writer)) == ([], list(range(99)))


def test_recording_goes_on_after_a_write_error(sqlite_writer, register, line):
    server = register(sqlite_writer)
    batch = [Records(server, StreamState(), [line(seq, text="x" * 50_000) for seq in range(99)])]
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, old[1]))
    try:
        with pytest.raises(refusals.RefusedError, match="I/O error") as caught:
            sqlite_writer.commit(batch)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)

    assert caught.value.retryable
    assert sqlite_writer.commit(batch) == 1
    assert seqs(sqlite_writer) == list(range(99))


def test_deleted_archive_is_fatal(sqlite_writer, register, commit, line, sqlite_url):
    server = register(sqlite_writer)
    commit(sqlite_writer, server, lines=[line(10)])
    path = path_of(sqlite_url)
    path.rename(path.with_name("elsewhere"))

    with pytest.raises(refusals.RefusedError, match="moved or deleted") as caught:
        commit(sqlite_writer, server, lines=[line(20)])
    assert not caught.value.retryable
    path.with_name("elsewhere").rename(path)


def test_recording_goes_on_over_a_new_connection_to_postgresql(
    postgresql_writer, register, commit, line, postgresql_url
):
    server = register(postgresql_writer)
    commit(postgresql_writer, server, lines=[line(10)])
    with psycopg.connect(postgresql_url, autocommit=True) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_locks WHERE locktype = 'advisory'"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
    batch = [Records(server, StreamState(), [line(20)])]
    with pytest.raises(refusals.RefusedError) as caught:
        postgresql_writer.commit(batch)

    assert caught.value.retryable
    assert postgresql_writer.commit(batch) == 2
    assert seqs(postgresql_writer) == [10, 20]


def test_lock_that_a_lost_session_still_holds_is_waited_for(
    postgresql_writer, register, commit, line
):
    server = register(postgresql_writer)
    database = postgresql_writer._database
    lost, database._connection = database._connection, None
    with pytest.raises(refusals.RefusedError, match="another session") as caught:
        commit(postgresql_writer, server, lines=[line(10)])
    lost.close()

    assert caught.value.retryable
    assert commit(postgresql_writer, server, lines=[line(10)]) == 1


# --- kills

COLLECTOR = """
import sys
from pathlib import Path
from archiver.console.records import Line, Records, StreamState
from archiver.store.writer import Writer

writer = Writer.open(sys.argv[1], Path(sys.argv[2]), now=1)
server = writer.register(
    panel_origin="https://panel.example", panel_name="main", uuid="u1", identifier="u1",
    name="Lobby", node="node1", seen_at=1,
)
state = writer.load_stream(server).state
while True:
    lines = [
        Line(seq, None, 1, seq, 1, seq, None, None, None, None, 0, None, "x" * 90, None)
        for seq in range(state.next_seq, state.next_seq + 500)
    ]
    state.next_seq += 500
    print(writer.commit([Records(server, state, lines)]), state.next_seq, flush=True)
"""


@pytest.mark.parametrize(
    "kills", [5, pytest.param(50, marks=[pytest.mark.slow, pytest.mark.timeout(600)])]
)
def test_whatever_a_killed_collector_reported_as_committed_is_there(sqlite_url, tmp_path, kills):
    reported = [0, 0]
    for kill in range(kills):
        with subprocess.Popen(
            [sys.executable, "-c", COLLECTOR, sqlite_url, str(tmp_path / "data")],
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            for _ in range(3 + kill % 5):
                reported = [int(word) for word in process.stdout.readline().split()]
            process.send_signal(signal.SIGKILL)
            for row in process.stdout:  # committed before the signal arrived
                if row.endswith("\n"):
                    reported = [int(word) for word in row.split()]

    assert process.returncode == -signal.SIGKILL
    with closing(sqlite3.connect(path_of(sqlite_url))) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    with closing(Session.open(parse(sqlite_url))) as session:
        batches = session.rows("SELECT batch, count(*) FROM lines GROUP BY batch ORDER BY batch")
        least, largest, stored = session.rows("SELECT min(seq), max(seq), count(*) FROM lines")[0]
    last, next_seq = reported
    assert len(batches) - last in {0, 1}  # one may have been committed but not reported
    assert batches == [(number, 500) for number in range(1, len(batches) + 1)]
    assert (least, largest) == (0, stored - 1)
    assert stored - next_seq in {0, 500}
