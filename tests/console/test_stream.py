"""What becomes of a server's words, from the sockets to the rows."""

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archiver.console import messages


def shown(word: str, name: str, numbers: range) -> str:
    """Return words for numbered lines: ``l:a0 l:a1`` ..."""
    return " ".join(f"{word}:{name}{number}" for number in numbers)


def stored(name: str, numbers: range) -> str:
    return " ".join(f"{name}{number}" for number in numbers)


# Scenarios of the protocol by their numbers: what the sockets bring (the words of
# conftest.Dialogue), and what is stored.
LONG = shown("r", "", range(150))
KNOWN = stored("k", range(9))
LIVE, REPLAYED = shown("l", "k", range(9)), shown("r", "k", range(9))
TALK = "l:k0 +1 l:k1 +1 l:k2 +1 " * 9  # 27 lines in 27 s
BEATS = "U +1 " * 60
SAID = "d:Server is outputting console data too quickly -- throttling..."
SCENARIOS = {
    "1 what was printed meanwhile": ("A . l:a l:b l:c X +5 A r:a r:b r:c r:d r:e .", "a b c d e"),
    "2 nothing was printed": ("A . l:a l:b l:c X +5 A r:a r:b r:c .", "a b c"),
    "3 the first replay of a young run is all of it": ("A r:a r:b . l:c", "a b c"),
    "3 the first replay of an old run is not": (
        f"A {LONG} .",
        "~ " + " ".join(str(n) for n in range(150)),
    ),
    "4 equal lines of a young run are counted": ("A . l:t l:t X +5 A r:t r:t r:t r:t .", "t t t t"),
    "6 a block that comes again is not dropped": (
        "A . l:x l:A l:B l:C X +5 A r:x r:A r:B r:C r:A r:B r:C .",
        "x A B C A B C",
    ),
    "6 not from the beginning on either": (
        "A . l:A l:B l:C X +5 A r:A r:B r:C r:A r:B r:C .",
        "A B C A B C",
    ),
    "7 equal live lines": ("A . l:x l:x", "x x"),
    "8 live lines run through the replay": (
        "A . l:a X +5 A l:f r:a r:b l:g r:f r:g l:h .",
        "a b f g h",
    ),
    "10 the log is ahead of the live path": (
        "A . l:a X +5 A r:a r:f r:g r:h l:f l:g l:h .",
        "a f g h",
    ),
    "10 by more than usual": ("A . l:a X +5 A r:a r:f r:g +0.2 l:f +0.1 l:g l:h .", "a f g h"),
    "9 the log is behind the live path": ("A . l:a X +5 A l:f l:g r:a r:b .", "a b f g"),
    "11 the log is ahead by more than a second": (
        f"A . l:a X +5 A Z:1.2 r:a {shown('r', 'f', range(50))} {shown('l', 'f', range(200))} . +3",
        f"a {stored('f', range(200))}",
    ),
    "13 a line in neither is in the next replay": (
        "A r:a l:c . +20 T ? r:a r:b r:c .",
        f"a b c {SAID}",
    ),
    "15 of two requests at once there is only one": ("A T r:a r:b r:c .", f"a b c {SAID}"),
    "17 blank lines are not stored, however they come": (
        r"A . l:a l: l:b X +5 A r:a r: r:\x20\r\n r:b r: r:c .",
        "a b c",
    ),
    "17 but count in the size of a replay": (
        f"A {shown('r', 'n', range(100))} {'r: ' * 50} .",
        f"~ {stored('n', range(100))}",
    ),
    "18 both forms of a line are one": (r"A . l:foo\r\nbar X +5 A r:foo\x20\rbar .", "foo\r\nbar"),
    "23 hostile text": (
        (
            r"A . l:\x00 l:\ud83d l:\u2028 l:\U0001f600 l:\ufffd X +5"
            r" A r:\x00 r:\ud83d r:\u2028 r:\U0001f600 r:\ufffd r:\x00 ."
        ),
        "\u2400 \ufffd \u2028 \U0001f600 \ufffd \u2400",
    ),
    "25 daemon lines take no part": ("A . l:a d:D l:b X +5 A r:a r:b r:c .", "a d:D b c"),
    "25 nor between replay and live lines": ("A . l:a X +5 A d:D r:a l:c r:b r:c .", "a b d:D c"),
    "26 daemon lines are never one": ("A . d:D d:E d:D d:E l:a", "d:D d:E d:D d:E a"),
    "27 a daemon line that nobody heard is absent": ("A . l:a X d:D +5 A r:a r:b .", "a b"),
    "29 a restart that nobody saw": ("A . l:a l:b X +60 B +20 A r:p r:q r:s .", "a b ~ / p q s"),
    "29 while lines come at once": (
        "A . l:a l:b X +60 B +20 A l:s r:p r:q r:s .",
        "a b ~ / p q s",
    ),
    "30 with the same banner": ("A . l:a l:b X +60 B +20 A r:a r:b .", "a b ~ / a b"),
    "30 told by the status where samples have no uptime": (
        "V A . l:a S:stopping S:offline S:starting S:running l:a",
        "a / a",
    ),
    "32 a restart under the replay": ("A . l:a X +60 A B +0.1 r:p r:q +1 .", "a ~ / p q"),
    "33 a restart that was seen": (
        "A . l:a S:stopping l:b S:offline d:D d:E +1 B S:starting l:c +1 S:running l:d",
        "a b d:D d:E / c d",
    ),
    "34 the end of the console comes after `offline`": (
        "A . l:a S:offline l:b l:c +2 B S:starting l:d",
        "a b c / d",
    ),
    "34 its beginning before `starting`": (
        "A . l:a S:offline l:b +2 B l:c l:d S:starting l:e",
        "a b / c d e",
    ),
    "35 offline: nothing is asked": ("S:offline A +5", ""),
    "36 a throttled request is sent again": (
        "A . l:a X +5 A e:throttled=send_logs ? r:a r:b .",
        "a b",
    ),
    "36 so is one whose socket died": ("A . l:a X +5 A F ? r:a r:b .", "a b"),
    "39 an empty replay proves nothing": ("A . l:a l:b X +5 A . l:c", "a b ~ c"),
    "40 more was printed than a replay holds": ("A . l:x X +3600 A r:y r:z .", "x ~ y z"),
    "41 145 lines in 29 s": (
        f"A . {'l:x l:y +0.4 ' * 40} {LIVE} X +29 A {REPLAYED} {shown('r', 'n', range(141))} .",
        f"{'x y ' * 40}{KNOWN} {stored('n', range(141))}",
    ),
    "42 dropped lines come back": (
        "A . l:a l:b l:i l:j +20 T ? r:a r:b r:c r:d r:e r:f r:g r:h r:i r:j .",
        f"a b c d e f g h i j {SAID}",
    ),
    "44 a warning and a renewal": ("A . l:a +520 l:b +1 l:c", "a b c"),
    "45 withheld lines come back": (
        "A . l:a l:b J l:c l:d ? r:a r:b r:c r:d l:e . l:f",
        "a b c d e f",
    ),
    "45 as far as a replay reaches": ("A . l:a J l:b l:c ? r:c l:d . l:e", "a ~ c d e"),
    "46 while the panel gives no token": ("A . l:a W:20 J l:b +1 l:c ? r:a r:b r:c .", "a b c"),
    "48 the daemon restarted, the game did not": (
        "A . l:d X:1006 +5 A S:running r:d r:e . l:f",
        "d e f",
    ),
    "50 a status that comes twice, or too early": (
        "S:offline A S:offline B S:running S:starting S:running l:a",
        "a",
    ),
    "52 samples are no restart": ("A . l:a U +1 U l:b U +1 l:c", "a b c"),
    "53 killed half-way through the replay": (
        "A . l:a C X +5 A r:a r:b C K A r:a r:b r:c .",
        "a b c",
    ),
    "53 killed behind it": ("A . l:a C X +5 A r:a r:b . C K A r:a r:b r:c .", "a b c"),
    "53 killed within it, and no replay brings that again": (
        "A . l:a C X +5 A l:c +0.1 r:a r:b C K +5 B +20 A r:p .",
        "a b ~ c ~ / p",
    ),
    "55 the sockets die inside the replay": ("A r:a r:b X +1 A r:a r:b r:c .", "a b c"),
    "55 while lines come": ("A l:c r:a X +1 A r:a r:b r:c .", "a b c"),
    "55 behind its end": ("A l:c r:a r:b r:c +0.2 X +1 A r:a r:b r:c r:d .", "a b c d"),
    "55 before its first line": ("A l:c X +1 A r:a r:b r:c r:d .", "a b c d"),
    "55 when a copy has come and its line has not": (
        "A . l:a X +5 A l:y r:a Z:1 l:f X +1 A r:a r:y r:f .",
        "a y f",
    ),
    "56 a live line before the replay": ("A . l:a X +5 A l:f r:a r:b r:f .", "a b f"),
    "57 an abnormal close": ("A . l:a X:1006 +1 A r:a r:b .", "a b"),
    "59 on another node": ("A . l:a X +20 B A r:p r:q .", "a ~ / p q"),
    "60 a frozen console is polled": (
        f"A . {TALK} {BEATS} ? {shown('r', 'n', range(3))} . ? {shown('r', 'n', range(6))} .",
        f"{'k0 k1 k2 ' * 9}~ {stored('n', range(6))}",
    ),
    "63 replays of 10 lines": (
        (
            f"A . {shown('l', 'k', range(20))} X +1 A {shown('r', 'k', range(11, 21))} ."
            f" X +60 A {shown('r', 'n', range(10))} ."
        ),
        f"{stored('k', range(21))} ~ {stored('n', range(10))}",
    ),
}

