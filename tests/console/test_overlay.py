"""Laying a replay over stored lines: the likeliest way of all there are."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archiver.console.overlay import (
    ABSENT,
    ABSENT_MORE,
    FREE,
    LOSS,
    NEW,
    Price,
    overlay,
)

TELLS = 5.0  # nats, each line in the table


def lay(stored: str, replay: str, prices: Mapping[int, Price], last: float = -99.0) -> str:
    """Return the replay with its new lines as `+`; *last*: to end before the last line."""
    ends = [last] * len(stored) + [0.0]
    told = [TELLS * n for n in range(len(replay) + 1)]
    found = overlay(
        list(map(ord, stored)),
        prices,
        list(map(ord, replay)),
        told,
        [0.0] * (len(stored) + 1),
        ends,
    )
    assert found is not None
    return "".join(
        "+" if place == NEW else letter for place, letter in zip(found.places, replay, strict=True)
    )


@pytest.mark.parametrize(
    ("stored", "replay", "prices", "expected"),
    [
        pytest.param("abc", "abc", {}, "abc", id="all is known"),
        pytest.param("xyabc", "abc", {}, "abc", id="it begins anywhere"),
        pytest.param("abc", "abcd", {3: FREE}, "abc+", id="more came behind"),
        pytest.param("abc", "zabc", {0: FREE}, "+abc", id="more was before"),
        pytest.param("abde", "abcde", {}, "ab+de", id="one was lost"),
        pytest.param("abde", "abccde", {2: FREE}, "ab++de", id="two were lost in a gap"),
        pytest.param("abcde", "abde", {}, "abde", id="the log lacks one"),
        pytest.param("aab", "aaab", {1: FREE}, "a+ab", id="a loss where lines are missing"),
        pytest.param("aab", "aaab", {2: FREE}, "aa+b", id="and not where they are not"),
    ],
)
def test_a_replay_lies_as_is_likeliest(stored, replay, prices, expected):
    assert lay(stored, replay, prices) == expected


def test_it_may_end_early_where_that_is_allowed():
    assert lay("abcde", "bc", {}, last=0.0) == "bc"


def test_without_an_equal_line_there_is_no_way():
    assert overlay([1, 2], {}, [3], [0.0, 1.0], [0.0] * 3, [0.0] * 3) is None
    assert overlay([], {}, [3], [0.0, 1.0], [0.0], [0.0]) is None
    assert overlay([1], {}, [], [0.0], [0.0] * 2, [0.0] * 2) is None


# All ways there are, one after the other


def ways(stored: Sequence[int], replay: Sequence[int]) -> Iterator[list[int]]:
    """Yield every way in which lines of the replay are stored ones, in order."""

    def go(line: int, least: int) -> Iterator[list[int]]:
        if line == len(replay):
            yield []
            return
        for rest in go(line + 1, least):
            yield [NEW, *rest]
        for place in range(least, len(stored)):
            if stored[place] == replay[line]:
                for rest in go(line + 1, place + 1):
                    yield [place, *rest]

    return (way for way in go(0, 0) if any(place != NEW for place in way))


def weigh(
    way: Sequence[int],
    prices: Mapping[int, Price],
    told: Sequence[float],
    begins: Sequence[float],
    ends: Sequence[float],
) -> float | None:
    """Return what one way weighs; None: it has new lines where it lacks stored ones."""

    def cost(before: int, until: int, place: int) -> float:
        """Of the new lines from *before* to *until*, in front of a stored line."""
        price = prices.get(place, LOSS)
        new = until - before
        return told[until] - told[before] + price.once + price.each * new if new else 0.0

    pairs = [(line, place) for line, place in enumerate(way) if place != NEW]
    weight = begins[pairs[0][1]] - cost(0, *pairs[0])
    for (line, place), (next_line, next_place) in pairwise(pairs):
        absent = next_place - place - 1
        if absent and next_line > line + 1:
            return None
        weight -= cost(line + 1, next_line, next_place)
        weight -= ABSENT + ABSENT_MORE * absent if absent else 0.0
    line, place = pairs[-1]
    return weight + ends[place + 1] - cost(line + 1, len(way), place + 1)


amounts = st.integers(0, 12).map(float)
some_prices = st.sampled_from([FREE, Price(0.0, 0.2), Price(12.0, 0.5), Price(30.0, 0.0)])


@given(
    stored=st.lists(st.integers(0, 2), max_size=6),
    replay=st.lists(st.integers(0, 2), max_size=6),
    prices=st.dictionaries(st.integers(0, 6), some_prices),
    tells=st.lists(amounts, min_size=6, max_size=6),
    begins=st.lists(amounts.map(lambda cost: -cost), min_size=7, max_size=7),
    ends=st.lists(amounts.map(lambda cost: -cost), min_size=7, max_size=7),
)
def test_no_other_way_is_likelier(*, stored, replay, prices, tells, begins, ends):
    told = list(accumulate(tells[: len(replay)], initial=0.0))
    found = overlay(stored, prices, replay, told, begins, ends[: len(stored) + 1])
    weights = [weigh(way, prices, told, begins, ends) for way in ways(stored, replay)]
    possible = [weight for weight in weights if weight is not None]

    if found is None:
        assert possible == []
    else:
        assert found.weight == pytest.approx(max(possible))
        assert found.weight == pytest.approx(weigh(found.places, prices, told, begins, ends))
