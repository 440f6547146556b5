"""What a new collector finds of a stream."""

import pytest

from archiver.console.lines import comparison_key, hash_key
from archiver.console.records import Frame, Gap, Run, StatusChange, StreamState
from archiver.store.database import Database
from archiver.store.streams import TAIL_LINES, StoredStream, TailLine, keep_keys, unpack_keys


def test_unknown_stream_is_empty(writer, register):
    assert writer.load_stream(register(writer)) == StoredStream(
        StreamState(), [], [], None, None, []
    )


def test_everything_is_found_again(open_writer, register, commit, line, now):
    writer = open_writer()
    server = register(writer)
    state = StreamState(65536, 1, 5, 150, 0.25, now)
    run = Run(writer.next_run_id(), now, "uptime", now - 5)
    gap = Gap(writer.next_gap_id(), None, None, None, now, "recording began", 0, None, run_id=1)
    frames = [Frame(1, True, now, "{1}"), Frame(2, False, now + 1, "{2}")]
    changes = [
        StatusChange(None, now, None, "starting", None, inferred=False),
        StatusChange(1, now + 2, now, "running", "starting", inferred=True),
        StatusChange(1, now + 1, now, "stopping", "starting", inferred=True),
    ]
    commit(
        writer,
        server,
        state=state,
        lines=[line(20, raw="\x1b[0mb"), line(10, run_id=1, source=2)],
        runs=[run],
        gaps=[gap],
        frames=frames,
        status_changes=changes,
    )
    writer.close()

    assert open_writer().load_stream(server) == StoredStream(
        state,
        [
            TailLine(10, 2, 1, now + 10, "line 10"),
            TailLine(20, 1, None, now + 20, "\x1b[0mb"),
        ],
        frames,
        ("running", now + 2),
        run,
        [gap],
    )


def test_flags_and_yes_and_no_are_of_their_own_type(writer, register, commit, now):
    server = register(writer)
    run = Run(writer.next_run_id(), now, "first", out_of_memory=False)
    commit(
        writer,
        server,
        state=StreamState(run_id=run.id),
        runs=[run],
        frames=[Frame(1, True, now, "{}")],
    )

    stream = writer.load_stream(server)

    assert stream.run.out_of_memory is False
    assert stream.frames[0].asked is True


def test_tail_is_the_end_of_this_stream_alone(writer, register, commit, line):
    server, other = register(writer, "u1"), register(writer, "u2")
    commit(writer, server, lines=[line(seq) for seq in range(TAIL_LINES + 50)])
    commit(writer, other, lines=[line(10**9)])

    tail = writer.load_stream(server).tail

    assert [found.seq for found in tail] == list(range(50, TAIL_LINES + 50))


def test_run_whose_end_was_seen_is_not_the_current_one(writer, register, commit, now):
    server = register(writer)
    run = Run(writer.next_run_id(), now, "first", ended_at=now + 1)
    commit(writer, server, state=StreamState(run_id=run.id), runs=[run])

    assert writer.load_stream(server).run is None


def test_gaps_that_a_replay_can_still_close_are_found(writer, register, commit, line, now):
    server, other = register(writer, "u1"), register(writer, "u2")

    def gap(before_seq: int | None, closed_at: int | None = None) -> Gap:
        return Gap(
            writer.next_gap_id(), 0, before_seq, None, now, "x", 0, None, closed_at=closed_at
        )

    behind_the_tail, closed = gap(49), gap(60, now)
    in_the_tail, open_ended = gap(50), gap(None)
    commit(
        writer,
        server,
        lines=[line(seq) for seq in range(TAIL_LINES + 50)],
        gaps=[open_ended, in_the_tail, behind_the_tail, closed],
    )
    commit(writer, other, gaps=[gap(None)])

    assert writer.load_stream(server).gaps == [in_the_tail, open_ended]


@pytest.fixture
def delete(archive_url):
    """Keep a stream's keys and delete its rows from a seq on, as one transaction."""

    def delete_from(server_id: int, seq: int) -> None:
        database = Database.open(archive_url)
        with database.begin() as connection:
            keep_keys(connection, server_id)
            connection.exec_driver_sql(
                f"DELETE FROM lines WHERE server_id = {server_id} AND seq >= {seq}"
            )
        database.close()

    return delete_from