# Those that nobody can decide, and what is done then: ``?`` marks an uncertain line.
POLICIES = {
    "12 a rare line that is replayed and comes live at once is one": (
        "A . l:a X +5 A r:a r:x l:x l:b .",
        "a x b",
    ),
    "19 a replay that stops before what is stored takes nothing away": (
        f"A . {LIVE} l:p1 l:p2 l:p3 l:after X +5 A {REPLAYED} . l:more",
        f"{KNOWN} p1 p2 p3 after ~ more",
    ),
    "20 what a giant line hides comes when it has left the tail": (
        (
            f"A . {LIVE} X +5 A {REPLAYED} . l:z U +20 U T ? {REPLAYED} ."
            " l:y +20 U T ? r:p r:q r:z r:y ."
        ),
        f"{KNOWN} ~ p q z {SAID} y {SAID}",
    ),
    "21 the end of a long line that a replay begins in has a gap before it": (
        f"A . l:longEND {LIVE} X +5 A r:END {REPLAYED} r:n .",
        f"longEND ~ END {KNOWN} n",
    ),
    "22 and behind what is stored, too": (
        f"A . {LIVE} X +60 A r:END r:n0 r:n1 .",
        f"{KNOWN} ~ END n0 n1",
    ),
    "28 what looks like a daemon line is one, and is not replayed": (
        r"A . l:a d:same X +5 A r:a r:\x1b[33m\x1b[1m[X\x20Daemon]:\x1b[39m\x20same r:b .",
        "a d:same b",
    ),
    "30 without uptime the same banner is the same run": (
        "V A . l:a l:b X +60 A r:a r:b .",
        "a b",
    ),
    "31 of two restarts one is seen": (
        "A . l:a l:b X +60 B +60 B +20 A r:p r:q .",
        "a b ~ / p q",
    ),
    "37 a log that cannot be read": (
        "A . l:a X +5 A e:daemon_error=x . l:b X +5 A e:daemon_error=x . l:c",
        "a ~ b ~ c",
    ),
    "38 the log was removed in mid-run": ("A . l:a l:x X +5 A r:p r:q .", "a x ~ p q"),
    "38 and what it has since is known": ("A . l:a l:x l:p l:q X +5 A r:p r:q .", "a x p q ~"),
    "40 150 lines, and more before": (
        f"A . {LIVE} X +3600 A {LONG} .",
        f"{KNOWN} ~ {stored('', range(150))}",
    ),
    "41 155 lines in 31 s": (
        f"A . {'l:x l:y +0.4 ' * 40} {LIVE} X +31 A {shown('r', 'n', range(5, 155))} .",
        f"{'x y ' * 40}{KNOWN} ~ {stored('n', range(5, 155))}",
    ),
    "43 10,000 lines were dropped": (
        f"A . l:a l:b U +30 U T l:z ? {shown('r', 'n', range(149))} r:z .",
        f"a b {SAID} ~ {stored('n', range(149))} z",
    ),
    "43 and nothing came since": (
        f"A . l:a l:b U +30 U T ? {LONG} . l:z",
        f"a b {SAID} ~ {stored('', range(150))} z",
    ),
    "54 the wall clock says nothing of the order": (
        "A . l:a H:-3600 l:b X +5 A r:a r:b r:c . l:d",
        "a b c d",
    ),
    "63 no replays at all": ("A . l:a X +5 A . l:b X +5 A . l:c", "a ~ b ~ c"),
}
SCENARIOS |= POLICIES

