from contextlib import suppress
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archiver import errors
from archiver.query import times

BERLIN = ZoneInfo("Europe/Berlin")
NOW = times.from_datetime(datetime(2026, 11, 19, 14, 30, tzinfo=UTC))  # 15:30 in Berlin
MOMENTS = st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1)).map(  # noqa: DTZ001  # made aware here
    lambda moment: times.from_datetime(moment.replace(tzinfo=UTC))
)
ZONES = st.sampled_from([UTC, BERLIN, ZoneInfo("America/St_Johns"), ZoneInfo("Pacific/Apia")])


def read(text: str, **more: bool) -> str:
    return times.format_iso(times.parse_time(text, now=NOW, zone=BERLIN, **more))


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("now", "2026-11-19T14:30:00"),
        ("2h", "2026-11-19T12:30:00"),
        ("-1d12h", "2026-11-18T02:30:00"),
        ("1w", "2026-11-12T14:30:00"),
        ("90s", "2026-11-19T14:28:30"),
        ("1h30m", "2026-11-19T13:00:00"),
        ("today", "2026-11-18T23:00:00"),
        ("Yesterday", "2026-11-17T23:00:00"),
        ("today 18:00", "2026-11-19T17:00:00"),
        ("yesterday  9:05", "2026-11-18T08:05:00"),
        ("14:07", "2026-11-19T13:07:00"),
        ("14:07:09", "2026-11-19T13:07:09"),
        ("2026-11-19", "2026-11-18T23:00:00"),
        ("2026-07-01", "2026-06-30T22:00:00"),
        ("2026-11-19T18:00", "2026-11-19T17:00:00"),
        ("2026-11-19 18:00", "2026-11-19T17:00:00"),
        ("2026-11-19t18:00z", "2026-11-19T18:00:00"),
        ("2026-11-19T18:00:30+05:30", "2026-11-19T12:30:30"),
        ("2026-11-19T18:00-0330", "2026-11-19T21:30:00"),
        ("2026-11-19Z", "2026-11-19T00:00:00"),
        ("  14:07  ", "2026-11-19T13:07:00"),
        ("1795098600", "2026-11-19T14:30:00"),
        ("@0", "1970-01-01T00:00:00"),
    ],
)
def test_a_time_is_read_as_people_write_it(text, moment):
    assert read(text) == f"{moment}.000000Z"


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("14:07:09.5", "2026-11-19T13:07:09.500000Z"),
        ("2026-11-19 18:00:00,123456", "2026-11-19T17:00:00.123456Z"),
        ("1795098600.000001", "2026-11-19T14:30:00.000001Z"),
        ("@-1.5", "1969-12-31T23:59:58.500000Z"),
    ],
)
def test_a_time_may_have_a_fraction(text, moment):
    assert read(text) == moment


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("", 1),
        ("-", 1),
        ("soon", 1),
        ("2026", 1),
        ("1763557200000", 1),
        ("2026-13-01", 1),
        ("2026-02-30", 1),
        ("25:00", 1),
        ("14:07:61", 1),
        ("yesterdya", 1),
        ("yesterday at 9", 11),
        ("2026-11-19T", 11),
        ("2026-11-19T18:00+99:00", 1),
        ("2026-11-19T18:00+01:75", 1),
        ("2h ago", 1),
        ("1x", 1),
        ("\u0662h", 1),
        ("\u0661\u0664:\u0660\u0667", 1),
        ("0001-01-01T00:00+23:00", 1),
    ],
)
def test_what_is_no_time_is_refused_with_its_column(text, column):
    with pytest.raises(errors.UsageError, match="is no time") as caught:
        read(text)
    assert caught.value.where == f"column {column}"


def test_an_hour_that_happens_twice_is_wholly_inside_a_range():
    assert read("2026-10-25T02:30") == "2026-10-25T00:30:00.000000Z"
    assert read("2026-10-25T02:30", is_end=True) == "2026-10-25T01:30:00.000000Z"


def test_an_hour_that_never_was_is_the_one_after_it():
    assert read("2026-03-29T02:30") == "2026-03-29T01:30:00.000000Z"
    assert read("2026-03-29T02:30", is_end=True) == "2026-03-29T01:30:00.000000Z"


@pytest.mark.parametrize(
    ("text", "since", "until"),
    [
        ("14:07±30s", "13:06:30", "13:07:30"),
        ("14:07 +- 1m", "13:06:00", "13:08:00"),
        ("14:07", "13:02:00", "13:12:00"),
        ("1h±1h", "12:30:00", "14:30:00"),
    ],
)
def test_around_is_a_time_with_both_sides(text, since, until):
    found = times.parse_around(text, now=NOW, zone=BERLIN)
    assert [times.format_iso(at)[11:19] for at in found] == [since, until]


