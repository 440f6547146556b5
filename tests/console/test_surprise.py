"""How much lines tell."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archiver.console.overlay import LOSS
from archiver.console.surprise import TWICE, Surprise

DISTINCT = list(range(100))
NEVER_SEEN = 999

known = st.lists(st.lists(st.integers(0, 9), max_size=40), max_size=3)


@pytest.mark.parametrize(
    ("keys", "less", "more"),
    [
        pytest.param([1] * 50 + [2], (1, 1), (2, 1), id="a rare text more than a common one"),
        pytest.param([1, 2] * 30, (2, 1), (NEVER_SEEN, 1), id="a new text more than a known one"),
        pytest.param([1, 2, 3] * 30, (2, 1), (3, 1), id="a known text more in another place"),
        pytest.param([1, 2, 3] * 30, (2, 1), (2, 2), id="nor is a text expected behind itself"),
        pytest.param([1, 2, 3] * 30, (2, 1), (2, None), id="and less where its place is known"),
    ],
)
def test_the_less_a_line_was_to_be_expected_the_more_it_tells(keys, less, more):
    surprise = Surprise(keys)

    assert surprise.of(*less) < surprise.of(*more)


def test_a_text_that_comes_all_the_time_tells_next_to_nothing():
    assert Surprise([1] * 450).of(1, 1) < 0.05


def test_a_whole_replay_of_lines_in_a_circle_tells_less_than_one_loss():
    circle = list(range(6))

    assert Surprise(circle * 75).sums(circle * 25, None)[-1] < LOSS.once


def test_a_text_that_was_never_seen_tells_more_the_more_lines_are_known():
    few, many = Surprise(DISTINCT[:10]), Surprise(DISTINCT)

    assert few.of(NEVER_SEEN, None) < many.of(NEVER_SEEN, None)


def test_lines_of_two_stretches_do_not_follow_each_other():
    apart, together = Surprise([1, 2] * 9, [3, 4] * 9), Surprise([1, 2] * 9 + [3, 4] * 9)

    assert together.of(3, 2) < apart.of(3, 2)
    assert together.of(3, None) == apart.of(3, None)


def test_a_few_known_lines_are_not_taken_for_all_that_there_are():
    assert Surprise([1, 1, 1]).of(1, None) > 0.5


def test_where_nothing_is_known_every_line_tells_the_same():
    surprise = Surprise()

    assert surprise.of(1, None) == pytest.approx(surprise.of(2, 1))


@pytest.mark.parametrize(
    ("keys", "twice"),
    [
        pytest.param(DISTINCT, True, id="where no text ever came again"),
        pytest.param([1] * 100, False, id="not where all lines are one"),
        pytest.param([1, 2] * 50, False, id="nor where two take turns"),
    ],
)
def test_a_doubtful_line_was_told_apart_wrongly(keys, twice):
    surprise = Surprise(keys, doubtful={NEVER_SEEN})

    assert surprise.is_twice(NEVER_SEEN) == twice
    assert surprise.of(NEVER_SEEN, keys[-1]) <= TWICE


def test_only_what_is_doubtful_is_twice():
    surprise = Surprise(DISTINCT, doubtful={NEVER_SEEN})

    assert not surprise.is_twice(NEVER_SEEN + 1)
    assert not any(map(surprise.is_twice, DISTINCT))


@given(known, st.integers(0, 12), st.none() | st.integers(0, 12), st.sets(st.integers(0, 12)))
def test_every_line_tells_something_whatever_is_known(stretches, key, before, doubtful):
    surprise = Surprise(*stretches, doubtful=doubtful)

    assert surprise.of(key, before) > 0
    assert surprise.is_twice(key) <= (key in doubtful)


@given(known, st.lists(st.integers(0, 12), max_size=20), st.none() | st.integers(0, 12))
def test_lines_tell_together_what_each_tells_behind_the_one_before(stretches, keys, before):
    surprise = Surprise(*stretches)
    sums = surprise.sums(keys, before)

    assert sums[0] == 0
    assert [b - a for a, b in pairwise(sums)] == pytest.approx(
        [surprise.of(key, last) for last, key in pairwise([before, *keys])]
    )
