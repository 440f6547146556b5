from hypothesis import given
from hypothesis import strategies as st

from archiver.simulator.sequences import common_subsequence

SEQUENCE = st.lists(st.integers(0, 2), max_size=40)


def longest(first: list[int], second: list[int]) -> int:
    """Return the length by the textbook's table."""
    row = [0] * (len(second) + 1)
    for symbol in first:
        before = 0
        for place, other in enumerate(second, start=1):
            here = row[place]
            row[place] = before + 1 if symbol == other else max(here, row[place - 1])
            before = here
    return row[-1]


@given(SEQUENCE, SEQUENCE)
def test_it_is_common_in_order_and_as_long_as_the_textbook_s(first, second):
    pairs = common_subsequence(first, second)
    assert len(pairs) == longest(first, second)
    assert [first[i] for i, _ in pairs] == [second[j] for _, j in pairs]
    for places in zip(*pairs, strict=True):
        assert list(places) == sorted(set(places))


@given(SEQUENCE)
def test_a_sequence_is_all_common_with_itself(sequence):
    assert common_subsequence(sequence, sequence) == [(i, i) for i in range(len(sequence))]


def test_thousands_of_equal_symbols_with_errors_among_them_are_matched():
    first = [0 if place % 30 else place for place in range(30_000)]
    second = [symbol for place, symbol in enumerate(first) if place % 101]
    assert len(common_subsequence(first, second)) == len(second)