def test_a_time_too_far_away_is_refused():
    for text in ("0001-01-01", "9999-12-31", "999999999w"):
        with pytest.raises(errors.UsageError):
            read(text)


@pytest.mark.parametrize(("text", "column"), [("14:07±", 6), ("14:07±soon", 6), ("±5m", 1)])
def test_around_nothing_or_by_nothing_is_refused(text, column):
    with pytest.raises(errors.UsageError) as caught:
        times.parse_around(text, now=NOW, zone=BERLIN)
    assert caught.value.where == f"column {column}"


def test_midnight_is_local():
    assert times.format_iso(times.midnight(NOW, BERLIN)) == "2026-11-18T23:00:00.000000Z"


def test_times_are_shown_cut_not_rounded():
    assert times.format_time(NOW + 999_999, BERLIN) == "2026-11-19 15:30:00.999"
    assert times.format_iso(NOW + 999_999) == "2026-11-19T14:30:00.999999Z"
    assert times.format_iso(-1) == "1969-12-31T23:59:59.999999Z"


@given(MOMENTS, ZONES)
def test_what_is_shown_to_programs_is_read_back(at, zone):
    assert times.parse_time(times.format_iso(at), now=NOW, zone=zone) == at


@given(MOMENTS, ZONES)
def test_what_is_shown_to_people_is_read_back_as_a_range_that_holds_it(at, zone):
    text = times.format_time(at, zone)
    since = times.parse_time(text, now=NOW, zone=zone)
    until = times.parse_time(text, now=NOW, zone=zone, is_end=True)
    assert since <= at < until + 1000
    assert at - since in {at % 1000, at % 1000 + 3_600_000_000}


@given(MOMENTS, ZONES)
def test_epoch_seconds_are_read_back(at, zone):
    text = f"@{at // 1_000_000}.{at % 1_000_000:06d}"
    assert times.parse_time(text, now=NOW, zone=zone) == at


@given(st.text(), ZONES)
def test_any_text_is_a_time_or_refused(text, zone):
    for read_one in (times.parse_time, times.parse_around):
        with suppress(errors.UsageError):
            read_one(text, now=NOW, zone=zone)


@given(st.from_regex(times._MOMENT, fullmatch=True), ZONES)
def test_anything_that_looks_like_a_time_is_one_or_refused(text, zone):
    with suppress(errors.UsageError):
        times.format_time(times.parse_time(text, now=NOW, zone=zone), zone)


@pytest.mark.parametrize(
    ("shown", "moments"),
    [
        ("2026-11-23T12:00:00.5", ["2026-11-23T11:00:00.500000Z"]),
        ("2026-10-25T02:30", ["2026-10-25T00:30:00.000000Z", "2026-10-25T01:30:00.000000Z"]),
        ("2026-10-25T03:00", ["2026-10-25T02:00:00.000000Z"]),
        ("2026-03-29T02:30", ["2026-03-29T01:30:00.000000Z"]),
        ("1969-12-31T23:59:59", ["1969-12-31T22:59:59.000000Z"]),
    ],
    ids=["winter", "twice", "again once", "never", "before the epoch"],
)
def test_what_clocks_show_means_one_moment_or_two(shown, moments):
    local = times.from_datetime(datetime.fromisoformat(shown).replace(tzinfo=UTC))
    assert [times.format_iso(at) for at in times.local_moments(local, BERLIN)] == moments


@given(MOMENTS, ZONES)
def test_a_moment_is_one_of_those_at_which_clocks_show_its_local_time(at, zone):
    assert at in times.local_moments(times.local_time(at, zone), zone)


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0.0s"),
        (0.391303, "0.3s"),
        (9.99, "9.9s"),
        (10, "10s"),
        (59.9, "59s"),
        (60, "1m00s"),
        (725, "12m05s"),
        (3_599, "59m59s"),
        (3 * 3_600 + 59, "3h00m"),
        (86_400 * 2 + 3_600 * 4, "2d04h"),
        (86_400 * 400, "400d00h"),
    ],
)
def test_a_duration_is_shown_in_two_units(seconds, shown):
    assert times.format_duration(round(seconds * times.SECOND)) == shown


@given(st.integers(10, 10**8))
def test_a_duration_that_is_shown_can_be_read(seconds):
    shown = times.format_duration(seconds * times.SECOND)
    read_back = (NOW - times.parse_time(shown, now=NOW, zone=UTC)) // times.SECOND
    assert seconds - 3_600 < read_back <= seconds