# Where the others are shown: they never become lines of a stream.
ELSEWHERE = {
    5: "test_5_where_lines_say_nothing_a_likely_number_is_marked_and_covered",
    14: "test_14_no_two_auths_or_requests_are_ever_under_way",
    16: "tests/store/test_lock.py",
    24: "test_24_pieces_of_one_line_are_not_told_from_it",
    47: "tests/client/test_backoff.py, tests/console/test_protocol.py",
    49: "tests/console/test_runs.py",
    51: "tests/console/test_samples.py",
    58: "tests/console/test_events.py, tests/client/test_backoff.py",
    61: "tests/console/test_messages.py; schedule `garbage` of the simulator",
    62: "tests/client/test_backoff.py",
}


@pytest.mark.parametrize(("script", "rows"), SCENARIOS.values(), ids=SCENARIOS)
def test_scenario(dialogue, script, rows):
    assert dialogue.play(script).rows() == rows


@pytest.mark.parametrize(("script", "rows"), SCENARIOS.values(), ids=SCENARIOS)
def test_scenario_with_a_transaction_after_each_word(dialogue, script, rows):
    # The archive's own checks: nothing committed is changed or comes again.
    assert dialogue.play(" C ".join(script.split())).rows() == rows


def test_each_scenario_has_its_place():
    told = {int(name.partition(" ")[0]) for name in SCENARIOS}
    assert sorted({*told, *ELSEWHERE}) == list(range(1, 64))
    assert not told & set(ELSEWHERE)


