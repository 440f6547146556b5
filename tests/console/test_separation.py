"""Which frames of the asking socket are the replay, and which are copies of live lines."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archiver.console.alignment import Window, align
from archiver.console.overlay import NEW
from archiver.console.separation import Heard, Reading, drop_unsure_end, separate_replay

WINDOW = 0.08
NOTHING_STORED: list[Sequence[int]] = [()]


def hear(*lines: tuple[str, float]) -> list[Heard]:
    """Return lines as a socket brought them, given as (text, milliseconds)."""
    return [Heard(hash(text), at / 1000, round(at * 1000), text) for text, at in lines]


def separate(asked: Sequence[Heard], live: Sequence[Heard], asked_at: float = 0.0) -> list[str]:
    """Return what of the log is not live, where nothing is stored."""
    live_keys = [heard.key for heard in live]
    best: tuple[float, list[str]] | None = None
    for replay, cost in separate_replay(asked, live, asked_at=asked_at, window=WINDOW):
        window = Window(None, 0, len(live), is_full=False)
        found = align(NOTHING_STORED, live_keys, [heard.key for heard in replay], window)
        new = [h.raw for h, place in zip(replay, found.places, strict=True) if place == NEW]
        if best is None or found.weight - cost > best[0]:
            best = found.weight - cost, new
    assert best is not None
    return best[1]


@pytest.mark.parametrize(
    ("asked", "live", "new"),
    [
        pytest.param([("a", 5), ("b", 6)], [], "ab", id="without live lines all is the replay"),
        pytest.param([("a", 5), ("x", 6), ("b", 7)], [("x", 6)], "ab", id="a copy is taken out"),
        pytest.param([("a", 5), ("b", 6), ("b", 8)], [("b", 8)], "a", id="replayed and live"),
        pytest.param(
            [("x", 0), ("a", 43), ("b", 43.1), ("x", 43.2)],
            [("x", 35)],
            "ab",
            id="a copy long before the burst, nearer to which the main socket was read",
        ),
        pytest.param(
            [("a", 10), ("x", 11), ("y", 12), ("x", 40), ("y", 41)],
            [("x", 14), ("y", 15)],
            "a",
            id="copies behind the burst",
        ),
        pytest.param(
            [("x", 0), ("y", 1), ("a", 150), ("x", 151), ("y", 152)],
            [("x", 201), ("y", 202)],
            "a",
            id="copies 200 ms away, on a busy machine",
        ),
        pytest.param(
            [("4", 31), ("5", 31), ("6", 39), *((n, 42) for n in "0123456")],
            [("2", 2), ("3", 28), ("4", 28), ("5", 28), ("6", 41)],
            "01",
            id="copies of the later ones before the replay of the earlier ones",
        ),
    ],
)
def test_what_is_new_is_told_from_live_lines(asked, live, new):
    assert list(new) == separate(hear(*asked), hear(*live))


def test_what_was_live_before_the_request_has_no_copy():
    asked = hear(("a", 105), ("x", 106))
    usual = next(separate_replay(asked, hear(("x", 10)), asked_at=0.1, window=WINDOW))

    assert [heard.raw for heard in usual.replay] == ["a", "x"]


def test_a_common_text_is_copied_where_it_is_near_in_time():
    asked = hear(("a", 5), ("t", 6), ("b", 7), ("t", 40), ("c", 40.1), ("t", 60))
    usual = next(separate_replay(asked, hear(("t", 61)), asked_at=0.0, window=WINDOW))

    assert [heard.raw for heard in usual.replay] == ["a", "t", "b", "t", "c"]


# As recorded where a collector was killed while replays were taken: the lines have numbers.
NUMBERS = [f"{n} " for n in range(200)]


def count(first: int, last: int, begin: float) -> list[tuple[str, float]]:
    """Return numbers that come within one burst."""
    return [(NUMBERS[n], begin + 0.2 * (n - first)) for n in range(first, last + 1)]


@pytest.mark.parametrize(
    ("burst", "copies", "live", "new"),
    [
        pytest.param(
            count(26, 175, 24.1),
            [("175 ", 6.1), ("176 ", 27.8), ("177 ", 53)],
            [("174 ", -1.2), ("175 ", 6.9), ("176 ", 27.8), ("177 ", 53.5)],
            NUMBERS[26:174],
            id="one line before the burst, the next within it",
        ),
        pytest.param(
            count(0, 9, 5),
            [("8 ", 2), ("9 ", 2), ("10 ", 100)],
            [("8 ", -6), ("9 ", -5), ("10 ", 100)],
            NUMBERS[:8],
            id="copies that the main socket brought before the request",
        ),
    ],
)
def test_lines_that_come_in_the_moment_of_a_replay_do_not_disorder_it(burst, copies, live, new):
    frames = sorted([*copies, *burst], key=lambda frame: frame[1])

    assert separate(hear(*frames), hear(*live)) == new


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
    main = sorted(100 + data.draw(st.floats(0, 60)) for _ in live)
    copies = sorted(at + data.draw(st.floats(-30, 30)) for at in main)
    begin = data.draw(st.floats(80, 140))
    burst = [(f"{n}", begin + n * 0.05) for n in range(replayed)]
    texts = [f"{n}" for n in live]
    asked = sorted([*zip(texts, copies, strict=True), *burst], key=lambda frame: frame[1])

    found = separate(hear(*asked), hear(*zip(texts, main, strict=True)))

    assert [f"{n}" for n in range(replayed - twins)] == found


def test_the_end_of_a_cut_replay_is_left_to_the_next_while_lines_come():
    reading = Reading(hear(("a", 0), ("b", 100), ("c", 110)), 1.5)

    assert drop_unsure_end(reading, hear(("x", 105)), WINDOW).replay == reading.replay[:1]
    assert drop_unsure_end(reading, hear(("x", 5)), WINDOW) == reading
    assert drop_unsure_end(reading, [], WINDOW) == reading


@pytest.mark.parametrize("text", ["tick", "tick {}"], ids=["all equal", "all different"])
def test_a_console_may_print_4_000_lines_while_a_replay_comes(text):
    live = hear(*((text.format(n), n / 4) for n in range(4_000)))  # in one second
    replay = hear(*((f"old {n}", 500.0) for n in range(150)))
    copies = [heard for heard in live if heard.mono >= 0.5]

    new = separate([*replay, *copies], live, asked_at=0.5)

    assert new == [heard.raw for heard in replay]
