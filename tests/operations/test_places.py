"""Ranges in the order of time, joined where they lie close together, each seq read once."""

from hypothesis import given
from hypothesis import strategies as st

from archiver.operations.places import Seen, join
from archiver.store.rows import RangeRow

STEP = 65_536


def block(number: int, server_id: int = 1, lines: int = 256) -> RangeRow:
    """Return the range of the block with this number, of lines printed one a second."""
    first = number * lines
    last = first + lines - 1
    return RangeRow(server_id, first * STEP, last * STEP, first, last, lines)


def test_neighbours_are_read_together_the_more_the_further():
    joined = list(join(map(block, range(40)), newest=True))

    sizes = [each.lines // 256 for each in joined]
    assert sizes == [1, 2, 4, 8, 16, 9]
    assert joined[0] == block(39)
    assert joined[1] == RangeRow(1, 37 * 256 * STEP, (39 * 256 - 1) * STEP, 9472, 9983, 512)


def test_oldest_first_begins_at_the_other_end():
    assert next(iter(join(map(block, range(40)), newest=False))) == block(0)


def test_what_lies_far_apart_is_read_apart():
    apart = [block(number) for number in range(0, 40, 10)]
    assert list(join(apart, newest=False)) == apart


def test_of_many_servers_less_is_read_at_once():
    ranges = [block(number, server) for number in range(40) for server in range(8)]
    assert max(each.lines for each in join(ranges, newest=True)) == 512


def test_servers_are_not_mixed():
    ranges = [block(number, server) for number in range(3) for server in (1, 2)]

    joined = list(join(ranges, newest=False))

    assert [(each.server_id, each.lines // 256) for each in joined] == [
        (1, 1), (1, 2), (2, 1), (2, 2),
    ]  # fmt: skip


@given(numbers=st.sets(st.integers(0, 100)), newest=st.booleans())
def test_joined_ranges_hold_the_same_lines(numbers, newest):
    ranges = [block(number) for number in numbers]

    joined = list(join(ranges, newest=newest))

    assert sum(each.lines for each in joined) == sum(each.lines for each in ranges)
    for each in ranges:
        (around,) = [
            j for j in joined if j.first_seq <= each.first_seq and each.last_seq <= j.last_seq
        ]
        assert around.earliest_at <= each.earliest_at <= each.latest_at <= around.latest_at
    # Not many more lines are read than the blocks have.
    assert sum((j.last_seq - j.first_seq) / STEP + 1 for j in joined) <= 4 * 256 * len(ranges)


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 15))))
def test_each_seq_is_fresh_once(intervals):
    seen, known = Seen(), set[int]()
    for first, length in intervals:
        parts = seen.add(first, first + length)

        fresh = [seq for begin, end in parts for seq in range(begin, end + 1)]
        assert fresh == [seq for seq in range(first, first + length + 1) if seq not in known]
        known.update(fresh)
