"""What a replay becomes: numbers, gaps, marks."""

from collections.abc import Callable, Sequence
from itertools import count, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archiver.console.joining import (
    ASSUMED_REPLAY,
    NO_ROOM,
    OUT_OF_REACH,
    Counts,
    Joining,
    Showing,
    is_full,
    replay_size,
)
from archiver.console.lines import comparison_key, hash_key
from archiver.console.log import SEQ_STEP, Log, StoredLine
from archiver.console.records import Flag, Gap, Line, Source, StreamState
from archiver.console.separation import Heard, Reading

START = 1_700_000_000_000_000
SECOND = 1_000_000


class Ledger:
    """A log with its committed rows, a line a second; texts are short words."""

    def __init__(self) -> None:
        self._numbers = count(1)
        self.state = StreamState()
        self.log = self._make_log()
        self.log.begin_run(1)
        self.now = 0
        self.lines: dict[int, Line] = {}
        self.gaps: dict[int, Gap] = {}

    def _make_log(self) -> Log:
        return Log(self.state, self._numbers.__next__)

    def hear(self, text: str) -> Heard:
        return Heard(hash_key(comparison_key(text)), float(self.now), self.at(), text)

    def at(self) -> int:
        return START + self.now * SECOND

    def live(self, words: str) -> None:
        """Lines that come live; `d:x` is the daemon's, `~` an outage of a minute."""
        for word in words.split():
            self.now += 1
            if word == "~":
                since = self.at()
                self.now += 60
                self.log.note_gap("an outage", since, self.at(), lower=0, upper=None)
            else:
                source = Source.DAEMON if word.startswith("d:") else Source.LIVE
                self.log.append(source, self.hear(word))

    def replay(
        self,
        words: str,
        *,
        held: str = "",
        cut: str | None = None,
        is_audit: bool = True,
        frames: int | None = None,
        outage: int = 0,
    ) -> Counts:
        """Join a replay to what is stored and then to what is *held*."""
        since = self.at()
        self.now += 1 + outage
        asked_at = float(self.now)
        shown = [self.hear(word) for word in words.split()]
        live = [(Source.LIVE, self.hear(word)) for word in held.split()]
        showing = Showing(
            self.at(),
            self.at() if is_audit else since,
            self.at(),
            asked_at,
            len(shown) if frames is None else frames,
            cut,
            is_audit,
        )
        return Joining(self.log, [Reading(shown, 0.0)], live, showing).run()

    def commit(self) -> None:
        for line in self.log.lines:
            assert line.seq not in self.lines
            self.lines[line.seq] = line
        self.gaps |= {gap.id: gap for gap in self.log.gaps}
        self.log.lines, self.log.gaps = [], []

    def restart(self) -> None:
        """Let another process take up what is committed."""
        self.commit()
        self.log = self._make_log()
        self.log.run_id = 1
        tail = [
            StoredLine(seq, line.run_id, line.source, line.observed_at, line.raw or line.text)
            for seq, line in sorted(self.lines.items())
        ]
        self.log.restore(tail, self.open_gaps())

    def in_order(self) -> list[Line]:
        self.commit()
        return [self.lines[seq] for seq in sorted(self.lines)]

    def open_gaps(self, reason: str = "") -> list[Gap]:
        self.commit()
        gaps = [gap for gap in self.gaps.values() if gap.closed_at is None]
        return [gap for gap in gaps if reason in gap.reason]

    def words(self) -> str:
        """All lines by their place; `~` for an open gap, before the line behind it."""
        before = [gap.before_seq for gap in self.open_gaps()]
        words = [
            word
            for line in self.in_order()
            for word in ["~"] * before.count(line.seq) + [line.text]
        ]
        return " ".join(words + ["~"] * before.count(None))


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture(scope="session")
def new_ledger() -> Callable[[], Ledger]:
    """Make one; for properties, whose examples need one each."""
    return Ledger


