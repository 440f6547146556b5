import pytest
from hypothesis import given
from hypothesis import strategies as st

from archiver.simulator.clock import SECOND, Clock, seeded


@given(st.lists(st.integers(0, 50)), st.lists(st.integers(0, 60)))
def test_calls_are_made_in_order_of_time_and_then_as_they_came(times, stops):
    clock = Clock(0)
    made = []
    for number, time in enumerate(times):
        clock.at(time, lambda time, number: made.append((clock.now, time, number)), time, number)
    for stop in sorted(stops):
        clock.advance(stop)
        assert all(time <= stop for _, time, _ in made)
        assert clock.next_at() is None or clock.next_at() > stop
    clock.advance(100)
    assert made == sorted((time, time, number) for number, time in enumerate(times))


def test_a_call_may_ask_for_more_calls_even_for_the_past():
    clock = Clock(10)
    made = []
    clock.after(2, lambda: clock.at(0, lambda: made.append(clock.now)))
    clock.advance(10 + 2 * SECOND)
    assert made == [10 + 2 * SECOND]


def test_time_does_not_go_back():
    clock = Clock(10)
    clock.advance(5)
    assert clock.now == 10


@pytest.mark.parametrize("words", [(1, "a"), (1, "b"), (2, "a")])
def test_the_same_words_give_the_same_numbers(words):
    assert seeded(*words).random() == seeded(*words).random()
    assert seeded(*words).random() != seeded(*words, "more").random()
