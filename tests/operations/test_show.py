import pytest
from hypothesis import given
from hypothesis import strategies as st

from archiver.operations.show import interleave
from archiver.store.rows import GapRow, LineRow


def line(server_id: int, seq: int) -> LineRow:
    return LineRow(
        0, server_id, seq, None, 1, 1, seq, 1, seq, None, None, None, None, 0, "t", None, "i", "n"
    )


def gap(
    server_id: int, after: int | None, before: int | None, to_at: int = 0, run: int | None = None
) -> GapRow:
    return GapRow(1, server_id, run, after, before, None, to_at, "", 0, None, None, None, "i", "n")


def order(lines: list[LineRow], gaps: list[GapRow], **how) -> list[object]:
    return [
        (row.server_id, row.seq) if isinstance(row, LineRow) else "gap"
        for row in interleave(lines, gaps, **how)
    ]


def test_a_gap_stands_between_its_lines():
    assert order([line(1, 1), line(1, 5)], [gap(1, 1, 5)]) == [(1, 1), "gap", (1, 5)]


def test_a_gap_stands_before_the_first_shown_line_after_it():
    lines = [line(1, 1), line(1, 9)]
    assert order(lines, [gap(1, 3, 5)]) == [(1, 1), "gap", (1, 9)]


def test_a_gap_before_everything_that_is_stored_comes_first():
    assert order([line(1, 1)], [gap(1, None, 1)]) == ["gap", (1, 1)]
    assert order([line(1, 1)], [gap(1, None, None)]) == ["gap", (1, 1)]


def test_a_gap_that_touches_the_first_shown_line_is_shown():
    assert order([line(1, 5), line(1, 6)], [gap(1, 1, 5)]) == ["gap", (1, 5), (1, 6)]


def test_a_gap_wholly_before_the_first_shown_line_is_not_where_older_lines_are_cut_off():
    assert order([line(1, 5)], [gap(1, 1, 3)], is_cut=True) == [(1, 5)]
    assert order([line(1, 5)], [gap(1, 1, 5)], is_cut=True) == ["gap", (1, 5)]
    assert order([line(1, 5)], [gap(1, 1, 3)]) == ["gap", (1, 5)]


@pytest.mark.parametrize(
    ("hole", "shown"),
    [
        (gap(1, 1, 3, run=6), []),
        (gap(1, 1, 3, run=7), ["before"]),
        (gap(1, 1, 5, run=6), ["before"]),
        (gap(1, 5, 6, run=6), ["between"]),
        (gap(1, 6, 9, run=8), ["after"]),
        (gap(1, 7, 9, run=8), []),
        (gap(1, 7, 9, run=7), ["after"]),
        (gap(1, 7, 9), []),
        (gap(2, 6, 9, run=8), []),
        (gap(2, 6, 9, run=7), ["after"]),
    ],
)
def test_of_one_run_the_gaps_are_shown_that_belong_to_it_or_touch_it(hole, shown):
    lines = [line(1, 5), line(1, 6)]
    places = {"before": 0, "between": 1, "after": 2}
    expected: list[object] = [(1, 5), (1, 6)]
    for place in shown:
        expected.insert(places[place], "gap")
    assert order(lines, [hole], run_ids=(7,)) == expected


def test_a_gap_that_goes_on_comes_last():
    assert order([line(1, 1)], [gap(1, 1, None)]) == [(1, 1), "gap"]
    assert order([], [gap(1, 1, None)]) == ["gap"]


def test_a_gap_belongs_to_its_own_server():
    lines = [line(1, 1), line(2, 1), line(2, 2), line(1, 2)]
    assert order(lines, [gap(2, 1, 2)]) == [(1, 1), (2, 1), "gap", (2, 2), (1, 2)]


@given(
    st.lists(st.tuples(st.integers(1, 3), st.integers(0, 20)), unique=True),
    st.lists(st.tuples(st.integers(1, 3), st.integers(0, 20), st.none() | st.integers(1, 5))),
)
def test_every_line_is_shown_once_in_order_and_no_gap_twice(places, holes):
    lines = [line(*place) for place in sorted(places, key=lambda place: place[1])]
    gaps = [
        gap(server, after, None if size is None else after + size, to_at=number)
        for number, (server, after, size) in enumerate(holes)
    ]
    shown = list(interleave(lines, gaps))
    assert [row for row in shown if isinstance(row, LineRow)] == lines
    found = [row for row in shown if isinstance(row, GapRow)]
    assert len(set(found)) == len(found)
    assert set(found) <= set(gaps)
    for number, row in enumerate(shown):
        for later in shown[number:]:
            if isinstance(row, LineRow) and isinstance(later, GapRow):
                assert row.server_id != later.server_id or row.seq <= (later.after_seq or 0)