# Between stored lines


@pytest.mark.parametrize(
    ("live", "replay", "words"),
    [
        pytest.param("a b e f", "a b c d e f", "a b c d e f", id="two that were dropped"),
        pytest.param(
            "p q r s t a c e g",
            "p q r s t a b c d e f g",
            "p q r s t a b c d e f g",
            id="one here and there",
        ),
        pytest.param("a b", "a b c", "a b c", id="the last one"),
        pytest.param("a b d", "b c d", "a b c d", id="a replay that begins later"),
        pytest.param("a d:x c", "a b c", "a d:x b c", id="behind a daemon line"),
        pytest.param("a ~ d", "a b c d", "a b c d", id="in a gap, which is closed"),
        pytest.param("a ~ d e", "c d e", "a ~ c d e", id="in a gap of which more is missing"),
        pytest.param("a ~ d:x d", "a b c d", "a d:x b c d", id="in a gap with a daemon line"),
        pytest.param("a ~ d:x d", "c d", "a d:x ~ c d", id="beside a daemon line behind a gap"),
        pytest.param("a ~ c ~ e", "a b c d e", "a b c d e", id="in two gaps"),
        pytest.param("a ~ c ~ e", "c d e", "a ~ c d e", id="in the last of two gaps"),
    ],
)
def test_what_was_missed_goes_to_its_place_and_no_number_changes(ledger, live, replay, words):
    ledger.live(live)
    before = {line.seq: line.text for line in ledger.in_order()}
    counts = ledger.replay(replay)

    assert ledger.words() == words
    assert {seq: ledger.lines[seq].text for seq in before} == before
    new = [line for line in ledger.in_order() if line.seq not in before]
    assert {line.source for line in new} == {Source.REPLAY}
    assert counts == (len(new), len(replay.split()) - len(new))


def test_a_replay_that_shows_nothing_new_changes_nothing(ledger):
    ledger.live("a b d:x c")
    ledger.in_order()

    assert ledger.replay("a b c") == (0, 3)
    assert ledger.log.lines == []
    assert ledger.log.gaps == []


@pytest.mark.xfail(
    strict=True, reason="losses before a run's first line are held for much rarer than others"
)
def test_before_the_first_line_of_a_run(ledger):
    ledger.live("z")
    ledger.log.begin_run(2)
    ledger.live("d:x c d")
    ledger.replay("a b c d", is_audit=False)

    assert ledger.words() == "z d:x a b c d"


def test_what_a_replay_begins_with_has_a_gap_before_it_as_more_may_be_missing(ledger):
    ledger.live("p q d:x r")
    ledger.replay("n o r")

    assert ledger.words() == "p q d:x ~ n o r"
    (gap,) = ledger.open_gaps()
    assert (gap.reason, gap.lower, gap.upper) == (OUT_OF_REACH, 0, None)
    assert gap.from_at == START + 2 * SECOND


def test_a_replay_longer_than_what_is_compared_repeats_nothing(ledger):
    ledger.live("z")
    ledger.log.begin_run(2)
    ledger.live(words(0, 1000))

    assert ledger.replay(words(0, 1003), is_audit=False) == (3, 1000)
    assert ledger.words() == f"z {words(0, 1003)}"


def test_among_held_lines(ledger):
    ledger.live("a b")
    ledger.replay("a b c d e f", held="c e f g", is_audit=False)

    assert ledger.words() == "a b c d e f g"


