"""One transaction's worth, row by row as the tables hold it."""

from contextlib import closing

import pytest
import sqlalchemy.exc
from sqlalchemy import event

from archiver.console.records import (
    AtKind,
    Connection,
    Event,
    Flag,
    Frame,
    Gap,
    Records,
    Run,
    Source,
    StatsSample,
    StatusChange,
    StreamState,
)
from archiver.store import refusals, tables, writes
from archiver.store.database import Database
from archiver.store.location import parse
from archiver.store.session import Session

NOW = 1_780_000_000_000_000


@pytest.fixture
def server(writer, register):
    return register(writer)


@pytest.fixture
def stored(archive_url):
    """All rows of a table, or these columns of it, in the order of its key."""
    with closing(Session.open(parse(archive_url))) as session:

        def rows(table, *columns):
            names = ", ".join(columns or tables.metadata.tables[table].columns.keys())
            key = ", ".join(tables.metadata.tables[table].primary_key.columns.keys())
            return session.rows(f"SELECT {names} FROM {table} ORDER BY {key}")

        yield rows


def test_every_value_of_a_line_is_stored_as_given(writer, server, commit, line, stored):
    given = line(
        -(2**40),
        run_id=3,
        source=Source.REPLAY,
        at_kind=AtKind.BEFORE,
        observed_at=NOW + 1,
        earliest_at=NOW - 1,
        timestamp=NOW - 2,
        level=9,
        thread="Server thread",
        flags=Flag.UNCERTAIN | Flag.PARTIAL,
        connection_id=4,
        text="naïve 日本 \U0001f600 %s ? :x",
        raw="\x1b[31mnaïve\x1b[0m",
    )

    batch = commit(writer, server, lines=[given, line(0)])

    columns = ("id", "server_id", "batch", *given._fields)
    assert stored("lines", *columns) == [
        (1, server, batch, *given),
        (2, server, batch, *line(0)),
    ]


def test_ids_of_lines_follow_the_order_of_commit(writer, register, commit, line, stored):
    first, second = register(writer, "u1"), register(writer, "u2")
    writer.commit(
        [
            Records(second, StreamState(), [line(30), line(10)]),
            Records(first, StreamState(), [line(10)]),
        ]
    )
    commit(writer, second, lines=[line(20)])

    assert stored("lines", "id", "batch", "server_id", "seq") == [
        (1, 1, second, 30),
        (2, 1, second, 10),
        (3, 1, first, 10),
        (4, 2, second, 20),
    ]


def test_seq_that_is_taken_is_an_error_and_nothing_is_written(writer, server, commit, line, stored):
    commit(writer, server, lines=[line(10)])

    with pytest.raises(sqlalchemy.exc.IntegrityError) as caught:
        commit(writer, server, lines=[line(20), line(10, text="another")])
    assert "another" not in str(caught.value)
    assert stored("lines", "seq") == [(10,)]


def test_rows_with_an_id_replace_what_was_stored_under_it(writer, server, commit, stored):
    run = Run(writer.next_run_id(), NOW, "starting")
    connection = Connection(writer.next_connection_id(), NOW)
    gap = Gap(writer.next_gap_id(), 10, None, None, NOW, "reconnect after 148 s", 1, None)
    event = Event(writer.next_event_id(), NOW, "backup completed", "[]", connection.id)
    rows = {"runs": [run], "connections": [connection], "gaps": [gap], "events": [event]}
    commit(writer, server, **rows)
    before = {name: stored(name) for name in rows}

    run.started_at, run.ended_at, run.exit_code, run.out_of_memory = NOW - 5, NOW + 9, 137, True
    connection.authenticated_at, connection.closed_at = NOW + 1, NOW + 9
    connection.close_code, connection.close_reason, connection.lines_live = 1006, "lost", 7
    gap.before_seq, gap.from_at, gap.upper, gap.expected = 20, NOW - 9, 150, 3
    gap.run_id, gap.closed_at = run.id, NOW + 10
    event.count, event.last_at = 2, NOW + 3
    commit(writer, server, **rows)

    assert before == {
        "runs": [(1, server, NOW, "starting", None, None, None, None)],
        "connections": [(1, server, NOW, None, None, None, None, 0, 0, 0, 0)],
        "gaps": [
            (1, server, None, 10, None, None, NOW, "reconnect after 148 s", 1, None, None, None)
        ],
        "events": [(1, server, NOW, "backup completed", "[]", 1, 1, None)],
    }
    assert {name: stored(name) for name in rows} == {
        "runs": [(1, server, NOW, "starting", NOW - 5, NOW + 9, 137, True)],
        "connections": [(1, server, NOW, NOW + 1, NOW + 9, 1006, "lost", 7, 0, 0, 0)],
        "gaps": [
            (1, server, 1, 10, 20, NOW - 9, NOW, "reconnect after 148 s", 1, 150, 3, NOW + 10)
        ],
        "events": [(1, server, NOW, "backup completed", "[]", 1, 2, NOW + 3)],
    }


