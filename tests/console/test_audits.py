"""When a replay is asked for while connected."""

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archiver.console.audits import FAILURES, Audits
from archiver.console.timing import Timing

TIMING = Timing()
SPACING = 15.0  # seconds between two replays of one server
SETTLE = 2.0
USUAL = 900.0
TAKES = 1.0  # seconds from the request to the end of a replay


def joined(*, spread: float = 0.5, lines: int = 0) -> Audits:
    """Audits of a connection whose first replay, asked for at 0 s, is over."""
    audits = Audits(TIMING, spread)
    audits.ask(0.0)
    audits.end(TAKES, is_cut=False, has_news=False)
    for number in range(lines):
        audits.hear(TAKES + number)
    return audits


def wait(audits: Audits) -> float:
    """Let time pass until an audit is due; return when."""
    assert audits.due is not None
    while not audits.is_due(audits.due):
        assert audits.due < 1e6, "none is"
    return audits.due


def ask(audits: Audits, *, is_cut: bool = False, has_news: bool = False) -> float:
    """Let the next audit take place; return when."""
    now = wait(audits)
    audits.ask(now)
    audits.end(now + TAKES, is_cut=is_cut, has_news=has_news)
    return now


def test_nothing_is_due_before_the_first_replay_whatever_the_evidence():
    audits = Audits(TIMING, 0.5)
    audits.hear(1.0)
    audits.suspect(1.0)

    assert audits.due is None
    assert not audits.is_due(1e6)


def test_without_evidence_it_is_rare_and_only_if_lines_came():
    audits = joined()
    assert not audits.is_due(TAKES + USUAL)
    assert not audits.is_due(TAKES + 2 * USUAL)

    audits.hear(TAKES + 2 * USUAL + 1)
    assert ask(audits) == TAKES + 3 * USUAL
    assert not audits.is_due(TAKES + 4 * USUAL + TAKES), "what came before it is not fresh"


@pytest.mark.parametrize(("spread", "share"), [(0.0, 0.75), (0.5, 1.0), (1.0, 1.25)])
def test_servers_have_their_audits_apart(spread, share):
    assert wait(joined(spread=spread, lines=1)) == TAKES + share * USUAL


@pytest.mark.parametrize(
    ("evidence", "expected"),
    [
        pytest.param(100.0, 100.0 + SETTLE, id="when it is over"),
        pytest.param(3.0, SPACING, id="not too soon after the last replay"),
        pytest.param(TAKES + USUAL - 1, TAKES + USUAL, id="nor later than without"),
    ],
)
def test_evidence_of_a_loss_is_looked_into(evidence, expected):
    audits = joined(lines=1)
    audits.suspect(evidence)

    assert ask(audits) == expected
    assert not audits.is_due(expected + TAKES + SPACING), "once"


def test_what_goes_on_is_not_put_off():
    audits = joined(lines=1)
    for tenths in range(1000, 1100):
        audits.suspect(tenths / 10)

    assert wait(audits) == 100.0 + SETTLE


def test_a_cut_replay_is_asked_for_again_soon_and_then_ever_later_and_then_as_usual():
    audits = joined(lines=1)
    audits.suspect(100.0)
    asked = [ask(audits, is_cut=True) for _ in range(FAILURES + 1)]
    waits = [later - before for before, later in pairwise(asked)]
    audits.hear(200.0)

    assert waits == [TAKES + SETTLE, SPACING, TAKES + 2 * (SPACING - TAKES)]
    assert wait(audits) == asked[-1] + TAKES + USUAL


def test_after_a_whole_one_the_next_cut_one_is_the_first_again():
    audits = joined(lines=1)
    audits.suspect(100.0)
    ask(audits, is_cut=True)
    ask(audits)
    audits.suspect(200.0)
    first = ask(audits, is_cut=True)

    assert wait(audits) == first + TAKES + SETTLE


def test_a_frozen_console_is_asked_for_its_lines_as_often_as_may_be():
    audits = joined(lines=1)
    audits.suspect(100.0)
    asked = [ask(audits, has_news=True) for _ in range(10)]

    assert [later - before for before, later in pairwise(asked)] == [SPACING] * 9


# Samples


def beat(audits: Audits, since: float, until: float, step: float = 1.0) -> Iterator[float]:
    """Bring a sample every so many seconds and yield when."""
    now = since
    while now < until:
        audits.watch(now, round(now * 1000))
        yield now
        now += step


def suspected(audits: Audits) -> bool:
    """Return whether there is evidence of a loss, while the usual audit is not due."""
    assert audits.due is not None
    return audits.due < USUAL


def test_a_sample_that_is_missing_tells_of_lines_that_are():
    audits = joined(lines=1)
    assert not any(suspected(audits) for _ in beat(audits, 2.0, 30.0))

    audits.watch(31.0, 31_000)

    assert wait(audits) == 31.0 + SETTLE


@pytest.mark.parametrize("step", [1.0, 1.5, 10.0], ids=lambda step: f"every {step:g} s")
def test_samples_in_their_rhythm_tell_nothing(step):
    audits = joined(lines=1)
    assert not any(suspected(audits) for _ in beat(audits, 2.0, 300.0, step))


def test_nor_does_an_answer_of_ours_among_them():
    audits = joined(lines=1)
    for now in beat(audits, 2.0, 60.0):
        if now % 10 == 0:
            audits.watch(now + 0.3, round(now * 1000))
    assert not suspected(audits)