@given(
    heard=st.lists(st.booleans(), min_size=2, max_size=30),
    replays=st.lists(st.integers(1, 30), max_size=5),
    daemons=st.sets(st.integers(0, 30)),
)
def test_whatever_replays_show_numbers_are_in_order_and_stay(new_ledger, heard, replays, daemons):
    # The game prints 0, 1, 2, ... behind some that are known; a few are dropped, and
    # replays show them up to any line.
    ledger = new_ledger()
    known = [str(number) for number in range(-40, 0)]
    ledger.live(" ".join(known))
    for number, is_heard in enumerate(heard):
        if number in daemons:
            ledger.live(f"d:{number}")
        if is_heard:
            ledger.live(str(number))
    seen: dict[int, str] = {}
    for reach in replays:
        shown = [str(number) for number in range(min(reach, len(heard)))]
        ledger.replay(" ".join(known[-10:] + shown), cut="it is an example")
        stored = {line.seq: line.text for line in ledger.in_order()}
        assert seen.items() <= stored.items()
        seen = stored
        numbers = [int(line.text) for line in ledger.in_order() if line.source != Source.DAEMON]
        assert numbers == sorted(set(numbers))


@pytest.mark.parametrize(
    ("live", "replay"),
    [
        pytest.param("p q r s a c d", "p q r s a b c d", id="within a piece"),
        pytest.param("p q r s a ~ c d", "p q r s a b c d", id="in a gap"),
        pytest.param("p q r s a ~ c d", "p q r s a b", id="behind its beginning"),
    ],
)
def test_nothing_is_put_before_what_is_confirmed(ledger, live, replay):
    ledger.live(live)
    seqs = {line.text: line.seq for line in ledger.in_order()}
    ledger.state.confirmed_seq = seqs["c"]
    ledger.replay(replay, cut="it is an example")
    assert "b" not in ledger.words()

    ledger.state.confirmed_seq = seqs["a"] + 1
    ledger.replay(replay, cut="it is an example")
    assert "a b" in ledger.words()


# No number left


def fill(ledger: Ledger) -> None:
    """Store `a d`, neighbours by number, and a replay that has two lines between."""
    ledger.live("z a")
    ledger.state.next_seq = ledger.state.next_seq - SEQ_STEP + 2
    ledger.live("d e")
    ledger.replay("z a b c d e")


def test_where_no_number_is_left_a_gap_says_so_once(ledger):
    fill(ledger)
    ledger.replay("z a b c d e")

    assert ledger.words() == "z a ~ d e"
    (gap,) = ledger.open_gaps()
    assert (gap.reason, gap.lower, gap.upper, gap.expected) == (NO_ROOM, 2, 2, 2)
    seqs = {line.text: line.seq for line in ledger.in_order()}
    assert (gap.after_seq, gap.before_seq) == (seqs["a"], seqs["d"])


def test_that_gap_is_there_after_a_restart_too(ledger):
    fill(ledger)
    ledger.restart()
    ledger.replay("z a b c d e")

    assert ledger.words() == "z a ~ d e"
    assert len(ledger.open_gaps()) == 1


def test_one_line_still_fits_where_two_do_not(ledger):
    ledger.live("z a")
    ledger.state.next_seq = ledger.state.next_seq - SEQ_STEP + 2
    ledger.live("c d")
    ledger.replay("z a b c d")

    assert ledger.words() == "z a b c d"
    assert ledger.open_gaps() == []


def test_a_daemon_line_takes_the_last_number(ledger):
    ledger.live("z a")
    ledger.state.next_seq = ledger.state.next_seq - SEQ_STEP + 1
    ledger.live("d:x")
    ledger.state.next_seq = ledger.state.next_seq - SEQ_STEP + 1
    ledger.live("c d")
    ledger.replay("z a b c d")

    assert ledger.words() == "z a d:x ~ c d"


def test_sixteen_lines_find_a_number_at_one_place_one_after_the_other(ledger):
    names = [f"n{number}" for number in range(18)]
    ledger.live(f"z a {names[-1]} e")
    for place in range(len(names) - 2, -1, -1):
        ledger.state.confirmed_seq = None  # each replay contradicts the one before
        ledger.replay(" ".join(["z", "a", *names[place:], "e"]))

    stored = [line.text for line in ledger.in_order()]
    assert stored == ["z", "a", *names[-17:], "e"]
    assert [gap.reason for gap in ledger.open_gaps()] == [NO_ROOM]


