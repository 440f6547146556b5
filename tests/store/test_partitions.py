"""Lines in the order of their commit, and the partitions that name what is sealed."""

import pytest

from archiver.console.records import Records, StreamState
from archiver.store import partitions
from archiver.store.database import Database
from archiver.store.rows import PartitionRow, RangeRow, SealedLine

NOW = 1_780_000_000_000_000


@pytest.fixture
def database(writer, archive_url):
    opened = Database.open(archive_url)
    yield opened
    opened.close()


def partition(first_id: int, last_id: int) -> PartitionRow:
    return PartitionRow(
        id=0,
        first_id=first_id,
        last_id=last_id,
        lines=last_id - first_id + 1,
        blocks=1,
        earliest_at=NOW,
        latest_at=None,
        directory=f"{first_id}-{last_id}",
        files='{"a": [1, 2]}',
        created_at=NOW,
    )


def test_lines_come_in_the_order_of_their_commit(writer, reader, register, line, monkeypatch):
    monkeypatch.setattr(partitions, "PAGE", 2)
    first, second = register(writer, "u1"), register(writer, "u2")
    writer.commit(
        [
            Records(first, lines=[line(10, level=9), line(20)], state=StreamState()),
            Records(second, lines=[line(5)], state=StreamState()),
        ]
    )
    writer.commit([Records(first, lines=[line(15, text="late")], state=StreamState())])

    found = list(reader.partitions().lines(1, 4))

    assert [(row.id, row.server_id, row.seq) for row in found] == [
        (1, first, 10),
        (2, first, 20),
        (3, second, 5),
        (4, first, 15),
    ]
    assert found[0] == SealedLine(1, first, 10, NOW + 10, 1, 9, "line 10")
    assert [row.id for row in reader.partitions().lines(2, 3)] == [2, 3]
    assert reader.partitions().last_line_id() == 4


def test_nothing_was_committed_yet(reader):
    assert reader.partitions().last_line_id() == 0
    assert list(reader.partitions().lines(1, 0)) == []
    assert list(reader.partitions().ranges(1, 0)) == []


def test_ranges_hold_all_lines_between_two_ids(
    writer, reader, register, line, commit, *, monkeypatch
):
    monkeypatch.setattr(partitions, "RANGE", 2)
    monkeypatch.setattr(partitions, "_RANGE_PAGE", 4)
    first, second = register(writer, "u1"), register(writer, "u2")
    for server, seq in ((first, 1), (second, 2), (first, 4), (first, 3), (second, 9)):
        commit(writer, server, lines=[line(seq)])

    found = list(reader.partitions().ranges(2, 5))

    covered = {(row.server_id, seq) for row in found for seq in (row.first_seq, row.last_seq)}
    assert covered == {(second, 2), (first, 4), (first, 3), (second, 9)}
    assert RangeRow(second, 2, 2, NOW + 2, NOW + 2, 1) in found
    assert sum(row.lines for row in found) == 4


def test_partition_takes_the_place_of_others(reader, database):
    partitions.replace(database, partition(1, 5), old=[])
    partitions.replace(database, partition(6, 9), old=[])
    assert [(row.id, row.first_id) for row in reader.partitions().rows()] == [(1, 1), (2, 6)]

    key = partitions.replace(database, partition(1, 9), old=[1, 2])

    assert key == 3
    assert reader.partitions().rows() == [partition(1, 9)._replace(id=3)]


def test_partition_that_is_there_already_changes_nothing(reader, database):
    partitions.replace(database, partition(1, 5), old=[])

    with pytest.raises(Exception, match="first_id"):
        partitions.replace(database, partition(1, 9), old=[])

    assert [row.last_id for row in reader.partitions().rows()] == [5]


def test_rebuild_is_marked_until_it_is_done(reader, database):
    assert reader.partitions().rebuild_mark() == 0
    partitions.mark_rebuild(database, 7)
    assert reader.partitions().rebuild_mark() == 7
    partitions.mark_rebuild(database, 0)
    assert reader.partitions().rebuild_mark() == 0
