"""Statuses over time; times are in seconds here, which a timeline does not know."""

from itertools import pairwise
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archiver.console.uptime import STATUSES, UNKNOWN, Timeline


class Change(NamedTuple):
    at: int
    status: str
    earliest_at: int | None = None


ON, OFF, STARTING = "running", "offline", "starting"
ALWAYS = [(0, 100)]

# changes, heard, then what is known from 0 to 100: each stretch by its begin
CASES = {
    "nothing at all": ([], [], {0: UNKNOWN}),
    "a connection that brought no status": ([], ALWAYS, {0: UNKNOWN}),
    "one status": ([Change(20, ON)], ALWAYS, {0: UNKNOWN, 20: ON}),
    "a status from before": ([Change(-50, ON)], ALWAYS, {0: ON}),
    "a status from before, heard only later": (
        [Change(-50, ON)],
        [(30, 100)],
        {0: UNKNOWN, 30: ON},
    ),
    "one after the other": (
        [Change(0, ON), Change(10, OFF), Change(12, STARTING), Change(30, ON)],
        ALWAYS,
        {0: ON, 10: OFF, 12: STARTING, 30: ON},
    ),
    "the same on both sides of an absence": (
        [Change(0, ON)],
        [(0, 40), (60, 100)],
        {0: ON, 40: UNKNOWN, 60: ON},
    ),
    "offline on both sides of an absence": (
        [Change(0, OFF)],
        [(0, 40), (60, 100)],
        {0: OFF, 40: UNKNOWN, 60: OFF},
    ),
    "changed during an absence": (
        [Change(0, ON), Change(61, OFF, earliest_at=40)],
        [(0, 40), (60, 100)],
        {0: ON, 40: UNKNOWN, 61: OFF},
    ),
    "changed while the socket was dead, but open": (
        [Change(0, ON), Change(61, OFF, earliest_at=25)],
        [(0, 40), (60, 100)],
        {0: ON, 25: UNKNOWN, 61: OFF},
    ),
    "connections that meet": ([Change(0, ON)], [(0, 50), (50, 100)], {0: ON}),
    "connections that overlap, in any order": (
        [Change(0, ON)],
        [(30, 70), (0, 50), (35, 40)],
        {0: ON, 70: UNKNOWN},
    ),
    "a connection that a clock set back closed before it opened": (
        [Change(0, ON)],
        [(50, 40)],
        {0: UNKNOWN},
    ),
    "the collector was off to the end": ([Change(0, ON)], [(0, 10)], {0: ON, 10: UNKNOWN}),
    "two at one time: the last counts": (
        [Change(5, ON), Change(5, OFF)],
        ALWAYS,
        {0: UNKNOWN, 5: OFF},
    ),
    "a change after the end": ([Change(0, ON), Change(150, OFF)], [(0, 200)], {0: ON}),
}


@pytest.mark.parametrize(("changes", "heard", "known"), CASES.values(), ids=CASES)
def test_a_status_is_known_while_somebody_listens(changes, heard, known):
    line = Timeline(changes, heard, 0, 100)
    assert {stretch.begin: stretch.status for stretch in line.between(0, 100)} == known


def test_stretches_are_cut_to_what_is_asked_for():
    line = Timeline([Change(0, ON), Change(10, OFF), Change(30, ON)], ALWAYS, 0, 100)
    assert [tuple(each) for each in line.between(5, 31)] == [
        (5, 10, ON),
        (10, 30, OFF),
        (30, 31, ON),
    ]
    assert [tuple(each) for each in line.between(10, 10)] == []
    assert line.durations(5, 31) == {ON: 6, OFF: 20}
    assert line.longest(OFF, 5, 31) == 20
    assert line.longest(OFF, 25, 31) == 5
    assert line.longest(OFF, 50, 60) == 0


def test_an_absence_parts_two_times_offline():
    line = Timeline([Change(0, OFF)], [(0, 40), (60, 100)], 0, 100)
    assert line.longest(OFF, 0, 100) == 40


def test_a_timeline_of_no_time_is_empty():
    assert list(Timeline([Change(0, ON)], ALWAYS, 5, 5).between(0, 100)) == []


SECONDS = st.integers(-10, 60)
CHANGES = st.lists(
    st.builds(Change, SECONDS, st.sampled_from(STATUSES), st.none() | SECONDS), max_size=8
).map(lambda changes: sorted(changes, key=lambda change: change.at))
HEARD = st.lists(st.tuples(SECONDS, SECONDS), max_size=5)


def status_at(changes: list[Change], heard: list[tuple[int, int]], second: int) -> str:
    """The rule, said once more for one second."""
    if not any(since <= second < until for since, until in heard):
        return UNKNOWN
    before = [change for change in changes if change.at <= second]
    if not before:
        return UNKNOWN
    following = changes[len(before) : len(before) + 1]
    if any(next_.earliest_at is not None and next_.earliest_at <= second for next_ in following):
        return UNKNOWN
    return before[-1].status


@given(changes=CHANGES, heard=HEARD, begin=st.integers(0, 20), length=st.integers(1, 30))
def test_brute_force_over_seconds_agrees(changes, heard, begin, length):
    line = Timeline(changes, heard, 0, 50)
    end = min(50, begin + length)
    seconds = [status_at(changes, heard, second) for second in range(begin, end)]
    durations = line.durations(begin, end)

    assert {status: count for status, count in durations.items() if count} == {
        status: seconds.count(status) for status in set(seconds)
    }
    assert sum(durations.values()) == end - begin
    runs = "".join("#" if status == OFF else "." for status in seconds).split(".")
    assert line.longest(OFF, begin, end) == max(map(len, runs))


@given(changes=CHANGES, heard=HEARD)
def test_stretches_have_no_holes_and_neighbours_differ(changes, heard):
    stretches = list(Timeline(changes, heard, 0, 50).between(0, 50))
    assert [each.begin for each in stretches] == [0, *(each.end for each in stretches[:-1])]
    assert stretches[-1].end == 50
    assert all(a.status != b.status for a, b in pairwise(stretches))