# Gaps


@pytest.mark.parametrize(
    ("replay", "words"),
    [
        pytest.param("a b c d", "a b c d", id="both sides"),
        pytest.param("b c d", "a b c d", id="both sides, as far as it reaches"),
        pytest.param("c d", "a b ~ c d", id="only what is behind it"),
        pytest.param("a b", "a b ~ c d", id="only what is before it"),
    ],
)
def test_a_gap_is_closed_when_both_sides_are_shown(ledger, replay, words):
    ledger.live("a b ~ c d")
    ledger.replay(replay, cut="it is an example")

    assert ledger.words() == words


def test_a_gap_behind_the_end_of_another_run_stays(ledger):
    ledger.live("a b ~")
    ledger.log.begin_run(2)
    ledger.live("c d")
    ledger.replay("c d", is_audit=False)

    assert ledger.words() == "a b ~ c d"


def test_a_gap_before_everything_is_closed_by_the_whole_log_of_the_run(ledger):
    ledger.live("~ c d")
    ledger.replay("a b c d", is_audit=False)

    assert ledger.words() == "a b c d"


def test_a_gap_before_everything_is_not_closed_by_a_replay_that_its_size_has_cut(ledger):
    ledger.state.replay_size = 4
    ledger.live("~ c d")
    ledger.replay("a b c d", is_audit=False)

    assert ledger.words() == "~ a b c d"


def test_a_cut_replay_that_ends_before_a_gap_s_end_goes_into_the_gap(ledger):
    ledger.live("a b ~ e f")
    ledger.replay("a b c", cut="the connection was lost")

    assert ledger.words() == "a b c ~ e f"
    (gap,) = ledger.open_gaps()
    assert ledger.lines[gap.after_seq].text == "c"
    ledger.replay("b c d e f")
    assert ledger.words() == "a b c d e f"


def test_a_cut_replay_that_ends_within_a_piece_adds_nothing_there(ledger):
    ledger.live("a b c d ~ e f")
    ledger.replay("a b x", cut="the connection was lost")

    assert ledger.words() == "a b c d ~ e f"


@pytest.mark.parametrize("is_audit", [False, True])
def test_a_cut_replay_of_an_audit_leaves_the_rest_to_the_next(ledger, is_audit):
    ledger.live("a b")
    ledger.replay("a b c", cut="the connection was lost", is_audit=is_audit)

    assert ledger.words() == ("a b" if is_audit else "a b c ~")


def test_a_cut_replay_that_ends_within_the_last_piece_adds_nothing_there(ledger):
    ledger.live("a b c d")
    ledger.replay("a b x", cut="the connection was lost")

    assert ledger.words() == "a b c d"


def test_a_second_outage_without_a_line_lets_a_gap_grow(ledger):
    ledger.live("a ~ ~ c")

    (gap,) = ledger.open_gaps()
    assert gap.to_at - gap.from_at == 121 * SECOND
    assert ledger.replay("a b c") == (1, 2)
    assert ledger.words() == "a b c"


# The size of replays


def words(since: int, until: int) -> str:
    return " ".join(f"n{number}" for number in range(since, until))


@pytest.mark.parametrize(
    ("stored", "replay", "learned"),
    [
        pytest.param((0, 30), (22, 32), 10, id="10 of more"),
        pytest.param((0, 170), (21, 171), 150, id="the usual ones"),
        pytest.param((0, 5), (0, 10), None, id="a whole log tells nothing"),
        pytest.param((0, 0), (0, 10), None, id="nor one behind which nothing is known"),
        pytest.param((0, 5), (0, 200), 200, id="but that it may be longer"),
    ],
)
def test_the_size_of_replays_is_learned(ledger, stored, replay, learned):
    ledger.live(words(*stored))
    ledger.replay(words(*replay), is_audit=False)

    assert ledger.state.replay_size == learned
    assert replay_size(ledger.log) == (learned or ASSUMED_REPLAY)


