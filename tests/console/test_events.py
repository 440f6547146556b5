from itertools import count

import pytest

from archiver.console.events import (
    EPISODE_PAUSE,
    OVER_QUOTA,
    ROWS_AN_HOUR,
    Events,
    is_restoring,
)
from archiver.console.messages import DaemonError, DaemonMessage, Deleted, JwtError, Unknown

HOUR = 3_600_000_000


@pytest.fixture
def events() -> Events:
    return Events(count(1).__next__)


def test_an_event_is_kept_whole(events):
    row = events.receive(DaemonError("Error Event [1]: \u00e4"), 5, 42)
    assert (row.id, row.at, row.event, row.connection_id) == (1, 5, "daemon error", 42)
    assert row.args == '["Error Event [1]: \u00e4"]'
    assert (row.count, row.last_at) == (1, None)


def test_a_repeat_of_the_previous_event_is_counted(events):
    rows = [events.receive(DaemonError("x"), at, None) for at in (1, 2, 9 * HOUR)]
    assert rows[0] is rows[1] is rows[2]
    assert (rows[0].at, rows[0].count, rows[0].last_at) == (1, 3, 9 * HOUR)


def test_only_the_previous_event_is_repeated(events):
    texts = ["a", "b", "a", "a"]
    rows = [events.receive(DaemonError(text), at, None) for at, text in enumerate(texts)]
    assert [row.id for row in rows] == [1, 2, 3, 3]


@pytest.mark.parametrize(
    "flood",
    [
        [JwtError(f"jwt: {n}") for n in range(4)],
        [DaemonMessage(f"(restoring): {n}") for n in range(4)],
    ],
)
def test_a_flood_is_one_row_an_episode(events, flood):
    first = events.receive(flood[0], 0, None)
    # Others in between do not end it.
    between = events.receive(Deleted(), 1, None)
    assert events.receive(flood[1], EPISODE_PAUSE, None) is first
    assert events.receive(Deleted(), EPISODE_PAUSE, None) is between
    assert events.receive(flood[2], 2 * EPISODE_PAUSE, None) is first
    assert events.receive(flood[3], 3 * EPISODE_PAUSE + 1, None) is not first
    assert (first.count, first.last_at) == (3, 2 * EPISODE_PAUSE)


def test_episodes_of_two_kinds_are_two_rows(events):
    jwt = events.receive(JwtError("x"), 0, None)
    restore = events.receive(DaemonMessage("(restoring): x"), 1, None)
    assert events.receive(JwtError("y"), 2, None) is jwt
    assert events.receive(DaemonMessage("(restoring): y"), 3, None) is restore


def test_more_than_the_quota_is_one_row_that_counts(events):
    rows = [events.receive(Unknown("x", str(n)), n, 7) for n in range(ROWS_AN_HOUR + 40)]
    assert len({row.id for row in rows}) == ROWS_AN_HOUR + 1
    over = rows[-1]
    assert (over.event, over.args, over.count) == (OVER_QUOTA, "[]", 40)
    assert (over.at, over.last_at) == (ROWS_AN_HOUR, ROWS_AN_HOUR + 39)
    # The next hour begins anew.
    assert events.receive(Unknown("x", "new"), HOUR, 7).event == "x"
    for n in range(ROWS_AN_HOUR):
        last = events.receive(Unknown("y", str(n)), HOUR + n, 7)
    assert last.event == OVER_QUOTA
    assert last is not over


def test_only_files_of_a_restore_are_a_restore():
    assert is_restoring(DaemonMessage("(restoring): world/level.dat"))
    assert not is_restoring(DaemonMessage("Completed server restoration from local backup."))
    assert not is_restoring(JwtError("(restoring): x"))
