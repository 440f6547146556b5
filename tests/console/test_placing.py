"""Rooms for lines of files, and the numbers that they get there."""

from datetime import UTC
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archiver.console.claims import DAY, SECOND
from archiver.console.placing import (
    Room,
    Spot,
    StoredLine,
    Verdict,
    message,
    number_lines,
    sign,
)
from archiver.console.records import AtKind
from archiver.query.times import local_moments

NOON = 1_795_435_200_000_000  # 2026-11-23 12:00:00 UTC
MOMENTS = partial(local_moments, zone=UTC)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[12:00:00] [Server thread/INFO]: Done (3.1s)!", "Done (3.1s)!"),
        ("[12:00:00 INFO]: Done (3.1s)!", "Done (3.1s)!"),
        ("[23Nov2026 12:00:00.123] [main/INFO] [a.b/C]: x]: y", "x]: y"),
        ("java.lang.Error: [x]: y", "java.lang.Error: [x]: y"),
        ("[12:00:00] plain", "[12:00:00] plain"),
        (f"[{'x' * 200}]: y", f"[{'x' * 200}]: y"),
        ("", ""),
    ],
)
def test_a_message_is_the_same_in_files_and_on_consoles(text, said):
    assert message(text) == said


def stored(seq: int, second: float, text: str, kind: AtKind = AtKind.CLAIMED, **more) -> StoredLine:
    at = NOON + round(second * SECOND)
    plain = StoredLine(seq, 1, at, kind, None, at if kind == AtKind.CLAIMED else None, text)
    return plain._replace(**more)


def gap(*, before: list[StoredLine], after: list[StoredLine]) -> Room:
    return Room(
        1,
        2**32,
        before,
        after,
        since=NOON,
        until=NOON + 60 * SECOND,
        now=NOON + 90 * SECOND,
        moments=MOMENTS,
    )


def verdicts(room: Room, *lines: tuple[float, str], lasts: int = SECOND) -> list[str]:
    signs = [sign(text, (round(second * SECOND) + DAY // 2) % DAY) for second, text in lines]
    return [
        room.judge(text, NOON + round(second * SECOND), lasts, partial(iter, signs[place:])).value
        for place, (second, text) in enumerate(lines)
    ]


def test_times_tell_where_they_are_clear():
    room = gap(before=[stored(1, 0, "a")], after=[stored(2**32, 60, "z")])
    assert verdicts(room, (-1, "x"), (1, "x"), (59, "x"), (61, "x")) == [
        "outside",
        "new",
        "new",
        "outside",
    ]
    assert not room.is_shown_whole
    assert room.run_id == 1


def test_in_the_seconds_at_its_ends_texts_tell_each_stored_line_once():
    room = gap(
        before=[stored(1, 0, "a"), stored(0, 0, "a"), stored(-1, -1, "b")],
        after=[stored(2**32, 60, "z"), stored(2**32 + 1, 60, "y"), stored(2**32 + 2, 61, "x")],
    )
    assert verdicts(room, (0, "a"), (0, "b"), (0, "a"), (0, "a")) == [
        "there",
        "uncertain",
        "there",
        "uncertain",
    ]
    assert verdicts(room, (60, "x"), (60, "z"), (60, "v"), (60.5, "y")) == [
        "uncertain",
        "there",
        "outside",  # behind a line behind the room
        "outside",
    ]
    assert room.is_shown_whole


def test_a_finer_time_in_the_file_is_of_the_second_on_the_console():
    room = gap(before=[stored(1, 0, "a")], after=[stored(2**32, 60, "z")])
    fine = [(0.7, "a"), (0.8, "b"), (1.0, "c"), (59.999, "d"), (60.2, "z")]
    assert verdicts(room, *fine, lasts=1_000) == ["there", "uncertain", "new", "new", "there"]


def test_an_unresolved_claim_of_a_stored_line_is_read_in_the_zone_of_the_file():
    early = stored(1, 4.2, "[12:00:03 INFO]: a", AtKind.OBSERVED)
    late = stored(2**32, 70, "[12:00:50 INFO]: z", AtKind.BEFORE)
    room = gap(before=[early], after=[late])
    assert verdicts(room, (2, "x"), (3, "a"), (4, "x"), (49, "x"), (50, "z"), (51, "x")) == [
        "outside",
        "there",
        "new",
        "new",
        "there",
        "outside",
    ]


def test_without_a_claim_a_stored_line_is_of_about_its_time():
    room = gap(
        before=[stored(1, 0, "a", AtKind.OBSERVED)],
        after=[stored(2**32, 60, "z", AtKind.BEFORE, earliest_at=NOON + 50 * SECOND)],
    )
    assert verdicts(room, (-7, "x"), (-3, "x"), (4, "x"), (6, "x"), (48, "x"), (52, "x")) == [
        "outside",
        "uncertain",
        "uncertain",
        "new",
        "new",
        "uncertain",
    ]


def test_a_stretch_of_undated_lines_begins_where_the_file_shows_its_first_lines():
    """They seem to be of this noon, and are of two days ago."""
    texts = [f"[12:00:{n:02} INFO]: {n % 3}" for n in range(20, 40)]
    after = [stored(2**32 + n, 3_600, text, AtKind.BEFORE) for n, text in enumerate(texts)]
    room = Room(None, 0, [], after, since=None, until=NOON, now=NOON + 2**40, moments=MOMENTS)
    assert room.end.since == NOON + 20 * SECOND
    ago = -2.0 * 86_400
    lines = [(ago + second, f"{second % 3}") for second in range(-80, 40)]
    lines.append((0.0, "x"))
    assert verdicts(room, *lines) == ["new"] * 100 + ["there"] + ["outside"] * 20


def test_a_room_without_an_end_takes_all():
    room = Room(None, 0, [], [], since=None, until=2**62, now=NOON, moments=MOMENTS)
    assert verdicts(room, (-(2**30), "x"), (2**30, "x")) == ["new", "new"]
    assert (room.left, room.right) == (None, Spot(0, NOON))


TIMES = st.lists(st.integers(-1_000, 1_000_000), min_size=1, max_size=50).map(sorted)


@given(TIMES, st.integers(1, 2**40), st.integers(-100, 1_000_000), st.booleans())
def test_numbers_rise_and_lie_between_the_two(times, room, lasts, has_left):
    left = Spot(-room, 0) if has_left else None
    right = Spot(0, lasts)
    seqs = number_lines(left, right, times)
    if seqs is None:
        assert has_left
        assert room <= len(times)
        return
    assert seqs == sorted(set(seqs))
    assert seqs[-1] < 0
    assert len(seqs) == len(times)
    assert left is None or seqs[0] > left.seq


def test_numbers_go_by_time_so_that_there_are_some_left_at_each():
    left, right = Spot(0, NOON), Spot(2**32, NOON + 3_600 * SECOND)
    (middle,) = number_lines(left, right, [NOON + 1_800 * SECOND]) or []
    assert middle == 2**31
    first, second = number_lines(left, right, [NOON + SECOND, NOON + SECOND]) or []
    assert 1_000 < second - first < 2_000  # a millisecond's


def test_before_all_that_is_stored_a_microsecond_is_a_number():
    seqs = number_lines(None, Spot(0, NOON), [NOON - 60 * SECOND, NOON - 30 * SECOND]) or []
    assert [round(seq / SECOND) for seq in seqs] == [-60, -30]
    assert Verdict("new") is Verdict.NEW
