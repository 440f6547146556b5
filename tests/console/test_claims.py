"""What the heads of lines claim, and what only looks like it."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archiver.console.claims import BARE, CLOCK, DAY, SECOND, read_claim

CONSOLES = Path(__file__).parent.parent / "data" / "consoles.tsv"
MILLI = 1_000
HOUR = 3_600 * SECOND
TRACE, DEBUG, INFO, WARN, ERROR, FATAL = 1, 5, 9, 13, 17, 21


def real_lines() -> list[tuple[str, str]]:
    lines = [line for line in CONSOLES.read_text("utf-8").splitlines() if line[:2] != "# "]
    return [(claimed, line) for claimed, _, line in (row.partition("\t") for row in lines)]


def days(year: int, month: int, day: int) -> int:
    return int(datetime(year, month, day, tzinfo=UTC).timestamp()) // 86_400


AT = (14 * 60 + 7) * 60 * SECOND + 12 * SECOND  # 14:07:12
ON = days(2026, 11, 23)


@pytest.mark.parametrize(("claimed", "line"), real_lines())
def test_lines_of_real_consoles(claimed, line):
    claim = read_claim(line)
    if claim is None:
        assert claimed == "-"
        return
    time = ("-", "-") if claim.time is None else (claim.time.form, claim.time.resolution)
    found = [*time, claim.level or "-", claim.thread or "-"]
    assert " ".join(map(str, found)) == claimed


@pytest.mark.parametrize(
    ("line", "form", "level", "thread"),
    [
        ("[14:07:12] Loaded.", BARE, None, None),
        ("[14:07:12]  gamemode", BARE, None, None),
        ("(14:07:12) | [Oxide] loaded", BARE, None, None),
        ("[14:07:12] [chat] Steve: [ERROR] hi", BARE, None, None),
        ("[14:07:12] Error loading a plugin", BARE, None, None),
        ("[14:07:12] [debug] AMX backtrace:", CLOCK, DEBUG, None),
        ("[14:07:12 INFO]: Done (3.2s)!", CLOCK, INFO, None),
        ("[14:07:12 WARN] [luckperms]: x", CLOCK, WARN, None),
        ("[14:07:12] [Server thread/INFO]: <Steve> [12:00:00] hi", CLOCK, INFO, "Server thread"),
        ("[14:07:12] [main/WARN] [mod/]: x", CLOCK, WARN, "main"),
        ("[14:07:12] [Netty Epoll IO #1/ERROR]: x", CLOCK, ERROR, "Netty Epoll IO #1"),
        ("[14:07:12] [a/b/FATAL]: x", CLOCK, FATAL, "a/b"),
        ("[14:07:12] [/INFO]: x", BARE, None, None),
        ("[14:07:12] [a [b/INFO]: x", BARE, None, None),
        ("> [14:07:12 INFO]: after a prompt", CLOCK, INFO, None),
        (">>[14:07:12] [main/INFO]: x", CLOCK, INFO, "main"),
        ("14:07:12 [SEVERE] x", CLOCK, ERROR, None),
        ("14:07:12 ERROR x", CLOCK, ERROR, None),
        ("14:07:12[Blocks][inform]-x", CLOCK, INFO, None),
        ("[14:07:12] INFO: x", CLOCK, INFO, None),
        ("[14:07:12] Warning: x", CLOCK, WARN, None),
        ("INFO [14:07:12] x", CLOCK, INFO, None),
    ],
)
def test_times_of_day(line, form, level, thread):
    claim = read_claim(line)
    assert claim is not None
    assert claim.time == (form, None, None, AT, SECOND, None)
    assert (claim.level, claim.thread) == (level, thread)


@pytest.mark.parametrize(
    ("line", "time", "level", "thread"),
    [
        ("[2026-11-23 14:07:12] Starting resources...", ("Y-M-D", AT, SECOND), None, None),
        ("[2026-11-23 14:07:12] INFO: x", ("Y-M-D", AT, SECOND), INFO, None),
        ("[2026-11-23 14:07:12 INFO] x", ("Y-M-D", AT, SECOND), INFO, None),
        ("[2026-11-23 14:07:12:123 ERROR] x", ("Y-M-D", AT + 123_000, MILLI), ERROR, None),
        ("[2026-11-23 14:07:12] [INFO    ] discord.client: x", ("Y-M-D", AT, SECOND), INFO, None),
        ("2026-11-23 14:07:12 INFO     discord.client x", ("Y-M-D", AT, SECOND), INFO, None),
        ("2026-11-23 14:07:12.123 x", ("Y-M-D", AT + 123_000, MILLI), None, None),
        ("2026-11-23 14:07:12,123 - a.b - ERROR - x", ("Y-M-D", AT + 123_000, MILLI), ERROR, None),
        ("2026-11-23 14:07:12,123:DEBUG:a: x", ("Y-M-D", AT + 123_000, MILLI), DEBUG, None),
        ("2026-11-23 14:07:12.123456 x", ("Y-M-D", AT + 123_456, 1), None, None),
        ("2026-11-23 14:07:12.123456789 x", ("Y-M-D", AT + 123_456, 1), None, None),
        (
            "2026-11-23 14:07:12.123 | WARNING  | m:f:1 - x",
            ("Y-M-D", AT + 123_000, MILLI),
            WARN,
            None,
        ),
        ("2026-11-23 [14:07:12.123] [main/INFO]: x", ("Y-M-D", AT + 123_000, MILLI), INFO, "main"),
        ("2026-11-23 14:07:12 [INFO] x", ("Y-M-D", AT, SECOND), INFO, None),
        ("2026-11-23 14:07:12 <Steve> a/ERROR] x", ("Y-M-D", AT, SECOND), None, None),
        ("[2026-11-23 14:07:12.123 main/INFO] x", ("Y-M-D", AT + 123_000, MILLI), INFO, "main"),
        ("2026-11-23T14:07:12 83.123 WRN x", ("Y-M-DT", AT, SECOND), WARN, None),
        ("2026-11-23 14:07:12.008 25746 INFO nova x", ("Y-M-D", AT + 8_000, MILLI), INFO, None),
        ("[2026/11/23 14:07:12   WARN]   [x] y", ("Y/M/D", AT, SECOND), WARN, None),
        ("[2026.11.23-14.07.12:123][  0]Log x", ("Y.M.D", AT + 123_000, MILLI), None, None),
        (
            "[2026.11.23-14.07.12:123][ 12]LogNet: Warning: x",
            ("Y.M.D", AT + 123_000, MILLI),
            WARN,
            None,
        ),
        ("11/23/2026 14:07:12: Got connection", ("M/D/Y", AT, SECOND), None, None),
        ("[Info   : Unity Log] 11/23/2026 14:07:12: x", ("M/D/Y", AT, SECOND), INFO, None),
        ('L 11/23/2026 - 14:07:12: "a<1><b><>" entered', ("L M/D/Y", AT, SECOND), None, None),
        ("L 11/23/2026 - 14:07:12.123 - x", ("L M/D/Y", AT + 123_000, MILLI), None, None),
        ("[23Nov2026 14:07:12.123] [a/INFO] [b/]: x", ("DJanY", AT + 123_000, MILLI), INFO, "a"),
        ("[Mon Nov 23 14:07:12 2026] x", ("Jan D", AT, SECOND), None, None),
        ("[Mon Nov 23 14:07:12 2026] [notice] x", ("Jan D", AT, SECOND), INFO, None),
        ("INFO 2026-11-23 14:07:12,123 x", ("Y-M-D", AT + 123_000, MILLI), INFO, None),
    ],
)
def test_dates_without_a_zone(line, time, level, thread):
    claim = read_claim(line)
    assert claim is not None
    form, clock, resolution = time
    assert claim.time == (form, ON, None, clock, resolution, None)
    assert (claim.level, claim.thread) == (level, thread)


@pytest.mark.parametrize(
    ("line", "offset"),
    [
        ("2026-11-23T14:07:12Z x", 0),
        ("[2026-11-23T14:07:12+0100] [Info] x", HOUR),
        ("2026-11-23T14:07:12+01:00 x", HOUR),
        ("2026-11-23 14:07:12 -03:30 x", -7 * HOUR // 2),
        ("2026-11-23 14:07:12 UTC x", 0),
        ('time="2026-11-23T14:07:12Z" level=info msg=x', 0),
        ("ts=2026-11-23T14:07:12+05:45 level=warn", 23 * HOUR // 4),
    ],
)
def test_zones(line, offset):
    claim = read_claim(line)
    assert claim is not None
    assert claim.time is not None
    assert claim.time[1:] == (ON, None, AT, SECOND, offset)


@pytest.mark.parametrize(
    "line",
    [
        "2026-11-23T14:07:12+01:17 no zone has such minutes",
        "2026-11-23T14:07:12+19:00 nor so many hours",
        "[2026-02-29 14:07:12] no leap year",
        "[2026-13-01 14:07:12] x",
        "[24:00:00] x",
        "[14:60:00] x",
        "[14:07:61] x",
        "31Nov2026 14:07:12.123 x",
        "Feb 30 14:07:12 host x",
    ],
)
def test_what_no_calendar_has_is_not_claimed(line):
    assert read_claim(line) is None


@pytest.mark.parametrize(
    ("line", "month_day"),
    [
        ("Nov 23 14:07:12 host sshd[1]: x", (11, 23)),
        ("Nov  3 14:07:12 host x", (11, 3)),
        ("Feb 29 14:07:12 host x", (2, 29)),
    ],
)
def test_dates_without_a_year(line, month_day):
    claim = read_claim(line)
    assert claim is not None
    assert claim.time == ("Jan D", None, month_day, AT, SECOND, None)


def test_times_since_the_epoch_are_read_where_the_form_says_so():
    millis = (ON * DAY + AT) // 1_000 + 5
    for line, level in {
        f'{{"level":50,"time":{millis},"pid":7,"msg":"x"}}': ERROR,
        f"WARN : Network     , {millis}> 92.938.132> x": WARN,
        f"LOG  : General     , {millis}> 92.938.132> x": None,
    }.items():
        claim = read_claim(line)
        assert claim is not None
        assert claim.time == ("epoch", ON, None, AT + 5_000, MILLI, 0)
        assert claim.level == level
    assert read_claim(f"{millis} x") is None
    assert read_claim(f"[{millis}] x") is None


@pytest.mark.parametrize(
    ("line", "level"),
    [
        ("[ERROR] DBStorage chain is invalid", ERROR),
        ("[INFO: 20:34] Client class", INFO),
        ("[Warning: Unity Log] x", WARN),
        ("WARNING: Selector.select() returned", WARN),
        ("INFO:root:x", INFO),
        ("ERROR - x", ERROR),
        ("warn: Microsoft.Hosting[0]", WARN),
        ("level=debug msg=x", DEBUG),
        ('{"level":"fatal","msg":"x"}', FATAL),
        ("[00:00:02]: Warning: since the start", WARN),
        ("   0.123 Info Commandline.cpp:1: since the start", INFO),
        ("  12.700 Verbose x.cpp:1: x", TRACE),
    ],
)
def test_levels_without_a_time(line, level):
    assert read_claim(line) == (None, level, None)


@pytest.mark.parametrize(
    "line",
    [
        "",
        " ",
        "[",
        ">",
        "> ",
        "\tat java.lang.Thread.run(Thread.java:745)",
        "Caused by: java.io.IOException: 14:07:12",
        "<Steve> [14:07:12] hi",
        "Steve: 14:07:12",
        "[Server] [14:07:12] hi",
        "Time: 2026-11-23 14:07:12",
        "14:07:12 is the time",
        "00:01:23 remaining",
        "[00:01:23]: uptime",
        "[00:01:23s] x",
        "[02:07:12 PM] x",
        "[02:07:12 pm] x",
        "11/23/2026 02:07:12 PM: x",
        "23/11/2026 14:07:12: the day first",
        "[11/23/26 14:07:12] x",
        "[08-02-24 00:20:09.417] x",
        "[12:34:56:78] x",
        "2026-11-23 14:07:123 x",
        "2026-11-23 14:07:12.1234567890 x",
        "[1\u0662:07:12] one digit that is not ASCII",
        "[12:34:56:ab:cd:ef] joined",
        "12:34:56:ab:cd:ef INFO",
        "192.0.2.4:25565 connected",
        "[/192.0.2.4:25565] connected",
        "[192.0.2.4:2556] connected",
        "[10.12.11] a version",
        "1.20.4-R0.1-SNAPSHOT",
        "[-103.5, 64.0, 220.1] teleported",
        "[12.5.26, 14.7.12] x",
        "0, -2438.551025, 741.183044",
        "20261123 140712 INFO x",
        "1795442832 INFO x",
        "   0.000 2026-11-23 13:53:25; Factorio 1.1.25",
        "Information for you",
        "error text: Failed",
        "Errors: 3",
        "INFORMATIONAL x",
        "I: x",
        "Info about a plugin",
        "[\u0661\u0662:\u0660\u0663:\u0660\u0664] digits that are not ASCII",
        "x" * 100_000,
    ],
)
def test_what_only_looks_like_it_claims_nothing(line):
    assert read_claim(line) is None


@pytest.mark.parametrize(
    "unit", ["[", "[14:07:12] [", "a/", "[ ", "14:07:12", "0", " ", "> ", "[a", '"', "- ", ": "]
)
@pytest.mark.parametrize("head", ["", "[14:07:12] ", "2026-11-23 14:07:12 ", "INFO "])
def test_hostile_lines_take_no_time(head, unit):
    for _ in range(20):  # anything quadratic needs minutes for this
        read_claim(head + unit * 100_000)


@given(st.text(st.sampled_from("[]()<>0123456789:.,-/ TZLINFOaploge=\"'{}|+"), max_size=60))
def test_any_text_claims_something_possible_or_nothing(text):
    claim = read_claim(text)
    if claim is not None:
        assert claim.time is not None or claim.level is not None
        assert claim.time is None or 0 <= claim.time.clock < DAY
        assert claim.thread is None or claim.level is not None


@given(st.text(st.characters(codec="utf-8"), max_size=40))
def test_a_message_changes_nothing(message):
    for head in ("[14:07:12] [Server thread/INFO]: ", "[2026-11-23 14:07:12] INFO: "):
        assert read_claim(head + message) == read_claim(head)
