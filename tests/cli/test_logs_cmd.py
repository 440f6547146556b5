import csv
import io
import json
import os
import pty
import subprocess
import sys

import pytest

from archiver.console.records import AtKind, Gap, Records, Source, StreamState

BEGIN = 1_795_096_800_000_000
GAP = "-- gap: at least 12 lines, 14:00:12 to 14:02:40, reconnect after 148 s --"
SURVIVAL = [
    "2026-11-19 14:00:00.000  [14:00:00 INFO]: Starting",
    "2026-11-19 14:00:01.000  Done",
    GAP,
    "2026-11-19 14:02:40.000~ Notch joined the game",
    "2026-11-19 14:02:41.500  Notch left",
]


def texts(result) -> list[str]:
    return [json.loads(line)["text"] for line in result.out.splitlines()]


def test_lines_of_one_server_come_with_their_gap(archiver, archive):
    result = archiver("logs", "survival", "--utc")
    assert result == (0, "\n".join(SURVIVAL) + "\n", "")


def test_lines_of_all_servers_come_by_time_with_their_names(archiver, archive):
    lines = archiver("logs", "--utc").out.splitlines()
    assert [line[25:35] for line in lines if "gap" not in line] == [
        "[Survival]",
        "[evil\\u001",
        "[Survival]",
        "[Survival]",
        "[Survival]",
    ]
    assert f"[Survival] {GAP}" in lines


def test_times_are_local_unless_a_zone_is_named(archiver, archive):
    assert archiver("logs", "--tz", "Asia/Tokyo").out.startswith("2026-11-19 23:00:00.000 ")


def test_the_newest_lines_are_shown_and_no_gap_before_them(archiver, archive):
    assert archiver("logs", "survival", "--utc", "-n", "1").out.splitlines() == SURVIVAL[-1:]
    assert archiver("logs", "survival", "--utc", "-n", "2").out.splitlines() == SURVIVAL[-3:]


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        (["-S", "2026-11-19 14:00:01"], [1, 2, 3, 4]),
        (["-U", "2026-11-19 14:00:01"], [0]),
        (["-S", "2026-11-19 14:00:01", "-U", "2026-11-19T14:00:02"], [1]),
        (["--around", "2026-11-19 14:02:41±1s"], [2, 3, 4]),
        (["--source", "replay"], [2, 3]),
        (["--run", "1"], [0, 1, 2]),
        (["--run", "previous"], [0, 1, 2]),
        (["--run", "last"], [2, 3, 4]),
    ],
    ids=lambda value: " ".join(map(str, value)),
)
@pytest.mark.parametrize("count", ["50", "all"])
def test_filters_choose_lines(archiver, archive, options, shown, count):
    result = archiver("logs", "survival", "--utc", "-n", count, *options)
    assert result.out.splitlines() == [SURVIVAL[number] for number in shown]


