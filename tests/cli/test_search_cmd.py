"""Searches as a support person types them."""

import json
import signal
import subprocess
import sys

import pytest

from archiver.cli import bars
from archiver.console.records import Records, StreamState

GAP = "-- gap: at least 12 lines, 14:00:12 to 14:02:40, reconnect after 148 s --"
STARTING = "2026-11-19 14:00:00.000  [Survival] [14:00:00 INFO]: Starting"
DONE = "2026-11-19 14:00:01.000  [Survival] Done"
JOINED = "2026-11-19 14:02:40.000~ [Survival] Notch joined the game"
LEFT = "2026-11-19 14:02:41.500  [Survival] Notch left"
pytestmark = pytest.mark.usefixtures("archive")


def texts(result) -> list[str]:
    return [json.loads(line)["text"] for line in result.out.splitlines()]


@pytest.mark.parametrize("sealed", [False, True])
@pytest.mark.parametrize(
    ("query", "found"),
    [
        (["notch"], [JOINED, LEFT]),
        (["notch", "joined"], [JOINED]),
        (["joined notch"], [JOINED]),
        (['"notch joined"'], [JOINED]),
        (['"joined notch"'], []),
        (["start*"], [STARTING]),
        (["*otc*"], [JOINED, LEFT]),
        (["notsh~1"], [JOINED, LEFT]),
        (["notch NOT left"], [JOINED]),
        (["done OR left"], [DONE, LEFT]),
        (["/[Jj]oined .* game$/"], [JOINED]),
        (["-E", "joined (the|a) game"], [JOINED]),
        (["-F", ":00 INFO]: st"], [STARTING]),
        (["-F", "--case", "START"], []),
        (["-E", "--case", "Start"], [STARTING]),
        (["[14:00:00 INFO]: Starting"], [STARTING]),
        (["level:info"], [STARTING]),
        (["--level", "info"], [STARTING]),
        (["source:replay"], [JOINED]),
        (["notch", "--source", "live"], [LEFT]),
        (["server:surv*", "done"], [DONE]),
        (["notch", "--run", "1"], []),
        (["notch", "-n", "1"], [LEFT]),
        (["notch", "-n", "1", "--oldest-first"], [JOINED]),
        (["notch", "-r"], [LEFT, JOINED]),
        (["notch", "-n", "all"], [JOINED, LEFT]),
        (["notch", "-n", "all", "-r"], [LEFT, JOINED]),
        (["notch", "-U", "2026-11-19T14:02:41Z"], [JOINED]),
    ],
)
def test_lines_are_found(archiver, query, found, sealed):
    if sealed:
        assert archiver("index", "update").code == 0
    result = archiver("search", *query, "--utc")
    assert result.out.splitlines() == found
    assert result.code == (0 if found else 1)


def test_one_server_needs_no_name(archiver):
    result = archiver("search", "left", "-s", "survival", "--utc")
    assert result.out == LEFT.replace("[Survival] ", "") + "\n"


def test_context_is_by_seq_with_gaps_and_breaks(archiver):
    result = archiver("search", "done", "-C", "1", "-s", "survival", "--utc")
    assert result.out.splitlines() == [
        "  2026-11-19 14:00:00.000  [14:00:00 INFO]: Starting",
        "> 2026-11-19 14:00:01.000  Done",
        f"  {GAP}",
        "  2026-11-19 14:02:40.000~ Notch joined the game",
    ]
    result = archiver("search", "starting OR left", "-A", "0", "-B", "1", "-s", "survival", "--utc")
    assert [line[:4] for line in result.out.splitlines()] == ["> 20", "--", "  --", "  20", "> 20"]


def test_contexts_that_touch_are_one(archiver):
    result = archiver("search", "starting OR joined", "-C", "1", "-s", "survival", "--utc")
    assert "--" not in result.out.splitlines()
    assert [line[:2] for line in result.out.splitlines()] == ["> ", "  ", "  ", "> ", "  "]


def test_count_is_all_that_is_printed(archiver):
    assert archiver("search", "notch", "--count").out == "2\n"
    result = archiver("search", "nobody", "--count")
    assert (result.code, result.out) == (1, "0\n")


def test_what_was_understood_is_told_where_it_is_more_than_words(archiver):
    assert archiver("search", "notch", "left").err == ""
    assert archiver("search", "notch", "NOT", "joined").err == ""  # as it was typed
    assert archiver("search", "Notch OR joined").err == "query: notch OR joined\n"


def test_explain_says_what_was_done(archiver):
    archiver("index", "update")
    result = archiver("search", "notch left", "--explain", "--utc")
    assert result.out == LEFT + "\n"
    assert result.err.startswith("query: notch left\n")
    assert "index: 1 of 1 partitions opened" in result.err
    assert "read:  1 ranges of 1 candidates, 1 lines" in result.err


@pytest.mark.parametrize(
    ("query", "is_told"),
    [
        ("NOT notch", True),
        ("/[a-z]+/", True),
        ("*", False),
        ("notch", False),
        ("level:info", False),
    ],
)
def test_a_query_that_the_index_cannot_help_with_says_so(archiver, query, is_told):
    assert ("all lines are read" in archiver("search", query).err) is is_told