def gone(line) -> TailLine:
    """What is left of a line whose row was deleted."""
    raw = line.text if line.raw is None else line.raw
    key = hash_key(comparison_key(raw))
    return TailLine(line.seq, line.source, line.run_id, line.observed_at, None, key)


def kept(line) -> TailLine:
    raw = line.text if line.raw is None else line.raw
    return TailLine(line.seq, line.source, line.run_id, line.observed_at, raw)


def test_keys_of_deleted_lines_stay_among_the_rows(writer, register, commit, line, delete):
    server, other = register(writer, "u1"), register(writer, "u2")
    lines = [
        line(10),
        line(20, run_id=2**40, source=2, text="red", raw="\x1b[31mred \r\n"),
        line(30, source=4),
    ]
    commit(writer, server, lines=lines)
    commit(writer, other, lines=lines)

    delete(server, 20)
    commit(writer, server, lines=[line(25), line(40)])

    assert writer.load_stream(server).tail == [
        kept(lines[0]),
        gone(lines[1]),
        kept(line(25)),
        gone(lines[2]),
        kept(line(40)),
    ]
    assert writer.load_stream(other).tail == [kept(stored) for stored in lines]


def test_imported_lines_are_nothing_that_a_replay_shows(writer, register, commit, line, delete):
    server = register(writer)
    lines = [line(-5, source=7), line(10), line(15, source=7), line(20)]
    commit(writer, server, lines=lines)

    assert writer.load_stream(server).tail == [kept(lines[1]), kept(lines[3])]
    delete(server, -9)
    assert writer.load_stream(server).tail == [gone(lines[1]), gone(lines[3])]


def test_keys_are_merged_with_those_of_earlier_deletions(writer, register, commit, line, delete):
    server = register(writer)
    lines = [line(seq) for seq in range(6)]
    commit(writer, server, lines=lines[:4])
    delete(server, 2)
    commit(writer, server, lines=lines[4:])
    delete(server, 5)
    delete(server, 1)

    assert writer.load_stream(server).tail == [kept(lines[0]), *map(gone, lines[1:])]


def test_what_a_row_says_goes_before_its_key(writer, register, commit, line, delete):
    server = register(writer)
    commit(writer, server, lines=[line(1, run_id=1), line(2, run_id=1)])
    delete(server, 2)
    commit(writer, server, moved=[(1, 5)])

    assert [found.run_id for found in writer.load_stream(server).tail] == [5, 1]


def test_no_more_than_the_newest_keys_are_kept(writer, register, commit, line, delete):
    server = register(writer)
    lines = [line(seq) for seq in range(TAIL_LINES + 50)]
    old = Gap(writer.next_gap_id(), 0, 49, None, 0, "x", 0, None)
    young = Gap(writer.next_gap_id(), 0, 50, None, 0, "x", 0, None)
    commit(writer, server, lines=lines, gaps=[old, young])
    delete(server, 0)

    stream = writer.load_stream(server)

    assert stream.tail == [gone(found) for found in lines[50:]]
    assert stream.gaps == [young]
    commit(writer, server, lines=[line(seq) for seq in range(1000, 1010)])
    assert [found.seq for found in writer.load_stream(server).tail[:2]] == [60, 61]


def test_a_stream_goes_on_where_its_keys_cannot_be_read(
    writer, register, commit, line, archive_url
):
    server = register(writer)
    commit(writer, server, lines=[line(1)])
    database = Database.open(archive_url)
    with database.begin() as connection:
        value = "x'02'" if connection.dialect.name == "sqlite" else "'\\x02'"
        connection.exec_driver_sql(f"UPDATE streams SET keys = {value}")
    database.close()

    assert writer.load_stream(server).tail == [kept(line(1))]


@pytest.mark.parametrize("packed", [b"", b"\x02", b"\x01\x00", b"\x01" + bytes(32)])
def test_keys_of_another_version_or_length_are_refused(packed):
    with pytest.raises(ValueError, match="keys"):
        unpack_keys(packed)
