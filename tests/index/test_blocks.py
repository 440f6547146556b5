from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archiver.index.blocks import BLOCK_LINES, BLOCK_TEXT, BlockRange, SealedLine, seal_blocks

DAY = 86_400_000_000


def line(
    number: int,
    seq: int,
    *,
    server: int = 1,
    at: int = 0,
    level: int | None = None,
    text: str = "x",
) -> SealedLine:
    return SealedLine(number, server, seq, at, 1, level, text)


def shape(lines: list[SealedLine]) -> list[tuple[int, int, int]]:
    """First seq, last seq and lines of each block, by first seq."""
    blocks = [where for where, _ in seal_blocks(lines)]
    return sorted((each.first_seq, each.last_seq, each.lines) for each in blocks)


def numbered(seqs: Iterable[int], text: str = "x") -> list[SealedLine]:
    return [line(number, seq, text=text) for number, seq in enumerate(seqs, 1)]


@pytest.mark.parametrize(
    ("seqs", "blocks"),
    [
        pytest.param([], [], id="nothing"),
        pytest.param([1, 2, 5], [(1, 5, 3)], id="in order"),
        pytest.param([1, 2, 9, 3, 4, 10], [(1, 10, 4), (3, 4, 2)], id="inserted late"),
        pytest.param([8, 9, 5, 3, 10], [(3, 3, 1), (5, 5, 1), (8, 10, 3)], id="late and later"),
        pytest.param([9, -5, 10, -4, 11], [(-5, -4, 2), (9, 11, 3)], id="imported meanwhile"),
    ],
)
def test_a_line_goes_on_with_the_block_that_ends_nearest_before_it(seqs, blocks):
    assert shape(numbered(seqs)) == blocks


@pytest.mark.parametrize(
    ("length", "lines"),
    [
        pytest.param(1, BLOCK_LINES, id="of lines"),
        pytest.param(BLOCK_TEXT // 16, 16, id="of text"),
        pytest.param(BLOCK_TEXT, 1, id="one line"),
        pytest.param(3 * BLOCK_TEXT, 1, id="one line that is longer"),
    ],
)
def test_a_block_is_full(length, lines):
    found = shape(numbered(range(2 * lines + 1), text="x" * length))
    assert found == [
        (0, lines - 1, lines),
        (lines, 2 * lines - 1, lines),
        (2 * lines, 2 * lines, 1),
    ]


def test_a_block_ends_with_its_day_also_before_the_epoch():
    ats = [-DAY - 1, -DAY, -1, 0, DAY - 1, DAY]
    lines = [line(number, number, at=at) for number, at in enumerate(ats)]
    assert shape(lines) == [(0, 0, 1), (1, 2, 2), (3, 4, 2), (5, 5, 1)]


def test_lines_about_midnight_take_turns_without_many_blocks():
    lines = [line(number, number, at=DAY - number % 2) for number in range(100)]
    assert shape(lines) == [(0, 98, 50), (1, 99, 50)]


def test_servers_do_not_share_blocks():
    lines = [line(number, number, server=number % 2) for number in range(6)]
    assert {where for where, _ in seal_blocks(lines)} == {
        BlockRange(0, 0, 4, 0, 0, 3),
        BlockRange(1, 1, 5, 0, 0, 3),
    }


def test_a_block_is_known_by_its_words_levels_and_sources():
    lines = [line(1, 1, level=17, text="Can't keep up!"), line(2, 2, at=5, text="[UP_1]")]
    assert list(seal_blocks(lines)) == [
        (
            BlockRange(1, 1, 2, 0, 5, 2),
            {"can", "t", "keep", "up", "up_1", ":level=17", ":source=1"},
        )
    ]


@given(
    st.lists(
        st.tuples(
            st.integers(0, 2),
            st.integers(-2_000, 2_000),
            st.integers(-3 * DAY, 3 * DAY),
            st.sampled_from([1, 1, 1, BLOCK_TEXT // 3, BLOCK_TEXT]),
        ),
        unique_by=lambda each: each[:2],
        max_size=60,
    )
)
def test_each_line_is_in_one_block_and_within_its_range(drawn):
    lines = [
        SealedLine(number, server, seq, at, 1, None, f"line{number} " + "-" * (length - 10))
        for number, (server, seq, at, length) in enumerate(drawn)
    ]
    by_word = {f"line{each.id}": each for each in lines}
    seen = []
    for where, terms in seal_blocks(lines):
        held = [by_word[term] for term in terms if term in by_word]
        held.sort(key=lambda each: each.id)
        seen += held
        seqs = [each.seq for each in held]
        ats = [each.at for each in held]
        server = held[0].server_id
        assert where == BlockRange(server, seqs[0], seqs[-1], min(ats), max(ats), len(held))
        assert {each.server_id for each in held} == {server}
        assert seqs == sorted(seqs)
        assert len({at // DAY for at in ats}) == 1
        assert len(held) == 1 or sum(len(each.text) for each in held) <= BLOCK_TEXT
    assert sorted(seen) == lines
