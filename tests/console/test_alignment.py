"""Where the lines of a replay are stored or live, and which are new."""

from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from archiver.console.alignment import Window, align
from archiver.console.overlay import NEW

UNKNOWN = Window(expected=None, least=0, most=0, is_full=False)


def keys(letters: str) -> list[int]:
    return [ord(letter) for letter in letters]


def new_lines(pieces: list[str], live: str, replay: str, window: Window = UNKNOWN) -> str:
    """Return the replay with what is known in its letter and `+` for what is new."""
    found = align([keys(piece) for piece in pieces], keys(live), keys(replay), window)
    everything = "".join(pieces) + live
    assert all(
        place == NEW or everything[place] == letter
        for place, letter in zip(found.places, replay, strict=True)
    )
    known = [place for place in found.places if place != NEW]
    assert known == sorted(set(known)), "in order, and none twice"
    return "".join("+" if place == NEW else everything[place] for place in found.places)


@pytest.mark.parametrize(
    ("pieces", "live", "replay", "expected"),
    [
        pytest.param(["abc"], "", "abcde", "abc++", id="1: two were missed"),
        pytest.param(["abc"], "", "abc", "abc", id="2: none was missed"),
        pytest.param([""], "", "abc", "+++", id="3: nothing is stored"),
        pytest.param([""], "c", "abc", "++c", id="3: and the last is live"),
        pytest.param(["tt"], "", "tttt", "tt++", id="4: equal lines of a whole log are counted"),
        pytest.param(["xABC"], "", "xABCABC", "xABC+++", id="6: a block comes again"),
        pytest.param(["ab"], "d", "abcd", "ab+d", id="8: the last is live too"),
        pytest.param(["ab"], "de", "abc", "ab+", id="live lines follow"),
        pytest.param(["ab", "de"], "", "abcdef", "ab+de+", id="42: a gap is filled"),
        pytest.param(["ab", "de"], "", "cdef", "+de+", id="a gap is filled in part"),
        pytest.param(["abcefgh"], "", "abcdefgh", "abc+efgh", id="42: one was dropped"),
        pytest.param(["abcdefgh"], "", "abcefgh", "abcefgh", id="the log lacks one"),
        pytest.param(["ab"], "cdefgh", "efg", "efg", id="11: more was live than is replayed"),
        pytest.param(["ab"], "cdfgh", "abcdefg", "abcd+fg", id="one of the live ones was dropped"),
    ],
)
def test_a_replay_lies_over_what_is_known(pieces, live, replay, expected):
    whole = Window(None, 0, len(live), is_full=False, is_whole=True)

    assert expected == new_lines(pieces, live, replay, whole)


def test_40_without_an_overlap_all_is_new():
    full = Window(expected=400.0, least=0, most=0, is_full=True)

    assert new_lines(["ABCDE"], "", "abcdefghijklmnopqrstuvwxyz", full) == "+" * 26


def test_5_where_lines_say_nothing_their_number_is_about_what_was_expected_and_not_certain():
    tail, replay = keys("t" * 300), keys("t" * 150)
    found = align([tail], [], replay, Window(20.0, 0, 0, is_full=True))
    new = found.places.count(NEW)

    assert 5 <= new <= 40
    assert not found.is_certain
    assert found.fewer > 0
    assert found.more is None or found.more > 0


def test_a_quiet_server_that_repeats_itself_is_certain_of_nothing_new():
    found = align([keys("xs" + "s" * 30)], [], keys("xs" + "s" * 30), Window(0.01, 0, 0, False))

    assert found.places.count(NEW) == 0
    assert found.is_certain


@pytest.mark.parametrize("replay", ["cde", "abc", "a"])
@pytest.mark.parametrize("is_full", [False, True])
def test_a_cut_replay_may_end_within_what_is_stored(replay, is_full):
    cut = Window(5.0, 0, 0, is_full=is_full, is_cut=True)

    assert new_lines(["abcdefgh"], "", replay, cut) == replay


def test_an_audit_finds_nothing_in_text_that_says_nothing():
    audit = Window(0.0, 0, 0, is_full=True, is_audit=True)
    cycle = "012345" * 40

    assert cycle[:150] == new_lines([cycle], "", cycle[-150:], audit)


@given(
    length=st.integers(1, 60),
    cuts=st.lists(st.integers(0, 60), min_size=4, max_size=4),
)
def test_pieces_of_a_log_of_distinct_lines_come_together(length, cuts):
    first, second, third, window = sorted(min(cut, length) for cut in cuts)
    pieces = [piece for piece in (list(range(first)), list(range(second, third))) if piece]
    replay = list(range(max(0, length - window), length))
    is_cut = len(replay) < length
    overlap = (pieces[-1][-1] + 1 if pieces else 0) - (length - window)
    assume(overlap <= 0 or overlap > 3)  # so few lines may be equal by chance
    places = align(pieces or [()], [], replay, Window(None, 0, 0, is_full=is_cut)).places

    flat = [line for piece in pieces for line in piece]
    assert all(
        flat[place] == line if place >= 0 else line not in flat
        for line, place in zip(replay, places, strict=True)
    )


# What brute force says: for short logs over three texts, the true way is among the
# likeliest, and where only one log fits, it is the one.


@given(st.text("abc", min_size=0, max_size=12), st.data())
def test_what_fits_in_one_way_only_is_found(log, data):
    size = data.draw(st.integers(1, 5))
    until = data.draw(st.integers(0, len(log)))  # lines that were stored
    stored, replay = log[:until], log[-size:]
    shares = [n for n in range(len(replay) + 1) if stored.endswith(replay[:n])]
    fits = {stored + replay[shared:] for shared in shares}
    if len(replay) == len(log):
        fits = {log}  # it is the whole log of the run
    # With nothing shared it may also be that lines were lost where somebody listened.
    assume(shares != [0] or len(replay) == len(log))
    window = Window(None, 0, 0, is_full=len(replay) == size < len(log), is_whole=True)
    found = align([keys(stored)], [], keys(replay), window)
    joined = stored + "".join(
        letter for letter, place in zip(replay, found.places, strict=True) if place == NEW
    )

    if len(fits) == 1:
        assert {joined} == fits
    assert all(left < right for left, right in pairwise(p for p in found.places if p != NEW))
