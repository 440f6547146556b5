from datetime import UTC
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archiver.query.periods import periods
from archiver.query.times import SECOND, format_time, parse_time

BERLIN = ZoneInfo("Europe/Berlin")
HOUR = 3600 * SECOND


def at(text: str) -> int:
    return parse_time(text, now=0, zone=BERLIN)


@pytest.mark.parametrize(
    ("begin", "end", "by", "begins"),
    [
        ("2026-11-19 14:00", "2026-11-19 15:00", "all", ["2026-11-19 14:00"]),
        ("2026-11-19 14:00", "2026-11-19 15:00", "day", ["2026-11-19 14:00"]),
        (
            "2026-11-19 14:00",
            "2026-11-21",
            "day",
            ["2026-11-19 14:00", "2026-11-20 00:00"],
        ),
        (
            "2026-11-19",
            "2026-11-24 01:00",
            "week",
            ["2026-11-19 00:00", "2026-11-23 00:00"],
        ),
        (
            "2026-11-30 23:59",
            "2027-02-02",
            "month",
            ["2026-11-30 23:59", "2026-12-01 00:00", "2027-01-01 00:00", "2027-02-01 00:00"],
        ),
        ("2026-11-19", "2026-11-19", "day", []),
        ("2026-11-20", "2026-11-19", "all", []),
    ],
)
def test_a_range_is_parted_at_midnights(begin, end, by, begins):
    parts = list(periods(at(begin), at(end), by, BERLIN))
    assert [format_time(first, BERLIN)[:16] for first, _ in parts] == begins
    assert not parts or parts[-1][1] == at(end)


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25)])
def test_a_day_has_another_hour_where_clocks_are_set(day, hours):
    ((begin, end), _) = periods(at(day), at(day) + 26 * HOUR, "day", BERLIN)
    assert (end - begin) // HOUR == hours


def test_a_day_that_never_was_has_no_part():
    apia = ZoneInfo("Pacific/Apia")  # where 30 December 2011 was left out
    begin, end = (
        parse_time(f"{day} 12:00", now=0, zone=apia) for day in ("2011-12-29", "2011-12-31")
    )
    parts = list(periods(begin, end, "day", apia))
    assert [format_time(first, apia)[:16] for first, _ in parts] == [
        "2011-12-29 12:00",
        "2011-12-31 00:00",
    ]


ZONES = st.sampled_from([UTC, BERLIN, ZoneInfo("America/St_Johns"), ZoneInfo("Pacific/Apia")])


@given(
    begin=st.integers(0, 2_000_000_000).map(lambda second: second * SECOND),
    length=st.integers(1, 400 * 24).map(lambda hours: hours * HOUR + 1),
    by=st.sampled_from(["day", "week", "month", "all"]),
    zone=ZONES,
)
def test_parts_cover_the_range_without_holes(begin, length, by, zone):
    parts = list(periods(begin, begin + length, by, zone))
    assert parts[0][0] == begin
    assert parts[-1][1] == begin + length
    assert all(first < last for first, last in parts)
    assert all(before[1] == after[0] for before, after in pairwise(parts))