@pytest.mark.parametrize("outage", [0.1, 10.0, 40.0])
def test_5_where_lines_say_nothing_a_likely_number_is_marked_and_covered(dialogue, outage):
    dialogue.play(f"A . {'l:t +0.5 ' * 160} X +{outage} A {'r:t ' * 150} .")
    words = dialogue.rows().split()
    (gap,) = dialogue.archive.open_gaps()

    assert set(words[:160]) == {"t"}
    assert set(words[160:]) <= {"~", "?t"}
    assert words.count("?t") <= 3 * outage + 10
    assert gap.lower == 0
    assert gap.upper is None or gap.upper + words.count("?t") >= 2 * outage, "the truth is within"


def test_14_no_two_auths_or_requests_are_ever_under_way(dialogue):
    dialogue.play("A T r:a . l:b +30 T ? J l:c r:a . +30 T ? r:a . +520 l:d +30")
    for on_asking in (False, True):
        for event, apart in (("auth", 1.0), ("send logs", 15.0)):
            times = [at for at, asked, sent in dialogue.sent if (asked, sent) == (on_asking, event)]
            assert all(later - before >= apart for before, later in pairwise(times))


@pytest.mark.xfail(strict=True, reason="a line that the log lacks and a new one at one place")
def test_24_pieces_of_one_line_are_not_told_from_it(dialogue):
    # Calagopus cuts live lines, not replayed ones: either form is to be there, not a block twice.
    dialogue.play(f"A . {LIVE} l:aaaa l:bbbb l:cc l:z X +5 A {REPLAYED} r:aaaabbbbcc r:z r:y .")
    assert dialogue.rows().split().count("k0") == 1


# Any sequence of events, with distinct lines: what is stored is the truth, or says where
# it is not.