def test_a_size_once_learned_only_grows(ledger):
    ledger.live(words(0, 40))
    ledger.replay(words(30, 41), is_audit=False)
    ledger.replay(words(36, 42), is_audit=False)
    assert ledger.state.replay_size == 11

    ledger.replay(words(28, 43), is_audit=False)
    assert ledger.state.replay_size == 15


def test_blank_lines_count_in_its_size(ledger):
    ledger.live(words(0, 30))
    ledger.replay(words(22, 32), is_audit=False, frames=14)

    assert ledger.state.replay_size == 14


@pytest.mark.parametrize(
    "how", [{"cut": "the connection was lost"}, {"held": "n32"}], ids=["cut", "with live lines"]
)
def test_some_replays_teach_no_size(ledger, how):
    ledger.live(words(0, 30))
    ledger.replay(words(22, 32), is_audit=False, **how)

    assert ledger.state.replay_size is None


def test_63_with_a_learned_size_of_10_more_than_that_may_be_missing(ledger):
    ledger.state.replay_size = 10
    ledger.live(words(0, 30))
    ledger.replay(words(35, 45), is_audit=False, outage=60)

    assert is_full(ledger.log, 10)
    assert not is_full(ledger.log, 9)
    assert ledger.words() == f"{words(0, 30)} ~ {words(35, 45)}"
    (gap,) = ledger.open_gaps()
    assert (gap.lower, gap.upper) == (1, None)
    assert gap.expected is not None


# What is not certain


def test_where_lines_say_nothing_new_ones_are_marked_and_a_gap_has_bounds(ledger):
    ledger.live("t " * 300)
    counts = ledger.replay("t " * 150, is_audit=False, outage=20)
    new = [line for line in ledger.in_order() if line.source == Source.REPLAY]
    (gap,) = ledger.open_gaps()

    assert counts == (len(new), 150 - len(new))
    assert 5 <= len(new) <= 40
    assert all(line.flags & Flag.UNCERTAIN for line in new)
    assert gap.lower == 0
    assert gap.upper is not None
    assert 0 < gap.upper <= 150
    assert "lines repeat" in gap.reason


def test_lines_that_are_certain_are_not_marked(ledger):
    ledger.live("a b")
    ledger.replay("a b c", is_audit=False)

    assert not any(line.flags & Flag.UNCERTAIN for line in ledger.in_order())
    assert ledger.open_gaps() == []


def test_nor_are_those_behind_a_gap(ledger):
    ledger.live(words(0, 200))
    ledger.replay(words(300, 450), is_audit=False, outage=3600)

    assert not any(line.flags & Flag.UNCERTAIN for line in ledger.in_order())
    (gap,) = ledger.open_gaps()
    assert (gap.lower, gap.upper) == (1, None)


# Which of several readings


def test_the_reading_that_fits_what_is_stored_is_taken(ledger):
    ledger.live("a b c")
    ledger.now += 1
    asked = [ledger.hear(word) for word in "abcde"]
    readings = [
        Reading([asked[place] for place in places], cost)
        for places, cost in (([3, 4], 0.0), ([0, 1, 2, 3, 4], 1.0))
    ]
    at = ledger.at()
    showing = Showing(at, at - SECOND, at, float(ledger.now), 5, None)
    counts = Joining(ledger.log, readings, [], showing).run()

    assert counts == (2, 3)
    assert ledger.words() == "a b c d e"


def neighbours(lines: Sequence[Line]) -> list[int]:
    return [after.seq - before.seq for before, after in pairwise(lines)]


def test_live_lines_leave_room_and_a_gap_leaves_more(ledger):
    ledger.live("a b ~ c")
    steps = neighbours(ledger.in_order())

    assert steps[0] == SEQ_STEP
    assert steps[1] > 2**32
