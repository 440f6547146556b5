"""When a replay is asked for while connected."""

import math
from dataclasses import replace

import pytest

from archiver.console.audits import Audits
from archiver.console.timing import Timing

TIMING = Timing()


@pytest.fixture
def audits():
    """Those of a connection whose first replay ended at 0 and was asked for just before."""
    audits = Audits(TIMING, spread=0.5)
    audits.ask(-1.0)
    audits.end(0.0, is_cut=False, has_news=False)
    return audits


def test_before_the_first_replay_none_is_due():
    audits = Audits(TIMING, spread=0.5)
    audits.suspect(0.0)

    assert audits.due is None


def test_one_is_due_after_the_interval_if_lines_came(audits):
    audits.hear(10.0)

    assert not audits.is_due(899.0)
    assert audits.is_due(900.0)


def test_without_lines_there_is_nothing_to_look_for(audits):
    assert not audits.is_due(900.0)
    assert audits.due == 1800.0


@pytest.mark.parametrize("spread", [0.0, 1.0])
def test_those_of_many_servers_are_apart(spread):
    audits = Audits(TIMING, spread)
    audits.end(0.0, is_cut=False, has_news=False)

    assert audits.due == 900.0 * (0.75 + 0.5 * spread)


def test_evidence_brings_one_as_soon_as_two_replays_may_follow_each_other(audits):
    audits.suspect(1.0)

    assert audits.due == 14.0  # 15 s after the last
    assert audits.is_due(14.0)


def test_evidence_long_after_the_last_is_given_time_to_be_over(audits):
    audits.suspect(100.0)

    assert audits.due == 100.0 + TIMING.audit_settle


def test_without_an_interval_only_evidence_brings_one():
    audits = Audits(replace(TIMING, audit_interval=math.inf), spread=0.0)
    audits.end(0.0, is_cut=False, has_news=False)
    audits.hear(10.0)
    assert not audits.is_due(86_400.0 * 365)
    audits.suspect(100.0)

    assert audits.is_due(102.0)


def test_a_cut_replay_is_asked_for_again_at_once_and_then_ever_later(audits):
    waits = []
    for number in range(5):
        now = 1000.0 * number
        audits.ask(now)
        audits.end(now, is_cut=True, has_news=False)
        waits.append(audits.due - now)

    assert waits == [2.0, 15.0, 30.0, 900.0, 900.0]


def test_a_console_that_is_silent_for_long_is_suspicious(audits):
    for second in range(1, 40):
        audits.hear(float(second))
    audits.watch(95.0)
    assert not audits.is_due(98.0)

    audits.watch(100.0)
    assert audits.is_due(102.0)


def test_a_sample_that_was_dropped_is_evidence(audits):
    for second in range(20, 25):
        audits.watch(float(second))
    audits.watch(27.0)

    assert audits.due == 29.0