@pytest.mark.parametrize(
    ("every", "lines", "silent"),
    [
        pytest.param(1.0, 40, 60.0, id="a minute where a line a second came"),
        pytest.param(10.0, 40, 200.0, id="twenty times the usual time"),
    ],
)
def test_a_console_that_is_silent_and_should_not_be_is_suspected(every, lines, silent):
    audits = joined()
    last = TAKES
    for number in range(lines):
        last = TAKES + number * every
        audits.hear(last)
    suspicions = [now for now in beat(audits, last, last + 3 * silent) if suspected(audits)]

    assert suspicions[0] - last == pytest.approx(silent, abs=0.1 * silent)


def test_silence_that_was_looked_into_is_looked_into_ever_more_rarely():
    audits = joined(lines=40)
    asked = []
    for now in beat(audits, 41.0, 4000.0):
        if audits.is_due(now):
            asked.append(now)
            audits.ask(now)
            audits.end(now + TAKES, is_cut=False, has_news=False)

    silences = [now - 40.0 for now in asked]
    assert len(asked) == 6
    assert all(
        later == pytest.approx(2 * silence, abs=3.0) for silence, later in pairwise(silences)
    )


@pytest.mark.parametrize("lines", [0, 5], ids=["none", "a few"])
def test_a_few_lines_tell_no_rate(lines):
    audits = joined(lines=lines)
    assert not any(suspected(audits) for _ in beat(audits, 10.0, 800.0))


# Whatever happens


def happen(audits: Audits, what: str, now: float) -> None:
    acts: dict[str, Callable[[float], None]] = {
        "line": audits.hear,
        "sample": lambda now: audits.watch(now, round(now * 1000)),
        "evidence": audits.suspect,
    }
    acts[what](now)


@given(
    st.lists(
        st.tuples(st.floats(0.1, 40.0), st.sampled_from(["line", "sample", "evidence"])),
        max_size=60,
    ),
    st.lists(st.sampled_from(["whole", "cut", "news"]), min_size=1, max_size=10),
)
def test_replays_are_apart_but_for_the_first_try_again(happenings, ends):
    audits = joined()
    now, asked, tries, is_retry = 2.0, [0.0], 0, False
    for pause, what in happenings:
        until = now + pause
        while audits.due is not None and audits.due <= until:
            at = max(now, audits.due)
            if not audits.is_due(at):
                continue
            end = ends[len(asked) % len(ends)]
            assert is_retry or at - asked[-1] > SPACING - 1e-6
            asked.append(at)
            audits.ask(at)
            audits.end(at + TAKES, is_cut=end == "cut", has_news=end == "news")
            tries = tries + 1 if end == "cut" else 0
            is_retry = tries == 1
            until = max(until, at + TAKES)
        now = until
        happen(audits, what, now)


# On the sockets

BEATS = "U +1 " * 30


def requests(dialogue, script: str) -> list[float]:
    """Return the seconds between the requests for replays."""
    dialogue.play(script)
    times = [at for at, asked, event in dialogue.sent if asked and event == "send logs"]
    return [later - before for before, later in pairwise(times)]


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        pytest.param("A . l:a +100", [], id="nothing tells of a loss"),
        pytest.param("A . +2000", [], id="no line came"),
        pytest.param("A . l:a +1000", [USUAL], id="a line came"),
        pytest.param("A . l:a +30 T l:b +60", [30 + SETTLE], id="the daemon throttles"),
        pytest.param("A . l:a T l:b +60", [SPACING], id="and at once after a replay"),
        pytest.param("A . l:a +30 J l:b +60", [30.0], id="a token ran out"),
        pytest.param("A . l:a +30 S:offline T +60", [], id="the server is off"),
        pytest.param(f"A l:a . {BEATS}", [], id="samples come as usual"),
        pytest.param(f"A . l:a {BEATS} +3 U +60", [33 + SETTLE], id="a sample is missing"),
    ],
)
def test_a_replay_is_asked_for(dialogue, script, expected):
    assert requests(dialogue, script) == pytest.approx(expected, abs=1.5)


def test_replays_that_never_end_are_asked_for_ever_more_rarely(dialogue):
    def stutter() -> None:  # lines that do not come live, without end
        if dialogue.asking is not None:
            dialogue.send(dialogue.asking, "console output", f"{dialogue.now}")
        dialogue.later(0.2, stutter)

    dialogue.later(0.0, stutter)
    found = requests(dialogue, "A +800")

    assert found[:3] == pytest.approx([6 + SETTLE, SPACING, 2 * SPACING - 6], abs=1.5)
    assert all(later > 1.5 * pause for pause, later in pairwise(found[1:]))


def test_the_daemon_s_answers_to_us_are_no_beat_of_its_samples(dialogue):
    # Two answers and one sample within a second, before and after the replay.
    assert requests(dialogue, f"A U l:a . {BEATS}") == []


def test_without_an_interval_only_evidence_brings_one():
    audits = Audits(replace(TIMING, audit_interval=math.inf), spread=0.0)
    audits.end(0.0, is_cut=False, has_news=False)
    audits.hear(10.0)
    assert not audits.is_due(86_400.0 * 365)
    audits.suspect(100.0)

    assert audits.is_due(102.0)
