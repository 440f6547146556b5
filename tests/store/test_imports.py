"""What an import asks of an archive, and what it leaves there."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from archiver import errors
from archiver.console.placing import Spot, StoredLine
from archiver.console.records import AtKind, Gap, Records, Source, StreamState
from archiver.store.imports import Imports, StoredImport, StoredRoom
from archiver.store.reads import LineFilter

EVER = 2**62
NOW = 1_780_000_000_000_000  # as of the lines that are made


@pytest.fixture
def server(writer, register):
    return register(writer)


@pytest.fixture
def store(writer, server, commit, line):
    """Record the line with this seq."""
    return lambda seq, **given: commit(writer, server, lines=[line(seq)], **given)


@pytest.fixture
def imports(writer, archive_url: str, tmp_path: Path) -> Iterator[Imports]:
    with Imports.open(archive_url, tmp_path / "data") as opened:
        yield opened


@pytest.fixture
def history(line):
    """Make an imported line."""

    def make(seq, **given):
        return line(seq, **{"source": Source.IMPORT, "at_kind": AtKind.CLAIMED, **given})

    return make


def test_without_a_recorded_line_all_below_0_is_one_room(imports, server):
    assert imports.rooms(server) == [StoredRoom(None, None, 0, None, EVER, is_settled=True)]


def test_rooms_are_before_all_in_open_gaps_and_behind_all(imports, writer, server, line):
    def gap(after: int | None, before: int | None, **more) -> Gap:
        return Gap(writer.next_gap_id(), after, before, NOW, NOW + 5, "lost", 0, None, **more)

    gaps = [gap(30, 40), gap(10, 20), gap(20, 25, closed_at=NOW), gap(None, 10), gap(50, None)]
    state = StreamState(next_seq=60, confirmed_seq=25)
    writer.commit(
        [Records(server, state, lines=[line(n) for n in (10, 20, 25, 30, 40, 50)], gaps=gaps)]
    )
    assert imports.rooms(server) == [
        StoredRoom(None, None, 0, None, NOW + 10, is_settled=True),
        StoredRoom(2, 10, 20, NOW, NOW + 5, is_settled=True),
        StoredRoom(1, 30, 40, NOW, NOW + 5, is_settled=False),
        StoredRoom(None, 50, EVER, NOW + 50, EVER, is_settled=False),
    ]


def test_lines_at_the_ends_are_those_that_a_log_holds(imports, writer, server, commit, line):
    lines = [line(n, source=source) for n, source in ((1, 1), (2, 3), (3, 2), (4, 1), (5, 5))]
    commit(writer, server, lines=lines)
    assert [found.seq for found in imports.lines_before(server, 3, 9)] == [3, 1]
    assert [found.seq for found in imports.lines_before(server, 9, 1)] == [4]
    assert imports.lines_behind(server, 2, 1) == [
        StoredLine(3, None, NOW + 3, AtKind.OBSERVED, None, None, "line 3")
    ]


def test_what_is_added_is_found_again_and_numbered_with_all_others(
    imports, store, history, reader, server
):
    store(0)
    imports.add(server, [history(-5), history(-9)])
    store(1)
    rows = reader.lines(LineFilter(), after=0, limit=9)
    assert [(row.id, row.batch, row.seq) for row in rows] == [
        (1, 1, 0),
        (2, 2, -5),
        (3, 2, -9),
        (4, 3, 1),
    ]
    assert imports.last_batch() == 3
    found = list(imports.imported(server, NOW - 9, NOW, 3))
    assert found == [StoredImport(n, NOW + n, f"line {n}") for n in (-9, -5)]
    assert list(imports.imported(server, NOW - 8, NOW, 3)) == found[1:]
    assert list(imports.imported(server, NOW - 9, NOW - 6, 3)) == found[:1]
    assert list(imports.imported(server, NOW - 9, NOW, 1)) == []


def test_imported_lines_are_found_across_pages(imports, server, history, monkeypatch):
    monkeypatch.setattr("archiver.store.imports.PAGE", 3)
    imports.add(server, [history(-n, at=NOW + n // 4) for n in range(1, 20)])
    found = [row.seq for row in imports.imported(server, NOW, NOW + 99, 9)]
    assert sorted(found) == list(range(-19, 0))


def test_neighbours_are_of_the_room_and_no_later(imports, server, history):
    room = StoredRoom(7, 100, 200, NOW, NOW + 50, is_settled=True)
    early = [history(seq, at=NOW + seq) for seq in (90, 110, 120, 210)]
    imports.add(server, early)
    assert imports.last_until(server, room, NOW + 115) == Spot(110, NOW + 110)
    assert imports.last_until(server, room, NOW + 120) == Spot(120, NOW + 120)
    assert imports.last_until(server, room, NOW + 100) is None
    assert imports.next_in(server, room, 110) == Spot(120, NOW + 120)
    assert imports.next_in(server, room, 120) is None
    assert imports.next_in(server, room, None) == Spot(110, NOW + 110)
    before = StoredRoom(None, None, 0, None, NOW, is_settled=True)
    assert imports.next_in(server, before, None) is None


def test_the_stream_of_a_collector_is_left_as_it_is(imports, store, writer, server, history):
    imports.add(server, [history(-1)])
    assert writer.load_stream(server).state == StreamState()
    state = StreamState(next_seq=77, confirmed_seq=5, rate=0.5)
    store(0, state=state)
    imports.add(server, [history(-2)])
    loaded = writer.load_stream(server)
    assert loaded.state == state
    assert [tail.seq for tail in loaded.tail] == [0]  # no replay shows the others


def test_a_gap_is_closed_once(imports, writer, server, commit, reader):
    gap = Gap(writer.next_gap_id(), 1, 2, NOW, NOW, "lost", 0, None)
    commit(writer, server, gaps=[gap])
    imports.close_gaps([gap.id], NOW + 1)
    imports.close_gaps([gap.id], NOW + 2)
    assert [row.closed_at for row in reader.gaps()] == [NOW + 1]


def test_dated_lines_are_the_newest_live_ones_with_a_time(imports, writer, server, commit, line):
    lines = [line(n, timestamp=n if n % 2 else None, source=1 + (n == 3)) for n in range(6)]
    commit(writer, server, lines=lines)
    assert imports.dated_lines(server) == [("line 5", 5), ("line 1", 1)]


def test_an_archive_is_kept_for_one_import_at_a_time(imports, archive_url, tmp_path):
    with pytest.raises(errors.StoreError, match="another import"):
        Imports.open(archive_url, tmp_path / "data")