@pytest.mark.parametrize(
    ("query", "hint"),
    [
        (["nobody"], "words are matched whole"),
        (["nobody", "-S", "2020-01-01"], "try another range of time"),
        (["server:nobody", "notch"], "no server fits"),
        (["user:notch"], "words in a row"),
        (["/nobody/"], "begin it with (?i)"),
    ],
)
def test_who_finds_nothing_gets_a_hint(archiver, query, hint):
    result = archiver("search", *query)
    assert (result.code, result.out) == (1, "")
    assert "nothing found" in result.err
    assert hint in result.err


def test_ndjson_and_csv_have_the_keys_of_logs(archiver):
    assert texts(archiver("search", "notch", "-o", "ndjson")) == [
        "Notch joined the game",
        "Notch left",
    ]
    assert archiver("search", "notch", "-o", "csv").out.count("\n") == 3
    assert archiver("search", "starting", "-o", "raw", "--ansi", "keep").out == (
        "\x1b[32mStarting\x1b[0m\n"
    )


def test_what_was_found_is_in_colour_on_request(archiver, monkeypatch):
    monkeypatch.setenv("CLICOLOR_FORCE", "1")
    found = "\x1b[91m\x1b[1mNotch\x1b[0m"
    assert f"{found} left" in archiver("search", "notch left").out.replace(
        "\x1b[91m\x1b[1mleft\x1b[0m", "left"
    )
    result = archiver("search", "left", "--highlight", "N.tch")
    assert f"{found} \x1b[91m\x1b[1mleft\x1b[0m" in result.out
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in archiver("search", "notch").out


@pytest.mark.parametrize(
    ("options", "what"),
    [
        (["-F", "-E", "x"], "-F contradicts -E"),
        (["--case", "x"], "--case goes with -F and -E"),
        (["x", "--count", "-C", "3"], "--count contradicts --context"),
        (["x", "--count", "-f"], "--follow contradicts --count"),
        (["x", "-f", "-U", "1h"], "--follow contradicts --until"),
        (["level:nonsense"], "nonsense"),
        (["-E", "(?=x)"], "column"),
        (["--highlight", "(", "x"], "column"),
        (["-Xmx4G"], "archiver search -F -- '-text'"),
    ],
)
def test_what_cannot_be_meant_is_refused(archiver, options, what):
    result = archiver("search", *options)
    assert result.code == 2
    assert what in result.err
    assert "do:" in result.err


def test_saved_queries_stand_for_their_text(archiver, tmp_path, monkeypatch):
    config = tmp_path / "config.toml"
    config.write_text('[queries]\nplayers = "joined OR left"\n')
    monkeypatch.setenv("ARCHIVER_CONFIG", str(config))
    result = archiver("search", "@players", "NOT", "joined", "--utc")
    assert result.out == LEFT + "\n"
    assert result.err == "query: (joined OR left) NOT joined\n"
    assert archiver("search", "@nobody").code == 1


def test_a_hostile_name_reaches_no_terminal(archiver, evil):
    result = archiver("search", "hello")
    assert "hello" in result.out
    assert not any(char in result.out for char in "\x1b\u202e\x9b\u2028")


def test_damaged_index_is_told_once_and_the_answer_is_whole(archiver, data_dir, open_writer, line):
    archiver("index", "update")
    with open_writer() as writer:
        later = line(2**33, 1_795_096_800_000_000, "Alex left")
        writer.commit([Records(1, StreamState(next_seq=2**34), lines=[later])])
    archiver("index", "update")
    for path in (data_dir / "index").glob("*/*"):
        path.write_bytes(b"")

    result = archiver("search", "notch", "--utc")

    assert result.out.splitlines() == [JOINED, LEFT]
    assert result.err.startswith("Warning: lines were read without the index")
    assert result.err.count("where: ") == 1
    assert "do:    run 'archiver index update'\n  2 parts of the index" in result.err


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize(
    "options", [["--count"], ["-n", "all"], ["-n", "1"], ["-C", "1"], ["--since", "2020-01-01"]]
)
def test_progress_is_wiped_before_anything_else_is_told(archiver, monkeypatch, options):
    command = ("search", "notch", *options, "--utc", "--no-pager")
    monkeypatch.setattr(sys, "stderr", sys.stdout)
    plain = archiver(*command).out
    monkeypatch.setattr(bars, "_PATIENCE", -1)

    pieces = archiver(*command).out.split("\r\x1b[2K")

    shown = [piece for piece in pieces if piece.endswith("\r")]
    assert shown
    assert all(piece.startswith("searching: ") for piece in shown)
    assert "".join(piece for piece in pieces if piece not in shown) == plain


def test_a_query_is_followed_from_its_newest_hits_on(open_writer, line):
    with subprocess.Popen(
        [sys.executable, "-m", "archiver", "search", "notch", "-n", "1", "-f", "--utc"],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == LEFT + "\n"
        with open_writer() as writer:
            at = 1_795_096_800_000_000 + 170_000_000
            lines = [
                line(2**32 + 65_536 * (2 + n), at + n, text, run_id=2)
                for n, text in enumerate(("Notch is back", "Steve too", "Hello Notch"))
            ]
            writer.commit([Records(1, StreamState(next_seq=2**34), lines=lines)])
        assert process.stdout.readline().endswith("[Survival] Notch is back\n")
        assert process.stdout.readline().endswith("[Survival] Hello Notch\n")
        process.send_signal(signal.SIGINT)
    assert process.returncode == 130
