import json
from datetime import UTC

import pytest

from archiver.cli.options import Invocation
from archiver.cli.tables import Moment, moment, print_table

NAMES = ("server", "opened", "ended", "is_open", "reason")
AT = 1_795_096_800_123_456
ROWS = [
    ("1a2b3c4d", Moment(AT), None, True, "evil\x1b[2J"),
    ("2a", Moment(AT - 86_400_000_000), None, False, ""),
]


def show(kind: str = "text", rows=ROWS, less: tuple[str, ...] = ()) -> int:
    invocation = Invocation(clock=lambda: AT)
    return print_table(NAMES, rows, kind, zone=UTC, invocation=invocation, less=less)


def test_a_piped_table_is_aligned_and_the_same_for_every_width(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "10")
    assert show() == 2
    assert capsys.readouterr().out.splitlines() == [
        "SERVER    OPENED               ENDED  IS_OPEN  REASON",
        "1a2b3c4d  2026-11-19 14:00:00  -      yes      evil\\u001b[2J",
        "2a        2026-11-18 14:00:00  -      no       -",
    ]


def test_programs_get_values(capsys):
    show("ndjson")
    assert capsys.readouterr().out.splitlines()[0] == (
        '{"server": "1a2b3c4d", "opened": "2026-11-19T14:00:00.123456Z", "ended": null, '
        '"is_open": true, "reason": "evil\\u001b[2J"}'
    )
    show("csv")
    assert capsys.readouterr().out.splitlines()[2] == ("2a,2026-11-18T14:00:00.123456Z,,false,")


def test_a_terminal_leaves_today_s_date_out(capsys, terminal):
    assert show() == 2
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        "server    opened               ended  is open  reason",
        "1a2b3c4d  14:00:00             -      yes      evil\\u001b[2J",
        "2a        2026-11-18 14:00:00  -      no       -",
    ]


def test_a_narrow_terminal_does_without_what_matters_least(capsys, terminal, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    show(less=("is_open", "reason"))
    out, err = capsys.readouterr()
    assert [line.rstrip() for line in out.splitlines()] == [
        "server    opened",
        "1a2b3c4d  14:00:00",
        "2a        2026-11-18 14:00:00",
    ]
    assert err == "no room for is_open, reason; -o csv has all\n"


def test_a_terminal_in_colour_shows_headings_in_bold(capsys, terminal, monkeypatch):
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "xterm-256color")
    show()
    assert "\x1b[1m" in capsys.readouterr().out


@pytest.mark.parametrize("kind", ["text", "ndjson"])
def test_an_empty_table_prints_nothing(capsys, kind):
    assert show(kind, rows=[]) == 0
    assert capsys.readouterr() == ("", "")


def test_an_empty_table_on_a_terminal_prints_nothing(capsys, terminal):
    assert show(rows=[]) == 0
    assert capsys.readouterr() == ("", "")


def test_no_time_is_no_moment():
    assert moment(None) is None
    assert moment(5) == Moment(5)


COMMANDS = ["servers", "runs", "connections", "gaps", "status"]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("columns", ["40", "80", "200"])
@pytest.mark.usefixtures("archive", "terminal")
def test_a_listing_fits_its_terminal_and_is_safe(archiver, monkeypatch, command, columns):
    monkeypatch.setenv("COLUMNS", columns)
    result = archiver(command)
    assert max(map(len, result.out.splitlines())) <= int(columns)
    assert not set("\x1b\x07\x9b\u202e\u2028") & set(result.out + result.err)
    assert "\N{HORIZONTAL ELLIPSIS}" not in result.out


@pytest.mark.parametrize("command", COMMANDS)
def test_a_listing_for_programs_has_the_same_keys_in_both_formats(archiver, archive, command):
    first = json.loads(archiver(command, "-o", "ndjson").out.splitlines()[0])
    assert archiver(command, "-o", "csv").out.splitlines()[0] == ",".join(first)
    assert {"server", "server_name"} <= set(first)


@pytest.mark.parametrize("command", ["servers", "runs", "connections", "gaps"])
def test_an_empty_listing_is_nothing_found(archiver, data_dir, command):
    assert archiver(command) == (1, "", f"no {command}\n")
