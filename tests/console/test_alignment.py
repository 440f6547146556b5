"""Which frames are the replay, and where it meets what is stored."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archiver.console.alignment import Fill, Heard, count_twins, join_replay, separate_replay

WINDOW = 0.08


def hear(*lines: tuple[str, float]) -> list[Heard]:
    """Return lines as a socket brought them, given as (text, milliseconds)."""
    return [Heard(hash(text), at / 1000, round(at * 1000), text) for text, at in lines]


def separate(asked: Sequence[Heard], live: Sequence[Heard], asked_at: float = 0.0) -> list[str]:
    return [heard.raw for heard in separate_replay(asked, live, asked_at=asked_at, window=WINDOW)]


def test_without_live_lines_all_is_the_replay():
    assert separate(hear(("a", 5), ("b", 6)), []) == ["a", "b"]


def test_the_copy_of_a_live_line_is_taken_out():
    asked = hear(("a", 5), ("x", 6), ("b", 7))

    assert separate(asked, hear(("x", 6))) == ["a", "b"]


def test_a_line_that_is_replayed_and_live_stays_once():
    asked = hear(("a", 5), ("b", 6), ("b", 8))

    assert separate(asked, hear(("b", 8))) == ["a", "b"]


def test_a_copy_long_before_the_burst_does_not_take_the_place_of_the_replayed_line():
    # The main socket was read 35 ms later than the asking one; the burst was nearer.
    asked = hear(("x", 0), ("a", 43), ("b", 43.1), ("x", 43.2))

    assert separate(asked, hear(("x", 35))) == ["a", "b", "x"]


def test_a_copy_behind_the_burst_does_not_take_the_place_of_the_replayed_line():
    asked = hear(("a", 10), ("x", 11), ("y", 12), ("x", 40), ("y", 41))

    assert separate(asked, hear(("x", 14), ("y", 15))) == ["a", "x", "y"]


def test_on_a_busy_machine_a_copy_far_away_is_found():
    # Both lines are replayed and live; the copies came 200 ms before the main ones.
    asked = hear(("x", 0), ("y", 1), ("a", 150), ("x", 151), ("y", 152))

    assert separate(asked, hear(("x", 201), ("y", 202))) == ["a", "x", "y"]


def test_a_copy_is_rather_outside_of_the_burst_than_within_it():
    # The text is a common one; the main socket was read in the middle of the burst.
    asked = hear(("a", 5), ("t", 6), ("b", 7), ("t", 40), ("c", 40.1), ("d", 40.2), ("t", 60))

    assert separate(asked, hear(("t", 39))) == ["a", "t", "b", "t", "c", "d"]


def test_what_was_live_before_the_request_has_no_copy():
    asked = hear(("a", 105), ("x", 106))

    assert separate(asked, hear(("x", 60)), asked_at=0.1) == ["a", "x"]


@given(
    replayed=st.integers(0, 30),
    twins=st.integers(0, 5),
    later=st.integers(0, 10),
    data=st.data(),
)
def test_any_shuffle_of_distinct_lines_is_taken_apart(replayed, twins, later, data):
    # The log: lines 0..replayed are in the replay, its last `twins` are live too.
    twins = min(twins, replayed)
    live = list(range(replayed - twins, replayed + later))
    main = [(f"{n}", 100 + data.draw(st.floats(0, 60))) for n in live]
    main = [(text, at) for (text, _), at in zip(main, sorted(at for _, at in main), strict=True)]
    copies = [(text, at + data.draw(st.floats(-30, 30))) for text, at in main]
    copies = [
        (text, at) for (text, _), at in zip(copies, sorted(at for _, at in copies), strict=True)
    ]
    begin = data.draw(st.floats(80, 140))
    burst = [(f"{n}", begin + n * 0.05) for n in range(replayed)]
    asked = sorted([*copies, *burst], key=lambda frame: frame[1])

    found = separate(hear(*asked), hear(*main))

    keys = [hash(text) for text in found]
    fills = join_replay([()], keys, count_twins(keys, [hash(str(n)) for n in live], 0))
    log = found[: fills[0].stop] + [str(n) for n in live]
    assert log == [str(n) for n in range(replayed + later)]


@pytest.mark.parametrize(
    ("pieces", "replay", "live", "fills"),
    [
        pytest.param(["abc"], "abcde", "", [Fill(3, 5, joined=True)], id="1: two were missed"),
        pytest.param(["abc"], "abc", "", [Fill(3, 3, joined=True)], id="2: none was missed"),
        pytest.param(["xxabc"], "bcd", "", [Fill(2, 3, joined=True)], id="the window slid"),
        pytest.param(["abc"], "xyz", "", [Fill(0, 3, joined=False)], id="40: nothing overlaps"),
        pytest.param(
            ["tt"], "tttt", "", [Fill(2, 4, joined=True)], id="4: equal lines are counted"
        ),
        pytest.param(["abcabc"], "bcabcd", "", [Fill(5, 6, joined=True)], id="6: a repeated block"),
        pytest.param(["ab"], "abcd", "d", [Fill(2, 3, joined=True)], id="8: the last is live too"),
        pytest.param(["ab"], "abc", "de", [Fill(2, 3, joined=True)], id="live follows"),
        pytest.param([""], "abc", "c", [Fill(0, 2, joined=False)], id="3: nothing is stored"),
        pytest.param(
            ["ab", "de"],
            "abcdef",
            "",
            [Fill(2, 3, joined=True), Fill(5, 6, joined=True)],
            id="42: a gap is filled",
        ),
        pytest.param(
            ["ab", "de"],
            "cdef",
            "",
            [Fill(0, 1, joined=False), Fill(3, 4, joined=True)],
            id="a gap is filled in part",
        ),
        pytest.param(
            ["ab", "de"],
            "efg",
            "",
            [Fill(0, 0, joined=False), Fill(1, 3, joined=True)],
            id="the replay does not reach the gap",
        ),
    ],
)
def test_a_replay_is_joined(pieces, replay, live, fills):
    keys = [[ord(letter) for letter in piece] for piece in pieces]
    burst, followers = [ord(letter) for letter in replay], [ord(letter) for letter in live]

    assert fills == join_replay(keys, burst, count_twins(burst, followers, len(live)))


@pytest.mark.parametrize(
    ("replay", "live", "likely", "twins"),
    [
        pytest.param("abc", "cd", 1, 1, id="likely"),
        pytest.param("abc", "cd", 0, 1, id="late, but unique"),
        pytest.param("atbt", "tc", 0, 0, id="late and common: another line of the same text"),
        pytest.param("atbt", "tc", 1, 1, id="common and likely"),
        pytest.param("tttt", "ttt", 2, 2, id="no more than are likely"),
        pytest.param("abc", "", 0, 0, id="nothing is live"),
    ],
)
def test_the_first_live_lines_may_be_in_the_replay(replay, live, likely, twins):
    assert twins == count_twins([ord(c) for c in replay], [ord(c) for c in live], likely)


@given(
    length=st.integers(1, 60),
    cuts=st.tuples(st.integers(0, 60), st.integers(0, 60), st.integers(0, 60), st.integers(0, 60)),
)
def test_pieces_of_a_log_of_distinct_lines_come_together(length, cuts):
    first, second, third, window = sorted(min(cut, length) for cut in cuts)
    pieces = [list(range(first)), list(range(second, third))]
    pieces = [piece for piece in pieces if piece]
    replay = list(range(max(0, length - window), length))
    fills = join_replay(pieces or [()], replay, 0)

    known: list[int] = []
    for piece, fill in zip(pieces or [[]], fills, strict=True):
        known += piece + replay[fill.start : fill.stop]

    assert known == sorted(set(known)), "in order, none twice"
    begin = pieces[-1][-1] + 1 if pieces else 0
    assert set(known) >= {line for line in replay if line >= begin}, "what is new is there"
    for piece, fill, following in zip(pieces, fills, pieces[1:], strict=False):
        if fill.joined:
            assert piece + replay[fill.start : fill.stop] == list(range(piece[0], following[0]))
