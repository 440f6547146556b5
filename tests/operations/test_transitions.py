"""Status history from an archive; the rule itself is tested in tests/console/test_uptime.py."""

from collections.abc import Callable
from datetime import UTC
from typing import Any

import pytest

from archiver.console.records import Connection, Run, StatusChange, StreamState
from archiver.operations.transitions import list_transitions, summarise
from archiver.store.reads import Reader
from archiver.store.writer import Writer

NOW = 1_780_000_000_000_000
SECOND = 1_000_000
DAY = 86_400 * SECOND


def at(second: float) -> int:
    return NOW + round(second * SECOND)


def change(second: float, status: str, previous: str | None = None, **more: Any) -> StatusChange:
    return StatusChange(1, at(second), None, status, previous, inferred=False)._replace(**more)


@pytest.fixture
def server(writer, register, commit):
    """A server that was running, lost sight of from 40 to 60, crashed at 70, and is back."""
    server_id: int = register(writer, "u1")
    commit(
        writer,
        server_id,
        state=StreamState(run_id=2, last_frame_at=at(80)),
        connections=[
            Connection(1, at(0), at(0), at(40)),
            Connection(2, at(60), at(60)),
        ],
        runs=[
            Run(1, at(0), "first", ended_at=at(70), exit_code=1),
            Run(2, at(74), "status"),
        ],
        status_changes=[
            change(0, "running"),
            change(70, "offline", "running"),
            change(74, "starting", "offline", run_id=2),
            change(80, "running", "starting", run_id=2),
        ],
    )
    return server_id


def listed(reader: Reader, since: int | None = None, until: int | None = None) -> list[Any]:
    found = list_transitions(reader, None, since=since, until=until, now=at(100))
    return [
        (
            each.change.status,
            each.lasted if each.lasted is None else each.lasted / SECOND,
            each.unknown if each.unknown is None else each.unknown / SECOND,
        )
        for each in found
    ]


def test_each_change_says_how_long_the_status_before_was(server, reader):
    assert listed(reader) == [
        ("running", None, None),
        ("offline", 70, 20),
        ("starting", 4, 0),
        ("running", 6, 0),
    ]


def test_a_range_looks_back_for_the_status_before(server, reader):
    assert listed(reader, at(70), at(80)) == [("offline", 70, 20), ("starting", 4, 0)]
    assert listed(reader, at(1), at(70)) == []


def test_two_changes_at_one_moment_before_a_range_are_not_in_it(server, reader, writer, commit):
    commit(writer, server, status_changes=[change(90, "stopping"), change(90, "offline")])
    assert listed(reader, at(91)) == []
    commit(writer, server, status_changes=[change(95, "starting", "offline")])
    assert listed(reader, at(91)) == [("starting", 5, 0)]


def test_changes_of_several_servers_are_in_the_order_of_time(
    server, writer, reader, register, commit
):
    second = register(writer, "u2")
    commit(writer, second, status_changes=[change(72, "running")])
    assert [status for status, _, _ in listed(reader)] == [
        "running",
        "offline",
        "running",
        "starting",
        "running",
    ]
    found = list_transitions(reader, [second], since=None, until=None, now=at(100))
    assert [each.change.server_id for each in found] == [second]


def summed(reader: Reader, now: float = 100, **given: Any) -> list[Any]:
    asked = {"since": None, "until": None, "by": "all", "zone": UTC} | given
    return list(summarise(reader, None, now=at(now), **asked))


def test_time_is_shared_among_statuses_and_the_unknown(server, reader):
    (all_of_it,) = summed(reader)
    assert all_of_it.shares == {
        "running": 0.7,
        "starting": 0.06,
        "stopping": 0,
        "offline": 0.04,
        "unknown": 0.2,
    }
    assert (all_of_it.begin, all_of_it.end) == (NOW, at(100))
    assert (all_of_it.restarts, all_of_it.crashes) == (1, 1)
    assert all_of_it.longest_offline == 4 * SECOND


def test_counts_are_of_the_period(server, reader):
    def counts(since: float, until: float) -> tuple[int, int]:
        (found,) = summed(reader, since=at(since), until=at(until))
        return found.crashes, found.restarts

    assert counts(0, 70) == (0, 0)
    assert counts(70, 74) == (1, 0)
    assert counts(71, 75) == (0, 1)
    assert counts(75, 100) == (0, 0)


def test_what_was_not_recorded_yet_is_unknown_if_it_is_asked_for(server, reader):
    (found,) = summed(reader, since=at(-100), until=at(20))
    assert found.shares["unknown"] == pytest.approx(100 / 120)


def test_what_has_not_come_yet_is_not_counted(server, reader):
    (found,) = summed(reader, since=at(80), until=at(999))
    assert (found.end, found.shares["running"]) == (at(100), 1)
    assert summed(reader, since=at(100)) == []


def test_days_are_parted_and_each_sums_to_one(server, reader):
    found = summed(reader, now=2 * 86_400, by="day")
    assert len(found) == 3
    assert found[-1].shares["running"] == 1
    assert all(sum(each.shares.values()) == pytest.approx(1, abs=1e-12) for each in found)


def test_a_server_that_is_gone_has_no_time_since(server, writer, reader):
    writer.mark_deleted(server, at(90))
    (found,) = summed(reader)
    assert found.end == at(90)
    (asked,) = summed(reader, until=at(95))
    assert asked.end == at(95)


def test_of_a_collector_that_is_not_there_the_last_sign_counts(
    server, writer: Writer, archive_url, open_writer: Callable[[], Writer]
):
    writer.close()
    with Reader.open(archive_url) as reader:
        (found,) = summed(reader)
    assert found.shares["unknown"] == pytest.approx(0.4)
    assert found.shares["running"] == pytest.approx(0.5)


def test_a_server_that_nobody_ever_listened_to_is_unknown(writer, reader, register):
    register(writer, "u9")
    (found,) = summed(reader)
    assert found.shares["unknown"] == 1
    assert listed(reader) == []
