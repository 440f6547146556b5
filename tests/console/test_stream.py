"""What becomes of a server's words, from the sockets to the rows."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

# Scenarios of the protocol that the plain rule decides, by their numbers: what the
# sockets bring (the words of conftest.Dialogue), and what is stored.
LONG = " ".join(f"r:{n}" for n in range(150))
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
    "17 blank lines are not stored, however they come": (
        r"A . l:a l: l:b X +5 A r:a r: r:\x20\r\n r:b r: r:c .",
        "a b c",
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
    "39 an empty replay proves nothing": ("A . l:a l:b X +5 A . l:c", "a b ~ c"),
    "40 more was printed than a replay holds": ("A . l:x X +3600 A r:y r:z .", "x ~ y z"),
    "44 a warning and a renewal": ("A . l:a +520 l:b +1 l:c", "a b c"),
    "45 withheld lines come back": (
        "A . l:a l:b J l:c l:d ? r:a r:b r:c r:d l:e . l:f",
        "a b c d e f",
    ),
    "45 as far as a replay reaches": ("A . l:a J l:b l:c ? r:c l:d . l:e", "a ~ c d e"),
    "55 the sockets die inside the replay": ("A r:a r:b X +1 A r:a r:b r:c .", "a b c"),
    "55 while lines come": ("A l:c r:a X +1 A r:a r:b r:c .", "a b c"),
    "55 behind its end": ("A l:c r:a r:b r:c +0.2 X +1 A r:a r:b r:c r:d .", "a b c d"),
    "55 before its first line": ("A l:c X +1 A r:a r:b r:c r:d .", "a b c d"),
}


@pytest.mark.parametrize(("script", "rows"), SCENARIOS.values(), ids=SCENARIOS)
def test_scenario(dialogue, script, rows):
    assert dialogue.play(script).rows() == rows


@pytest.mark.parametrize(("script", "rows"), SCENARIOS.values(), ids=SCENARIOS)
def test_scenario_with_a_transaction_after_each_word(dialogue, script, rows):
    # The archive's own checks: nothing committed is changed or comes again.
    assert dialogue.play(" C ".join(script.split())).rows() == rows


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