def test_status_changes_and_stats_samples_are_stored(writer, server, commit, stored):
    sample = StatsSample(NOW, 1, 2**40, 2**41, 250.5, 1, 2, 3, None, None, 60_000, "running")
    commit(
        writer,
        server,
        status_changes=[
            StatusChange(None, NOW, None, "starting", None, inferred=False),
            StatusChange(1, NOW + 1, NOW, "running", "starting", inferred=True),
        ],
        stats_samples=[sample],
    )

    assert stored("status_changes") == [
        (1, server, None, NOW, None, "starting", None, False),
        (2, server, 1, NOW + 1, NOW, "running", "starting", True),
    ]
    columns = ("server_id", *StatsSample._fields)
    assert stored("stats_samples", *columns) == [(server, *sample)]


def test_two_samples_of_one_microsecond_do_not_stop_the_recording(writer, server, commit, stored):
    sample = StatsSample(NOW, None, 1, 2, 0.5, 3, 4, 5, None, None, None, None)
    commit(writer, server, stats_samples=[sample, sample._replace(memory_bytes=9)])

    assert stored("stats_samples", "at", "memory_bytes") == [(NOW, 9)]


def test_stored_lines_move_to_the_run_they_turn_out_to_be_of(
    writer, register, commit, line, stored
):
    server, other = register(writer, "u1"), register(writer, "u2")
    commit(writer, server, lines=[line(10, run_id=1), line(20, run_id=1)])
    commit(writer, other, lines=[line(20, run_id=1)])

    commit(writer, server, moved=[(20, 2)])

    assert stored("lines", "server_id", "seq", "run_id") == [
        (server, 10, 1),
        (server, 20, 2),
        (other, 20, 1),
    ]


def test_resolved_journal_is_emptied_before_new_frames_come_in(
    writer, register, server, commit, stored
):
    other = register(writer, "u2")
    old, new = Frame(1, False, NOW, "{old}"), Frame(1, True, NOW + 1, "{new}")
    commit(writer, other, frames=[old])
    commit(writer, server, frames=[old, old])
    commit(writer, server, frames=[new])
    before = stored("frames", "server_id", "frame")

    commit(writer, server, frames=[new], frames_done=True)

    assert before == [(other, "{old}"), (server, "{old}"), (server, "{old}"), (server, "{new}")]
    assert stored("frames") == [
        (1, other, 1, False, NOW, "{old}"),
        (5, server, 1, True, NOW + 1, "{new}"),
    ]


def test_state_of_a_stream_is_the_last_one_given(writer, server, commit, stored):
    commit(writer, server, state=StreamState(next_seq=10))
    commit(writer, server, state=StreamState(20, 1, 5, 150, 0.25, NOW))

    assert stored("streams") == [(server, 20, 1, 5, 150, 0.25, NOW, None)]


def test_who_has_the_counters_keeps_other_writers_of_postgresql_waiting(postgresql_url):
    first, second = Database.open(postgresql_url), Database.open(postgresql_url)

    def load_without_waiting() -> None:
        with second.begin() as other:
            other.exec_driver_sql("SET LOCAL lock_timeout = '10ms'")
            writes.load_counters(other)

    with first.begin() as connection:
        writes.load_counters(connection)
        with pytest.raises(refusals.RefusedError, match="locked"):
            load_without_waiting()
    with second.begin() as other:
        assert writes.load_counters(other)["line"] == 0
    first.close()
    second.close()


def test_rows_go_in_few_statements_however_many_they_are(sqlite_url):
    """At each statement the event loop may take the interpreter's lock."""
    database = Database.open(sqlite_url)
    table = writes.Insert("counters", ("name", "value"))
    statements: list[str] = []
    with database.begin() as connection:
        event.listen(
            connection, "before_cursor_execute", lambda *given: statements.append(given[2])
        )
        writes.insert(connection, table, [(f"n{number}", number) for number in range(1_023)])
        stored = writes.fetch(connection, "SELECT count(*) FROM counters WHERE name LIKE 'n%'")
    database.close()
    assert stored[0][0] == 1_023
    assert len([text for text in statements if text.startswith("INSERT")]) == 10
