import csv
import io
import json

import pytest

from archiver.console.records import Records, Run, StatsSample, StatusChange, StreamState

BEGIN = 1_795_096_800_000_000  # 2026-11-19 14:00:00 UTC
SECOND = 1_000_000
GIB = 2**30

TEXT = """\
run 3 of evil\\u001b[2J\\u001b]0;owned\\u0007\\u202e\\u009b31m\\u2028: no stop seen
  ended 2026-11-19 14:00:05 after at least 5.0s

run 1 of Survival: out of memory, exit code 137
  ended 2026-11-19 14:01:40 after 1m50s
  memory 1.9 GiB of 2.0 GiB (95%), cpu 210%, 3.0s before
  2026-11-19 14:01:38.000  OutOfMemoryError, it says
  2026-11-19 14:01:39.000  bye\\u001b[2J\\u001b]0;owned\\u0007\\u202e\\u009b31m\\u2028
"""


@pytest.fixture
def crashed(open_writer, evil, line):
    """A server whose game ran out of memory, and one that went offline without a word."""
    with open_writer() as writer:
        for number, name in enumerate(("Survival", f"evil{evil}"), 1):
            writer.register(
                panel_origin="https://panel.example",
                panel_name="main",
                uuid=f"{number}a2b3c4d-0000-4000-8000-000000000000",
                identifier=f"{number}a2b3c4d",
                name=name,
                node="node1",
                seen_at=BEGIN,
            )
        end = BEGIN + 100 * SECOND
        first = Records(
            1,
            StreamState(),
            runs=[
                Run(1, BEGIN, "first", BEGIN - 10 * SECOND, end, exit_code=137, out_of_memory=True),
                Run(2, end + 4 * SECOND, "status"),
            ],
            lines=[
                line(0, end - 3 * SECOND, "Saving"),
                line(1, end - 2 * SECOND, "OutOfMemoryError, it says"),
                line(2, end - SECOND, f"bye{evil}"),
                line(3, end, "[Daemon]: Exit code: 137", source=3),
                line(4, end + 5 * SECOND, "Starting", run_id=2),
            ],
            stats_samples=[
                StatsSample(
                    end - 3 * SECOND,
                    1,
                    round(1.9 * GIB),
                    2 * GIB,
                    210.4,
                    0,
                    0,
                    0,
                    None,
                    None,
                    9,
                    None,
                )
            ],
        )
        gone = BEGIN + 5 * SECOND
        second = Records(
            2,
            StreamState(),
            runs=[Run(3, BEGIN, "first", ended_at=gone)],
            status_changes=[StatusChange(3, gone, None, "offline", "running", inferred=False)],
        )
        writer.commit([first, second])


def test_each_crash_says_what_was_seen_last(archiver, crashed):
    result = archiver("crashes", "--utc", "-n", "2")
    assert result.code == 0
    assert result.out == TEXT


def test_programs_get_all_of_it(archiver, crashed):
    quiet, row = map(json.loads, archiver("crashes", "-o", "ndjson", "-n", "2").out.splitlines())
    texts = row.pop("last_lines")
    assert texts[0] == "OutOfMemoryError, it says"
    assert texts[1].startswith("bye\x1b")
    assert row == {
        "run": 1,
        "server": "1a2b3c4d",
        "server_name": "Survival",
        "ending": "out of memory",
        "exit_code": 137,
        "out_of_memory": True,
        "began_at": "2026-11-19T13:59:50.000000Z",
        "ended_at": "2026-11-19T14:01:40.000000Z",
        "ran_seconds": 110.0,
        "memory_bytes": round(1.9 * GIB),
        "memory_limit_bytes": 2 * GIB,
        "cpu_absolute": 210.4,
        "sample_at": "2026-11-19T14:01:37.000000Z",
        "last_seq": 2,
    }
    assert (quiet["ending"], quiet["exit_code"], quiet["last_lines"]) == ("no stop seen", None, [])
    assert quiet["memory_bytes"] is quiet["sample_at"] is quiet["last_seq"] is None


def test_csv_has_the_lines_in_one_cell(archiver, crashed):
    out = archiver("crashes", "survival", "-o", "csv").out
    (row,) = csv.DictReader(io.StringIO(out, newline=""))
    assert row["last_lines"].split("\n")[:2] == ["Saving", "OutOfMemoryError, it says"]
    assert row["last_seq"] == "2"


def test_a_limit_that_is_none_is_not_shown(archiver, open_writer, crashed):
    with open_writer() as writer:
        sample = StatsSample(BEGIN + 1, 3, 512, 2**63 - 1, 1.0, 0, 0, 0, None, None, 9, None)
        writer.commit([Records(2, StreamState(), stats_samples=[sample])])
    assert "  memory 512.0 bytes, cpu 1%, 4.9s before\n" in archiver("crashes", "-n", "0").out


def test_an_end_that_was_not_seen_is_said(archiver, open_writer, crashed):
    with open_writer() as writer:
        writer.commit([Records(2, StreamState(), runs=[Run(4, BEGIN + 9, "uptime", exit_code=1)])])
    last = archiver("crashes").out.split("\n\n")[-1].splitlines()
    assert last[0].endswith(": crashed, exit code 1")
    assert last[1] == "  its end was not seen"


def test_those_of_a_time_or_a_server_can_be_asked_for(archiver, crashed):
    def count(*arguments: str) -> int:
        return len(archiver("crashes", "-o", "ndjson", *arguments).out.splitlines())

    assert count("-U", "2026-11-19T14:01Z") == 1
    assert count("--around", "2026-11-19T14:01:40Z±1s") == 1
    assert count("-s", "2a2b3c4d") == 1
    nothing = archiver("crashes", "-S", "2026-11-20")
    assert (nothing.code, nothing.out) == (1, "")
    assert nothing.err.endswith("no crashes\n")


def test_on_a_terminal_the_heads_stand_out(archiver, crashed, monkeypatch):
    monkeypatch.setenv("CLICOLOR_FORCE", "1")
    out = archiver("crashes").out
    assert "\x1b[1mrun 1 of Survival: out of memory, exit code 137\x1b[0m\n" in out
    assert "\x1b[2J" not in out