def test_the_range_that_was_understood_is_said(archiver, archive):
    result = archiver("logs", "--utc", "-S", "2026-11-19 14:00")
    assert result.err == "from 2026-11-19 14:00:00.000 to now, UTC\n"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["-S", "soon"], "'soon' is no time"),
        (["-S", "1h", "-U", "2h"], "ends before it begins"),
        (["-S", "1h", "--around", "2h"], "--around contradicts"),
        (["--utc", "--tz", "UTC"], "--utc and --tz contradict"),
        (["--tz", "Mars"], "no time zone 'Mars'"),
        (["nobody"], "no server is called 'nobody'"),
        (["--run", "99"], "there is no run '99'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_cannot_be_meant_is_refused(archiver, archive, options, message):
    result = archiver("logs", *options)
    assert (result.code, result.out) == (2, "")
    assert message in result.err


def test_nothing_found_is_exit_code_1(archiver, archive):
    result = archiver("logs", "-S", "2030-01-01", "-o", "ndjson")
    assert (result.code, result.out) == (1, "")
    assert result.err.endswith("no lines\n")


def test_ndjson_has_the_public_keys(archiver, archive):
    first, _, third, _ = map(
        json.loads, archiver("logs", "survival", "-o", "ndjson").out.splitlines()
    )
    assert first == {
        "server": "1a2b3c4d",
        "server_name": "Survival",
        "seq": 0,
        "run": 1,
        "observed_at": "2026-11-19T14:00:00.000000Z",
        "earliest_at": None,
        "timestamp": None,
        "at": "2026-11-19T14:00:00.000000Z",
        "at_kind": "observed",
        "source": "live",
        "level": "info",
        "text": "[14:00:00 INFO]: Starting",
        "raw": "\x1b[32mStarting\x1b[0m",
    }
    assert (third["at_kind"], third["source"]) == ("before", "replay")
    assert third["earliest_at"] == "2026-11-19T14:00:12.000000Z"


@pytest.mark.parametrize("kind", ["raw", "ndjson", "csv"])
def test_gaps_are_not_mixed_into_what_programs_read_but_told(archiver, archive, kind):
    result = archiver("logs", "survival", "-o", kind)
    assert "gap" not in result.out
    assert "12 lines" not in result.out
    assert result.err == "1 gap among them, see 'archiver gaps'\n"


def test_the_gap_before_the_newest_lines_is_shown_though_it_ended_before_them(
    archiver, open_writer, line, archive
):
    late = [line(2**34 + n, BEGIN + 3600 * 1_000_000 + n, "much later", run_id=2) for n in (0, 1)]
    gap = Gap(3, 2**32 + 65536, 2**34, BEGIN, BEGIN + 1, "too fast", 7, 7, run_id=2)
    other = Gap(4, None, 2**34, None, BEGIN, "of another server", 7, 7)
    with open_writer() as writer:
        writer.commit(
            [
                Records(1, StreamState(run_id=2), lines=late, gaps=[gap]),
                Records(2, StreamState(), gaps=[other]),
            ]
        )
    shown = archiver("logs", "-n", "2", "--utc").out.splitlines()
    assert [text.partition("] ")[2] for text in shown] == [
        "-- gap: 7 lines, 14:00:00 to 14:00:00, too fast --",
        "much later",
        "much later",
    ]


@pytest.mark.parametrize("kind", ["text", "raw", "ndjson", "csv"])
def test_nothing_acts_on_a_terminal(archiver, archive, terminal, kind):
    result = archiver("logs", "-o", kind)
    unsafe = set("\0\x1b\x07\x9b\r\u202e\u2028")
    assert not unsafe & set(result.out + result.err)
    assert "hello" in result.out or "hi" in result.out


def test_on_a_terminal_json_and_csv_are_still_json_and_csv(archiver, archive, terminal, evil):
    assert f"hello{evil}" in texts(archiver("logs", "-o", "ndjson"))
    rows = list(csv.reader(io.StringIO(archiver("logs", "-o", "csv").out)))
    assert len(rows) == 6
    assert {len(row) for row in rows} == {13}


def test_programs_get_every_character(archiver, archive, evil):
    rows = list(csv.DictReader(io.StringIO(archiver("logs", "-o", "csv").out, newline="")))
    assert f"hello{evil}" in [row["text"] for row in rows]
    assert f"\0hi{evil}" in [row["raw"] for row in rows]
    assert f"hello{evil}" in texts(archiver("logs", "-o", "ndjson"))


def test_ansi_is_stripped_kept_or_shown(archiver, archive):
    def first(*options: str) -> str:
        found: str = archiver(
            "logs", "survival", "--utc", "-U", "2026-11-19 14:00:01", *options
        ).out
        return found

    time = "2026-11-19 14:00:00.000  "
    assert first() == f"{time}[14:00:00 INFO]: Starting\n"
    assert first("--ansi", "escape") == f"{time}\\u001b[32mStarting\\u001b[0m\n"
    assert first("--ansi", "keep") == f"{time}\x1b[32mStarting\x1b[0m\x1b[0m\n"
    assert first("-o", "raw") == "\x1b[32mStarting\x1b[0m\n"
    assert first("-o", "raw", "--ansi", "strip") == "[14:00:00 INFO]: Starting\n"


def test_raw_on_a_terminal_is_stripped_until_somebody_asks(archiver, archive, terminal):
    until = ("-U", "2026-11-19 14:00:00.1")
    assert archiver("logs", "-o", "raw", "--utc", *until).out == "[14:00:00 INFO]: Starting\n"
    kept = archiver("logs", "-o", "raw", "--utc", "--ansi", "keep", *until)
    assert kept.out == "\x1b[32mStarting\x1b[0m\n"


def test_colours_are_for_terminals_and_by_force(archiver, archive, monkeypatch):
    assert "\x1b" not in archiver("logs").out
    monkeypatch.setenv("CLICOLOR_FORCE", "1")
    lines = archiver("logs").out.splitlines()
    assert all("\x1b[2m" in line or "gap" in line for line in lines)
    assert not any("\x1b[2J" in line for line in lines)


def test_that_there_is_more_is_said_only_if_nobody_chose_the_number(archiver, open_writer, line):
    with open_writer() as writer:
        server_id = writer.register(
            panel_origin="o", panel_name="p", uuid="u", identifier="i", name="n", node="", seen_at=0
        )
        lines = [line(n, n, f"line {n}") for n in range(60)]
        writer.commit([Records(server_id, StreamState(), lines=lines)])
    result = archiver("logs")
    assert result.err == "the newest 50 lines; -n all for all\n"
    assert result.out.splitlines()[0].endswith("line 10")
    assert archiver("logs", "-n", "20").err == ""
    assert len(archiver("logs", "-n", "all").out.splitlines()) == 60


def test_claimed_times_have_no_mark_and_move_no_gap(archiver, open_writer, line):
    """A host whose clock is three minutes fast dates its lines behind what is known of gaps."""
    minute = 60_000_000
    with open_writer() as writer:
        server_id = writer.register(
            panel_origin="o", panel_name="p", uuid="u", identifier="i", name="n", node="", seen_at=0
        )
        lines = [
            line(
                number,
                4 * minute + number,
                f"line {number}",
                at_kind=AtKind.CLAIMED,
                observed_at=minute + number,
                timestamp=4 * minute,
                level=17,
                source=Source.REPLAY if number else Source.LIVE,
            )
            for number in (0, 1, 9)
        ]
        gap = Gap(1, 1, 9, minute + 2, minute + 3, "missed", 1, 1)
        writer.commit([Records(server_id, StreamState(), lines=lines, gaps=[gap])])
    shown = archiver("logs", "--utc", "-n", "2").out.splitlines()
    assert [row[11:24] for row in (shown[0], shown[2])] == ["00:04:00.000 "] * 2
    assert "gap: 1 line" in shown[1]
    record = json.loads(archiver("logs", "-n", "1", "-o", "ndjson").out)
    assert (record["at_kind"], record["level"]) == ("claimed", "error")
    assert record["timestamp"] == "1970-01-01T00:04:00.000000Z"
    assert record["at"] == "1970-01-01T00:04:00.000009Z"


def test_the_installed_program_is_safe_on_a_real_terminal(archive):
    ours, theirs = pty.openpty()
    code = subprocess.run(
        [sys.executable, "-m", "archiver", "logs", "--utc"],
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "80"},
        check=False,
        timeout=20,
    ).returncode
    os.close(theirs)
    shown = os.read(ours, 100_000).decode()
    os.close(ours)
    assert code == 0
    assert "\x1b[2m2026-11-19 14:00:00.000" in shown
    assert "hello\\u001b[2J\\u001b]0;owned\\u0007\\u202e\\u009b31m\\u2028" in shown
    assert not set("\x07\x9b\u202e\u2028") & set(shown)
