"""Dates for the times of a log file, by the order of its lines."""

from datetime import UTC, datetime
from functools import partial
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archiver.console.claims import DAY, SECOND, ClaimedTime, read_claim
from archiver.console.clocks import HOUR
from archiver.console.dating import DayCount, FileClock, last_moment, next_local
from archiver.query.times import from_datetime, local_moments

MINUTE = 60 * SECOND
BERLIN = partial(local_moments, zone=ZoneInfo("Europe/Berlin"))
IN_UTC = partial(local_moments, zone=UTC)


def us(text: str) -> int:
    return from_datetime(datetime.fromisoformat(text).replace(tzinfo=UTC))


def claimed(text: str) -> ClaimedTime:
    claim = read_claim(f"[{text} INFO]: x" if text[2:3] == ":" else f"{text} x")
    assert claim is not None
    assert claim.time is not None
    return claim.time


def dated(clock: FileClock, *texts: str) -> list[str]:
    return [
        datetime.fromtimestamp(clock.date(claimed(text)) / 1e6, UTC).strftime("%m-%d %H:%M:%S")
        for text in texts
    ]


FIRST = us("2026-11-23") // DAY


@pytest.mark.parametrize(
    ("times", "moments"),
    [
        (("12:00:00", "12:00:00", "13:00:00"), ("23 12:00:00", "23 12:00:00", "23 13:00:00")),
        (("23:59:59", "00:00:01", "00:00:00"), ("23 23:59:59", "24 00:00:01", "24 00:00:00")),
        (("23:59:59", "00:00:01", "23:59:58"), ("23 23:59:59", "24 00:00:01", "23 23:59:58")),
        (("08:00:00", "21:00:00", "07:00:00"), ("23 08:00:00", "23 21:00:00", "24 07:00:00")),
        (("12:00:00", "11:00:00"), ("23 12:00:00", "23 11:00:00")),
        (("12:00:00", "10:59:59"), ("23 12:00:00", "24 10:59:59")),
    ],
    ids=["same day", "midnight", "a late line", "a quiet day", "an hour back", "more than an hour"],
)
def test_days_are_counted_through_midnight(times, moments):
    clock = FileClock(IN_UTC, 0, FIRST)
    assert dated(clock, *times) == [f"11-{moment}" for moment in moments]


def test_dates_that_lines_claim_are_what_counts():
    clock = FileClock(IN_UTC, 0, None)
    text = ("2026-11-23 12:00:00", "2026-11-25 12:00:00", "12:30:00", "2026-11-24 09:00:00")
    assert dated(clock, *text) == [
        "11-23 12:00:00",
        "11-25 12:00:00",
        "11-25 12:30:00",
        "11-24 09:00:00",
    ]


def test_a_zone_that_lines_claim_is_what_counts():
    clock = FileClock(BERLIN, 0, None)
    assert dated(clock, "2026-11-23T12:00:00+02:00", "2026-11-23T12:00:00Z") == [
        "11-23 10:00:00",
        "11-23 12:00:00",
    ]


def test_a_date_without_a_year_is_of_the_year_nearest_to_the_line_before():
    clock = FileClock(IN_UTC, us("2026-01-02"), None)
    assert [
        datetime.fromtimestamp(clock.date(claimed(text)) / 1e6, UTC).year
        for text in ("Dec 30 23:00:00", "Jan  1 00:00:00", "Dec 31 23:00:00", "Aug  1 00:00:00")
    ] == [2025, 2026, 2025, 2025]
    leap = FileClock(IN_UTC, us("2027-03-01"), None)
    assert leap.date(claimed("Feb 29 12:00:00")) == us("2028-02-29T12:00")


def test_an_hour_that_happens_twice_is_told_by_the_order_of_its_lines():
    clock = FileClock(BERLIN, 0, us("2026-10-25") // DAY)
    shown = ("01:59:59", "02:00:00", "02:59:58", "02:00:01", "02:30:00", "03:00:00")
    assert dated(clock, *shown) == [
        "10-24 23:59:59",
        "10-25 00:00:00",
        "10-25 00:59:58",
        "10-25 01:00:01",
        "10-25 01:30:00",
        "10-25 02:00:00",
    ]


def test_the_first_day_is_counted_back_from_the_last_line():
    count = DayCount()
    for text in ("12:00:00", "23:59:59", "00:10:00", "08:00:00", "07:59:59", "06:00:00"):
        count.add(claimed(text))
    assert count.first_day is None
    day = us("2026-11-25") // DAY
    assert count.first_day_before(us("2026-11-25T06:00:30")) == day - 2
    # The file was closed a moment after the midnight behind its last line.
    assert count.first_day_before(us("2026-11-26T00:00:01")) == day - 2
    assert count.first_day_before(us("2026-11-25T04:00:00")) == day - 3


def test_a_date_later_in_the_file_dates_its_first_line():
    count = DayCount()
    for text in ("23:00:00", "01:00:00", "2026-11-25 02:00:00", "2026-11-29 02:00:00"):
        count.add(claimed(text))
    assert count.first_day == us("2026-11-24") // DAY


CLOCKS = st.integers(0, DAY // SECOND - 1).map(lambda second: second * SECOND)


def time_of_day(clock: int) -> ClaimedTime:
    return ClaimedTime("clock", None, None, clock, SECOND, None)


@given(st.integers(0, 30_000 * DAY), CLOCKS)
def test_the_next_time_is_at_most_an_hour_before_and_less_than_a_day_behind(before, clock):
    local = next_local(before, time_of_day(clock))
    assert local % DAY == clock
    assert -HOUR <= local - before < DAY - HOUR


@given(st.lists(st.integers(0, DAY // SECOND - 3_601), max_size=40))
def test_a_file_is_dated_right_from_its_end_as_from_its_beginning(pauses):
    at = us("2026-11-23T15:00")
    moments = [at := at + pause * SECOND for pause in pauses] or [at]
    count = DayCount()
    for moment in moments:
        count.add(time_of_day(moment % DAY))
    clock = FileClock(IN_UTC, 0, count.first_day_before(moments[-1] + MINUTE))
    assert [clock.date(time_of_day(moment % DAY)) for moment in moments] == moments


@pytest.mark.parametrize(
    ("text", "until", "moment"),
    [
        ("12:00:00", "2026-11-23T14:00", "2026-11-23T11:00"),
        ("12:00:00", "2026-11-23T11:00", "2026-11-23T11:00"),
        ("12:00:00", "2026-11-23T10:59", "2026-11-22T11:00"),
        ("00:30:00", "2026-11-23T23:40", "2026-11-23T23:30"),
        ("02:30:00", "2026-10-25T12:00", "2026-10-25T01:30"),
        ("02:30:00", "2026-10-25T01:00", "2026-10-25T00:30"),
        ("2026-11-20 12:00:00", "2026-11-23T10:59", "2026-11-20T11:00"),
        ("2026-11-24 12:00:00", "2026-11-23T10:59", None),
        ("Dec 24 12:00:00", "2026-11-23T10:59", "2025-12-24T11:00"),
        ("2026-11-20T12:00:00Z", "2026-11-23T10:59", "2026-11-20T12:00"),
    ],
)
def test_the_last_moment_that_a_stored_line_can_mean(text, until, moment):
    expected = None if moment is None else us(moment)
    assert last_moment(claimed(text), us(until), BERLIN) == expected
