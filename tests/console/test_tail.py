"""The stored end that replays are compared with."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archiver.console.records import Gap
from archiver.console.tail import TAIL_LINES, Tail


def gap(number: int) -> Gap:
    return Gap(number, None, None, None, 0, "an outage", 0, None)


def add(tail: Tail, keys: range) -> None:
    """Add lines whose key, seq and time are one number."""
    for key in keys:
        tail.append(key, key, key)


def keys(tail: Tail) -> list[list[int]]:
    for piece in tail.pieces:
        assert piece.keys == piece.seqs == piece.times
    return [list(piece.keys) for piece in tail.pieces]


@pytest.fixture
def tail() -> Tail:
    return Tail()


def test_lines_are_one_piece_until_a_gap(tail):
    add(tail, range(3))
    tail.break_off(gap(1))
    add(tail, range(3, 5))

    assert keys(tail) == [[0, 1, 2], [3, 4]]
    assert [piece.gap and piece.gap.id for piece in tail.pieces] == [None, 1]
    assert len(tail) == 5


def test_a_gap_behind_the_last_line_is_known_until_the_next(tail):
    assert tail.gap_behind() is None
    add(tail, range(1))
    assert tail.gap_behind() is None
    tail.break_off(first := gap(1))
    assert tail.gap_behind() is first
    add(tail, range(1, 2))
    assert tail.gap_behind() is None


def test_of_two_gaps_without_a_line_between_the_last_counts(tail):
    add(tail, range(2))
    tail.break_off(gap(1))
    tail.break_off(second := gap(2))

    assert keys(tail) == [[0, 1], []]
    assert tail.gap_behind() is second


def test_pieces_come_together_where_nothing_is_missing_any_more(tail):
    add(tail, range(2))
    tail.break_off(gap(1))
    add(tail, range(2, 4))
    tail.break_off(gap(2))
    add(tail, range(4, 5))
    tail.join(*tail.pieces[:2])

    assert keys(tail) == [[0, 1, 2, 3], [4]]
    assert tail.pieces[1].gap is not None


def test_lines_go_between_others(tail):
    add(tail, range(0, 4, 2))
    tail.pieces[0].insert(1, 1, 1, 1)

    assert keys(tail) == [[0, 1, 2]]


def test_three_replays_are_kept_and_it_is_no_whole_run_any_more(tail):
    tail.is_whole = True
    add(tail, range(2 * TAIL_LINES - 1))
    assert tail.is_whole
    add(tail, range(2 * TAIL_LINES - 1, 2 * TAIL_LINES))

    assert keys(tail) == [list(range(TAIL_LINES, 2 * TAIL_LINES))]
    assert not tail.is_whole


@given(st.lists(st.integers(1, 700) | st.none(), max_size=12))
def test_what_is_kept_is_the_end_and_enough_and_not_much_more(steps):
    tail, count = Tail(), 0
    for step in steps:
        if step is None:
            tail.break_off(gap(1))
        else:
            add(tail, range(count, count + step))
            count += step
    kept = [key for piece in keys(tail) for key in piece]

    assert kept == list(range(count - len(kept), count))
    assert min(count, TAIL_LINES) <= len(kept) < 5 * TAIL_LINES
    assert all(piece.keys for piece in tail.pieces[:-1])


# Lines that no replay shows


@pytest.mark.parametrize(
    ("taken", "low", "high", "last"),
    [
        ([], 10, 20, 10),
        ([15], 10, 20, 15),
        ([12, 15], 10, 20, 15),
        ([5], 10, 20, 10),
        ([25], 10, 20, 10),
        ([20], 10, 20, 10),
    ],
    ids=["none", "one", "the last of two", "before", "behind", "at its end"],
)
def test_the_last_number_taken_before_a_line_is_known(tail, taken, low, high, last):
    for seq in taken:
        tail.add_beside(seq)

    assert tail.last_beside(low, high) == last


def test_of_many_such_lines_the_newest_are_remembered(tail):
    for seq in range(10 * TAIL_LINES):
        tail.add_beside(seq)

    newest = range(9 * TAIL_LINES, 10 * TAIL_LINES)
    assert [tail.last_beside(0, seq + 1) for seq in newest] == list(newest)
    assert tail.last_beside(0, 100) == 0


# A new run


@pytest.mark.parametrize(
    ("since", "kept"),
    [
        pytest.param(9, [], id="nothing is of it"),
        pytest.param(5, [[5]], id="the last line"),
        pytest.param(4, [[4, 5]], id="the last piece"),
        pytest.param(3, [[3], [4, 5]], id="a piece and more"),
        pytest.param(2, [[2, 3], [4, 5]], id="two pieces"),
        pytest.param(0, [[0, 1], [2, 3], [4, 5]], id="everything"),
    ],
)
def test_a_run_that_is_noticed_late_keeps_its_own_lines(tail, since, kept):
    for number in range(3):
        if number:
            tail.break_off(gap(number))
        add(tail, range(2 * number, 2 * number + 2))
    seqs = tail.keep_since(since)

    assert keys(tail) == kept
    assert seqs == [key for piece in kept for key in piece]
    assert tail.is_whole
