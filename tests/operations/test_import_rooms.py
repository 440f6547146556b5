"""What is known of the archive at the time that a file has come to."""

from datetime import UTC

import pytest

from archiver.console.placing import Sign, Verdict
from archiver.console.records import AtKind, Flag, Gap, Records, Source, StreamState
from archiver.operations.file_lines import FileLine
from archiver.operations.import_rooms import BACK, Known, Rooms
from archiver.store.imports import Imports

SECOND = 1_000_000
DAY = 86_400 * SECOND


@pytest.fixture
def server(writer, register):
    return register(writer)


@pytest.fixture
def imports(writer, archive_url, tmp_path):
    with Imports.open(archive_url, tmp_path / "data") as opened:
        yield opened


def file_line(at: int, text: str = "x") -> FileLine:
    return FileLine(
        at, AtKind.CLAIMED, at, None, at, None, None, Flag.ASCII, text, None, SECOND, None
    )


@pytest.fixture
def rooms(imports, writer, server, line, now):
    """Two gaps, a day long each, with a day between them; the second is not settled."""
    ats = [now + day * DAY for day in (0, 1, 2, 3)]
    lines = [line(n * 100, at=at, timestamp=at) for n, at in enumerate(ats)]
    gaps = [
        Gap(
            writer.next_gap_id(),
            low,
            low + 100,
            now + low // 100 * DAY,
            now + DAY + low // 100 * DAY,
            "lost",
            0,
            None,
        )
        for low in (0, 200)
    ]
    writer.commit([Records(server, StreamState(999, confirmed_seq=100), lines=lines, gaps=gaps)])
    return Rooms(imports, server, UTC, now + 9 * DAY)


@pytest.mark.parametrize(
    ("days", "low", "is_settled"),
    [(-99.0, None, True), (0.5, 0, True), (2.5, 200, False), (5.0, 300, False)],
    ids=["before all", "in a gap", "in a gap that is not settled", "behind all"],
)
def test_a_line_is_new_in_the_room_of_its_time(rooms, now, days, low, is_settled):
    line = file_line(now + round(days * DAY))
    verdict, room = rooms.judge(line, lambda: iter([Sign(None, "x")]))
    assert (verdict, room.stored.low, room.stored.is_settled) == (Verdict.NEW, low, is_settled)
    assert not rooms.is_empty


def test_between_rooms_all_is_there(rooms, now):
    line = file_line(now + DAY + DAY // 2)
    assert rooms.judge(line, lambda: iter([])) == (Verdict.OUTSIDE, None)


@pytest.mark.parametrize(
    ("seq", "low"), [(-5, None), (50, 0), (150, ...), (250, 200), (305, 300)], ids=str
)
def test_the_room_of_a_number_is_found(rooms, seq, low):
    room = rooms.holding(seq)
    assert (... if room is None else room.stored.low) == low
    assert room is None or room.holds(seq)


def test_only_a_gap_whose_two_sides_a_file_showed_is_shown_whole(rooms, now):
    for at, text in ((now, "line 0"), (now + DAY, "line 100"), (now + 2 * DAY, "line 200")):
        rooms.judge(file_line(at, text), lambda: iter([Sign(None, "x")]))
    assert rooms.shown_whole() == [1]


def test_an_imported_line_is_known_once_and_forgotten_when_the_file_has_gone_on(
    imports, server, line, now
):
    imports.add(server, [line(-n, source=Source.IMPORT, at=now, text="x") for n in (3, 2)])
    known = Known(imports, server)
    imports.add(server, [line(-1, source=Source.IMPORT, at=now, text="x")])
    first, later = file_line(now), file_line(now + BACK + SECOND)
    assert known.take(first) is None
    known.cover(now, now)
    assert known.take(file_line(now, "y")) is None
    assert [known.take(first) for _ in range(3)] == [-3, -2, None]  # not what came since
    known.cover(later.at, later.at)
    assert known.take(later) is None
    known.cover(now, later.at)  # back again
    assert [known.take(first) for _ in range(3)] == [-3, -2, None]
