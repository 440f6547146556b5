import pytest
from hypothesis import given
from hypothesis import strategies as st

from archiver.index import bits


@pytest.mark.parametrize(
    ("flags", "number"),
    [([], 0), ([False], 0), ([True], 1), ([False, True], 2), ([True] * 9, 511)],
)
def test_bit_n_stands_for_block_n(flags, number):
    assert bits.from_flags(flags) == number
    assert list(bits.flags(number, len(flags))) == flags


@given(st.integers(1, 200).flatmap(lambda n: st.tuples(st.just(n), st.sets(st.integers(0, n - 1)))))
def test_blocks_and_flags_are_the_same_in_other_words(drawn):
    count, blocks = drawn
    flags = [block in blocks for block in range(count)]
    found = bits.from_blocks(blocks, count)
    assert found == bits.from_flags(flags) == sum(1 << block for block in blocks)
    assert list(bits.flags(found, count)) == flags
