import pytest

from archiver import errors
from archiver.console.records import Gap, Records, StreamState
from archiver.operations.context import show_context, with_gaps
from archiver.store.rows import GapRow


@pytest.fixture
def server(writer, register, line, reader, now):
    """A server with five lines, an open gap behind the third and a closed one; then another."""
    lines = [line(seq) for seq in (10, 20, 30, 40, 50)]
    gaps = [
        Gap(1, 30, 40, now, now, "open", 1, None),
        Gap(2, 10, 20, now, now, "closed", 1, None, closed_at=now),
    ]
    for uuid in ("u1", "u2"):
        server_id = register(writer, uuid)
        writer.commit([Records(server_id, StreamState(), lines, gaps=gaps)])
        gaps = []
    return reader.servers()[0]


def shown(rows) -> list[object]:
    return [row.reason if isinstance(row, GapRow) else row.seq for row in rows]


def test_a_line_comes_with_its_neighbours_and_the_gaps_among_them(reader, server):
    def around(seq: int, before: int, after: int) -> list[object]:
        return shown(show_context(reader, server, seq, before=before, after=after))

    assert around(20, 0, 0) == [20]
    assert around(20, 1, 1) == [10, 20, 30, "open"]
    assert around(30, 0, 2) == [30, "open", 40, 50]
    assert around(40, 0, 0) == ["open", 40]
    assert around(50, 0, 9) == [50]
    assert around(10, 9, 0) == [10]
    assert around(30, 9, 9) == [10, 20, 30, "open", 40, 50]


@pytest.mark.parametrize(
    ("seq", "hint"),
    [
        (25, "the nearest are 20 and 30"),
        (5, "the nearest is 10"),
        (55, "the nearest is 50"),
    ],
)
def test_a_place_without_a_line_is_refused_with_its_neighbours(reader, server, seq, hint):
    with pytest.raises(errors.UsageError) as caught:
        show_context(reader, server, seq, before=5, after=5)

    assert (caught.value.what, caught.value.do) == (f"'Lobby u1' has no line {seq}", hint)


def test_a_server_without_lines_is_said_to_have_none(reader, writer, register):
    register(writer)
    with pytest.raises(errors.UsageError, match="no line 1") as caught:
        show_context(reader, reader.servers()[0], 1, before=5, after=5)

    assert caught.value.do == "it has no lines at all"


def test_no_lines_have_no_gaps(reader):
    assert list(with_gaps(reader, [])) == []
