from hypothesis import given
from hypothesis import strategies as st

from archiver.simulator.clock import SECOND
from archiver.simulator.counters import Counters


@given(st.lists(st.integers(0, 300)), st.integers(1, 100))
def test_most_in_window_is_that_of_the_worst_window(seconds, width):
    counters = Counters()
    for second in sorted(seconds):
        counters.count("tokens", "a", second * SECOND)
    worst = max((sum(s <= t < s + width for t in seconds) for s in seconds), default=0)
    assert counters.most_in_window("tokens", width) == worst


def test_counts_are_by_server_or_over_all():
    counters = Counters()
    for server, time in (("a", 3), ("b", 1), ("a", 2)):
        counters.count("auths", server, time)
    counters.count("replays", "a", 9)
    assert counters.times("auths") == [1, 2, 3]
    assert counters.total("auths", "a") == 2
    assert counters.total("auths", "c") == 0


def test_most_open_sockets_at_once_are_remembered():
    counters = Counters()
    for opens in (True, True, False, True, False, False):
        counters.enter("a") if opens else counters.leave("a")
    counters.enter("b")
    assert counters.most_open == {"a": 2, "b": 1}
    assert counters.open_sockets == {"a": 0, "b": 1}
