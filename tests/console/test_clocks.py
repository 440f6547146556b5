"""Which moments the times mean that lines claim."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archiver.console.claims import DAY, QUARTER, SECOND, ClaimedTime, read_claim
from archiver.console.clocks import (
    AGREEING,
    AGREEING_FOR,
    DISAGREEING,
    HOUR,
    MOST_WRONG,
    MOST_WRONG_BARE,
    ServerClock,
)

MINUTE = 60 * SECOND
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

FORMATS = {
    "bare": "[%H:%M:%S] x",
    "paper": "[%H:%M:%S INFO]: x",
    "vanilla": "[%H:%M:%S] [Server thread/INFO]: x",
    "forge": "[%d%b%Y %H:%M:%S.{ms}] [main/INFO] [a/]: x",
    "python": "%Y-%m-%d %H:%M:%S,{ms} - a - INFO - x",
    "micro": "%Y-%m-%d %H:%M:%S.{us} x",
    "T": "%Y-%m-%dT%H:%M:%S x",
    "unreal": "[%Y.%m.%d-%H.%M.%S:{ms}][  0]x",
    "valheim": "%m/%d/%Y %H:%M:%S: x",
    "source": "L %m/%d/%Y - %H:%M:%S: x",
    "ctime": "[%a %b %d %H:%M:%S %Y] x",
    "syslog": "%b %d %H:%M:%S host x",
}
DATED = [name for name in FORMATS if name not in {"bare", "paper", "vanilla"}]
WITH_LEVEL = [name for name in FORMATS if name != "bare"]


def us(text: str) -> int:
    return (datetime.fromisoformat(text).replace(tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)


def claimed(form: str, at: int, offset: int) -> ClaimedTime:
    """What a host with that zone prints at that moment."""
    local = EPOCH + timedelta(microseconds=at + offset)
    micros = f"{local.microsecond:06}"
    claim = read_claim(local.strftime(FORMATS[form]).format(ms=micros[:3], us=micros))
    assert claim is not None
    assert claim.time is not None
    assert claim.time.offset is None
    return claim.time


def cut(form: str, at: int) -> int:
    """The moment as precisely as it is printed."""
    step = 1_000 if "{ms}" in FORMATS[form] else 1 if "{us}" in FORMATS[form] else SECOND
    return at // step * step


def teach(clock: ServerClock, form: str, offset: int, at: int, *, wrong: int = 0) -> None:
    """Let lines come live, the last of them at that moment."""
    for number in range(AGREEING, -1, -1):
        observed_at = at - number * 5 * SECOND
        clock.learn(claimed(form, observed_at + wrong, offset), observed_at)


offsets = st.integers(-48, 56).map(lambda quarters: quarters * QUARTER)
moments = st.one_of(
    st.integers(us("1990-01-01"), us("2090-01-01")),
    st.tuples(
        st.sampled_from(
            ["2026-01-01", "2024-02-29", "2024-03-01", "2023-03-01", "2026-11-24", "2000-02-29"]
        ).map(us),
        offsets,
        st.integers(-3 * SECOND, 3 * SECOND),
    ).map(lambda parts: parts[0] - parts[1] + parts[2]),
)


def later(most: int, number: int) -> st.SearchStrategy[list[int]]:
    return st.lists(st.integers(0, most), min_size=number, max_size=number).map(sorted)


NOW = us("2026-11-23T14:07:12.345678")


@given(st.sampled_from(list(FORMATS)), offsets, moments)
def test_live_lines_are_resolved_once_enough_agree(form, offset, at):
    clock = ServerClock()
    results = []
    for number in range(6):
        observed_at = at + number * AGREEING_FOR // 2
        results.append(clock.learn(claimed(form, observed_at, offset), observed_at))
    assert results[: AGREEING - 1] == [None, None]
    assert results[AGREEING - 1 :] == [
        cut(form, at + number * AGREEING_FOR // 2) for number in range(AGREEING - 1, 6)
    ]


@given(
    st.sampled_from(list(FORMATS)),
    offsets,
    moments,
    later(50 * MINUTE, 2),
)
def test_lines_replayed_after_a_short_outage_are_resolved_exactly(form, offset, at, passed):
    clock = ServerClock()
    teach(clock, form, offset, at)
    printed, before = at + passed[0], at + passed[1]
    assert clock.resolve(claimed(form, printed, offset), at, before) == cut(form, printed)


@given(
    st.sampled_from(list(FORMATS)),
    offsets,
    moments,
    later(23 * HOUR, 2),
)
def test_live_lines_on_both_sides_date_a_long_gap(form, offset, at, passed):
    clock = ServerClock()
    teach(clock, form, offset, at)
    teach(clock, form, offset, at - HOUR)  # the era began before the gap
    printed, before = at + passed[0], at + passed[1]
    teach(clock, form, offset, before + HOUR)
    result = clock.resolve(claimed(form, printed, offset), at, before)
    assert result == cut(form, printed)


@given(
    st.sampled_from(WITH_LEVEL),
    offsets,
    moments,
    st.integers(-MOST_WRONG + 2 * SECOND, MOST_WRONG - SECOND),
    st.integers(0, 40 * MINUTE),
)
def test_what_a_wrong_host_claims_stays_what_it_claims(form, offset, at, wrong, passed):
    clock = ServerClock()
    teach(clock, form, offset, at, wrong=wrong)
    printed = at + passed
    result = clock.resolve(claimed(form, printed + wrong, offset), at, printed)
    assert result == cut(form, printed + wrong)


@given(
    st.tuples(st.sampled_from(list(FORMATS)), st.sampled_from(list(FORMATS))),
    offsets,
    moments,
    later(10 * DAY, 2),
    st.sampled_from([-HOUR, 0, HOUR]),
)
def test_no_time_is_ever_wrong(forms, offset, at, passed, change):
    """Whatever was learned, and though clocks may have been changed during the outage."""
    taught, form = forms
    clock = ServerClock()
    teach(clock, taught, offset, at)
    printed, before = at + passed[0], at + passed[1]
    result = clock.resolve(claimed(form, printed, offset + change), at, before)
    assert result in {None, cut(form, printed)}


@given(
    st.sampled_from(list(FORMATS)),
    offsets,
    moments,
    st.sampled_from([-HOUR, HOUR]),
    later(20 * HOUR, 3),
)
def test_lines_replayed_across_a_change_of_clocks_are_right_or_unresolved(
    form, offset, at, change, passed
):
    first, second, third = passed
    changed, before = at + second, at + third
    clock = ServerClock()
    teach(clock, form, offset, at)
    teach(clock, form, offset + change, before + MINUTE)
    for printed in (at + first, at + second, before):
        zone = offset if printed < changed else offset + change
        result = clock.resolve(claimed(form, printed, zone), at, before)
        assert result in {None, cut(form, printed)}


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("change", [-HOUR, HOUR])
def test_on_both_sides_of_a_change_of_clocks_lines_are_resolved(form, change):
    clock = ServerClock()
    changed = us("2026-10-25T01:00:00")
    for at in (changed - 12 * HOUR, changed - MINUTE):
        teach(clock, form, 3 * HOUR, at)
    clock.learn(claimed(form, NOW, -5 * HOUR), changed - MINUTE)  # says something else
    for at in (changed + MINUTE, changed + 12 * HOUR):
        teach(clock, form, 3 * HOUR + change, at)
    for printed, offset in {
        changed - 5 * HOUR: 3 * HOUR,
        changed + 5 * HOUR: 3 * HOUR + change,
    }.items():
        time = claimed(form, printed, offset)
        assert clock.resolve(time, printed - 3 * HOUR, printed + 3 * HOUR) == printed


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("change", [-HOUR, 0, HOUR])
def test_where_clocks_may_have_been_changed_unseen_nothing_is_guessed(form, change):
    clock = ServerClock()
    teach(clock, form, 0, NOW)
    for printed, earliest, before in [
        (NOW + 2 * HOUR, NOW, NOW + 4 * HOUR),
        (NOW - 2 * HOUR, NOW - 4 * HOUR, NOW - MINUTE),
    ]:
        assert clock.resolve(claimed(form, printed, change), earliest, before) is None
    # In a short time only one hour fits.
    printed = NOW + 20 * MINUTE
    result = clock.resolve(claimed(form, printed, change), NOW, NOW + 50 * MINUTE)
    assert result == cut(form, printed)


@pytest.mark.parametrize("change", [-HOUR, HOUR])
@pytest.mark.parametrize("form", FORMATS)
def test_live_lines_follow_a_change_of_clocks(form, change):
    clock = ServerClock()
    teach(clock, form, 0, NOW)
    at = NOW + MINUTE
    results = [
        clock.learn(claimed(form, at + number * 6 * SECOND, change), at + number * 6 * SECOND)
        for number in range(4)
    ]
    assert results[:2] == [None, None]
    assert results[2:] == [cut(form, at + number * 6 * SECOND) for number in (2, 3)]


@pytest.mark.parametrize("form", FORMATS)
def test_nothing_is_resolved_before_lines_came_live(form):
    clock = ServerClock()
    time = claimed(form, NOW, 0)
    assert clock.resolve(time, NOW - MINUTE, NOW + MINUTE) is None
    clock.learn(time, NOW)
    assert clock.resolve(time, NOW - MINUTE, NOW + MINUTE) is None


def test_each_form_has_a_clock_of_its_own():
    clock = ServerClock()
    teach(clock, "paper", HOUR, NOW)
    teach(clock, "unreal", 0, NOW)
    assert clock.resolve(claimed("paper", NOW, HOUR), NOW, NOW) == cut("paper", NOW)
    assert clock.resolve(claimed("unreal", NOW, 0), NOW, NOW) == cut("unreal", NOW)
    assert clock.resolve(claimed("T", NOW, 0), NOW, NOW) is None


def test_a_stored_tail_teaches_the_same():
    clock = ServerClock()
    stored = [(claimed("paper", NOW + n * MINUTE, HOUR), NOW + n * MINUTE) for n in range(3)]
    for time, observed_at in stored:
        clock.learn(time, observed_at)
    later = NOW + 10 * MINUTE
    assert clock.resolve(claimed("paper", later, HOUR), NOW, later) == cut("paper", later)


@pytest.mark.parametrize("speed", [0, 2, 60, 72])
@pytest.mark.parametrize("form", ["bare", "paper", "python"])
def test_a_clock_that_runs_at_another_speed_is_none(form, speed):
    clock = ServerClock()
    for seconds in range(0, 200, 4):
        at = NOW + seconds * SECOND
        assert clock.learn(claimed(form, NOW + seconds * speed * SECOND, 0), at) is None
        assert clock.resolve(claimed(form, at, 0), at, at) is None


@pytest.mark.parametrize("wrong", [-MOST_WRONG_BARE - SECOND, MOST_WRONG_BARE + SECOND, 7 * MINUTE])
def test_time_since_a_start_is_no_time_of_day(wrong):
    clock = ServerClock()
    teach(clock, "bare", 0, NOW, wrong=wrong)
    assert clock.learn(claimed("bare", NOW + wrong, 0), NOW) is None
    assert clock.resolve(claimed("bare", NOW, 0), NOW, NOW) is None


@pytest.mark.parametrize("form", ["paper", "python", "syslog"])
def test_a_clock_that_is_far_off_shows_no_zone(form):
    clock = ServerClock()
    teach(clock, form, 0, NOW, wrong=MOST_WRONG + 2 * SECOND)
    assert clock.resolve(claimed(form, NOW, 0), NOW, NOW) is None


@pytest.mark.parametrize("offset", [-12 * HOUR - QUARTER, 14 * HOUR + QUARTER, 48 * HOUR])
@pytest.mark.parametrize("form", DATED)
def test_a_date_in_no_zone_shows_none(form, offset):
    clock = ServerClock()
    teach(clock, form, offset, NOW)
    assert clock.learn(claimed(form, NOW, offset), NOW) is None


def test_a_burst_shows_no_zone():
    clock = ServerClock()
    for number in range(50):
        at = NOW + number * 100_000
        assert clock.learn(claimed("paper", at, HOUR), at) is None


def test_a_line_that_disagrees_is_not_resolved_and_changes_nothing():
    clock = ServerClock()
    teach(clock, "paper", 0, NOW)
    assert clock.learn(claimed("paper", NOW - 5 * HOUR, 0), NOW) is None
    assert clock.learn(claimed("paper", NOW, 0), NOW) == cut("paper", NOW)


def test_lines_that_disagree_persistently_end_what_was_known():
    clock = ServerClock()
    teach(clock, "paper", 0, NOW)
    for number in range(1, DISAGREEING + 1):
        clock.learn(claimed("paper", NOW + number * 7 * MINUTE, 0), NOW)
    assert clock.resolve(claimed("paper", NOW, 0), NOW, NOW) is None


def test_lines_that_disagree_between_others_end_nothing():
    clock = ServerClock()
    teach(clock, "paper", 0, NOW)
    for number in range(2 * DISAGREEING):
        at = NOW + number * 10 * SECOND
        assert clock.learn(claimed("paper", at, -5 * HOUR), at) is None
        assert clock.learn(claimed("paper", at, 0), at) == cut("paper", at)
    printed = at + MINUTE
    assert clock.resolve(claimed("paper", printed, 0), at, printed) == cut("paper", printed)


@pytest.mark.parametrize("offset", [-12 * HOUR, 12 * HOUR])
def test_half_a_day_either_way_is_one_zone_to_a_time_of_day(offset):
    clock = ServerClock()
    results = []
    for number in range(6):
        at = NOW + number * 6 * SECOND
        wrong = number % 2 * SECOND  # now before, now behind the line that parts the two
        results.append(clock.learn(claimed("paper", at + wrong, offset), at))
    assert None not in results[AGREEING - 1 :]


@pytest.mark.parametrize("drift", [-SECOND // 4, SECOND // 4])
def test_a_clock_that_drifts_is_followed(drift):
    clock = ServerClock()
    teach(clock, "python", 0, NOW)
    for number in range(120):
        at, wrong = NOW + number * MINUTE, number * drift
        clock.learn(claimed("python", at + wrong, 0), at)
    result = clock.resolve(claimed("python", at + MINUTE + wrong, 0), at + MINUTE, at + MINUTE)
    assert result == cut("python", at + MINUTE + wrong)


def test_two_zones_in_one_form_leave_what_fits_both_unresolved():
    clock = ServerClock()
    teach(clock, "paper", 2 * HOUR, NOW)
    assert clock.learn(claimed("paper", NOW, 0), NOW) is None
    assert clock.learn(claimed("paper", NOW, 2 * HOUR), NOW) is not None
    printed, before = NOW + MINUTE, NOW + 30 * MINUTE
    assert clock.resolve(claimed("paper", printed, 2 * HOUR), NOW, before) == cut("paper", printed)
    teach(clock, "paper", 2 * HOUR, NOW + 9 * HOUR)
    time = claimed("paper", NOW + 3 * HOUR, 2 * HOUR)
    assert clock.resolve(time, NOW + MINUTE, NOW + 8 * HOUR) is None


@pytest.mark.parametrize(
    ("earliest_at", "before", "is_resolved"),
    [
        (NOW - MINUTE, NOW + MINUTE, True),
        (NOW, NOW, True),
        (NOW + 10 * SECOND, NOW + MINUTE, False),
        (NOW - MINUTE, NOW - 10 * SECOND, False),
        (NOW - 25 * HOUR, NOW + MINUTE, False),
        (None, NOW + MINUTE, False),
    ],
)
def test_a_time_of_day_needs_bounds_that_leave_one(earliest_at, before, is_resolved):
    clock = ServerClock()
    teach(clock, "paper", 0, NOW - 30 * HOUR)
    teach(clock, "paper", 0, NOW + 30 * HOUR)
    result = clock.resolve(claimed("paper", NOW, 0), earliest_at, before)
    assert result == (cut("paper", NOW) if is_resolved else None)


def test_a_claimed_zone_needs_no_clock():
    clock = ServerClock()
    claim = read_claim("2026-11-23T16:07:12.345+02:00 x")
    assert claim is not None
    assert claim.time is not None
    at = NOW // 1_000 * 1_000
    assert clock.learn(claim.time, NOW + MINUTE) == at
    assert clock.resolve(claim.time, None, NOW) == at
    assert clock.resolve(claim.time, NOW - DAY, NOW + DAY) == at
    assert clock.learn(claim.time, NOW + HOUR) is None
    assert clock.resolve(claim.time, NOW + HOUR, NOW + DAY) is None
    assert clock.resolve(claim.time, NOW - DAY, NOW - HOUR) is None


def test_a_late_line_moves_little():
    clock = ServerClock()
    teach(clock, "paper", 0, NOW)
    assert clock.learn(claimed("paper", NOW, 0), NOW + 20 * SECOND) == cut("paper", NOW)
    later = NOW + MINUTE
    assert clock.resolve(claimed("paper", later, 0), NOW, later) == cut("paper", later)


@given(
    st.lists(st.tuples(st.sampled_from(list(FORMATS)), offsets, st.integers(0, 400)), max_size=80)
)
def test_live_results_are_never_far_from_when_the_line_came(lines):
    clock = ServerClock()
    at = NOW
    for form, offset, seconds in lines:
        at += seconds * SECOND
        result = clock.learn(claimed(form, at, offset), at)
        assert result is None or abs(result - at) <= MOST_WRONG
