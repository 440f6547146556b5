import csv
import json

import pytest

from archiver.console.records import Connection, Records, Run, StatusChange, StreamState

BEGIN = 1_795_096_800_000_000  # 2026-11-19 14:00:00 UTC
SECOND = 1_000_000

LIST = """\
AT SERVER SERVER_NAME FROM LASTED TO INFERRED
14:00:00 1a2b3c4d Survival - - running no
14:01:40 1a2b3c4d Survival running 1m40s (20s unknown) offline no
14:01:44 1a2b3c4d Survival offline 4.0s starting yes
"""
SUMMARY = """\
SERVER SERVER_NAME FROM TO RUNNING STARTING STOPPING OFFLINE UNKNOWN RESTARTS CRASHES LONGEST
1a2b3c4d Survival 14:00 14:03 40.00% 28.00% 0% 2.00% 30.00% 1 1 4.0s
"""


@pytest.fixture
def statuses(open_writer, evil):
    """A server that runs, is lost sight of for 20 s, crashes, and is started again."""
    with open_writer() as writer:
        writer.register(
            panel_origin="https://panel.example",
            panel_name="main",
            uuid="1a2b3c4d-0000-4000-8000-000000000000",
            identifier="1a2b3c4d",
            name="Survival",
            node="node1",
            seen_at=BEGIN,
        )
        changes = [
            StatusChange(1, BEGIN, None, "running", None, inferred=False),
            StatusChange(1, BEGIN + 100 * SECOND, None, "offline", "running", inferred=False),
            StatusChange(2, BEGIN + 104 * SECOND, None, "starting", "offline", inferred=True),
        ]
        connections = [
            Connection(1, BEGIN, BEGIN, BEGIN + 30 * SECOND),
            Connection(2, BEGIN + 50 * SECOND, BEGIN + 50 * SECOND, BEGIN + 160 * SECOND),
        ]
        runs = [
            Run(1, BEGIN, "first", ended_at=BEGIN + 100 * SECOND, exit_code=1),
            Run(2, BEGIN + 104 * SECOND, "status"),
        ]
        records = Records(
            1, StreamState(), status_changes=changes, connections=connections, runs=runs
        )
        writer.commit([records])


RANGE = ("-S", "2026-11-19T14:00Z", "-U", "2026-11-19T14:03:20Z")


def test_each_change_has_a_row(archiver, statuses):
    result = archiver("transitions", "--utc")
    rows = [line.split() for line in result.out.replace("2026-11-19 ", "").splitlines()]
    assert result.code == 0
    assert rows == [line.split() for line in LIST.splitlines()]


def test_programs_get_seconds(archiver, statuses):
    _, row, inferred = map(json.loads, archiver("transitions", "-o", "ndjson").out.splitlines())
    assert row == {
        "at": "2026-11-19T14:01:40.000000Z",
        "earliest_at": None,
        "server": "1a2b3c4d",
        "server_name": "Survival",
        "run": 1,
        "from": "running",
        "to": "offline",
        "lasted_seconds": 100.0,
        "unknown_seconds": 20.0,
        "inferred": False,
    }
    assert inferred["inferred"] is True
    assert archiver("transitions", "-o", "csv").out.splitlines()[0] == ",".join(row)


def test_a_range_and_a_server_can_be_asked_for(archiver, statuses):
    assert len(archiver("transitions", "--around", "2026-11-19T14:01:40Z±1s").out.splitlines()) == 2
    assert len(archiver("transitions", "survival", *RANGE).out.splitlines()) == 4
    nothing = archiver("transitions", "-U", "2026-11-19T14:00Z")
    assert (nothing.code, nothing.out) == (1, "")
    assert nothing.err.endswith("no changes of status\n")


def test_the_summary_has_a_row_for_each_period(archiver, statuses):
    result = archiver("transitions", "--summary", "--utc", *RANGE)
    rows = [line.split() for line in result.out.replace("2026-11-19 ", "").splitlines()]
    assert result.code == 0
    assert rows == [line.split() for line in SUMMARY.splitlines()]
    by_day = archiver("transitions", "--summary", "--by", "day", "-S", "2026-11-18", *RANGE[2:])
    assert len(by_day.out.splitlines()) == 3


def test_programs_get_shares_that_sum_to_one(archiver, statuses):
    (row,) = csv.DictReader(
        archiver("transitions", "--summary", *RANGE, "-o", "csv").out.splitlines()
    )
    shares = ("running", "starting", "stopping", "offline", "unknown")
    assert sum(float(row[name]) for name in shares) == pytest.approx(1)
    assert (row["restarts"], row["crashes"], row["longest_offline_seconds"]) == ("1", "1", "4.0")
    assert (row["from"], row["to"]) == (
        "2026-11-19T14:00:00.000000Z",
        "2026-11-19T14:03:20.000000Z",
    )


def test_what_is_nearly_all_is_not_shown_as_all(archiver, statuses):
    # of ten years, three minutes are not unknown
    line = archiver("transitions", "--summary", "-S", "2016-11-19", *RANGE[2:]).out.splitlines()[1]
    assert "99.99%" in line
    assert "0.01%" in line


def test_a_period_without_a_summary_is_refused(archiver, statuses):
    result = archiver("transitions", "--by", "day")
    assert result.code == 2
    assert "add --summary" in result.err


@pytest.mark.parametrize("arguments", [(), ("--summary",)])
def test_it_fits_a_terminal(archiver, statuses, terminal, arguments):
    result = archiver("transitions", *arguments)
    assert all(len(line) <= 80 for line in result.out.splitlines())