happenings = st.lists(
    st.one_of(
        st.tuples(
            st.just("print"),
            st.sampled_from([1, 2, 7, 40, 139, 160]),
            st.sampled_from([0.0, 0.003, 0.2]),
        ),
        st.tuples(st.just("wait"), st.sampled_from([0.01, 0.04, 0.3, 1.0, 10.0])),
        st.sampled_from(
            [("connect",), ("disconnect",), ("kill",), ("commit",), ("expire",), ("stats",)]
        ),
    ),
    max_size=14,
)
seeds = st.integers(0, 2**32)


def live_through(server: Any, script: list[Any]) -> None:
    """Let all of it happen, and then a connection that takes a whole replay."""
    acts = {
        "print": server.print_lines,
        "wait": server.pass_time,
        "kill": server.kill,
        "commit": server.commit,
        "expire": server.expire,
        "stats": server.push_stats,
        "restart": server.restart,
    }
    for verb, *args in script:
        if verb in acts:
            acts[verb](*args)
        elif (verb == "connect") == (server.procedure is None):
            getattr(server, verb)()
    server.pass_time(0.1)
    if server.procedure is not None:
        server.disconnect()
    server.connect()
    server.pass_time(30)
    assert server.procedure.is_replayed
    server.commit()


def missing(server: Any) -> list[tuple[int, int]]:
    """Return the neighbours between which lines are missing and no gap says so."""
    stored = server.archive.in_order()
    numbers = [int(line.text.removeprefix("line ")) for line in stored]
    assert numbers == sorted(set(numbers)), "in order, and none twice"
    gaps = [-1 if gap.after_seq is None else gap.after_seq for gap in server.archive.open_gaps()]
    seqs = [-1, *(line.seq for line in stored), 2**63]
    bounds = [server.began - 1, *numbers, len(server.truth)]
    return [
        (before, after)
        for place, (before, after) in enumerate(pairwise(bounds))
        if after > before + 1 and not any(seqs[place] <= gap < seqs[place + 1] for gap in gaps)
    ]


@settings(max_examples=150, deadline=None)
@given(seeds, happenings)
def test_nothing_is_lost_in_silence_and_nothing_comes_twice(new_server, seed, script):
    server = new_server(seed)
    live_through(server, script)
    assert missing(server) == []
    assert server.archive.frames == []


@settings(max_examples=150, deadline=None)
@given(seeds, st.lists(happenings | st.just([("restart",)]), max_size=4))
def test_nor_where_the_server_restarts(new_server, seed, scripts):
    server = new_server(seed)
    live_through(server, [step for script in scripts for step in script])
    assert missing(server) == []


def test_where_no_second_socket_is_given_the_main_one_asks(new_server):
    server = new_server(3)
    server.answers.discard("asking")
    server.refuses_asking = True
    server.print_lines(20, 0.0)
    server.connect()
    server.pass_time(20)
    assert [event for _, asked, event in server.sent if not asked].count("send logs") == 1
    server.print_lines(5, 0.2)
    server.disconnect()
    server.print_lines(7, 0.0)
    server.connect()
    server.pass_time(6.5)
    server.print_lines(12, 0.3)  # through the replay
    server.pass_time(20)
    server.commit()
    assert missing(server) == []
    assert len(server.archive.lines) == 44


def test_copies_of_lines_from_just_before_an_audit_are_not_new(new_server):
    wire = new_server(1)
    wire.connect()
    wire.pass_time(3)
    texts = [f"request {number}" for number in range(100)]
    for text in texts:
        wire.print(text)
        wire.pass_time(0.0001)
    wire.pass_time(0.002)
    asked = [*texts[90:], *texts]  # late copies, then the replay
    wire.stream.audit(wire.at, None)
    wire.stream.begin_replay()
    for text in asked:
        frame = json.dumps({"event": "console output", "args": [text]})
        message = messages.parse_message(frame)
        wire.stream.receive_asked(message, frame, wire.at, wire.now + 0.01)
    wire.stream.end_replay(wire.at, asked_at=wire.now)
    wire.commit()

    assert [line.text for line in wire.archive.in_order()] == texts
