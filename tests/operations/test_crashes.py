"""Runs that ended without a stop; which those are is tested in tests/console/test_endings.py."""

from typing import Any

import pytest

from archiver.console.endings import Ending
from archiver.console.records import Line, Run, Source, StatsSample, StatusChange
from archiver.operations import crashes
from archiver.operations.crashes import Crash, find_crashes
from archiver.store.reads import Reader

NOW = 1_780_000_000_000_000
SECOND = 1_000_000


def at(second: float) -> int:
    return NOW + round(second * SECOND)


def change(second: float, run_id: int, status: str, previous: str, **more: Any) -> StatusChange:
    return StatusChange(run_id, at(second), None, status, previous, inferred=False)._replace(**more)


@pytest.fixture(params=[1, 200], ids=["small pages", "one page"])
def page(request, monkeypatch):
    monkeypatch.setattr(crashes, "_PAGE", request.param)


@pytest.fixture
def server(writer, register, commit, line):
    """Six runs: out of memory, stopped, unseen, no code, by its own command, and one goes on."""
    server_id: int = register(writer, "u1")

    def printed(second: float, run_id: int | None, text: str, **more: Any) -> Line:
        facts = {"at": at(second), "run_id": run_id, "text": text} | more
        made: Line = line(round(100 * second), **facts)
        return made

    commit(
        writer,
        server_id,
        runs=[
            Run(1, at(0), "first", at(-5), at(10), exit_code=137, out_of_memory=True),
            Run(2, at(12), "status", at(12), at(20)),
            Run(3, at(30), "status", at(30), at(50)),
            Run(4, at(60), "status", None, at(70)),
            Run(5, at(80), "status", None, at(90), exit_code=0, out_of_memory=False),
            Run(6, at(95), "status"),
        ],
        status_changes=[
            change(10, 1, "offline", "running"),
            change(20, 2, "offline", "stopping"),
            change(50, 3, "offline", "running", earliest_at=at(40)),
            change(70, 4, "offline", "starting"),
            change(90, 5, "offline", "running"),
        ],
        stats_samples=[
            StatsSample(at(9), 1, 990, 1_000, 99.5, 0, 0, 0, None, None, 9_000, "running"),
            StatsSample(at(10), 1, 0, 1_000, 0.0, 0, 0, 0, None, None, 0, "offline"),
        ],
        lines=[
            printed(-50, None, "before any run was known"),
            printed(1, 1, "one"),
            printed(2, 1, "two", at=at(1.5)),
            printed(3, 1, "three", at=at(9.9)),  # seen later than those after it
            printed(4, 1, "four", at=at(4)),
            printed(9, 1, "daemon: Exit code: 137", source=Source.DAEMON, at=at(10)),
            printed(10, 1, "five", at=at(10.1)),
            printed(11, 1, "daemon: Pulling", source=Source.DAEMON),
            printed(12, 2, "boot", source=Source.REPLAY),
            printed(19, 2, "bye"),
            printed(61, 4, "cannot bind"),
        ],
    )
    return server_id


def found(reader: Reader, *, lines: int = 3, **given: Any) -> list[Crash]:
    asked = {"since": None, "until": None} | given
    return list(find_crashes(reader, None, lines=lines, **asked))


def test_a_run_that_was_stopped_or_not_seen_to_end_is_no_crash(server, reader):
    assert [(crash.life.id, crash.ending) for crash in found(reader)] == [
        (1, Ending.OUT_OF_MEMORY),
        (4, Ending.NO_STOP),
        (5, Ending.BY_ITSELF),
    ]


def test_its_last_lines_are_the_game_s_own_by_seq(page, server, reader):
    whole = ["one", "two", "three", "four", "five"]
    for count in (1, 2, 3, 5, 9):
        assert [line.text for line in found(reader, lines=count)[0].lines] == whole[-count:]
    assert found(reader, lines=0)[0].lines == []


def test_lines_of_other_runs_are_not_its_own(page, server, reader):
    assert [line.text for line in found(reader)[1].lines] == ["cannot bind"]
    assert found(reader)[2].lines == []


def test_its_last_sample_is_of_when_it_lived(server, reader):
    samples = [crash.sample for crash in found(reader)]
    assert samples[0] is not None
    assert (samples[0].at, samples[0].memory_bytes, samples[0].cpu_absolute) == (at(9), 990, 99.5)
    assert samples[1:] == [None, None]


def test_how_long_it_ran_counts_from_its_start(server, reader):
    assert [crash.ran for crash in found(reader)] == [15 * SECOND, 10 * SECOND, 10 * SECOND]
    assert all(crash.is_whole for crash in found(reader))


def test_a_range_is_of_the_ends(server, reader):
    def ids(since: float | None, until: float | None) -> list[int]:
        first, last = (None if second is None else at(second) for second in (since, until))
        return [crash.life.id for crash in found(reader, since=first, until=last)]

    assert ids(10, 70) == [1]
    assert ids(11, None) == [4, 5]
    assert ids(None, 71) == [1, 4]


def test_a_code_without_an_end_is_a_crash_that_is_not_dated(writer, reader, register, commit):
    first, second = register(writer, "u1"), register(writer, "u2")
    commit(writer, first, runs=[Run(1, at(0), "first", exit_code=1), Run(2, at(20), "uptime")])
    commit(writer, second, runs=[Run(3, at(1), "first", exit_code=1)])

    crash, undated = found(reader)

    assert (crash.life.id, crash.ran, crash.is_whole, crash.life.over_at) == (
        1,
        None,
        False,
        at(20),
    )
    assert (undated.life.id, undated.life.over_at) == (3, None)
    assert [crash.life.id for crash in found(reader, since=at(21))] == [3]
    assert [crash.life.id for crash in found(reader, until=at(21))] == [1]


def test_crashes_of_some_servers_can_be_asked_for(server, writer, reader, register):
    other = register(writer, "u2")
    assert list(find_crashes(reader, [other], since=None, until=None, lines=5)) == []
