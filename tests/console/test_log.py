"""The times of lines: claimed, observed, or bounded."""

from datetime import UTC, datetime, timedelta

import pytest

from archiver.console.joining import Joining, Showing
from archiver.console.lines import comparison_key, hash_key
from archiver.console.log import Log, StoredLine
from archiver.console.records import AtKind, Line, Source, StreamState
from archiver.console.separation import Heard, Reading

SECOND = 1_000_000  # microseconds
MINUTE = 60 * SECOND
START = 1_795_442_832_345_678  # 2026-11-23 14:07:12.345678 UTC
CUT = 345_678  # of it, behind its second
ZONE = timedelta(hours=2)


def heard(at: int, raw: str = "[%H:%M:%S] [Server thread/INFO]: x") -> Heard:
    """A line printed and heard at that moment, by a host in that zone."""
    local = datetime.fromtimestamp(at // SECOND, UTC) + ZONE
    text = local.strftime(raw)
    return Heard(hash_key(comparison_key(text)), at / SECOND, at, text)


def new_log() -> Log:
    numbers = iter(range(1, 1_000))
    log = Log(StreamState(), lambda: next(numbers))
    log.run_id = 1
    return log


def taught() -> Log:
    log = new_log()
    for seconds in range(0, 40, 10):
        log.append(Source.LIVE, heard(START + seconds * SECOND))
    return log


def replay(log: Log, shown: list[Heard], at: int, since: int) -> int:
    """Join a replay that came at *at* and return how many of its lines were new."""
    reading = Reading([line._replace(mono=at / SECOND, observed_at=at) for line in shown], 0.0)
    showing = Showing(at, since, at, at / SECOND, len(shown), None)
    return Joining(log, [reading], [], showing).run().recovered


def stored(line: Line) -> StoredLine:
    raw = line.text if line.raw is None else line.raw
    return StoredLine(line.seq, line.run_id, line.source, line.observed_at, raw)


def test_live_lines_are_dated_by_what_they_claim():
    first, second, third, last = taught().lines
    assert [line.at_kind for line in (first, second)] == [AtKind.OBSERVED] * 2
    assert [line.timestamp for line in (first, second)] == [None] * 2
    for line, seconds in ((third, 20), (last, 30)):
        assert line.timestamp == START + seconds * SECOND - CUT
        assert line.at_kind == AtKind.CLAIMED
        assert line.at == line.observed_at  # within the second that is claimed
        assert (line.level, line.thread) == (9, "Server thread")


@pytest.mark.parametrize(
    ("late", "at"),
    [(0, CUT), (600_000, CUT + 600_000), (2 * SECOND, SECOND - 1)],
    ids=["at once", "in its second", "later"],
)
def test_within_the_claimed_second_a_line_is_dated_by_when_it_came(late, at):
    log = taught()
    line = heard(START + MINUTE)
    log.append(Source.LIVE, line._replace(observed_at=START + MINUTE + late))
    assert log.lines[-1].at == START + MINUTE - CUT + at
    assert log.lines[-1].timestamp == START + MINUTE - CUT


def test_colours_hide_no_claim():
    log = taught()
    log.append(Source.LIVE, heard(START + MINUTE, "\x1b[33m[%H:%M:%S WARN]: x\x1b[0m"))
    assert log.lines[-1].level == 13


def test_recovered_lines_are_dated_between_their_bounds():
    log = taught()
    last = log.lines[-1]
    kept = [START + seconds * SECOND for seconds in range(0, 40, 10)]
    times = [START + 2 * MINUTE, START + 4 * MINUTE]
    replay(log, [heard(at) for at in kept + times], START + 10 * MINUTE, last.observed_at)
    recovered = log.lines[4:]
    assert [line.source for line in recovered] == [Source.REPLAY] * 2
    assert [line.timestamp for line in recovered] == [at - CUT for at in times]
    assert [line.at for line in recovered] == [at - CUT for at in times]
    assert {line.at_kind for line in recovered} == {AtKind.CLAIMED}
    assert {line.earliest_at for line in recovered} == {last.observed_at}


def test_a_recovered_line_is_not_dated_before_what_was_seen_before_it():
    log = taught()
    last = log.lines[-1]
    same_second = heard(last.observed_at)._replace(key=7)
    log.append(Source.REPLAY, same_second, before=START + MINUTE, after=last.observed_at)
    assert log.lines[-1].timestamp == last.observed_at - CUT
    assert log.lines[-1].at == last.observed_at


def test_a_recovered_line_that_claims_a_time_out_of_its_bounds_is_not_dated():
    log = taught()
    before, after = START + 5 * MINUTE, START + 4 * MINUTE
    log.append(Source.REPLAY, heard(START + 9 * MINUTE), before=before, after=after)
    line = log.lines[-1]
    assert (line.timestamp, line.at, line.at_kind) == (None, before, AtKind.BEFORE)
    assert (line.level, line.thread) == (9, "Server thread")


def test_a_stack_trace_stays_with_its_line():
    log = taught()
    before, after = START + 20 * MINUTE, START + 30 * SECOND
    for at, raw in [
        (START + MINUTE, "[%H:%M:%S ERROR]: x"),
        (START + MINUTE, "\tat a.b.C"),
        (START + MINUTE, "\tat a.b.D"),
        (START + 3 * MINUTE, "[%H:%M:%S INFO]: x"),
        (START + 3 * MINUTE, "no more"),
    ]:
        log.append(Source.REPLAY, heard(at, raw), before=before, after=after)
    error, trace, more, info, last = log.lines[4:]
    assert [line.timestamp for line in (trace, more, last)] == [None] * 3
    assert [line.at_kind for line in (trace, more, last)] == [AtKind.BEFORE] * 3
    assert [line.level for line in (trace, more, last)] == [None] * 3
    assert trace.at == more.at == info.at == START + 3 * MINUTE - CUT
    assert last.at == before
    assert error.at < trace.at


def test_lines_that_claim_no_time_stay_between_their_bounds():
    log = taught()
    before, after = START + 5 * MINUTE, START + 30 * SECOND
    for at, raw in [
        (after, "before a line that claims a little too early a time"),
        (after - 3 * SECOND, "[%H:%M:%S INFO]: x"),
        (before, "before a line that claims a little too late a time"),
        (before + 3 * SECOND, "[%H:%M:%S INFO]: x"),
    ]:
        log.append(Source.REPLAY, heard(at, raw), before=before, after=after)
    assert [log.lines[4].at, log.lines[6].at] == [after, before]


def test_threads_out_of_order_do_not_date_each_other():
    log = taught()
    for at in (START + 3 * MINUTE, START + 2 * MINUTE):
        log.append(Source.REPLAY, heard(at), before=START + 5 * MINUTE, after=START)
    assert log.lines[4].at == START + 3 * MINUTE - CUT


def test_lines_of_a_later_gap_are_not_dated_by_an_earlier_one():
    log = taught()
    kept = [heard(START + seconds * SECOND) for seconds in range(0, 40, 10)]
    shown = kept.copy()
    for minutes in (10, 20):
        since, until = START + (minutes - 9) * MINUTE, START + minutes * MINUTE
        log.note_gap("missed", since, until, lower=0, upper=None)
        shown += [heard(until - MINUTE), heard(until - MINUTE, f"trace {minutes}"), heard(until)]
        log.append(Source.LIVE, shown[-1])
    assert replay(log, shown, START + 25 * MINUTE, until) == 4
    traces = {line.text: line.at for line in log.lines if line.text.startswith("trace")}
    assert traces == {"trace 10": START + 10 * MINUTE, "trace 20": START + 20 * MINUTE}


def test_what_is_inserted_between_stored_lines_is_dated_between_them():
    log = taught()
    log.note_gap("missed", START + 30 * SECOND, START + 9 * MINUTE, lower=0, upper=None)
    kept = [heard(START + seconds * SECOND) for seconds in range(0, 40, 10)]
    behind = [heard(START + seconds * SECOND) for seconds in (600, 620, 640)]
    for line in behind:
        log.append(Source.LIVE, line)
    missed = [heard(START + 5 * MINUTE), heard(START + 5 * MINUTE, "\tat a.b.C")]
    shown = [*kept, *missed, *behind]
    assert replay(log, shown, START + 15 * MINUTE, behind[-1].observed_at) == 2
    inserted, trace = (line for line in log.lines if line.source == Source.REPLAY)
    assert inserted.timestamp == inserted.at == START + 5 * MINUTE - CUT
    assert inserted.earliest_at == START + 30 * SECOND
    assert (trace.at, trace.at_kind) == (behind[0].observed_at, AtKind.BEFORE)


def test_the_stored_tail_teaches_the_clock():
    before = new_log()
    for seconds in range(0, 40, 10):
        colours = "\x1b[32m[%H:%M:%S] [Server thread/INFO]: x\x1b[0m"
        before.append(Source.LIVE, heard(START + seconds * SECOND, colours))
    log = new_log()
    log.restore([stored(line) for line in before.lines], [])
    log.append(Source.LIVE, heard(START + MINUTE))
    assert log.lines[-1].timestamp == START + MINUTE - CUT


def test_replayed_lines_of_the_tail_teach_nothing():
    before = taught()
    log = new_log()
    replayed = [stored(line)._replace(source=Source.REPLAY) for line in before.lines]
    log.restore(replayed, [])
    log.append(Source.LIVE, heard(START + MINUTE))
    assert log.lines[-1].timestamp is None


@pytest.mark.parametrize("source", [Source.DAEMON, Source.INSTALL, Source.TRANSFER])
def test_the_clock_is_that_of_the_server_alone(source):
    log = taught()
    log.append(source, heard(START + MINUTE))
    line = log.lines[-1]
    assert (line.timestamp, line.at_kind, line.level) == (None, AtKind.OBSERVED, 9)
