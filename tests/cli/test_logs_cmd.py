import csv
import io
import json
import select
import signal
import subprocess
import sys
from itertools import count

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


def test_that_there_is_more_is_said_only_if_nobody_chose_the_number(archiver, long):
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


def test_the_installed_program_is_safe_on_a_real_terminal(archive, on_terminal):
    code, shown, _ = on_terminal("logs", "--utc")
    assert code == 0
    assert "\x1b[2m2026-11-19 14:00:00.000" in shown
    assert "hello\\u001b[2J\\u001b]0;owned\\u0007\\u202e\\u009b31m\\u2028" in shown
    assert not set("\x07\x9b\u202e\u2028") & set(shown)


@pytest.fixture
def follow(archive):
    """Start to follow; what it prints is read line by line."""
    running: list[subprocess.Popen[str]] = []

    def start(*options: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "archiver", "logs", "--follow", "--utc", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        return process

    yield start
    for process in running:
        process.kill()
        process.communicate()


@pytest.fixture
def add(line):
    """Commit lines of Survival by seq, and gaps."""

    def commit(writer, *seqs: int, gaps: tuple[Gap, ...] = ()):
        lines = [line(seq, BEGIN + seq, f"seq {seq}", run_id=2) for seq in seqs]
        writer.commit([Records(1, StreamState(run_id=2), lines=lines, gaps=list(gaps))])

    return commit


def test_what_is_committed_is_followed_across_collectors(follow, open_writer, add):
    process = follow("survival", "-n", "1")
    assert process.stdout.readline() == SURVIVAL[-1] + "\n"
    with open_writer() as writer:
        add(writer, 2**33, gaps=(Gap(9, 2**32 + 65536, 2**33, None, BEGIN, "too fast", 7, 7),))
        assert (
            process.stdout.readline() == "-- gap: 7 lines, until 2026-11-19 14:00:00, too fast --\n"
        )
        assert process.stdout.readline().endswith("  seq 8589934592\n")
    with open_writer() as writer:
        add(writer, 70_000)
    assert process.stdout.readline() == "2026-11-19 14:00:00.070 ^ seq 70000\n"

    process.send_signal(signal.SIGINT)

    out, err = process.communicate(timeout=20)
    assert (out, err.rstrip()) == (
        *("", "nothing is recorded now: start 'archiver ingest'; waiting"),
    )
    assert process.returncode == 130


@pytest.mark.parametrize(
    ("kind", "texts"),
    [
        ("raw", ["Notch left", "seq 1"]),
        ("ndjson", ['"text": "Notch left"', '"text": "seq 1"']),
        ("csv", ["server,server_name", "Notch left", "seq 1"]),
    ],
)
def test_programs_follow_too_and_gaps_are_told_beside(follow, open_writer, add, kind, texts):
    process = follow("survival", "-n", "1", "-o", kind)
    for text in texts[:-1]:
        assert text in process.stdout.readline()
    process.stderr.readline()
    with open_writer() as writer:
        add(writer, 1, gaps=(Gap(9, 0, 1, None, BEGIN, "too fast", 7, 7),))

        assert texts[-1] in process.stdout.readline()
        assert "-- gap: 7 lines" in process.stderr.readline()


def test_following_ends_when_nobody_reads_though_no_line_comes(follow):
    process = follow("-n", "1")
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(20) == 141
    assert process.stderr.read().count("\n") == 1


def test_no_lines_before_those_that_come(follow, open_writer, add):
    process = follow("-n", "0", "-o", "raw")
    seqs = count(1)
    with open_writer() as writer:
        # From some moment on it follows; what is committed before is not to be shown.
        while not select.select([process.stdout], [], [], 0.1)[0]:
            add(writer, next(seqs))
    assert process.stdout.readline().startswith("seq ")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["-f", "-U", "1h"], "--follow contradicts --until"),
        (["-f", "--around", "1h"], "--follow contradicts --around"),
        (["-n", "0"], "-n 0 shows nothing"),
    ],
)
def test_what_cannot_be_followed_is_refused(archiver, archive, options, message):
    result = archiver("logs", *options)
    assert (result.code, result.out) == (2, "")
    assert message in result.err


def test_seqs_are_shown_for_context(archiver, archive):
    shown = archiver("logs", "survival", "--seq", "--utc").out.splitlines()
    assert shown[1] == "2026-11-19 14:00:01.000  65536 Done"


def test_a_pager_has_what_is_longer_than_the_screen(long, on_terminal):
    result = on_terminal("logs", PAGER="head -2")
    assert result.code == 0
    assert [row.split()[-1] for row in result.out.splitlines()[:2]] == ["10", "11"]
    assert "line 12" not in result.out


@pytest.mark.parametrize(
    ("options", "pager"),
    [(["-n", "20"], "head -2"), (["--no-pager"], "head -2"), ([], ""), ([], "cat")],
)
def test_no_pager_where_it_fits_or_nobody_wants_one(long, on_terminal, options, pager):
    result = on_terminal("logs", *options, PAGER=pager)
    assert result.code == 0
    assert "line 59" in result.out


def test_less_begins_at_the_newest_and_leaves_them_on_the_screen(long, on_terminal):
    result = on_terminal("logs", typed="q")
    assert result.code == 0
    assert "line 59" in result.out
    assert "line 10" not in result.out
