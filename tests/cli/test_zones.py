import time
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archiver import errors
from archiver.cli import zones
from archiver.query import times

# Every quarter of an hour of the days on which Berlin's clocks change, and any time.
CHANGES = [
    int(datetime(2026, month, day, tzinfo=UTC).timestamp()) + quarter * 900
    for month, day in ((3, 29), (10, 25))
    for quarter in range(16)
]


@pytest.fixture(autouse=True, scope="module")
def berlin():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "Europe/Berlin")
        time.tzset()
        yield ZoneInfo("Europe/Berlin")
    time.tzset()


@given(st.sampled_from(CHANGES) | st.integers(0, 2_000_000_000))
def test_the_local_zone_is_the_machine_s_through_all_its_changes(seconds):
    at = seconds * 1_000_000
    local = times.to_datetime(at, zones.LocalZone())
    berlin = times.to_datetime(at, ZoneInfo("Europe/Berlin"))
    assert local.replace(tzinfo=None) == berlin.replace(tzinfo=None)
    assert (local.utcoffset(), local.fold) == (berlin.utcoffset(), berlin.fold)
    assert times.from_datetime(local) == at


@pytest.mark.parametrize("text", ["2026-03-29 02:30", "2026-10-25 02:30", "2026-07-01 12:00"])
@pytest.mark.parametrize("is_end", [False, True])
def test_local_times_are_read_as_in_the_named_zone(berlin, text, is_end):
    local, named = (
        times.parse_time(text, now=0, zone=zone, is_end=is_end)
        for zone in (zones.LocalZone(), berlin)
    )
    assert local == named


def test_a_zone_without_a_moment_has_no_offset():
    zone = zones.LocalZone()
    assert (zone.utcoffset(None), zone.dst(None), zone.tzname(None)) == (None, None, None)
    summer = datetime(2026, 7, 1, tzinfo=zone)
    assert (summer.utcoffset(), summer.tzname(), summer.dst()) == (timedelta(hours=2), "CEST", None)


def test_zones_are_found_by_name():
    assert isinstance(zones.find_zone(None), zones.LocalZone)
    assert zones.find_zone("utc") is UTC
    assert zones.find_zone("Asia/Tokyo") == ZoneInfo("Asia/Tokyo")


@pytest.mark.parametrize(
    "name", ["Mars/Olympus", "../../etc/passwd", "/etc/localtime", "", "Europe"]
)
def test_a_zone_that_is_not_there_is_refused(name):
    with pytest.raises(errors.UsageError, match="no time zone"):
        zones.find_zone(name)
